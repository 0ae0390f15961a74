"""What a guardrail finds: a stretch of a text, which rule it meets, and how much it matters. Never the text itself."""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import msgspec

__all__ = ["Category", "Finding", "Severity", "Violation", "settle"]


class Category(StrEnum):
    """What kind of thing was found."""

    PII = "pii"
    PROMPT_INJECTION = "prompt_injection"
    JAILBREAK = "jailbreak"
    CONTENT = "content"


class Severity(StrEnum):
    """How much a finding matters; `rank` orders the words."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for low to 3 for critical."""
        return list(Severity).index(self)


class Finding(msgspec.Struct, frozen=True):
    """A stretch of a text that meets a rule.

    Args:
        rule: Name of the rule, such as `email`.
        category: What kind of thing it is.
        severity: How much it matters.
        start: First character in the text as it was given, from 0.
        end: The character after the last; above `start`.
        placeholder: What stands for the stretch wherever it is shown or replaced, such as `[EMAIL]`.
    """

    rule: str
    category: Category
    severity: Severity
    start: int
    end: int
    placeholder: str


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """A finding with its place among the examples of a run.

    Args:
        source: `examples`, or the dataset's name in the run, such as `train`.
        index: Place of the example in its source, from 0.
        id: The example's id; None where it has none.
        field: Where in the example, such as `input` or `input[0].content`.
        rule: Name of the rule.
        category: What kind of thing it is.
        severity: How much it matters.
        start: First character in that text as it was scanned, from 0.
        end: The character after the last.
        redacted: What stands for the matched text, such as `[EMAIL]`; the text itself is kept nowhere.
    """

    source: str
    index: int
    id: str | None
    field: str
    rule: str
    category: Category
    severity: Severity
    start: int
    end: int
    redacted: str

    @property
    def where(self) -> str:
        """Place and id in words, such as `train[3] (id "a") input`."""
        own = "" if self.id is None else f' (id "{self.id}")'
        return f"{self.source}[{self.index}]{own} {self.field}"

    def to_dict(self) -> dict[str, Any]:
        """Return the violation as JSON values."""
        return msgspec.to_builtins(self)


def settle(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings of one text in the order of their places, without those that say the same twice.

    Personal data that overlaps is one finding by the gravest of its names, then that of the longest, over all of the
    stretches together, so that nothing of any is left. Elsewhere a rule is kept once a stretch, and two may both hold.
    """
    graver_first = sorted(findings, key=lambda found: (-found.severity.rank, found.start - found.end, found.start))
    kept = _united([found for found in graver_first if found.category is Category.PII])
    taken: dict[str, _Stretches] = {}
    for found in graver_first:
        key = f"{found.category}.{found.rule}"
        if found.category is not Category.PII and taken.setdefault(key, _Stretches()).take(found.start, found.end):
            kept.append(found)
    return sorted(kept, key=lambda found: (found.start, found.end, found.rule))


def _united(graver_first: list[Finding]) -> list[Finding]:
    """Return one finding for each stretch of findings that overlap."""
    united: list[Finding] = []
    best = 0
    for rank, found in sorted(enumerate(graver_first), key=lambda each: each[1].start):
        if united and found.start < united[-1].end:
            start, end = united[-1].start, max(united[-1].end, found.end)
            best = min(best, rank)
            united[-1] = msgspec.structs.replace(graver_first[best], start=start, end=end)
        else:
            united.append(found)
            best = rank
    return united


class _Stretches:
    """Stretches that do not overlap, in order, so that a text of a hundred thousand findings takes no hour."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def take(self, start: int, end: int) -> bool:
        """Add a stretch unless it overlaps another; return whether it was added."""
        place = bisect.bisect_left(self._starts, end)  # the first that starts behind it
        if place and self._ends[place - 1] > start:
            return False
        self._starts.insert(place, start)
        self._ends.insert(place, end)
        return True
