"""Sample files of lm-evaluation-harness (`samples_<task>_<date>.jsonl`): one document a line, once for each filter.

`doc_id`, `doc`, `target`, `resps`, `filtered_resps`, `filter`, `metrics` and `doc_hash`, beside the metrics themselves.
Its repeats of a request end in one score a document, by the task's filters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from crucible.errors import StatsError
from crucible.stats.readers.asked import Asked
from crucible.stats.readers.cells import is_score, outcome_of, text_of
from crucible.stats.readers.lines import objects_of
from crucible.stats.readers.measured import Measured, ReadFile, choose_metric, conditions_of, fingerprint

__all__ = ["is_lm_eval", "read_lm_eval"]

_NO_FILTER = "none"
_NO_METRICS = frozenset({"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics"})


def is_lm_eval(row: Mapping[str, Any]) -> bool:
    """Return whether a JSON object looks like a line of such a file."""
    return "doc_id" in row and ("filtered_resps" in row or "resps" in row or "doc_hash" in row)


class _Row(msgspec.Struct, frozen=True):
    measured: Measured
    filter: str
    values: dict[str, Any]


def read_lm_eval(path: Path, asked: Asked) -> ReadFile:
    """Read a file of samples. Where a task has several filters, a metric is called such as `exact_match,strict-match`.

    Where it has one, that name is understood too, and a note says which filter it is.

    Raises:
        StoreError: The file cannot be read, or a line is no sample; with file and line.
        StatsError: It has several metrics and none was named, or a score is no finite number.
    """
    rows = list(_rows(path, asked))
    filters = {row.filter for row in rows}
    has_filters = len(filters) > 1
    called = {
        (row.filter, name): f"{name},{row.filter}" if has_filters else name for row in rows for name in row.values
    }
    if len(filters) == 1:  # as the harness itself calls the figure
        called = {pair: asked.metric if asked.metric == ",".join(pair[::-1]) else name for pair, name in called.items()}
    metric = choose_metric(str(path), tuple(called.values()), asked)
    of, plain = next(pair for pair, name in called.items() if name == metric)
    chosen = [_scored(path, row, metric, plain) for row in rows if row.filter == of]
    conditions = conditions_of(
        str(path), path.absolute().parent.name or path.stem, metric, chosen, by_item=True, asked=asked
    )
    notes = () if has_filters or of == _NO_FILTER else (f"its scores are those of the filter {of}",)
    return ReadFile(str(path), "lm_eval", conditions, tuple(called.values()), notes)


def _scored(path: Path, row: _Row, metric: str, plain: str) -> Measured:
    if plain not in row.values:
        return row.measured
    outcome = outcome_of(row.values[plain], f"{path}, {row.measured.place}: {plain}")
    return msgspec.structs.replace(row.measured, outcomes={metric: outcome})


def _rows(path: Path, asked: Asked) -> Iterator[_Row]:
    for number, row in objects_of(path):
        place = f"{path}:{number}"
        if not is_lm_eval(row):
            raise StatsError(f"{place}: no sample of lm-evaluation-harness: it has no doc_id with resps or doc_hash")
        doc: Any = row.get("doc")
        inner: Mapping[str, Any] = cast("Mapping[str, Any]", doc) if isinstance(doc, Mapping) else {}
        seen: Any = row.get("doc_hash")
        measured = Measured(
            item=_field(row, inner, asked.item or "doc_id", place),
            outcomes={},
            place=f"line {number}",
            repeat=_field(row, inner, asked.repeat, place),
            prompt=_field(row, inner, asked.prompt, place),
            cluster=_field(row, inner, asked.cluster, place),
            fingerprint=fingerprint(seen) if isinstance(seen, str) else "",
        )
        yield _Row(measured, str(row.get("filter") or _NO_FILTER), {name: row[name] for name in _names(row)})


def _names(row: Mapping[str, Any]) -> list[str]:
    """Return the metrics of a line that are numbers: those that it lists or, in older files, all other fields."""
    listed: Any = row.get("metrics")
    if isinstance(listed, list):
        return [name for name in cast("list[Any]", listed) if isinstance(name, str) and is_score(row.get(name))]
    return [name for name, value in row.items() if name not in _NO_METRICS and is_score(value)]


def _field(row: Mapping[str, Any], doc: Mapping[str, Any], name: str, place: str) -> str:
    """Return a field of the line or of its document, as text; empty where none was asked for."""
    if not name:
        return ""
    if name in row:
        return text_of(row[name], f"{place}: {name}")
    if name in doc:
        return text_of(doc[name], f"{place}: doc.{name}")
    raise StatsError(f'{place}: neither the line nor its document has "{name}"')
