"""Files of scores that Crucible's `evaluate` stage writes: `evaluate/<label>.jsonl`, one item a line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from crucible.errors import StoreError
from crucible.stats.bench.scores import ScoredItem
from crucible.stats.readers.asked import Asked
from crucible.stats.readers.lines import lines_of
from crucible.stats.readers.measured import (
    Measured,
    ReadFile,
    check_metadata,
    choose_metric,
    conditions_of,
    fingerprint,
)

__all__ = ["is_crucible", "read_crucible"]

_KINDS = ("scored", "failed", "skipped")


def is_crucible(row: Mapping[str, Any]) -> bool:
    """Return whether a JSON object looks like a line of such a file."""
    scores: Any = row.get("scores")
    if "id" not in row or not isinstance(scores, Mapping) or not scores:
        return False
    return all(isinstance(one, Mapping) and one.get("kind") in _KINDS for one in scores.values())  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]


class _Line(ScoredItem, frozen=True):
    metadata: dict[str, Any] | None = None
    repeat: int | str = ""
    synthetic: bool = False


def read_crucible(path: Path, asked: Asked) -> ReadFile:
    """Read a file of scores.

    Raises:
        StoreError: The file cannot be read, or a line is no item; with file and line.
        StatsError: It has several metrics and none was named, or an item comes twice.
    """
    decoder = msgspec.json.Decoder(_Line)
    measured: list[Measured] = []
    made_up = 0
    for number, text in lines_of(path):
        try:
            line = decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise StoreError(f"{path}:{number}: not an item with scores: {error}") from error
        measured.append(_measured(line, number, asked))
        made_up += line.synthetic
    metrics = tuple(dict.fromkeys(metric for one in measured for metric in one.outcomes))
    metric = choose_metric(str(path), metrics, asked)
    conditions = conditions_of(str(path), path.stem, metric, measured, by_item=True, asked=asked)
    check_metadata(str(path), measured, asked, "item")
    notes = (f"{made_up} of {len(measured)} measurements are of made-up items",) if made_up else ()
    return ReadFile(str(path), "crucible", conditions, metrics, notes)


def _measured(line: _Line, number: int, asked: Asked) -> Measured:
    metadata = line.metadata or {}
    named = {name: str(metadata[name]) for name in (asked.cluster, asked.prompt) if name in metadata}
    return Measured(
        line.id,
        line.scores,
        f"line {number}",
        repeat=str(line.repeat),
        cluster=named.get(asked.cluster, ""),
        prompt=named.get(asked.prompt, ""),
        fingerprint=_asked(line.input),
    )


def _asked(what: Any) -> str:
    if what is msgspec.UNSET or what is None:
        return ""
    return fingerprint(what if isinstance(what, str) else msgspec.json.encode(what, order="sorted").decode())
