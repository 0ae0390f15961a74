"""Many runs by a `RunQuery`: the database filters what it has columns for, the rest is looked at a page at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Select, select

from crucible.store import tables
from crucible.store.codec import decode
from crucible.store.query import RunQuery, metric_at
from crucible.store.records import StoredRun
from crucible.store.run_rows import RunRows, moment_text, select_runs

__all__ = ["find_runs"]

_runs, _deltas = tables.runs, tables.context_deltas
_PAGE = 200
_Found = tuple[StoredRun, dict[str, Any]]


def find_runs(connection: Connection, rows: RunRows, query: RunQuery) -> Sequence[StoredRun]:
    """Return the runs that a query asks for, in its order.

    Args:
        connection: Inside a transaction.
        rows: The rows of runs in it.
        query: Which runs.
    """
    found = _with_metrics(connection, rows.all(_select(query)), query)
    kept = (entry for entry in found if _accepts(query, *entry))
    if query.order_by is not None:
        kept = iter(sorted(kept, key=lambda entry: _rank(entry, query)))
    return [run for run, _ in islice(kept, query.limit)]


def _select(query: RunQuery) -> Select[Any]:
    down = query.descending or query.order_by is not None
    order = [column.desc() if down else column.asc() for column in (_runs.c.started_at, _runs.c.run_id)]
    wanted = select_runs().order_by(*order)
    if query.experiment_id is not None:
        wanted = wanted.where(_runs.c.experiment_id == query.experiment_id)
    if query.status:
        stored = {*query.status, *(("running",) if "interrupted" in query.status else ())}  # not marked yet
        wanted = wanted.where(_runs.c.status.in_(sorted(stored)))
    if query.since is not None:
        wanted = wanted.where(_runs.c.started_at >= moment_text(query.since))
    if query.until is not None:
        wanted = wanted.where(_runs.c.started_at < moment_text(query.until))
    simple = not query.status and query.tag is None and not query.metrics and query.order_by is None
    return wanted.limit(query.limit) if simple else wanted


def _with_metrics(connection: Connection, runs: Iterable[StoredRun], query: RunQuery) -> Iterator[_Found]:
    """Yield runs with their metrics, which are read only if the query asks for them."""
    if not query.metrics and query.order_by is None:
        yield from ((run, {}) for run in runs)
        return
    whole = iter(runs)
    while page := list(islice(whole, _PAGE)):
        metrics: dict[str, dict[str, Any]] = {run.run_id: {} for run in page}
        stages = select(_deltas.c.run_id, _deltas.c.metrics_json).where(_deltas.c.run_id.in_(metrics))
        for row in connection.execute(stages.order_by(_deltas.c.run_id, _deltas.c.stage_index)):
            metrics[row.run_id].update(decode(row.metrics_json))
        yield from ((run, metrics[run.run_id]) for run in page)


def _accepts(query: RunQuery, run: StoredRun, metrics: dict[str, Any]) -> bool:
    if query.status and run.status not in query.status:
        return False
    if query.tag is not None and query.tag not in (run.experiment.get("tags") or ()):
        return False
    return all(condition.accepts(metrics) for condition in query.metrics)


def _rank(entry: _Found, query: RunQuery) -> tuple[bool, float]:
    value = metric_at(entry[1], query.order_by or "")
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124  # NaN
        return True, 0.0
    return False, -value if query.descending else value
