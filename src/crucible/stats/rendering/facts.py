"""One result in full: every field that it has, as facts, tables and notes, whatever kind of result it is.

Reads plain JSON data. A field that nobody here has heard of is shown under its own name, so that a new kind of result
needs nothing in this room.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from crucible.stats.rendering.comparisons import comparison_table, is_comparison
from crucible.stats.rendering.shown import is_interval, is_plain, number, show_effect, show_estimate, show_value
from crucible.stats.rendering.telling import ABSENT, Column, Note, Table
from crucible.stats.rendering.words import correction_title, field_title, test_title, verdict_title
from crucible.stats.wording import show_percent

__all__ = ["facts_table", "notes_of", "side_table", "tables_of"]

Fields = Mapping[str, Any]

_TOLD = frozenset({"wording", "failures", "versions", "method", "assumptions", "checks", "not_tested", "also", "study"})
_OF_COMPARISON = frozenset(
    {
        "name", "baseline", "treatment", "metric", "difference", "interval", "effect", "baseline_mean",
        "treatment_mean", "p", "p_adjusted", "correction", "comparisons", "verdict", "alpha", "statistic", "df", "n",
    }
)  # fmt: skip
_KINDS = ("items", "attempted", "scored", "failed", "skipped")
_SIDES = ("baseline", "treatment")


def facts_table(fields: Fields, caption: str = "") -> Table | None:
    """Return the facts of one result, one a row; None if it has none that fit in a cell.

    Args:
        fields: The result in its JSON form.
        caption: What the table shows; made of the sides' names where it is empty.
    """
    rows: list[tuple[str, str]] = []
    if is_comparison(fields):
        rows += _of_comparison(fields)
        caption = caption or f"{fields['treatment']} against {fields['baseline']} on {fields.get('metric', 'score')}"
    for name, value in fields.items():
        if name in _TOLD or (is_comparison(fields) and name in _OF_COMPARISON):
            continue
        if name == "counts" and isinstance(value, Mapping):
            rows += _of_counts(cast("Fields", value))
        elif name in ("name", "test") and isinstance(value, str):
            rows.append((field_title(name), test_title(value)))
        elif name == "correction" and isinstance(value, str):
            rows.append(("Correction", correction_title(value)))
        elif value is not None and value != "" and (is_plain(value) or _fits(value)):
            rows.append((field_title(name), show_value(name, value, fields)))
    title = str(fields.get("study") or fields.get("name") or "Result")
    columns = (Column("Fact"), Column("Value"))
    return Table(caption or test_title(title), columns, tuple(rows), is_facts=True) if rows else None


def side_table(fields: Fields) -> Table | None:
    """Return what became of the measurements of both sides; None where the result does not say."""
    counts = fields.get("counts")
    found = cast("Fields", counts if isinstance(counts, Mapping) else {})
    kinds = [kind for kind in _KINDS if all(f"{side}_{kind}" in found for side in _SIDES)]
    if len(kinds) < 2:
        return None
    rows = tuple((str(fields.get(side, side)), *(number(found[f"{side}_{kind}"]) for kind in kinds)) for side in _SIDES)
    columns = (Column("Condition"), *(Column(kind.capitalize(), is_number=True) for kind in kinds))
    return Table("Measurements", columns, rows)


def tables_of(fields: Fields) -> Iterator[Table]:
    """Yield a table for each field that holds several things of one kind."""
    for name, value in fields.items():
        if name in _TOLD or is_plain(value) or name == "counts":
            continue
        if is_comparison(value):
            yield comparison_table([value], field_title(name))
        elif isinstance(value, Sequence):
            yield from _of_list(name, cast("Sequence[Any]", value))
        elif isinstance(value, Mapping) and not _fits(cast("Fields", value)):
            yield from _of_mapping(name, cast("Fields", value))


def notes_of(fields: Fields) -> Iterator[Note]:
    """Yield what has to be known beside the numbers: assumptions, checks, method, versions."""
    for name, title in (("assumptions", "Assumes"), ("notes", "Notes")):
        if lines := [str(line) for line in _listing(fields.get(name))]:
            yield Note(title, tuple(lines))
    if checks := [_check(one) for one in _listing(fields.get("checks"))]:
        yield Note("Checks, which decide nothing", tuple(checks))
    if method := fields.get("method"):
        yield Note("Method", (str(method),))
    if isinstance(versions := fields.get("versions"), Mapping) and versions:
        named = cast("Fields", versions)
        yield Note("Computed by", (", ".join(f"{name} {version}" for name, version in named.items()),))


def _of_comparison(fields: Fields) -> Iterator[tuple[str, str]]:
    for side in ("treatment", "baseline"):
        if (mean := fields.get(f"{side}_mean")) is not None:
            yield f"Mean of {fields[side]}", number(mean)
    interval = fields["interval"]
    level = f", {show_percent(interval['level'])} interval" if interval else ""
    yield f"Difference{level}", show_estimate(fields["difference"], interval)
    if effect := fields.get("effect"):
        yield "Effect", show_effect(effect, with_level=True)
    if name := fields.get("name"):
        yield "Test", test_title(str(name))
    for name in ("statistic", "df"):
        if fields.get(name) is not None:
            yield field_title(name), number(fields[name])
    yield "p", show_value("p", fields["p"], fields)
    if fields.get("p_adjusted") is not None:
        after = f"{correction_title(str(fields.get('correction')))}, {fields.get('comparisons')} comparisons"
        yield f"p after correction ({after})", show_value("p_adjusted", fields["p_adjusted"], fields)
    if verdict := fields.get("verdict"):
        at = f" at alpha = {fields['alpha']:g}" if fields.get("alpha") is not None else ""
        yield f"Verdict{at}", verdict_title(verdict)
    pairs = " pairs" if "pairs" in (fields.get("counts") or {}) else ""
    yield "n", f"{number(fields.get('n'))}{pairs}"


def _of_counts(counts: Fields) -> Iterator[tuple[str, str]]:
    shown_beside = {f"{side}_{kind}" for side in _SIDES for kind in _KINDS}
    both_told = shown_beside if all(f"{side}_attempted" in counts for side in _SIDES) else set[str]()
    rest = {name: value for name, value in counts.items() if name not in both_told and name != "pairs"}
    if rest:
        yield "Counts", show_value("counts", rest, {})


def _of_list(name: str, values: Sequence[Any]) -> Iterator[Table]:
    compared = [one for one in values if is_comparison(one)]
    if compared and len(compared) == len(values):
        yield comparison_table(compared, field_title(name))
        return
    if values and all(isinstance(one, Mapping) for one in values):
        yield _grid(field_title(name), cast("Sequence[Fields]", values))


def _of_mapping(name: str, values: Fields) -> Iterator[Table]:
    if values and all(isinstance(one, Mapping) and not is_plain(cast("Fields", one)) for one in values.values()):
        rows = [{"": label, **{k: v for k, v in one.items() if k != "label"}} for label, one in values.items()]
        yield _grid(field_title(name), rows)


def _grid(caption: str, rows: Sequence[Fields]) -> Table:
    """Return a table of things of one kind: a column for each field that fits in a cell and that any of them has."""
    names = dict.fromkeys(name for row in rows for name in row if name not in _TOLD)
    kept = [
        name
        for name in names
        if all(is_plain(row.get(name)) for row in rows) and any(row.get(name) not in (None, "") for row in rows)
    ]
    columns = tuple(Column(field_title(name), is_number=_is_number(name, rows)) for name in kept)
    cells = tuple(tuple(_cell(name, row) for name in kept) for row in rows)
    return Table(caption, columns, cells)


def _is_number(name: str, rows: Sequence[Fields]) -> bool:
    found = [row[name] for row in rows if row.get(name) is not None]
    return all(is_interval(one) or (isinstance(one, int | float) and not isinstance(one, bool)) for one in found)


def _cell(name: str, row: Fields) -> str:
    value = row.get(name)
    return test_title(value) if name == "name" and isinstance(value, str) else show_value(name, value, row)


def _check(check: Any) -> str:
    if isinstance(check, Mapping):
        fields = cast("Fields", check)
        return str(fields.get("wording") or ", ".join(f"{k} {show_value(k, v, fields)}" for k, v in fields.items()))
    return str(check)


def _fits(value: object) -> bool:
    """Tell whether a value with parts is short enough for one cell."""
    if isinstance(value, Mapping):
        inner = cast("Fields", value)
        return bool(inner) and all(one is None or isinstance(one, str | int | float) for one in inner.values())
    if isinstance(value, Sequence):
        return all(isinstance(one, str | int | float) for one in cast("Sequence[Any]", value))
    return False


def _listing(value: object) -> Sequence[Any]:
    return cast("Sequence[Any]", value) if isinstance(value, list | tuple) else (ABSENT,)[:0]
