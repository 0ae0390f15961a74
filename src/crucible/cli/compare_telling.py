"""What `crucible compare` prints: what was measured on each side, each comparison, and one sentence for each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from crucible.cli.compare_options import Form
from crucible.cli.console import console as make_console

if TYPE_CHECKING:
    from crucible.stats.conditions.design import Design
    from crucible.stats.conditions.observations import Condition
    from crucible.stats.readers import ReadFile
    from crucible.stats.result import Effect, TestResult

__all__ = ["print_data_of", "print_results", "rendered"]

_FORMATS = {
    "crucible": "scores of Crucible",
    "inspect": "Inspect log",
    "lm_eval": "samples of lm-evaluation-harness",
}


def print_data_of(read: Sequence[ReadFile], conditions: Sequence[Condition], results: Sequence[TestResult]) -> None:
    """Print everything as JSON."""
    data = {
        "files": [
            {"path": file.path, "format": file.format, "metrics": file.metrics, "notes": file.notes} for file in read
        ],
        "conditions": [
            {
                "label": condition.label,
                "source": condition.source,
                "metric": condition.metric,
                **msgspec.structs.asdict(condition.counts),
            }
            for condition in conditions
        ],
        "comparisons": [result.to_dict() for result in results],
    }
    typer.echo(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False))


def rendered(form: Form, results: Sequence[TestResult], design: Design) -> str:
    """Return the results as Markdown, HTML or LaTeX."""
    from crucible.stats import rendering

    write = {Form.MARKDOWN: rendering.to_markdown, Form.HTML: rendering.to_html, Form.LATEX: rendering.to_latex}[form]
    return write(results[0] if len(results) == 1 else list(results), correction=design.correction)


def print_results(
    read: Sequence[ReadFile], conditions: Sequence[Condition], results: Sequence[TestResult], design: Design
) -> None:
    """Print everything for a person."""
    from crucible.stats.wording import show_percent

    console = make_console()
    formats = {file.path: _FORMATS.get(file.format, file.format.upper()) for file in read}
    rows = [_measured(condition, formats) for condition in conditions]
    console.print(_table(("condition", "items", "attempted", "scored", "failed", "skipped", "metric", "file"), rows))
    console.print()
    first = results[0]
    interval = f"{show_percent(first.interval.level)} interval"
    corrected = (f"p {design.correction}",) if any(result.p_adjusted is not None for result in results) else ()
    columns = ("treatment minus baseline", "difference", interval, "effect", "p", *corrected)
    console.print(_table(columns, [_compared(result, adjusted=bool(corrected)) for result in results]))
    console.print()
    for line in _verdicts(results):
        console.print(line)
    console.print()
    details = Table.grid(padding=(0, 2))
    details.add_column(style="dim", no_wrap=True)
    details.add_column(overflow="fold")
    for name, told in _details(read, conditions, results):
        details.add_row(name, Text(_word(told, 900)))
    console.print(details)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Return a plain table; names and intervals may fold, single numbers stay in one piece."""
    made = Table(header_style="dim", box=None, pad_edge=False)
    for i, column in enumerate(columns):
        is_number = all(row[i].lstrip("<+- ").replace(".", "").replace("e-", "").isdigit() for row in rows)
        made.add_column(column, overflow="fold", no_wrap=is_number, justify="right" if is_number else "left")
    for row in rows:
        made.add_row(*map(Text, row))
    return made


def _measured(condition: Condition, formats: dict[str, str]) -> tuple[str, ...]:
    n = condition.counts
    numbers = (n.items, n.attempted, n.scored, n.failed, n.skipped)
    where = f"{_word(condition.source, 200)} ({formats[condition.source]})"
    return (_word(condition.label, 48), *map(str, numbers), _word(condition.metric, 60), where)


def _compared(result: TestResult, *, adjusted: bool) -> tuple[str, ...]:
    from crucible.stats.wording import decimals_for, show_number

    low, high = result.interval.low, result.interval.high
    digits = decimals_for(result.difference, low, high)
    numbers = [show_number(value, digits, signed=True) for value in (result.difference, low, high)]
    cells = (
        f"{_word(result.treatment, 40)} minus {_word(result.baseline, 40)}",
        numbers[0],
        f"{numbers[1]} to {numbers[2]}",
        _effect(result.effect),
        _p(result.p, result.alpha),
    )
    return (
        (*cells, _p(result.p if result.p_adjusted is None else result.p_adjusted, result.alpha)) if adjusted else cells
    )


def _effect(effect: Effect) -> str:
    name = effect.name.replace("cohens_", "Cohen's ").replace("hedges_", "Hedges' ").replace("_", " ")
    told = f"{name} {effect.value:+.2f}"
    return told if effect.interval is None else f"{told} ({effect.interval.low:+.2f} to {effect.interval.high:+.2f})"


def _p(value: float, alpha: float) -> str:
    from crucible.stats.wording import show_p

    return show_p(value, alpha).removeprefix("p").removeprefix(" = ").strip()


def _verdicts(results: Sequence[TestResult]) -> Iterator[Text]:
    for result in results:
        found = result.verdict == "difference"
        yield Text("● " if found else "○ ", style="green" if found else "yellow") + Text(_word(result.wording, 900))


def _details(
    read: Sequence[ReadFile], conditions: Sequence[Condition], results: Sequence[TestResult]
) -> Iterator[tuple[str, str]]:
    """Yield what has to be known beside the verdicts, each once however many comparisons share it."""
    for method in dict.fromkeys(result.method for result in results):
        yield "method", method
    for assumption in dict.fromkeys(told for result in results for told in result.assumptions):
        yield "assumes", assumption
    if len(results) > 1 and all(result.p_adjusted is None for result in results):
        yield "note", f"{len(results)} comparisons, and no p-value is corrected for there being several"
    sizes = [result.attainable for result in results if result.attainable is not None]
    if sizes and max(sizes) == 0.0:
        few = "with so few scores, or pairs that differ, an exact test"
        yield "size", f"{few} at alpha {results[0].alpha:g} cannot find a difference"
    elif sizes:
        told = f"where there is no difference, an exact test at alpha {results[0].alpha:g} finds one in at most"
        yield "size", f"{told} {100 * max(sizes):.2g} % of cases"
    for file in read:
        for note in file.notes:
            yield "note", f"{file.path}: {note}"
    if not any(condition.by_item for condition in conditions):
        yield "note", "no item ids, so the sides count as independent samples; same row, same item: --pair row"


def _word(text: str, longest: int) -> str:
    """Return a text that others chose as one line that is safe to print, cut to a length."""
    line = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in " ".join(text.split()))
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
