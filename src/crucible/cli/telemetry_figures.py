"""What a recording comes to, for people: events with their latencies, cost, reliability, tokens, trainings, series."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from crucible.cli.telemetry_series import print_series
from crucible.cli.telemetry_tables import Column, print_table
from crucible.cli.telemetry_words import percent, shown, took, word

if TYPE_CHECKING:
    from crucible.telemetry import MetricsSummary
    from crucible.telemetry.streaming import Reliability, TrainingSummary
    from crucible.telemetry.streaming.training import LossSummary
    from crucible.telemetry.summary import CostSummary, Spread

__all__ = ["print_figures"]

_SLAS = (("99 %", 0.99), ("99.9 %", 0.999), ("99.99 %", 0.9999))

_EVENTS = (
    Column("event", folds=26),
    Column("events", is_number=True),
    Column("mean ms", is_number=True),
    Column("std", is_number=True, gives_way=4),
    Column("min", is_number=True, gives_way=3),
    Column("p50", is_number=True),
    Column("p90", is_number=True, gives_way=2),
    Column("p95", is_number=True),
    Column("p99", is_number=True),
    Column("max", is_number=True, gives_way=1),
)
_CUSTOM = (Column("field", folds=18), Column("n", is_number=True), *_EVENTS[2:])
_TRAININGS = (
    Column("model", folds=10),
    Column("epoch", is_number=True),
    Column("loss", is_number=True),
    Column("best @ step", is_number=True),
    Column("val. loss", is_number=True),
    Column("val. best @ step", is_number=True),
    Column("best epoch", is_number=True, gives_way=3),
    Column("tokens", is_number=True, gives_way=2),
    Column("tokens/s", is_number=True, gives_way=1),
    Column("nan, inf", is_number=True, gives_way=4),
)


def print_figures(console: Console, metrics: MetricsSummary) -> None:
    """Print what a recording comes to; parts that there is nothing of are left out."""
    lines = Table.grid(padding=(0, 2, 0, 0))
    for name, value in _lines(metrics):
        lines.add_row(Text(name, style="dim"), Text(value))
    console.print(lines)
    if metrics.event_types:
        rows = [
            (word(name, 80), f"{count:,}", *_spread(metrics.latency_by_name.get(name)))
            for name, count in metrics.event_types.items()
        ]
        print_table(console, "Events and their latencies", _EVENTS, rows)
    custom = [(word(name, 80), shown(spread.count), *_spread(spread)) for name, spread in metrics.custom.items()]
    if custom:
        print_table(console, "Custom metrics", tuple(_unitless(_CUSTOM)), custom)
    if metrics.training:
        print_table(console, "Trainings", _TRAININGS, [_training(each) for each in metrics.training])
    print_series(console, metrics.series)


def _unitless(columns: tuple[Column, ...]) -> Iterator[Column]:
    for column in columns:
        yield Column("mean", is_number=True) if column.name == "mean ms" else column


def _lines(metrics: MetricsSummary) -> Iterator[tuple[str, str]]:
    malformed = f", {metrics.malformed:,} of them malformed" if metrics.malformed else ""
    over = f" in {took(metrics.duration_s * 1e9)}" if metrics.total_events > 1 else ""
    yield "events", f"{metrics.total_events:,}{malformed}{over}"
    if metrics.cost is not None and (metrics.cost.count or metrics.cost.prices):
        yield "cost", _cost(metrics.cost)
    if metrics.reliability is not None and metrics.reliability.total_requests:
        yield "reliability", _reliability(metrics.reliability)
    if metrics.tokens is not None and metrics.tokens.count:
        tokens = metrics.tokens
        yield (
            "tokens",
            f"{tokens.total:,} of {tokens.count:,} events: {tokens.total_prompt:,} of prompts, "
            f"{tokens.total_completion:,} of completions; {shown(tokens.mean_total)} an event",
        )


def _cost(cost: CostSummary) -> str:
    prices: Mapping[str, Any] = cost.prices or {}
    source = f"prices: {word(str(prices.get('source')), 60)}, {word(str(prices.get('date')), 20)}" if prices else ""
    if not cost.count or cost.mean_per_request is None:
        return f"of no event known; {source}"
    return (
        f"${shown(cost.total)} of {cost.count:,} events, ${shown(cost.mean_per_request)} each, "
        f"${shown(cost.cost_per_1k_requests)} a thousand; {source or 'as the events told it, without a price table'}"
    )


def _reliability(found: Reliability) -> str:
    met = ", ".join(f"{name} {'met' if found.meets(share) else 'missed'}" for name, share in _SLAS)
    return (
        f"{percent(found.success_rate or 0.0)} went well "
        f"({found.successful:,} of {found.total_requests:,} that said so); {met}"
    )


def _spread(found: Spread | None) -> tuple[str, ...]:
    if found is None or not found.count:
        return ("",) * 8
    numbers = (found.mean, found.std_dev, found.min, found.p50, found.p90, found.p95, found.p99, found.max)
    return tuple(map(shown, numbers))


def _training(found: TrainingSummary) -> tuple[str, ...]:
    best = found.validation if found.validation.count else found.loss
    return (
        word(found.model or "–", 40),
        _whole(found.epoch),
        shown(found.loss.last),
        _best(found.loss),
        shown(found.validation.last),
        _best(found.validation),
        _whole(best.best_epoch),
        _whole(found.tokens or None),
        shown(found.tokens_per_s),
        shown(found.loss.not_finite + found.validation.not_finite),
    )


def _best(loss: LossSummary) -> str:
    return "–" if loss.best is None else f"{shown(loss.best)} @ {_whole(loss.best_step)}"


def _whole(value: float | None) -> str:
    return shown(int(value)) if value is not None and float(value).is_integer() else shown(value)
