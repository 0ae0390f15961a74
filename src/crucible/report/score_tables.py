"""Tables of what was measured: scores with their counts, tested differences with the items behind them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from crucible.ir import Interval
from crucible.report import _reading as reading
from crucible.report import number, wording
from crucible.report.findings import Contrast, Effect, OtherTest, Score, Side
from crucible.report.results import Results
from crucible.report.table import Cell, Column, Row, Table, lift_notes
from crucible.report.titles import correction_title, effect_title

__all__ = ["comparison_tables", "score_table"]

_COUNT_HEADINGS = ("Attempted", "Scored", "Failed", "Skipped")


def score_table(results: Results) -> Table | None:
    """Return every model's mean, interval and counts, grouped by scorer; the compared scorer comes first."""
    scored = [evaluation for evaluation in results.evaluations if evaluation.scores]
    roles = {evaluation.label: reading.text(evaluation.generation.get("dataset_role")) for evaluation in scored}
    is_mixed = len(set(roles.values())) > 1
    names = {label: f"{label} ({wording.role_words(role)})" if is_mixed else label for label, role in roles.items()}
    pairs = [(names[evaluation.label], score) for evaluation in scored for score in evaluation.scores]
    intervals = [score.interval for _, score in pairs]
    scorers = sorted(dict.fromkeys(score.scorer for _, score in pairs), key=lambda name: name != results.metric)
    rows = [
        Row(label, _score_cells(score, _has_levels(intervals)), group=scorer)
        for scorer in scorers
        for label, score in pairs
        if score.scorer == scorer
    ]
    if not rows:
        return None
    columns = (
        Column("Model"),
        Column("Mean", True),
        _interval_column(intervals),
        *(Column(heading, True) for heading in _COUNT_HEADINGS),
    )
    items = " and ".join(dict.fromkeys(wording.role_words(role) for role in roles.values()))
    return lift_notes(Table("scores", f"Scores on the {items}", columns, tuple(rows)))


def _score_cells(score: Score, has_levels: bool) -> tuple[Cell, ...]:
    interval = Cell(number.interval_text(score.interval, score.unit), note=_note(score.interval, has_levels))
    zeroed = f"{number.count(score.zeroed)} failed counted as 0" if score.zeroed else ""
    return (Cell(number.mean_text(score.mean, score.unit), score.mean, zeroed), interval, *_counts(score))


def _counts(counted: Score | Side) -> tuple[Cell, ...]:
    return tuple(Cell(number.count(value), value) for value in _count_values(counted))


def _count_values(counted: Score | Side) -> tuple[int | None, ...]:
    return (counted.attempted, counted.scored, counted.failed, counted.skipped)


def comparison_tables(results: Results) -> list[Table]:
    """Return the tested differences, and the items behind each side of them."""
    if not results.contrasts:
        return [table for table in [_group_tests(results)] if table is not None]
    points = _points_note(results)
    intervals = [contrast.interval for contrast in results.contrasts]
    columns = (
        Column("Comparison"),
        Column("Verdict"),
        Column("Difference", True, points),
        _interval_column(intervals),
        Column("p", True),
        Column("Adjusted p", True),
        Column("Effect", True),
        Column("Pairs (n)" if all(contrast.is_paired for contrast in results.contrasts) else "n", True),
    )
    rows = tuple(
        Row(_pair(contrast, results), _contrast_cells(contrast, results, _has_levels(intervals)))
        for contrast in results.contrasts
    )
    metric = f" in {results.metric}" if results.metric else ""
    first = Table("comparisons", f"Differences{metric}, treatment minus baseline", columns, rows, _test_notes(results))
    tables = (_group_tests(results), first, _other_tests(results), _items_table(results))
    return [lift_notes(table) for table in tables if table is not None]


def _group_tests(results: Results) -> Table | None:
    """Return the tests of several groups at once, or None if there are none."""
    tests = results.group_tests
    rows = tuple(
        Row(
            test.test,
            (
                Cell((test.verdict or "not tested").replace("_", " ")),
                Cell(number.number(test.statistic), test.statistic),
                Cell(number.p_text(test.p, test.alpha), test.p),
                _effect_cell(test.effect),
                Cell(number.count(test.n), test.n),
                Cell(", ".join(test.groups)),
            ),
        )
        for test in tests
    )
    names = (("Test", False), ("Verdict", False), ("Statistic", True), ("p", True), ("Effect", True), ("n", True))
    columns = (*(Column(name, is_number) for name, is_number in names), Column("Groups"))
    methods = dict.fromkeys(test.method.rstrip(".") for test in tests if test.method)
    assumed = dict.fromkeys(line for test in tests for line in test.assumptions)
    notes = (*(f"Method: {method}." for method in methods), *(f"Assumed: {line}" for line in assumed))
    return Table("group-tests", "All groups at once", columns, rows, notes) if rows else None


