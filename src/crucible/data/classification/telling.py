"""A classification as the plain facts that a run keeps: every figure with its interval in one list."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crucible.data.classification.result import Classification, ClassScores, Scores
from crucible.ir import Interval

__all__ = ["facts_of"]


def facts_of(found: Classification) -> dict[str, Any]:
    """Return a classification as JSON values: counts, `figures`, `classes` and `confusion`, one mapping an entry."""
    return {
        "items": found.items,
        "unread": found.unread,
        "skipped": found.skipped,
        "figures": list(_figures(found)),
        "classes": [
            {"class": name, "support": each.support, "predicted": each.predicted, "right": each.right}
            for name, each in found.classes.items()
        ],
        "confusion": [
            {"expected": row, "answered": column or None, "items": count}
            for row, cells in found.confusion.items()
            for column, count in cells.items()
        ],
    }


def _figures(found: Classification) -> Iterator[dict[str, Any]]:
    yield _figure("accuracy", found.accuracy, found.accuracy_interval)
    for kind, scores in (("macro", found.macro), ("micro", found.micro)):
        yield from _three(f"{kind}_", "", scores)
    for name, scores in found.classes.items():
        yield from _three("", f" of {name}", scores)


def _three(before: str, behind: str, scores: Scores | ClassScores) -> Iterator[dict[str, Any]]:
    for name in ("precision", "recall", "f1"):
        yield _figure(f"{before}{name}{behind}", getattr(scores, name), getattr(scores, f"{name}_interval"))


def _figure(name: str, value: float | None, interval: Interval | None) -> dict[str, Any]:
    found: dict[str, Any] = {"figure": name, "value": value}
    if interval is None:
        return found | {"low": None, "high": None, "level": None, "method": None}
    return found | {"low": interval.low, "high": interval.high, "level": interval.level, "method": interval.method}
