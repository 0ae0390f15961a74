"""The samples of a run: items of a dataset, measurements of an evaluation, or rows that somebody assigned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

import msgspec

from crucible.data.dataset import Dataset
from crucible.data.drift.columns import columns_of
from crucible.data.drift.settings import SCORES
from crucible.data.evaluating.items import read_record
from crucible.data.evaluating.line import Line
from crucible.errors import ContractError
from crucible.ir import Scored, did_you_mean
from crucible.pipeline import Context

__all__ = ["SampleRead", "read_sample"]

_ASSIGNS: Final = "assigns."


class SampleRead(msgspec.Struct, frozen=True):
    """A sample.

    Args:
        name: How it was named.
        columns: Values by field, None where a row has none.
        ids: Of its items; empty where they have none.
        rows: How many.
        artifacts: Names of the files that it came from.
        cautions: What was left out, one sentence each.
    """

    name: str
    columns: dict[str, list[Any]]
    ids: frozenset[str]
    rows: int
    artifacts: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()


def read_sample(context: Context, name: str) -> SampleRead:
    """Read a sample.

    Args:
        context: The run.
        name: A dataset such as `train`, an evaluation such as `scores.base`, or rows such as `assigns.live`.

    Raises:
        ContractError: It is not there, or no sample.
        StoreError: The file of an evaluation cannot be read.
    """
    if name.startswith(SCORES):
        return _evaluation(context, name)
    if name.startswith(_ASSIGNS):
        return _assigned(context, name)
    found = context.resource(name)
    if not isinstance(found, Dataset):
        raise ContractError(f'"{name}" is a {type(found).__name__} and no dataset; see reference and current')
    ids: list[str] = []

    def rows() -> Iterator[Mapping[str, Any]]:
        for item in found:
            ids.append(item.id)
            yield {**item.metadata, "input": item.input, "expected": item.expected}

    columns = columns_of(rows())
    return SampleRead(name, columns, frozenset(ids), len(ids))


def _evaluation(context: Context, name: str) -> SampleRead:
    known = [each for each in context.artifacts if each.startswith(SCORES)]
    if name not in known:
        hint, listed = did_you_mean(name, known), ", ".join(known) or "none"
        raise ContractError(f'no evaluation is called "{name}"{hint}; the run has: {listed}')
    first: dict[str, Line] = {}
    repeats = 0
    for line in read_record(context.artifact_path(name)).lines():
        repeats += line.id in first
        first.setdefault(line.id, line)
    columns = columns_of(map(_measured, first.values()))
    caution = f"{name}: items were asked several times, and the first measurement of each counts"
    return SampleRead(name, columns, frozenset(first), len(first), (name,), (caution,) if repeats else ())


def _measured(line: Line) -> dict[str, Any]:
    scores = {scorer: outcome.value if isinstance(outcome, Scored) else None for scorer, outcome in line.scores.items()}
    return {
        "input": line.input,
        "expected": line.expected,
        "output": line.output,
        "prompt_tokens": line.prompt_tokens or None,
        "completion_tokens": line.completion_tokens or None,
        **scores,
    }


def _assigned(context: Context, name: str) -> SampleRead:
    value = context.get_assign(name.removeprefix(_ASSIGNS))
    if value is None:
        raise ContractError(f"the run has no {name}")
    if isinstance(value, Mapping):
        given = cast("Mapping[str, Any]", value)
        columns = {field: list(column) for field, column in given.items() if _is_list(column)}
        if len(columns) < len(given):
            raise ContractError(f"{name} must be columns (lists by name) or a list of rows")
        return SampleRead(name, columns, frozenset(), max(map(len, columns.values()), default=0))
    if not _is_list(value) or not all(isinstance(row, Mapping) for row in value):
        raise ContractError(f"{name} must be columns (lists by name) or a list of rows, got a {type(value).__name__}")
    ids = frozenset(str(row["id"]) for row in value if row.get("id") is not None)
    rows = [{key: each for key, each in row.items() if key != "id"} for row in value]
    return SampleRead(name, columns_of(rows), ids, len(rows))


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))