def _items_table(results: Results) -> Table | None:
    """Return the counts of each side, or None if the table of scores shows the very same ones."""
    known = {
        (evaluation.label, score.scorer, *_count_values(score))
        for evaluation in results.evaluations
        for score in evaluation.scores
    }
    if all(
        (s.label, contrast.metric, *_count_values(s)) in known for contrast in results.contrasts for s in contrast.sides
    ):
        return None
    rows = tuple(
        Row(f"{side.label} ({role})", _counts(side), _pair(contrast, results))
        for contrast in results.contrasts
        for role, side in zip(("baseline", "treatment"), contrast.sides, strict=False)
        if any(value is not None for value in _count_values(side))
    )
    columns = (Column("Side"), *(Column(heading, True) for heading in _COUNT_HEADINGS))
    return Table("items", "Items behind each comparison", columns, rows) if rows else None


def _other_tests(results: Results) -> Table | None:
    intervals = [other.interval for contrast in results.contrasts for other in contrast.also]
    rows = tuple(
        Row(
            other.test,
            (
                Cell(number.p_text(other.p, contrast.alpha), other.p, _refused(other)),
                _interval_cell(other.interval, contrast, results, _has_levels(intervals)),
            ),
            _pair(contrast, results),
        )
        for contrast in results.contrasts
        for other in contrast.also
    )
    columns = (Column("Test"), Column("p", True), _interval_column(intervals, _points_note(results)))
    return Table("other-tests", "The same differences by other tests, for comparison", columns, rows) if rows else None


def _refused(other: OtherTest) -> str:
    return f"not made: {other.refused}" if other.refused else ""


def _points_note(results: Results) -> str:
    return "percentage points" if all(contrast.unit == "fraction" for contrast in results.contrasts) else ""


def _interval_column(intervals: Iterable[Interval | None], note: str = "") -> Column:
    words = number.interval_words(intervals)
    return Column(words[:1].upper() + words[1:], True, note)


def _has_levels(intervals: Iterable[Interval | None]) -> bool:
    """Tell whether each interval has to say its level, because the heading names several."""
    return len({interval.level for interval in intervals if interval is not None}) > 1


def _note(interval: Interval | None, has_levels: bool) -> str:
    if interval is None:
        return ""
    return f"{number.confidence(interval)}, {interval.method}" if has_levels else interval.method


def _pair(contrast: Contrast, results: Results) -> str:
    has_several = len({other.metric for other in results.contrasts}) > 1
    return f"{contrast.treatment} against {contrast.baseline}" + (f", {contrast.metric}" if has_several else "")


def _contrast_cells(contrast: Contrast, results: Results, has_levels: bool) -> tuple[Cell, ...]:
    verdict = (contrast.verdict or "not tested").replace("_", " ")
    adjusted = Cell(number.p_text(contrast.p_adjusted, contrast.alpha), contrast.p_adjusted)
    if contrast.p_adjusted is not None and contrast.correction:
        adjusted = Cell(adjusted.text, adjusted.value, correction_title(contrast.correction))
    return (
        Cell(verdict),
        Cell(_in_points(number.difference(contrast.difference, contrast.unit), results), contrast.difference),
        _interval_cell(contrast.interval, contrast, results, has_levels),
        Cell(number.p_text(contrast.p, contrast.alpha), contrast.p, contrast.test),
        adjusted,
        _effect_cell(contrast.effect),
        Cell(number.count(contrast.n), contrast.n),
    )


def _interval_cell(interval: Interval | None, contrast: Contrast, results: Results, has_levels: bool) -> Cell:
    text = number.interval_text(interval, contrast.unit, signed=True)
    return Cell(_in_points(text, results), note=_note(interval, has_levels))


def _in_points(text: str, results: Results) -> str:
    """Leave the unit to the heading, where it names one for all rows."""
    return text.removesuffix(" points") if _points_note(results) else text


def _effect_cell(effect: Effect | None) -> Cell:
    if effect is None:
        return Cell(number.ABSENT)
    note = effect_title(effect.name)
    if effect.interval is not None:
        ends = [number.number(end, digits=3) for end in (effect.interval.low, effect.interval.high)]
        note += f", {number.confidence(effect.interval)} {ends[0]} to {ends[1]}"
    return Cell(number.number(effect.value, digits=3), effect.value, note)


def _test_notes(results: Results) -> tuple[str, ...]:
    notes = [f"{_pair(c, results)}: {_listed(c.counts)}." for c in results.contrasts if c.counts]
    notes += [f"Policy for failed items: {results.failure_policy}."] if results.failure_policy else []
    methods = dict.fromkeys(contrast.method.rstrip(".") for contrast in results.contrasts)
    notes += [f"Method: {method}." for method in methods if method]
    notes += [f"Assumed: {line}" for line in dict.fromkeys(line for c in results.contrasts for line in c.assumptions)]
    return tuple(notes)


def _listed(counts: Mapping[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {number.number(value)}" for name, value in counts.items())
