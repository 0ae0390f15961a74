"""The table of comparisons: one row each, and columns for what they do not all share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard, cast

from crucible.stats.rendering.shown import number, show_effect, show_estimate, show_probability
from crucible.stats.rendering.telling import ABSENT, Column, Table
from crucible.stats.rendering.words import UNSIGNED_EFFECTS, correction_title, effect_title, test_title, verdict_title
from crucible.stats.wording import show_percent

__all__ = ["comparison_notes", "comparison_table", "is_comparison"]

Fields = Mapping[str, Any]
Shown = tuple[Column, Callable[[Fields], str]]

_KEYS = ("baseline", "treatment", "difference", "interval", "p")


def is_comparison(value: object) -> TypeGuard[Fields]:
    """Tell whether a value has the fields of a `TestResult`, in its JSON form."""
    return isinstance(value, Mapping) and all(key in cast("Fields", value) for key in _KEYS)


def comparison_table(results: Sequence[Fields], caption: str = "") -> Table:
    """Return one row a comparison.

    Args:
        results: In their JSON form, one or more.
        caption: What the table shows; counted out where it is empty.
    """
    columns: list[Shown] = [(Column("Comparison"), _sides)]
    metrics = {one.get("metric") for one in results}
    if len(metrics) > 1:
        columns.append((Column("Metric"), lambda one: str(one.get("metric") or ABSENT)))
    if any(one.get("baseline_mean") is not None for one in results):
        columns.append((Column("Baseline", is_number=True), lambda one: number(one.get("baseline_mean"))))
        columns.append((Column("Treatment", is_number=True), lambda one: number(one.get("treatment_mean"))))
    levels = sorted({one["interval"]["level"] for one in results if one["interval"]})
    same_level = len(levels) == 1
    heading = f"Difference ({show_percent(levels[0])} interval)" if same_level else "Difference (interval)"

    def difference(one: Fields) -> str:
        return show_estimate(one["difference"], one["interval"], with_level=not same_level)

    columns.append((Column(heading, is_number=True), difference))
    if any(one.get("effect") for one in results):
        columns.append(_effect_column(results, levels[0] if same_level else None))
    if len({one.get("name") for one in results}) > 1:
        columns.append((Column("Test"), lambda one: test_title(str(one.get("name", "")))))
    columns.append((Column("n", is_number=True), lambda one: number(one.get("n"))))
    columns.append((Column("p", is_number=True), lambda one: show_probability(one["p"], one.get("alpha"))))
    if any(one.get("p_adjusted") is not None for one in results):
        columns.append((Column(_corrected_heading(results), is_number=True), _corrected))
    columns.append(_verdict_column(results))
    rows = tuple(tuple(show(one) for _, show in columns) for one in results)
    where = f" on {metrics.pop()}" if len(metrics) == 1 and None not in metrics else ""
    counted = f"{len(results)} comparison{'s' if len(results) > 1 else ''}{where}"
    return Table(caption or counted, tuple(column for column, _ in columns), rows)


def comparison_notes(results: Sequence[Fields]) -> list[str]:
    """Return what a reader of the table has to know: alpha, the tests, what the p-values were corrected for."""
    tested = [one for one in results if one["p"] is not None]
    alphas = sorted({one["alpha"] for one in tested if one.get("alpha") is not None})
    names = list(dict.fromkeys(test_title(str(one.get("name", ""))) for one in tested))
    lines = ["A difference is the treatment's mean minus the baseline's."]
    if len(names) == 1 and len(tested) > 1:
        lines.append(f"Test of every comparison: {names[0]}.")
    if alphas:
        lines.append(f"Verdicts at alpha = {' or '.join(f'{alpha:g}' for alpha in alphas)}.")
    corrected = {
        (str(one.get("correction")), one.get("comparisons")) for one in tested if one.get("p_adjusted") is not None
    }
    lines += [f"{correction_title(name)} correction for {n} comparisons." for name, n in sorted(corrected, key=str)]
    bare = sum(one.get("p_adjusted") is None for one in tested)
    if len(tested) > 1 and bare:
        which = "The p-values are" if bare == len(tested) else f"{bare} of the {len(tested)} p-values are"
        lines.append(f"{which} not corrected for there being {len(tested)} comparisons.")
    if len(tested) > 1 and not any("intervals hold" in line for one in tested for line in one.get("assumptions", ())):
        lines.append("Each interval holds for its comparison alone.")
    return lines


def _effect_column(results: Sequence[Fields], level: float | None) -> Shown:
    """Return the column of effects: their name stands in the heading where they have but one."""
    effects = [one["effect"] for one in results if one.get("effect")]
    names = {effect["name"] for effect in effects}
    if len(names) > 1:
        return Column("Effect", is_number=True), lambda one: show_effect(one.get("effect"))
    name = names.pop()
    has_level = {level} == {effect["interval"]["level"] for effect in effects if effect["interval"]}
    title = effect_title(name)
    heading = f"{title[:1].upper()}{title[1:]}{f' ({show_percent(level)} interval)' if has_level and level else ''}"

    def show(one: Fields) -> str:
        effect = one.get("effect")
        if not effect:
            return ABSENT
        signed = name not in UNSIGNED_EFFECTS
        return show_estimate(effect["value"], effect["interval"], with_level=not has_level, signed=signed)

    return Column(heading, is_number=True), show


def _verdict_column(results: Sequence[Fields]) -> Shown:
    """Return the column of verdicts: yes or no where that says it, the verdicts' own words otherwise."""
    verdicts = {one.get("verdict") for one in results if one["p"] is not None}
    if not verdicts <= {"difference", "no_difference_found"}:
        return Column("Verdict"), lambda one: "not tested" if one["p"] is None else verdict_title(one.get("verdict"))
    words = {"difference": "yes", "no_difference_found": "no", None: "not tested"}
    return Column("Difference found"), lambda one: words[one.get("verdict")]


def _sides(one: Fields) -> str:
    return f"{one['treatment']} \N{MINUS SIGN} {one['baseline']}"


def _corrected_heading(results: Sequence[Fields]) -> str:
    names = {one.get("correction") for one in results if one.get("p_adjusted") is not None}
    return f"p ({correction_title(str(names.pop()))})" if len(names) == 1 else "p, corrected"


def _corrected(one: Fields) -> str:
    return show_probability(one.get("p_adjusted"), one.get("alpha"))
