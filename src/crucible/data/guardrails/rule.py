"""A rule: a pattern over folded text, and a check of what it matched.

Every pattern takes time proportional to the length of the text, whatever the text: each repetition has a bound, and
neighbouring parts cannot match the same characters, so there is little to try twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from crucible.data.guardrails.finding import Category, Finding, Severity
from crucible.data.guardrails.folding import Folded

__all__ = ["Accept", "Rule", "phrase"]

Accept = Callable[[re.Match[str]], tuple[int, int] | None]
"""Says which part of a match counts, as places in the text that was searched; None: it was a false alarm."""

_BETWEEN: Final = r"(?:[\W_]{1,6})"  # a group, so that ` ?` makes it optional
_GAP: Final = r"(?:[\s,'\"()*`>_-]{1,6}[^\W_]{1,20}){0,4}?[\s,'\"()*`>_-]{1,6}"  # up to 4 words of one sentence


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule.

    Args:
        name: Such as `email`; several rules may share a name.
        category: What kind of thing it finds.
        severity: How much that matters.
        placeholder: What stands for it, such as `[EMAIL]`.
        pattern: Searched in the folded text, or in the original one if `on_original`.
        accept: A closer look at each match; None: all count.
        hints: Lower-case text of which at least one part is in every match; none given, every text is searched.
        on_original: Searches the text as it was given, for what folding takes away.
    """

    name: str
    category: Category
    severity: Severity
    placeholder: str
    pattern: re.Pattern[str]
    accept: Accept | None = None
    hints: tuple[str, ...] = ()
    on_original: bool = False

    def find(self, text: str, folded: Folded, lowered: str) -> Iterator[Finding]:
        """Return what the rule finds.

        Args:
            text: The text as it was given.
            folded: It folded.
            lowered: The folded text in lower case.
        """
        if self.hints and not any(hint in lowered for hint in self.hints):
            return
        for match in self.pattern.finditer(text if self.on_original else folded.text):
            span = match.span() if self.accept is None else self.accept(match)
            if span is not None:
                start, end = span if self.on_original else folded.original(*span)
                yield Finding(self.name, self.category, self.severity, start, end, self.placeholder)


def phrase(words: str) -> re.Pattern[str]:
    """Return a pattern for words in a row, upper and lower case alike.

    Args:
        words: A regular expression in which a space stands for whatever separates words, and ` ... ` for that and up
            to four words of the same sentence.
    """
    pattern = words.replace(" ... ", _GAP).replace(" ", _BETWEEN)
    return re.compile(rf"(?<![^\W_])(?:{pattern})(?![^\W_])", re.IGNORECASE)
