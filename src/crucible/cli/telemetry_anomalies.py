"""The command `crucible telemetry anomalies`: what was out of the ordinary, and what alert rules would have said."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from crucible.cli.access import JsonOption, StoreOption, reading_store
from crucible.cli.console import console as make_console
from crucible.cli.failure import handled
from crucible.cli.telemetry_source import RecordingArgument, recorded
from crucible.cli.telemetry_tables import Column, print_table
from crucible.cli.telemetry_words import print_data, shown, took, when, word

if TYPE_CHECKING:
    from crucible.telemetry import Alert, Anomaly, AnomalyConfig, AnomalyReport

__all__ = ["telemetry_anomalies"]

_PERIODS = 20
_ANOMALIES = (
    Column("when"),
    Column("step", is_number=True, gives_way=2),
    Column("metric", folds=14),
    Column("of", folds=12, gives_way=1),
    Column("value", is_number=True),
    Column("expected", is_number=True),
    Column("score", is_number=True, gives_way=3),
    Column("limit", is_number=True, gives_way=4),
    Column("method", folds=10),
    Column("severity"),
)
_ALERTS = (Column("when"), Column("severity"), Column("rule", folds=10), Column("message", folds=20))


@handled
def telemetry_anomalies(
    recording: RecordingArgument,
    methods: Annotated[
        list[str] | None,
        typer.Option(
            help="z_score, modified_z, iqr, ewma, cusum, seasonal_naive; several with commas, or repeated.",
            show_default="modified_z,iqr",
        ),
    ] = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            help="Fields of events or series to watch, such as latency_ms,loss; several with commas, or repeated.",
            show_default="latency_ms,cost_usd",
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="File with the whole configuration: .yaml or .json.", show_default=False)
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(help="File with alert rules to replay: .yaml or .json; alone, only these.", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many rows; --json has all.")] = 20,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find what is out of the ordinary in a recording, and replay alert rules over it. Exit code 0 either way."""
    from crucible.telemetry import AlertRules

    wanted = _config(methods, metrics, config)
    alerting = None if rules is None else AlertRules.load(rules)
    with reading_store(store) as opened:
        found = recorded(opened, recording)
        is_alone = alerting is not None and not methods and not metrics and config is None
        report = None if is_alone else found.anomalies(wanted)
        alerts = None if alerting is None else found.alerts(alerting)
    if as_json:
        data = {
            "anomalies": None if report is None else report.to_dict(),
            "alerts": None if alerts is None else [alert.to_dict() for alert in alerts],
        }
        print_data({"recording": found.id, **data})
        return
    console = make_console()
    if report is not None:
        _print_report(console, report, wanted, limit)
    if alerts is not None:
        _print_alerts(console, alerts, limit)


def _config(methods: list[str] | None, metrics: list[str] | None, file: Path | None) -> AnomalyConfig:
    """Return what a file says, where the options do not say otherwise.

    Raises:
        SpecErrors: Every problem, each with its path.
    """
    from crucible.ir import from_dict, read_mapping
    from crucible.telemetry import AnomalyConfig

    data: dict[str, Any] = {} if file is None else read_mapping(file)
    for key, given in (("methods", methods), ("metrics", metrics)):
        if given:
            data[key] = [part.strip() for each in given for part in each.split(",") if part.strip()]
    return from_dict(data, AnomalyConfig, source="anomalies" if file is None else str(file))


def _print_report(console: Console, report: AnomalyReport, config: AnomalyConfig, limit: int) -> None:
    if not report.checked:
        console.print(Text(f"no values of {', '.join(word(each, 60) for each in config.metrics)} in this recording"))
        return
    if not report.total:
        console.print(Text(f"no anomalies in {report.checked:,} values"))
        return
    counts = (
        ("by method", report.by_method),
        ("by metric", report.by_metric),
        ("by severity", report.by_severity),
    )
    console.print(
        Text(f"{report.total:,} anomalies at {report.flagged:,} of {report.checked:,} values", style="bold")
        + Text(f" ({report.rate or 0.0:.2%})")
    )
    for name, found in counts:
        console.print(Text(f"{name:<13}" + ", ".join(f"{word(key, 100)} {count:,}" for key, count in found.items())))
    values = [_row(list(group)) for _, group in groupby(report.anomalies, key=_value)]
    print_table(console, "Values", _ANOMALIES, values[:limit])
    _print_rest(console, len(values) - limit)
    _print_periods(console, report)


def _value(found: Anomaly) -> tuple[str, str, int]:
    """Return what tells values apart: several methods may flag one."""
    return found.metric, found.group, found.index


def _row(flags: Sequence[Anomaly]) -> tuple[str, ...]:
    """Return the row of a value; expected, score and limit are those of the method that finds it farthest out."""
    found = max(flags, key=lambda each: each.score / each.threshold if each.threshold else math.inf)
    low, high = found.expected
    return (
        when(found.timestamp_ns, "%m-%d %H:%M:%S"),
        "–" if found.step is None else f"{found.step:,}",
        word(found.metric, 60),
        word(found.group, 60),
        shown(found.value),
        "a number" if found.method == "non_finite" else f"{shown(low)} … {shown(high)}",
        shown(found.score),
        shown(found.threshold),
        ", ".join(each.method for each in flags),
        found.severity,
    )


def _print_periods(console: Console, report: AnomalyReport) -> None:
    is_time = report.axis == "timestamp_ns"
    rows = [
        (
            when(each.start) if is_time else f"{report.axis} {each.start:,}",
            "–" if each.start == each.end else took(each.end - each.start) if is_time else f"{each.end - each.start:,}",
            f"{each.count:,}",
            each.severity,
        )
        for each in report.periods[:_PERIODS]
    ]
    columns = (Column("from"), Column("lasted", is_number=True), Column("anomalies", is_number=True), Column("worst"))
    print_table(console, "Periods", columns, rows)
    _print_rest(console, len(report.periods) - len(rows))


def _print_alerts(console: Console, alerts: list[Alert], limit: int) -> None:
    if not alerts:
        console.print(Text("no rule would have fired"))
        return
    rows = [
        (
            when(each.timestamp_ns, "%m-%d %H:%M:%S"),
            each.severity,
            word(each.rule, 40),
            word(each.message, 200),
        )
        for each in alerts[:limit]
    ]
    print_table(console, f"Alerts: {len(alerts):,}", _ALERTS, rows)
    _print_rest(console, len(alerts) - len(rows))


def _print_rest(console: Console, count: int) -> None:
    if count > 0:
        console.print(Text(f"and {count:,} more (--limit, or --json)", style="dim"))
