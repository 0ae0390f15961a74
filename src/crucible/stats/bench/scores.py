"""Per-item scores from the files that evaluations write, and what to do with items that have none.

One JSON object a line: `{"id": …, "scores": {"exact_match": {"kind": "scored", "value": 1.0}}}`; `repeat` numbers the
measurements of one item, `input` and `expected` tell whether two files hold the same items, other keys are ignored. An
item counts once, with the mean of its repeats. A failed item is counted and treated by a named
policy, never silently a zero and never silently gone.
"""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from crucible.errors import ContractError, StatsError, StoreError
from crucible.ir import Failed, Outcome, Scored

__all__ = [
    "FailurePolicy",
    "Repeated",
    "ScoredItem",
    "check_same_items",
    "failed_repeats",
    "few",
    "outcomes_of",
    "read_items",
]


class FailurePolicy(StrEnum):
    """What becomes of an item whose measurement failed; an item that was skipped on purpose is always left out."""

    EXCLUDE = "exclude"
    ZERO = "zero"
    ABORT = "abort"


class ScoredItem(msgspec.Struct, frozen=True):
    """One line of a file of scores.

    Args:
        id: Of the item, unique within the file.
        scores: Outcome by metric.
        input: What was asked; unset where the file does not say.
        expected: The right answer; unset where the file does not say, None where the item has none.
    """

    id: str
    scores: dict[str, Outcome]
    input: Any = msgspec.UNSET
    expected: Any = msgspec.UNSET


class Repeated(ScoredItem, frozen=True):
    """An item that was measured several times.

    Args:
        repeats: Outcome by metric, of each measurement; `scores` are those of the first.
    """

    repeats: tuple[dict[str, Outcome], ...] = ()


class _Line(ScoredItem, frozen=True):
    repeat: int = 0


def outcomes_of(
    items: dict[str, ScoredItem], metric: str, name: str, failures: FailurePolicy = FailurePolicy.EXCLUDE
) -> dict[str, Outcome]:
    """Return one metric's outcomes by item id; of an item with repeats, the mean of their scores.

    Args:
        items: By id.
        metric: Which one.
        name: What the items' file is called.
        failures: What a failed repeat is in the mean of an item that has scores: left out, a zero, or the failure of
            the item, which `abort` then meets.

    Raises:
        StatsError: An item lacks the metric.
    """
    return {key: _outcome(item, metric, name, failures) for key, item in items.items()}


def _outcome(item: ScoredItem, metric: str, name: str, failures: FailurePolicy) -> Outcome:
    found = [_measured(item, scores, metric, name) for scores in _all_of(item)]
    if len(found) == 1:
        return found[0]
    values = [outcome.value for outcome in found if isinstance(outcome, Scored)]
    failed = [outcome for outcome in found if isinstance(outcome, Failed)]
    if not values or (failed and failures is FailurePolicy.ABORT):
        return failed[0] if failed else found[0]
    if failures is FailurePolicy.ZERO:
        values += [0.0] * len(failed)
    return Scored(math.fsum(values) / len(values))


def _measured(item: ScoredItem, scores: dict[str, Outcome], metric: str, name: str) -> Outcome:
    if metric not in scores:
        known = ", ".join(sorted(scores)) or "none"
        raise StatsError(f'{name}: item "{item.id}" has no metric "{metric}"; it has: {known}')
    return scores[metric]


def _all_of(item: ScoredItem) -> tuple[dict[str, Outcome], ...]:
    return item.repeats if isinstance(item, Repeated) else (item.scores,)


def failed_repeats(items: dict[str, ScoredItem], metric: str) -> int:
    """Return how many repeats failed of items that have scores beside them, which `outcomes_of` does not show."""
    count = 0
    for item in items.values():
        found = [scores.get(metric) for scores in _all_of(item)]
        if any(isinstance(outcome, Scored) for outcome in found):
            count += sum(isinstance(outcome, Failed) for outcome in found)
    return count


def read_items(path: Path) -> dict[str, ScoredItem]:
    """Read a file of scores, by item id, in the file's order.

    Raises:
        StoreError: The file cannot be read, a line is no item, or an item comes twice as the same repeat; with file
            and line.
        StatsError: The file is empty.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise StoreError(f"cannot read the scores in {path}: {error.strerror or error}") from error
    decoder = msgspec.json.Decoder(_Line)
    items: dict[str, ScoredItem] = {}
    repeats: dict[str, dict[int, dict[str, Outcome]]] = {}
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            line = decoder.decode(text)
        except msgspec.DecodeError as error:
            raise StoreError(f"{path}:{number}: not an item with scores: {error}") from error
        known = repeats.setdefault(line.id, {})
        if line.repeat in known:
            raise StoreError(f'{path}:{number}: item "{line.id}" comes a second time')
        known[line.repeat] = line.scores
        items.setdefault(line.id, line)
    if not items:
        raise StatsError(f"{path} holds no items: there is nothing to compare")
    for key, found in repeats.items():
        if len(found) > 1:
            item = items[key]
            items[key] = Repeated(key, item.scores, item.input, item.expected, tuple(found.values()))
    return items


def check_same_items(baseline: dict[str, ScoredItem], treatment: dict[str, ScoredItem], names: tuple[str, str]) -> None:
    """Check that an id means the same item on both sides, as far as both files say what was asked and expected.

    Raises:
        ContractError: Items of the same id differ; a few of them are named.
    """
    for field in ("input", "expected"):
        differing = [
            key
            for key, item in baseline.items()
            if key in treatment and _differ(getattr(item, field), getattr(treatment[key], field))
        ]
        if differing:
            raise ContractError(
                f"{len(differing)} items of {names[0]} and {names[1]} have the same id and another {field}: "
                f"{few(differing)}; evaluate both on the same items"
            )


def _differ(here: Any, there: Any) -> bool:
    return here is not msgspec.UNSET and there is not msgspec.UNSET and here != there


def few(keys: list[str]) -> str:
    """Return the first three ids of a list, and how many more there are."""
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return ", ".join(f'"{key}"' for key in keys[:3]) + more
