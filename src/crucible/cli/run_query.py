"""The commands below `crucible runs` that look at many runs: list and gc."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
import typer
from rich.text import Text

from crucible.cli.access import JsonOption, StoreOption, print_json, reading_store, summary
from crucible.cli.console import console as make_console
from crucible.cli.failure import handled
from crucible.cli.tables import number, table
from crucible.errors import SpecError
from crucible.ir import did_you_mean
from crucible.pipeline import RunStatus
from crucible.store import MetricFilter, RunQuery, StoredRun, metric_at

__all__ = ["runs_gc", "runs_list"]

_STATUSES: tuple[RunStatus, ...] = ("running", "completed", "failed", "cancelled", "interrupted")
_AGE = re.compile(r"(\d+)\s*([smhdw])")
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


@handled
def runs_list(
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many.")] = 20,
    experiment: Annotated[str | None, typer.Option(help="Runs of this experiment alone.")] = None,
    status: Annotated[list[str] | None, typer.Option(help=f"{', '.join(_STATUSES)}; repeatable.")] = None,
    tag: Annotated[str | None, typer.Option(help="Runs of experiments with this tag.")] = None,
    newer_than: Annotated[str | None, typer.Option(help="Started within this time: 12h, 7d, 2w.")] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(help="Condition on a metric, such as 'train.tuned.final_loss<0.5'; repeatable."),
    ] = None,
    order_by: Annotated[str | None, typer.Option(help="Metric to order by; default: the start.")] = None,
    ascending: Annotated[bool, typer.Option("--ascending", help="Smallest or earliest first.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """List runs, newest first."""
    query = RunQuery(
        limit=limit,
        experiment_id=experiment,
        status=tuple([_status(word) for word in status or ()]),
        tag=tag,
        since=None if newer_than is None else datetime.now(UTC) - _age(newer_than, "--newer-than"),
        metrics=tuple(map(MetricFilter.parse, where or ())),
        order_by=order_by,
        descending=not ascending,
    )
    with reading_store(store) as opened:
        found = opened.runs.list(query)
        wanted = [*([order_by] if order_by else []), *(condition.path for condition in query.metrics)]
        asked: list[str] = list(dict.fromkeys(wanted))
        metrics = [opened.runs.snapshot(run.run_id).metrics if asked else {} for run in found]
    if as_json:
        print_json([summary(run) for run in found])
        return
    rows = [
        (
            run.run_id,
            run.experiment_id,
            run.status,
            _when(run.started_at),
            _took(run),
            *(number(metric_at(measured, path), 4) for path in asked),
        )
        for run, measured in zip(found, metrics, strict=True)
    ]
    columns = ("run", "experiment", "status", "started", "took", *asked)
    empty = "no runs yet" if query == RunQuery(limit=limit) else "no run fits"
    make_console().print(table("", columns, rows) if rows else Text(empty))


@handled
def runs_gc(
    older_than: Annotated[
        str | None, typer.Option(help="Remove runs that started longer ago: 30d, 12w.", show_default=False)
    ] = None,
    keep_last: Annotated[
        int | None, typer.Option(min=0, help="Keep so many of the latest runs, whatever their age.", show_default=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove; without it, only say what would go.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove old runs with all that belongs to them, and what belongs to no run; runs that still go on stay."""
    age = None if older_than is None else _age(older_than, "--older-than")
    with reading_store(store) as opened:
        found = opened.gc(older_than=age, keep_last=keep_last, dry_run=not yes)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    console = make_console()
    rows = [
        (run.run_id, run.experiment_id, run.status, _when(run.started_at), run.size_bytes) for run in found.runs
    ] + [(run_id, "(folder without a run)", "", "", size) for run_id, size in found.folders.items()]
    if rows:
        console.print(table("", ("run", "experiment", "status", "started", "bytes"), rows))
    rest = [f"{len(found.dangling)} recordings without a run"] if found.dangling else []
    rest += [f"{found.experiments} documents that no run uses"] if found.experiments else []
    if not rows and not rest:
        console.print(Text("nothing to remove"))
        return
    done = "removed" if yes else "would be removed"
    listed = ", ".join([f"{len(found.runs)} runs", f"{found.size_bytes} bytes of files", *rest])
    console.print(Text(f"{done}: {listed}" + ("" if yes else "; remove them with --yes")))


def _status(word: str) -> RunStatus:
    if word not in _STATUSES:
        hint_ = did_you_mean(word, _STATUSES)
        raise SpecError(f'--status must be one of: {", ".join(_STATUSES)}, got "{word}"{hint_}')
    return word


def _age(text: str, option: str) -> timedelta:
    found = _AGE.fullmatch(text.strip())
    if found is None:
        raise SpecError(f'{option} must be a time such as 12h, 7d or 2w (s, m, h, d, w), got "{text}"')
    try:
        return timedelta(seconds=int(found[1]) * _UNITS[found[2]])
    except OverflowError:
        raise SpecError(f"{option} is longer than any clock counts, got {text}") from None


def _when(moment: str) -> str:
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _took(run: StoredRun) -> str:
    if run.finished_at is None:
        return "–"
    seconds = (datetime.fromisoformat(run.finished_at) - datetime.fromisoformat(run.started_at)).total_seconds()
    return f"{seconds:.1f} s"
