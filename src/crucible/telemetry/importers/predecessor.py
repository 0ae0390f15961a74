"""JSONL files of the predecessor: archives of an experiment, and exports of one or several.

An archive has a line `{"type": "experiment_metadata", "data": …}` and then lines `{"type": "event", "data": …}`; an
export has the events alone, also spread over lines (`pretty`). `event_name` is an array or dotted, `timestamp` counts
microseconds; every other key may be missing, and keys that nobody knows are kept in `fields`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from crucible.errors import SpecError
from crucible.store import StoredEvent
from crucible.telemetry.importers.curve import Curves
from crucible.telemetry.importers.fingerprint import Fingerprint
from crucible.telemetry.importers.identity import event_id
from crucible.telemetry.importers.imported import BATCH, ImportedPoint, ImportedRun, ImportedRuns
from crucible.telemetry.importers.moment import iso_from_text, ns_from_text, ns_from_whole
from crucible.telemetry.importers.number import json_number
from crucible.telemetry.importers.problem import Problems, shown
from crucible.telemetry.importers.reading import WHOLE, Span, read_objects, rooted
from crucible.telemetry.series import series_name

__all__ = ["PredecessorRun", "read_predecessor"]

_HEX = frozenset("0123456789abcdef")
_OF_THE_RUN = frozenset({"experiment_id", "experiment_name", "tags"})


class PredecessorRun(ImportedRun, kw_only=True, eq=False):
    """An experiment of the predecessor. Its points are the numbers of its events that have a `step`.

    Args:
        key: Its id in the file; empty if the file names none.
        span: The lines from its first event to its last; None: it has none.
        begun_in: The experiment that was named last before the first of them.
        shares_file: Whether others lie in the file too; what is damaged there is a problem of the `ImportedRuns`.
    """

    key: str
    span: Span | None
    begun_in: str
    shares_file: bool

    def points(self, batch: int = BATCH) -> Iterator[list[ImportedPoint]]:
        """Yield a point for every number of an event with a `step`, named as those of our own events."""
        curves = Curves()
        for event in self._stored():
            step = event.measurements.get("step")
            if step.__class__ is not int:
                continue
            model = event.metadata.get("model")
            label = None if model is None else str(model)
            for key, value in event.measurements.items():
                number = None if key == "step" else json_number(value)
                if number is not None:
                    curves.add(series_name(event.name, key, label), step, number, event.timestamp_ns)
        yield from curves.batches(batch)

    def events(self, batch: int = BATCH) -> Iterator[list[StoredEvent]]:
        """Yield every event; see `ImportedRun.events`."""
        found: list[StoredEvent] = []
        without_time = 0
        for event in self._stored():
            without_time += event.timestamp_ns == 0
            found.append(event)
            if len(found) >= batch:
                yield found
                found = []
        if found:
            yield found
        self.skipped = {"times that cannot be read": without_time} if without_time else {}

    def _stored(self) -> Iterator[StoredEvent]:
        if self.span is None:
            return
        met = Problems() if self.shares_file else self.problems
        for line in _lines(self.path, met, self.span, self.begun_in):
            if line.event is None or line.run_id != self.key:
                continue
            stored = _stored(line.event, self.source_id, line.number)
            if stored is None:
                message = "an event needs an `event_name`, an array of words or dotted; it was left out"
                self.problems.report("damaged", self.path, message, line=line.number)
            else:
                yield stored


class _Line(NamedTuple):
    """A line of a file, of an experiment: an event, or what is known `about` the experiment."""

    number: int
    last: int
    start_bytes: int
    run_id: str
    named: str  # the experiment that a line named last
    text: bytes
    event: dict[str, Any] | None = None
    about: dict[str, Any] | None = None


def read_predecessor(path: str | Path) -> ImportedRuns:
    """Find the experiments in an archive or an export of the predecessor.

    Args:
        path: The file; it is read once for this, and again for each experiment's events.

    Raises:
        StoreError: The file is missing or cannot be read.
        SpecError: It is a folder.
    """
    file = rooted(path)
    if file.is_dir():
        raise SpecError(f"{shown(str(file))} is a folder; give one of the predecessor's *.jsonl files", code="path")
    problems = Problems()
    return ImportedRuns(_runs(file, problems), problems)


def _runs(path: Path, problems: Problems) -> Iterator[ImportedRun]:
    first: dict[str, _Line] = {}
    last: dict[str, int] = {}
    about: dict[str, dict[str, Any]] = {}
    prints: dict[str, Fingerprint] = {}
    met = Problems()
    for line in _lines(path, met):
        prints.setdefault(line.run_id, Fingerprint("predecessor")).add(line.text)
        if line.about is not None:
            about.setdefault(line.run_id, line.about)
        else:
            about.setdefault(line.run_id, _said(line.event or {}))
            first.setdefault(line.run_id, line._replace(event=None, text=b""))
            last[line.run_id] = line.last
    if len(about) == 1:
        ((key, known),) = about.items()
        yield _run(path, key, known, fingerprint=str(prints[key]), span=WHOLE, begun_in="", shares_file=False)
        return
    problems.take(met)
    for key, known in about.items():
        begun = first.get(key)
        span = Span(begun.start_bytes, begun.number, last[key]) if begun else None
        yield _run(
            path,
            key,
            known,
            fingerprint=str(prints[key]),
            span=span,
            begun_in=begun.named if begun else "",
            shares_file=True,
        )


def _lines(path: Path, problems: Problems, span: Span | None = None, named: str = "") -> Iterator[_Line]:
    """Yield what the lines of a file say; an event that names no experiment is of the one named last before it."""
    for number, last, start_bytes, value, text in read_objects(path, problems, span):
        kind, data = value.get("type"), value.get("data")
        if not isinstance(data, dict) or kind not in {"experiment_metadata", "event"}:
            kind, data = "event", value
        data = cast("dict[str, Any]", data)
        if kind == "event":
            yield _Line(number, last, start_bytes, _text(data.get("experiment_id")) or named, named, text, event=data)
        else:
            named = _text(data.get("id")) or ""
            yield _Line(number, last, start_bytes, named, named, text, about=data)


def _said(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an event says of its experiment."""
    known = {"name": event.get("experiment_name"), "condition": event.get("condition"), "tags": event.get("tags")}
    return {key: value for key, value in known.items() if value is not None}


