"""Per-item scores from the files that evaluations write, and what to do with items that have none.

One JSON object a line: `{"id": …, "scores": {"exact_match": {"kind": "scored", "value": 1.0}}}`; `input` and `expected`
tell whether two files hold the same items, other keys are ignored. A failed item is counted and treated by a named
policy, never silently a zero and never silently gone.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from crucible.errors import ContractError, StatsError, StoreError
from crucible.ir import Outcome

__all__ = ["FailurePolicy", "ScoredItem", "check_same_items", "few", "outcomes_of", "read_items"]


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
                f"{few(differing)}; evaluate both on the same items"
            )


def _differ(here: Any, there: Any) -> bool:
    return here is not msgspec.UNSET and there is not msgspec.UNSET and here != there


def few(keys: list[str]) -> str:
    """Return the first three ids of a list, and how many more there are."""
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return ", ".join(f'"{key}"' for key in keys[:3]) + more
