"""The command `crucible telemetry show`: what one recording comes to, cut into windows, or one of its series drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from crucible.cli.access import JsonOption, StoreOption, reading_store
from crucible.cli.console import console as make_console
from crucible.cli.failure import handled
from crucible.cli.telemetry_figures import print_figures
from crucible.cli.telemetry_series import draw_series, matching, points_data
from crucible.cli.telemetry_source import Recording, RecordingArgument, described, recorded
from crucible.cli.telemetry_windows import print_windows, window_data
from crucible.cli.telemetry_words import print_data, took, when, word
from crucible.errors import SpecError
from crucible.store import ExperimentInfo

__all__ = ["print_head", "telemetry_show"]

_PROBLEMS = 5  # kinds of what went wrong that are printed


@handled
def telemetry_show(
    recording: RecordingArgument,
    windows: Annotated[
        float | None,
        typer.Option(
            "--windows", metavar="SECONDS", help="Cut it into windows of so many seconds.", show_default=False
        ),
    ] = None,
    every: Annotated[
        float | None,
        typer.Option(
            "--every", metavar="SECONDS", help="From the start of one window to the next; default: its length."
        ),
    ] = None,
    series: Annotated[
        list[str] | None,
        typer.Option(
            "--series", metavar="NAME", help="Draw this series, such as loss; repeatable.", show_default=False
        ),
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a recording comes to: events, latencies, cost, reliability, tokens, trainings, series."""
    if every is not None and windows is None:
        raise SpecError("--every says how far apart windows begin; give their length with --windows, too")
    with reading_store(store) as opened:
        found = recorded(opened, recording)
        about = described(opened, found.id)
        info = opened.telemetry.experiments.find(found.id)
        cut = None if windows is None else found.windows(windows, every)
        names = matching(series or (), found.series())
        sums = {each.name: each for each in found.series_summary()} if names else {}
        drawn = [(sums[name], found.points(name)) for name in names]
        metrics = None if windows is not None or names else found.metrics()
    if as_json:
        data: dict[str, Any] = {"recording": about, "experiment": info}
        if metrics is not None:
            data["metrics"] = metrics.to_dict()
        if cut is not None:
            data["windows"] = [window_data(window) for window in cut]
        if drawn:
            data["series"] = [points_data(*each) for each in drawn]
        print_data(data)
        return
    console = make_console()
    print_head(console, about, info)
    if metrics is not None:
        console.print()
        print_figures(console, metrics)
    if cut is not None:
        print_windows(console, cut)
    for summary, points in drawn:
        draw_series(console, summary, points)


def print_head(console: Console, about: Recording, info: ExperimentInfo | None) -> None:
    """Print which recording it is, and how it stands."""
    head = Text(word(about.name, 120), style="bold") + Text("  ") if about.name else Text()
    console.print(head + Text(f"{about.what} {word(about.id)}  {about.standing}"))
    if about.what == "data":
        console.print(Text("what is left of an experiment that was removed", style="dim"))
    for line in _lines(about, info):
        console.print(Text(line))


def _lines(about: Recording, info: ExperimentInfo | None) -> Iterator[str]:
    if info is not None and info.hypothesis:
        yield f"hypothesis: {word(info.hypothesis, 300)}"
    parts: list[str] = []
    if about.started_at is not None:
        parts.append(f"started {when(about.started_at)}")
        if about.wall_ns is not None:
            parts.append(f"took {took(about.wall_ns)}" if about.stopped_at else f"for {took(about.wall_ns)} so far")
    if info is not None and info.pause_count:
        times = "once" if info.pause_count == 1 else f"{info.pause_count} times"
        parts.append(f"active {took(info.active_ns)}, paused {times} for {took(info.paused_ns)}")
    if info is not None and info.condition != "default":
        parts.append(f"condition {word(info.condition, 60)}")
    if about.tags:
        parts.append(f"tags {', '.join(word(tag, 40) for tag in about.tags)}")
    if parts:
        yield " · ".join(parts)
    if info is not None:
        yield from _collected(info)


def _collected(info: ExperimentInfo) -> Iterator[str]:
    sampler: Any = info.settings.get("sampler")
    parts: list[str] = []
    if isinstance(sampler, dict):
        parts.append(f"sampled: {word(msgspec.json.encode(sampler).decode(), 120)}")
    if info.sample_size is not None:
        parts.append(f"at most {info.sample_size:,} events")
    if dropped := {reason: count for reason, count in info.dropped.items() if count}:
        parts.append("not kept: " + ", ".join(f"{count:,} {word(reason, 40)}" for reason, count in dropped.items()))
    if parts:
        yield " · ".join(parts)
    for problem, count in list(info.problems.items())[:_PROBLEMS]:
        yield f"went wrong {count:,} times: {word(problem, 200)}"
    if (rest := len(info.problems) - _PROBLEMS) > 0:
        yield f"and {rest:,} more kinds of problems (--json)"