def _run(path: Path, key: str, about: dict[str, Any], **more: Any) -> PredecessorRun:
    status = _text(about.get("status"))
    apart = {"id", "name", "status", "started_at", "stopped_at"}
    return PredecessorRun(
        source="predecessor",
        source_id=key or shown(path.stem),
        name=_text(about.get("name")) or key or shown(path.stem),
        path=path,
        metadata={name: value for name, value in about.items() if name not in apart and value is not None},
        status=status,
        started_at=iso_from_text(about.get("started_at")),
        finished_at=iso_from_text(about.get("stopped_at")),
        key=key,
        **more,
    )


def _stored(event: dict[str, Any], source_id: str, number: int) -> StoredEvent | None:
    """Return an event as ours; None if it has no name."""
    name = _event_name(event.get("event_name"))
    if name is None:
        return None
    known: dict[str, Any] = {
        "stage": _if(str, event.get("stage_name")),
        "stage_index": _if(int, event.get("stage_index")),
        "measurements": _if(dict, event.get("measurements")),
        "metadata": _if(dict, event.get("metadata")),
        "condition": _if(str, event.get("condition")),
        "latency_ms": json_number(event.get("latency_ms")),
        "cost_usd": json_number(event.get("cost_usd")),
        "success": _if(bool, event.get("success")),
    }
    known = {key: value for key, value in known.items() if value is not None}
    taken = {"event_id", "event_name", "timestamp", "stage_name" if "stage" in known else "", *known}
    return StoredEvent(
        name,
        _time_ns(event.get("timestamp")),
        run_id=source_id,
        event_id=_own_id(event.get("event_id"), source_id, number),
        fields={
            key: value
            for key, value in event.items()
            if value is not None and key not in taken and key not in _OF_THE_RUN
        },
        **known,
    )


def _event_name(value: Any) -> str | None:
    """Return a dotted name of an array of words or of dotted text; a word of Elixir may begin with a colon."""
    if isinstance(value, list):
        words = cast("list[Any]", value)
        value = ".".join(words) if words and all(isinstance(word, str) for word in words) else None
    return shown(value.removeprefix(":")) if isinstance(value, str) and value else None


def _time_ns(value: Any) -> int:
    return ns_from_whole(value, 1000) or ns_from_text(value)


def _own_id(value: Any, source_id: str, number: int) -> str:
    """Return 16 hex digits: the first of the predecessor's 32, or of where the event stands if it has none."""
    if isinstance(value, str) and len(value) in {16, 32} and set(value) <= _HEX:
        return value[:16]
    return event_id(source_id, value if isinstance(value, str) else number)


def _if(kind: type, value: Any) -> Any:
    """Return a value of exactly this type; None for any other, which stays among the fields."""
    return value if value.__class__ is kind else None


def _text(value: Any) -> str | None:
    return shown(value) if isinstance(value, str) and value else None
