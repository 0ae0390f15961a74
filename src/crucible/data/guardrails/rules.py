"""The adapter `rules`: patterns and check sums, with no model and nothing to install."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import ClassVar

from crucible.data.guardrails.adapter import ScanOptions
from crucible.data.guardrails.finding import Finding, settle
from crucible.data.guardrails.folding import fold
from crucible.data.guardrails.rule import Rule
from crucible.errors import ContractError
from crucible.pipeline import check_cancelled

__all__ = ["RuleAdapter", "all_rules", "rule_names"]


@functools.cache
def all_rules() -> tuple[Rule, ...]:
    """Return the built-in rules. The first call compiles their patterns: checking a document need not wait for that."""
    from crucible.data.guardrails.content import CONTENT_RULES
    from crucible.data.guardrails.injection import INJECTION_RULES
    from crucible.data.guardrails.jailbreak import JAILBREAK_RULES
    from crucible.data.guardrails.pii import PII_RULES
    from crucible.data.guardrails.secrets import SECRET_RULES

    return (*PII_RULES, *SECRET_RULES, *INJECTION_RULES, *JAILBREAK_RULES, *CONTENT_RULES)


def rule_names() -> tuple[str, ...]:
    """Return the names of the built-in rules, sorted."""
    return tuple(sorted({rule.name for rule in all_rules()}))


class RuleAdapter:
    """Finds personal data and keys in most notations, and English phrases of injection, jailbreak and harm.

    Takes time proportional to the length of a text, whatever is in it. Letters of other widths and alphabets,
    invisible characters and HTML entities do not hide anything.

    Args:
        max_chars: Longest text that is looked at, at least 1. A longer one is an error, never half looked at.

    Raises:
        ContractError: `max_chars` is no whole number of at least 1.
    """

    name: ClassVar[str] = "rules"
    version: ClassVar[str] = "1"

    def __init__(self, max_chars: int = 2_000_000) -> None:
        if isinstance(max_chars, bool) or not isinstance(max_chars, int) or max_chars < 1:  # pyright: ignore[reportUnnecessaryIsInstance]  # from a document
            raise ContractError(f"adapter_options.max_chars must be an integer of at least 1, got {max_chars!r}")
        self._max_chars = max_chars

    def scan(self, texts: Sequence[str], options: ScanOptions) -> list[list[Finding]]:
        """Return the findings of each text.

        Raises:
            ContractError: A text is longer than `max_chars`.
            Cancelled: The run was asked to stop.
        """
        return [self._one(text, options) for text in texts]

    def _one(self, text: str, options: ScanOptions) -> list[Finding]:
        if len(text) > self._max_chars:
            raise ContractError(
                f"a text of {len(text)} characters is over max_chars ({self._max_chars}); "
                "raise adapter_options.max_chars, or leave its field out of fields"
            )
        folded = fold(text)
        lowered = folded.text.lower()
        found: list[Finding] = []
        for rule in all_rules():
            least = options.thresholds.get(rule.category, None)
            if least is None or rule.severity.rank < least.rank or rule.name in options.ignore_rules:
                continue
            found.extend(rule.find(text, folded, lowered))
            if len(text) > 10_000:
                check_cancelled()
        return settle(found)
