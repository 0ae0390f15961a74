"""Per-item scores from the files that evaluations write, and what to do with items that have none.

One JSON object a line: `{"id": …, "scores": {"exact_match": {"kind": "scored", "value": 1.0}}}`; `input` and `expected`
tell whether two files hold the same items, other keys are ignored. A failed item is counted and treated by a named
policy, never silently a zero and never silently gone.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from crucible.errors import ContractError, StatsError, StoreError
from crucible.ir import Failed, Outcome, Scored, Skipped

__all__ = [
    "FailurePolicy",
    "PairedScores",
    "ScoredItem",
    "check_same_items",
    "outcomes_of",
    "pair_scores",
    "read_items",
    "read_scores",
]


class FailurePolicy(StrEnum):
    """What becomes of an item whose measurement failed; an item that was skipped on purpose is always left out."""

    EXCLUDE = "exclude"
    ZERO = "zero"
    ABORT = "abort"


class PairedScores(msgspec.Struct, frozen=True):
    """Scores of the items that both sides can be compared on.

    Args:
        baseline: Score by item id.
        treatment: Score by item id, the same ids in the same order.
        counts: Attempted, scored, failed and skipped items, by `n_…` and side.
        failures: One clause on what was left out or counted as 0; empty if nothing was.
    """

    baseline: dict[str, float]
    treatment: dict[str, float]
    counts: dict[str, dict[str, int]]
    failures: str


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


def read_scores(path: Path, metric: str) -> dict[str, Outcome]:
    """Read one metric's outcomes by item id, in the file's order.

    Raises:
        StoreError: The file cannot be read, a line is no item, or an id comes twice; with file and line.
        StatsError: The file is empty, or an item lacks the metric.
    """
    return outcomes_of(read_items(path), metric, path.name)


def outcomes_of(items: dict[str, ScoredItem], metric: str, name: str) -> dict[str, Outcome]:
    """Return one metric's outcomes by item id.

    Args:
        items: By id.
        metric: Which one.
        name: What the items' file is called.

    Raises:
        StatsError: An item lacks the metric.
    """
    for item in items.values():
        if metric not in item.scores:
            known = ", ".join(sorted(item.scores)) or "none"
            raise StatsError(f'{name}: item "{item.id}" has no metric "{metric}"; it has: {known}')
    return {key: item.scores[metric] for key, item in items.items()}


def read_items(path: Path) -> dict[str, ScoredItem]:
    """Read a file of scores, by item id, in the file's order.

    Raises:
        StoreError: The file cannot be read, a line is no item, or an id comes twice; with file and line.
        StatsError: The file is empty.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise StoreError(f"cannot read the scores in {path}: {error.strerror or error}") from error
    decoder = msgspec.json.Decoder(ScoredItem)
    items: dict[str, ScoredItem] = {}
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            line = decoder.decode(text)
        except msgspec.DecodeError as error:
            raise StoreError(f"{path}:{number}: not an item with scores: {error}") from error
        if line.id in items:
            raise StoreError(f'{path}:{number}: item "{line.id}" comes a second time')
        items[line.id] = line
    if not items:
        raise StatsError(f"{path} holds no items: there is nothing to compare")
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
                f"{_few(differing)}; evaluate both on the same items"
            )


def _differ(here: Any, there: Any) -> bool:
    return here is not msgspec.UNSET and there is not msgspec.UNSET and here != there


def pair_scores(
    baseline: dict[str, Outcome], treatment: dict[str, Outcome], policy: FailurePolicy, names: tuple[str, str]
) -> PairedScores:
    """Pair two sides by item id and apply the policy for failures.

    Args:
        baseline: Outcomes by item id.
        treatment: Outcomes by item id.
        policy: What becomes of failed items.
        names: What baseline and treatment are called.

    Raises:
        StatsError: The sides hold different items, or an item failed under `abort`.
    """
    _check_ids(baseline, treatment, names)
    sides = {"baseline": baseline, "treatment": treatment}
    kinds = {side: Counter(type(outcome) for outcome in outcomes.values()) for side, outcomes in sides.items()}
    if policy is FailurePolicy.ABORT:
        for name, outcomes in zip(names, sides.values(), strict=True):
            _refuse_failures(name, outcomes)
    left: dict[str, float] = {}
    right: dict[str, float] = {}
    zeroed: set[str] = set()
    for key, first in baseline.items():
        second = treatment[key]
        x, y = _value(first, policy), _value(second, policy)
        if x is not None and y is not None:
            left[key], right[key] = x, y
            if isinstance(first, Failed) or isinstance(second, Failed):
                zeroed.add(key)
    counts = {
        "n_attempted": {side: len(sides[side]) - kind[Skipped] for side, kind in kinds.items()},
        "n_scored": {side: kind[Scored] for side, kind in kinds.items()},
        "n_failed": {side: kind[Failed] for side, kind in kinds.items()},
        "n_skipped": {side: kind[Skipped] for side, kind in kinds.items()},
    }
    return PairedScores(left, right, counts, _clause(len(baseline), len(left), len(zeroed)))


def _value(outcome: Outcome, policy: FailurePolicy) -> float | None:
    if isinstance(outcome, Scored):
        return outcome.value
    return 0.0 if isinstance(outcome, Failed) and policy is FailurePolicy.ZERO else None


def _clause(items: int, pairs: int, zeroed: int) -> str:
    parts: list[str] = []
    if pairs < items:
        parts.append(f"{items - pairs} of {items} items were left out because a side failed or was skipped")
    if zeroed:
        parts.append(f"{zeroed} of {items} items count as 0 on a side that failed")
    return " and ".join(parts)


def _check_ids(baseline: dict[str, Outcome], treatment: dict[str, Outcome], names: tuple[str, str]) -> None:
    for name, here, there in ((names[0], baseline, treatment), (names[1], treatment, baseline)):
        extra = [key for key in here if key not in there]
        if extra:
            raise StatsError(
                f"{len(extra)} items are only in the scores of {name}: {_few(extra)}; evaluate both on the same items"
            )


def _refuse_failures(name: str, outcomes: dict[str, Outcome]) -> None:
    failed = [key for key, outcome in outcomes.items() if isinstance(outcome, Failed)]
    if failed:
        raise StatsError(
            f'{len(failed)} items of {name} failed ({_few(failed)}) and the policy is "abort"; '
            'mend them, or set failures to "exclude" or "zero"'
        )


def _few(keys: list[str]) -> str:
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return ", ".join(f'"{key}"' for key in keys[:3]) + more
