"""How good an adapter is on labelled cases: precision, recall, and which cases it gets wrong.

A figure is as good as its cases. Those in Crucible's tests are made up by its authors: a check that rules do what they
are meant to, no benchmark.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from crucible.data.guardrails.adapter import GuardrailAdapter, ScanOptions, scan_texts
from crucible.data.guardrails.finding import Category
from crucible.errors import DataError

__all__ = ["Case", "Quality", "measure", "read_cases"]


class Case(msgspec.Struct, frozen=True):
    """A text with what should be found in it.

    Args:
        text: The text.
        violation: Whether it should be found.
        rule: The rule that should find it; None: any of the category.
        set: Which part of the cases it is of, such as `tuning` or `held_out`.
    """

    text: str
    violation: bool
    rule: str | None = None
    set: str = ""


class Quality(msgspec.Struct, frozen=True):
    """How an adapter did on cases of one category.

    Args:
        found: Violations that were found.
        missed: Violations that were not.
        false_alarms: Other texts in which something was found.
        quiet: Other texts in which nothing was.
        wrong: The texts that were missed or were false alarms, in order.
    """

    found: int
    missed: int
    false_alarms: int
    quiet: int
    wrong: tuple[str, ...] = ()

    @property
    def precision(self) -> float | None:
        """Share of what was found that should be, 0 to 1; None if nothing was found."""
        alarms = self.found + self.false_alarms
        return self.found / alarms if alarms else None

    @property
    def recall(self) -> float | None:
        """Share of the violations that were found, 0 to 1; None if there are none."""
        violations = self.found + self.missed
        return self.found / violations if violations else None


def read_cases(path: Path) -> list[Case]:
    """Return the cases of a JSONL file with `text` and `violation` in each line, and perhaps `rule` and `set`.

    Raises:
        DataError: The file cannot be read, or a line is no case.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {error}") from error
    cases: list[Case] = []
    for number, line in enumerate(lines, start=1):
        try:
            cases.append(msgspec.json.decode(line, type=Case))
        except msgspec.DecodeError as error:
            raise DataError(f"{path}:{number}: a case has text and violation: {error}") from error
    return cases


def measure(adapter: GuardrailAdapter, category: Category, cases: Iterable[Case], options: ScanOptions) -> Quality:
    """Return how well an adapter tells the violations of one category from the other texts.

    Args:
        adapter: What is measured.
        category: What counts; findings of other categories do not.
        cases: Labelled texts.
        options: What the adapter looks for, such as a profile's thresholds.
    """
    labelled: Sequence[Case] = list(cases)
    answers = scan_texts(adapter, [case.text for case in labelled], options)
    counts: dict[tuple[bool, bool], int] = {}
    wrong: list[str] = []
    for case, findings in zip(labelled, answers, strict=True):
        hit = any(found.category is category and case.rule in (None, found.rule) for found in findings)
        counts[case.violation, hit] = counts.get((case.violation, hit), 0) + 1
        if hit != case.violation:
            wrong.append(case.text)
    return Quality(
        found=counts.get((True, True), 0),
        missed=counts.get((True, False), 0),
        false_alarms=counts.get((False, True), 0),
        quiet=counts.get((False, False), 0),
        wrong=tuple(wrong),
    )
