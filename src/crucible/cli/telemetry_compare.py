"""The command `crucible telemetry compare`: metrics of a baseline beside those of others, and what really differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from crucible.cli.access import JsonOption, StoreOption, reading_store
from crucible.cli.console import console as make_console
from crucible.cli.failure import handled
from crucible.cli.telemetry_series import broken
from crucible.cli.telemetry_source import Recording, described, recorded
from crucible.cli.telemetry_tables import Column, print_table
from crucible.cli.telemetry_words import percent, print_data, shown, word
from crucible.errors import SpecError, StatsError

if TYPE_CHECKING:
    from crucible.telemetry.comparison import Comparison, MetricComparison

__all__ = ["telemetry_compare"]


@handled
def telemetry_compare(
    recordings: Annotated[
        list[str],
        typer.Argument(
            metavar="BASELINE TREATMENT…",
            help="Ids of runs or telemetry experiments, or the unique beginnings of them; the first is the baseline.",
            show_default=False,
        ),
    ],
    correction: Annotated[
        str, typer.Option(help="How p-values are corrected for there being several: holm, bh, bonferroni, none …")
    ] = "holm",
    alpha: Annotated[float, typer.Option(help="Type-I error rate of the verdicts, between 0 and 1.")] = 0.05,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare recordings with the first: latencies, success, cost, tokens, series; positive is better."""
    from crucible.stats import canonical_correction
    from crucible.telemetry.comparison import compare

    if not 0 < alpha < 1:
        raise SpecError(f"--alpha lies between 0 and 1, such as 0.05; got {alpha:g}")
    try:
        canonical_correction(correction)
    except StatsError as error:
        raise SpecError(f"--correction: {error}") from error
    with reading_store(store) as opened:
        ids = [recorded(opened, each).id for each in recordings]
        abouts = {each: described(opened, each) for each in ids}
        compared = compare(opened, ids, correction=correction, alpha=alpha)
    if as_json:
        print_data({"recordings": list(abouts.values()), **compared.to_dict()})
        return
    _print(make_console(), compared, abouts)


def _print(console: Console, compared: Comparison, abouts: dict[str, Recording]) -> None:
    console.print(Text("baseline   ") + _name(abouts[compared.baseline]), soft_wrap=True)
    for treatment in compared.treatments:
        console.print(Text("treatment  ") + _name(abouts[treatment]), soft_wrap=True)
    for treatment in compared.treatments:
        found = [entry for entry in compared.metrics if entry.treatment == treatment]
        title = f"{word(abouts[treatment].name, 40)} beside the baseline; positive improvements are better"
        if not found:
            console.print(Text(f"\n{title}: no metric that both have"))
            continue
        level = next((entry.test.interval.level for entry in found if entry.test is not None), None)
        print_table(console, title, _columns(level, compared.correction), [_row(entry) for entry in found])
        console.print()
        for line in _verdicts(found):
            console.print(line)


def _name(about: Recording) -> Text:
    condition = f", condition {word(about.condition, 40)}" if about.condition not in (None, "default") else ""
    return Text(word(about.name, 60), style="bold") + Text(f"  {about.what} {word(about.id)}{condition}")


def _columns(level: float | None, correction: str) -> tuple[Column, ...]:
    interval = "interval" if level is None else f"{percent(level)} interval"
    return (
        Column("metric", folds=22),
        Column("better"),
        Column("baseline", is_number=True),
        Column("treatment", is_number=True),
        Column("improvement", is_number=True),
        Column("%", is_number=True, gives_way=4),
        Column(interval, is_number=True, gives_way=1),
        Column("effect", is_number=True, gives_way=3),
        Column("p", is_number=True, gives_way=2),
        Column("p adjusted" if correction in ("", "none") else f"p {correction}", is_number=True),
    )


def _row(entry: MetricComparison) -> tuple[str, ...]:
    frac = entry.improvement_frac
    numbers = (
        broken(word(entry.metric, 100).replace("latency_ms of ", "latency_ms of:")).replace("of:", "of "),
        entry.better,
        shown(entry.baseline_value),
        shown(entry.treatment_value),
        _signed(entry.improvement),
        "–" if frac is None else f"{100 * frac:+.1f}",
    )
    test = entry.test
    if test is None:
        return (*numbers, "–", "–", "–", "–")
    low, high = test.interval.low, test.interval.high
    if entry.better == "lower":  # the test's own is treatment minus baseline
        low, high = -high, -low
    effect = test.effect.value if entry.better == "higher" else -test.effect.value
    letter = test.effect.name.removeprefix("cohens_").removeprefix("hedges_").replace("_", " ")
    return (
        *numbers,
        f"{low:+.3g} to {high:+.3g}",
        f"{letter} {round(effect, 2) + 0.0:+.2f}",
        _p(test.p, test.alpha),
        _p(test.p if test.p_adjusted is None else test.p_adjusted, test.alpha),
    )


def _signed(value: float | None) -> str:
    text = shown(value)
    return f"+{text}" if value is not None and value > 0 else text


def _p(value: float, alpha: float) -> str:
    from crucible.stats import show_p

    return show_p(value, alpha).removeprefix("p").removeprefix(" = ").strip()


def _verdicts(found: Sequence[MetricComparison]) -> Iterator[Text]:
    """Yield each verdict in a sentence; then why there is none, of all metrics with the same reason at once."""
    untested: dict[str, list[str]] = {}
    for entry in found:
        if entry.test is None:
            untested.setdefault(entry.note, []).append(word(entry.metric, 100))
        elif entry.test.verdict != "difference":
            yield Text("○ ", style="yellow") + Text(word(entry.test.wording, 600))
        else:
            is_better = (entry.improvement or 0.0) > 0
            mark = Text("● ", style="green" if is_better else "red")
            yield (
                mark + Text("better  " if is_better else "worse  ", style="bold") + Text(word(entry.test.wording, 600))
            )
    for note, names in untested.items():
        yield Text("· ", style="dim") + Text(f"not tested, {word(note, 300)}: {', '.join(names)}")
