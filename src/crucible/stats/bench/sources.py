"""Groups of scores from a run's context: `assigns.bench_data`, its outputs, or metrics that were named.

Groups come in the order in which they were declared or first seen. What is not a score is never taken for one: it is
left out and counted, or refused with its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeGuard

import msgspec

from crucible.errors import ContractError, StatsError
from crucible.ir import did_you_mean
from crucible.pipeline import Context
from crucible.stats.bench.column import Column, column_of_entries
from crucible.stats.bench.plan import BenchOptions

__all__ = ["BENCH_DATA", "Groups", "groups_of"]

BENCH_DATA = "bench_data"
"""Assign that holds groups: label to values, or rows of group, value and, for pairs, item."""

_SCORE_KEYS = ("score", "accuracy", "loss")
_RIGHT_OR_WRONG = ("score", "accuracy")  # where all of them are 0 or 1
Entries = dict[str, list[tuple[str | None, float | None]]]


class Groups(msgspec.Struct, frozen=True):
    """What was found.

    Args:
        columns: In declared order.
        metric: What the scores are called.
        no_data: Why there are no groups; empty if there are any.
        left_out: What of the source belongs to no group, one sentence each.
    """

    columns: tuple[Column, ...]
    metric: str
    no_data: str = ""
    left_out: tuple[str, ...] = ()


def groups_of(context: Context, options: BenchOptions) -> Groups:
    """Return the groups that the options ask for; their source is not `scores`.

    Raises:
        ContractError: The source does not hold what it should, or a named metric is not there; with the place.
    """
    if options.source == "outputs":
        return _from_outputs(context.outputs, options.group_by or "prompt", options.metric)
    metric = options.metric or "value"
    if options.source == "metrics":
        entries = {name: _values(_lookup(context.metrics, name), f"metrics.{name}") for name in options.metrics or ()}
        return Groups(_columns(entries, "metrics"), metric)
    return _from_assigns(context.get_assign(BENCH_DATA), metric)


def _from_assigns(data: object, metric: str) -> Groups:
    place = f"assigns.{BENCH_DATA}"
    if data is None:
        return Groups((), metric, no_data=f"the run has no {place}")
    if _is_mapping(data):
        entries = {label: _values(values, f"{place}.{label}") for label, values in data.items()}
    elif _is_list(data):
        entries = _rows(data, place)
    else:
        raise ContractError(f"{place}: expected groups of numbers or a list of rows, got {data!r}")
    return Groups(_columns(entries, place), metric, no_data="" if entries else f"{place} is empty")


def _rows(rows: Sequence[Any], place: str) -> Entries:
    entries: Entries = {}
    for i, row in enumerate(rows):
        where = f"{place}[{i}]"
        if not _is_mapping(row) or "group" not in row or "value" not in row:
            raise ContractError(f"{where}: expected a mapping with group and value, and item for pairs, got {row!r}")
        item = _label(row["item"], f"{where}.item") if row.get("item") is not None else None
        label = _label(row["group"], f"{where}.group")
        entries.setdefault(label, []).append((item, _number(row["value"], f"{where}.value")))
    return entries


def _from_outputs(outputs: Sequence[Mapping[str, Any]], group_by: str, asked: str | None) -> Groups:
    grouped = [(i, output) for i, output in enumerate(outputs) if output.get(group_by) is not None]
    key = asked or _score_key(grouped)
    left = len(outputs) - len(grouped)
    left_out = (f'{left} of {len(outputs)} outputs have no "{group_by}"',) if left else ()
    if not any(output.get(key) is not None for _, output in grouped):
        wanted = f'"{asked}"' if asked else "score, accuracy or loss"
        why = (
            f'none of {len(outputs)} outputs has a "{group_by}" and a {wanted}' if outputs else "the run has no outputs"
        )
        return Groups((), key, why, left_out)
    entries: Entries = {}
    for i, output in grouped:
        item = _label(output["item"], f"outputs[{i}].item") if output.get("item") is not None else None
        label = _label(output[group_by], f"outputs[{i}].{group_by}")
        value = _number(output.get(key), f"outputs[{i}].{key}")
        entries.setdefault(label, []).append((item, value))
    columns = _columns(entries, "outputs", is_right_or_wrong=key in _RIGHT_OR_WRONG)
    return Groups(columns, key, left_out=left_out)


def _score_key(grouped: Iterable[tuple[int, Mapping[str, Any]]]) -> str:
    """Return the one key that the outputs' scores stand under."""
    first: dict[str, int] = {}
    for i, output in grouped:
        if found := next((key for key in _SCORE_KEYS if output.get(key) is not None), None):
            first.setdefault(found, i)
    if len(first) > 1:
        seen = ", ".join(f"outputs[{i}] has {key}" for key, i in first.items())
        raise ContractError(f"outputs: scores of different kinds cannot be compared ({seen}); name one as metric")
    return next(iter(first), "score")


def _lookup(metrics: Mapping[str, Any], path: str) -> object:
    """Return a metric by name, or a value inside one by a dotted path."""
    found = _inside(metrics, path)
    if found is None:
        known = ", ".join(metrics) or "none"
        raise ContractError(f'no metric "{path}"{did_you_mean(path, metrics)}; the run has: {known}')
    return found


def _inside(values: Mapping[str, Any], path: str) -> object:
    if path in values:
        return values[path]
    for i in (i for i, letter in enumerate(path) if letter == "."):
        inner = values.get(path[:i])
        if _is_mapping(inner) and (found := _inside(inner, path[i + 1 :])) is not None:
            return found
    return None


def _values(values: object, place: str) -> list[tuple[str | None, float | None]]:
    if _is_list(values):
        return [(None, _number(value, f"{place}[{i}]")) for i, value in enumerate(values)]
    if isinstance(values, bool | int | float):
        return [(None, _number(values, place))]
    hint = f"; it holds: {', '.join(map(str, values))}" if _is_mapping(values) else ""
    raise ContractError(f"{place}: expected a list of numbers, got a {type(values).__name__}{hint}")


def _columns(entries: Entries, place: str, *, is_right_or_wrong: bool = False) -> tuple[Column, ...]:
    try:
        return tuple(
            column_of_entries(label, found, is_right_or_wrong=is_right_or_wrong) for label, found in entries.items()
        )
    except StatsError as error:
        raise ContractError(f"{place}: {error}") from error


def _number(value: object, place: str) -> float | None:
    if value is None or isinstance(value, bool):  # a truth value stays one: it is no count
        return value
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError as error:
            raise ContractError(f"{place}: an integer beyond 1e308 is too large to compute with; rescale") from error
    raise ContractError(f"{place}: expected a number, or null for a failed measurement, got {value!r}")


def _label(value: object, place: str) -> str:
    if isinstance(value, str | int | float):
        return str(value)
    raise ContractError(f"{place}: expected text, got a {type(value).__name__}")


def _is_mapping(value: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, str)
