"""Tables of what was measured: scores with their counts, tested differences with the items behind them."""

from __future__ import annotations

from collections.abc import Mapping

from crucible.ir import Interval
from crucible.report import number
from crucible.report.findings import Contrast, Effect, OtherTest, Score, Side
from crucible.report.results import Results
from crucible.report.table import Cell, Column, Row, Table, lift_notes
from crucible.report.titles import correction_title, effect_title

__all__ = ["comparison_tables", "score_table"]

_COUNT_HEADINGS = ("Attempted", "Scored", "Failed", "Skipped")


def score_table(results: Results) -> Table | None:
    """Return every model's mean, interval and counts, grouped by scorer; the compared scorer comes first."""
    pairs = [(evaluation.label, score) for evaluation in results.evaluations for score in evaluation.scores]
    scorers = sorted(dict.fromkeys(score.scorer for _, score in pairs), key=lambda name: name != results.metric)
    rows = [
        Row(label, _score_cells(score), group=scorer)
        for scorer in scorers
        for label, score in pairs
        if score.scorer == scorer
    ]
    if not rows:
        return None
    columns = (
        Column("Model"),
        Column("Mean", True),
        Column("Interval", True),
        *(Column(heading, True) for heading in _COUNT_HEADINGS),
    )
    return lift_notes(Table("scores", "Scores on the held-out items", columns, tuple(rows)))


def _score_cells(score: Score) -> tuple[Cell, ...]:
    interval = Cell(number.interval_text(score.interval, score.unit), note=_note(score.interval))
    return (Cell(number.mean_text(score.mean, score.unit), score.mean), interval, *_counts(score))


def _counts(counted: Score | Side) -> tuple[Cell, ...]:
    return tuple(Cell(number.count(value), value) for value in _count_values(counted))


def _count_values(counted: Score | Side) -> tuple[int | None, ...]:
    return (counted.attempted, counted.scored, counted.failed, counted.skipped)


def comparison_tables(results: Results) -> list[Table]:
    """Return the tested differences, and the items behind each side of them."""
    if not results.contrasts:
        return []
    points = _points_note(results)
    columns = (
        Column("Comparison"),
        Column("Verdict"),
        Column("Difference", True, points),
        Column("Interval", True),
        Column("p", True),
        Column("Adjusted p", True),
        Column("Effect", True),
        Column("Pairs (n)", True),
    )
    rows = tuple(Row(_pair(contrast), _contrast_cells(contrast)) for contrast in results.contrasts)
    metric = f" in {results.metric}" if results.metric else ""
    first = Table("comparisons", f"Differences{metric}, treatment minus baseline", columns, rows, _test_notes(results))
    return [lift_notes(table) for table in (first, _other_tests(results), _items_table(results)) if table is not None]


def _items_table(results: Results) -> Table | None:
    """Return the counts of each side, or None if the table of scores shows the very same ones."""
    known = {
        (evaluation.label, *_count_values(score))
        for evaluation in results.evaluations
        for score in evaluation.scores
        if score.scorer == results.metric
    }
    if all((side.label, *_count_values(side)) in known for contrast in results.contrasts for side in contrast.sides):
        return None
    rows = tuple(
        Row(f"{side.label} ({role})", _counts(side), _pair(contrast))
        for contrast in results.contrasts
        for role, side in zip(("baseline", "treatment"), contrast.sides, strict=False)
    )
    columns = (Column("Side"), *(Column(heading, True) for heading in _COUNT_HEADINGS))
    return Table("items", "Items behind each comparison", columns, rows)


def _other_tests(results: Results) -> Table | None:
    rows = tuple(
        Row(
            other.test,
            (
                Cell(number.p_text(other.p, contrast.alpha), other.p, _refused(other)),
                _interval_cell(other.interval, contrast),
            ),
            _pair(contrast),
        )
        for contrast in results.contrasts
        for other in contrast.also
    )
    columns = (Column("Test"), Column("p", True), Column("Interval", True, _points_note(results)))
    return Table("other-tests", "The same differences by other tests, for comparison", columns, rows) if rows else None


def _refused(other: OtherTest) -> str:
    return f"not made: {other.refused}" if other.refused else ""


def _points_note(results: Results) -> str:
    return "percentage points" if any(contrast.unit == "fraction" for contrast in results.contrasts) else ""


def _note(interval: Interval | None) -> str:
    return f"{number.confidence(interval)}, {interval.method}" if interval else ""


def _pair(contrast: Contrast) -> str:
    return f"{contrast.treatment} against {contrast.baseline}"


def _contrast_cells(contrast: Contrast) -> tuple[Cell, ...]:
    verdict = (contrast.verdict or "not tested").replace("_", " ")
    adjusted = Cell(number.p_text(contrast.p_adjusted, contrast.alpha), contrast.p_adjusted)
    if contrast.p_adjusted is not None and contrast.correction:
        adjusted = Cell(adjusted.text, adjusted.value, correction_title(contrast.correction))
    return (
        Cell(verdict),
        Cell(_in_points(number.difference(contrast.difference, contrast.unit)), contrast.difference),
        _interval_cell(contrast.interval, contrast),
        Cell(number.p_text(contrast.p, contrast.alpha), contrast.p, contrast.test),
        adjusted,
        _effect_cell(contrast.effect),
        Cell(number.count(contrast.n), contrast.n),
    )


def _interval_cell(interval: Interval | None, contrast: Contrast) -> Cell:
    return Cell(_in_points(number.interval_text(interval, contrast.unit, signed=True)), note=_note(interval))


def _in_points(text: str) -> str:
    return text.removesuffix(" points")


def _effect_cell(effect: Effect | None) -> Cell:
    if effect is None:
        return Cell(number.ABSENT)
    note = effect_title(effect.name)
    if effect.interval is not None:
        ends = [number.number(end, digits=3) for end in (effect.interval.low, effect.interval.high)]
        note += f", {number.confidence(effect.interval)} {ends[0]} to {ends[1]}"
    return Cell(number.number(effect.value, digits=3), effect.value, note)


def _test_notes(results: Results) -> tuple[str, ...]:
    notes = [f"{_pair(c)}: {_listed(c.counts)}." for c in results.contrasts if c.counts]
    notes += [f"Policy for failed items: {results.failure_policy}."] if results.failure_policy else []
    methods = dict.fromkeys(contrast.method.rstrip(".") for contrast in results.contrasts)
    notes += [f"Method: {method}." for method in methods if method]
    notes += [f"Assumed: {line}" for line in dict.fromkeys(line for c in results.contrasts for line in c.assumptions)]
    return tuple(notes)


def _listed(counts: Mapping[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {number.number(value)}" for name, value in counts.items())
