"""Scores item by item, from a file, an evaluation or a mapping, in the form in which a version keeps them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from crucible.data import EvalResult
from crucible.errors import SpecError
from crucible.ir import Scored, Skipped
from crucible.stats import Condition, condition_of_scores
from crucible.stats.readers import Asked, read_file
from crucible.store.models import ModelScores, check_scores

__all__ = ["ScoreSource", "read_scores", "scores_of"]

ScoreSource = EvalResult | Condition | Path | str | Mapping[str, Any]
"""Where scores come from: an evaluation, one side of a comparison, a file of scores, or scores by item id by metric."""


def read_scores(source: ScoreSource | Iterable[ScoreSource], metrics: Iterable[str] = ()) -> tuple[ModelScores, ...]:
    """Return the scores of a version by every metric, or by those that are named.

    An item of which a measurement failed counts as failed; one that was skipped is left out.

    Args:
        source: An `EvalResult`, a `Condition`, a file that `evaluate` or another tool wrote, a mapping such as
            `{"exact_match": {"item-1": 1.0}}`, or several of these.
        metrics: Only these; empty: all that there are. Of a file with several, they must be named.

    Raises:
        SpecError: There are no scores, or one is no finite number.
        StatsError: A file does not have such a metric, or its items come twice.
        StoreError: A file cannot be read.
    """
    wanted = tuple(metrics)
    found: dict[str, ModelScores] = {}
    for one in _each(source):
        for scores in map(scores_of, _conditions(one, wanted)):
            if scores.metric in found:
                raise SpecError(f"scores by {scores.metric} are given twice; give them once", code="scores")
            found[scores.metric] = scores
    if missing := [name for name in wanted if name not in found]:
        known = ", ".join(found) or "none"
        raise SpecError(f"there are no scores by {', '.join(missing)}; there are: {known}", code="scores")
    return tuple(found[name] for name in (wanted or found))


def scores_of(condition: Condition) -> ModelScores:
    """Return one side of a comparison as a version keeps it.

    Raises:
        SpecError: It has no item, or a score is no finite number.
    """
    values: dict[str, list[float | None]] = {}
    for one in condition.observations:
        if not isinstance(one.outcome, Skipped):
            value = one.outcome.value if isinstance(one.outcome, Scored) else None
            values.setdefault(one.item, []).append(value)
    items = {item: _mean(measured) for item, measured in values.items()}
    scores = ModelScores(condition.metric, items, _asked(condition, items), condition.is_share)
    check_scores(scores)
    return scores


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    return known[0] if min(known) == max(known) else sum(known) / len(known)


def _asked(condition: Condition, items: Mapping[str, Any]) -> str:
    """Return a digest of what was asked, by item; empty where it is not known of every item."""
    prints = condition.fingerprints
    if any(item not in prints for item in items):
        return ""
    lines = (f"{item}\0{prints[item]}\n" for item in sorted(items))
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def _each(source: Any) -> Iterable[ScoreSource]:
    if isinstance(source, (EvalResult, Condition, Path, str, Mapping)):
        return [cast("ScoreSource", source)]
    return cast("Iterable[ScoreSource]", source)


def _conditions(source: ScoreSource, wanted: tuple[str, ...]) -> Iterable[Condition]:
    match source:
        case Condition():
            yield source
        case EvalResult() if source.record is not None and source.record.is_file():
            yield from _of_file(source.record, wanted)
        case EvalResult():
            yield from (source.condition(name) for name in source.summaries if not wanted or name in wanted)
        case Path() | str():
            yield from _of_file(Path(source), wanted)
        case _:
            for metric, scores in source.items():
                if not isinstance(scores, Mapping):
                    raise SpecError(
                        f"scores by {metric!r:.80} must be a mapping by item id, so that two versions can be held "
                        "against each other item by item",
                        code="scores",
                    )
                if not wanted or metric in wanted:
                    yield condition_of_scores("scores", cast("Mapping[Any, Any]", scores), metric=metric)


def _of_file(path: Path, wanted: tuple[str, ...]) -> Iterable[Condition]:
    for name in wanted or ("",):
        read = read_file(path, Asked(metric=name))
        if len(read.conditions) != 1:
            raise SpecError(
                f"{path} holds {len(read.conditions)} conditions ({', '.join(one.label for one in read.conditions)}), "
                "and a version has one; give a file of that one alone",
                code="scores",
            )
        yield read.conditions[0]
