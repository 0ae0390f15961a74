"""The report as one long table: a row a measured thing, a column a property, so that any program can filter it.

RFC 4180, UTF-8, lines end in CRLF. Numbers have every digit and are never guarded; an empty field means "not
recorded". Text that a spreadsheet would take for a formula gets an apostrophe in front, which `unguard` takes off.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

from crucible.ir import Interval
from crucible.report.findings import Contrast, Effect, GroupTest, Score, Side
from crucible.report.metric_tables import flat_values
from crucible.report.results import Results
from crucible.stats.rendering.markup import visible

__all__ = ["COLUMNS", "guard", "render_csv", "unguard"]

COLUMNS = (
    "experiment_id", "run_id", "stamp", "kind", "label", "baseline", "metric", "unit", "value", "low", "high",
    "level", "interval_method", "baseline_mean", "treatment_mean", "n", "attempted", "scored", "failed", "skipped",
    "failures", "method", "statistic", "p", "p_adjusted", "correction", "comparisons", "alpha", "verdict", "effect",
    "effect_value", "effect_low", "effect_high", "effect_level", "text",
)  # fmt: skip
"""Columns in order; `docs` say what each holds for each kind of row."""

_ACTS = re.compile("'*(?:[\\s\ufeff]*[=+\\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])")
"""What a spreadsheet may run, full-width twins of the four signs included; the apostrophes make `guard` reversible."""

Row = dict[str, Any]


def render_csv(results: Results) -> str:
    """Return the table: scores, differences, other tests, items behind them, measurements, facts, cautions."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    same = {"experiment_id": results.experiment_id, "run_id": results.run_id, "stamp": results.stamp}
    for row in _rows(results):
        whole = same | row
        writer.writerow([_field(whole.get(name)) for name in COLUMNS])
    return file.getvalue()


def guard(text: str) -> str:
    """Return text that no spreadsheet takes for a formula."""
    return f"'{text}" if _ACTS.match(text) else text


def unguard(text: str) -> str:
    """Return the text that `guard` was given."""
    return text[1:] if text[:1] == "'" and _ACTS.match(text[1:]) else text


def _field(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, (int, float)) else guard(visible(str(value)))


def _rows(results: Results) -> Iterator[Row]:
    for evaluation in results.evaluations:
        for score in evaluation.scores:
            yield _score(evaluation.label, score)
    yield from map(_group_test, results.group_tests)
    for contrast in results.contrasts:
        yield _difference(contrast)
        yield from _beside(contrast)
    yield from _values("metric", results.other)
    for training in results.training:
        yield from _values("training", {training.model: training.facts | {"config": training.config}})
    for evaluation in results.evaluations:
        yield from _values("generation", {evaluation.label: evaluation.generation})
    yield from _values("data", {"": results.data} | {part.role: part.facts for part in results.datasets})
    provenance = results.provenance
    facts = {"command": provenance.command, "seed": provenance.seed} | provenance.facts
    yield from _values("provenance", {"": facts, "versions": provenance.versions})
    yield from ({"kind": "caution", "text": line} for line in results.cautions)
    yield from ({"kind": "missing", "text": line} for line in results.missing)


def _score(label: str, score: Score) -> Row:
    return {
        "kind": "score",
        "label": label,
        "metric": score.scorer,
        "unit": score.unit,
        "value": score.mean,
        "n": None if score.scored is None else score.scored + score.zeroed,
        "failures": score.failures,
        **_ends(score.interval),
        **_counts(score),
    }


def _group_test(test: GroupTest) -> Row:
    same = ("statistic", "p", "alpha", "n", "verdict")
    return {
        "kind": "group_test",
        "metric": test.metric or None,
        "method": test.test,
        "text": "; ".join(test.groups),
        **{name: getattr(test, name) for name in same},
        **_size(test.effect),
    }


def _size(effect: Effect | None) -> Row:
    if effect is None:
        return {}
    return {"effect": effect.name, "effect_value": effect.value, **_ends(effect.interval, "effect_")}


def _difference(contrast: Contrast) -> Row:
    same = ("baseline_mean", "treatment_mean", "n", "statistic", "p", "p_adjusted", "correction", "comparisons",
            "alpha", "verdict")  # fmt: skip
    return {
        **_of_contrast("difference", contrast),
        **{name: getattr(contrast, name) for name in same},
        "value": contrast.difference,
        "failures": contrast.failures or None,
        "method": contrast.test or None,
        "text": contrast.name,
        **_ends(contrast.interval),
        **_size(contrast.effect),
    }


def _beside(contrast: Contrast) -> Iterator[Row]:
    for other in contrast.also:
        row = _of_contrast("other_test", contrast) | {"method": other.test, "p": other.p, "text": other.refused}
        yield row | _ends(other.interval)
    for role, side in zip(("baseline", "treatment"), contrast.sides, strict=False):
        counted = {name: count for name, count in _counts(side).items() if count is not None}
        if counted:
            row = {"kind": f"{role}_items", "label": side.label, "metric": contrast.metric, "text": contrast.name}
            yield row | counted


def _of_contrast(kind: str, contrast: Contrast) -> Row:
    return {
        "kind": kind,
        "label": contrast.treatment,
        "baseline": contrast.baseline,
        "metric": contrast.metric or None,
        "unit": contrast.unit,
    }


def _ends(interval: Interval | None, prefix: str = "") -> Row:
    if interval is None:
        return {}
    ends: Row = {f"{prefix}low": interval.low, f"{prefix}high": interval.high, f"{prefix}level": interval.level}
    return ends if prefix else ends | {"interval_method": interval.method}


def _counts(counted: Score | Side) -> Row:
    return {name: getattr(counted, name) for name in ("attempted", "scored", "failed", "skipped")}


def _values(kind: str, facts: dict[str, Any]) -> Iterator[Row]:
    """Yield a row for every single value: numbers in `value`, anything else in `text`."""
    for label, inner in facts.items():
        for path, value in flat_values(inner):
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            row = {"kind": kind, "label": label or None, "metric": ".".join(path) or None}
            if value is not None:
                yield row | {"value" if is_number else "text": value}
