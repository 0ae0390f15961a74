"""Crucible's own JSONL: archives (`.jsonl`, `.jsonl.gz`), and exports of events and of points, read back exactly.

An archive has everything of an experiment. An export has its events alone or its points alone: no series is made of
events again, so export both, or archive. Where a file is not whole, what is there is read; `telemetry.restore`, which
brings an archive back under its own id, refuses such a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from crucible.errors import SpecError
from crucible.store import StoredEvent, decode
from crucible.telemetry.importers.curve import INT64, Curves
from crucible.telemetry.importers.fingerprint import Fingerprint
from crucible.telemetry.importers.imported import BATCH, ImportedPoint, ImportedRun, ImportedRuns
from crucible.telemetry.importers.moment import iso_from_ns, iso_from_text
from crucible.telemetry.importers.own_line import OwnLine, own_line, points_in, stored_event
from crucible.telemetry.importers.problem import Problems, shown
from crucible.telemetry.importers.reading import WHOLE, Span, read_objects, rooted

__all__ = ["CrucibleRun", "read_crucible"]

_APART = frozenset({"id", "name", "status", "started_at", "stopped_at", "owner"})
_EVENTS = frozenset({"record", "event"})
_POINTS = frozenset({"block", "point"})


class CrucibleRun(ImportedRun, kw_only=True, eq=False):
    """A recording in a file of ours.

    Args:
        info: All that an archive keeps of it, the fields of `ExperimentInfo`; empty for an export.
        key: Its id in the file; empty if the file names none.
        span: The lines from its first to its last.
        begun_in: The experiment that was named last before the first of them.
        kinds: What its lines are.
    """

    info: dict[str, Any]
    key: str
    span: Span
    begun_in: str
    kinds: frozenset[str]

    def points(self, batch: int = BATCH) -> Iterator[list[ImportedPoint]]:
        """Yield the points that the file has as such; see `ImportedRun.points`."""
        curves = Curves()
        for number, line in self._own(_POINTS):
            try:
                for series, step, value, time_ns in points_in(line):
                    curves.add(series, step, value, time_ns)
            except ValueError as error:
                self._left_out("points", number, error)
        yield from curves.batches(batch)
        self.skipped = curves.skipped

    def events(self, batch: int = BATCH) -> Iterator[list[StoredEvent]]:
        """Yield every event as it was written, with its own id and `run_id`; see `ImportedRun.events`."""
        found: list[StoredEvent] = []
        for number, line in self._own(_EVENTS):
            try:
                found.append(stored_event(line))
            except ValueError as error:
                self._left_out("event", number, error)
            if len(found) >= batch:
                yield found
                found = []
        if found:
            yield found

    def _own(self, kinds: frozenset[str]) -> Iterator[tuple[int, OwnLine]]:
        if self.kinds.isdisjoint(kinds):
            return
        for line in _lines(self.path, Problems(), self.span, self.begun_in):  # damage was met when it was found
            if line.run_id == self.key and line.own.kind in kinds:
                yield line.number, line.own

    def _left_out(self, what: str, number: int, error: ValueError) -> None:
        self.problems.report("damaged", self.path, f"holds no {what} ({error}); it was left out", line=number)


class _Line(NamedTuple):
    """A line of a file, of a recording."""

    number: int
    start_bytes: int
    run_id: str
    named: str  # the experiment that a line named last
    own: OwnLine
    text: bytes


class _Found:
    """What is known of a recording while the file is read for the first time."""

    def __init__(self, line: _Line) -> None:
        self.first = line
        self.last = line.number
        self.info: dict[str, Any] = {}
        self.kinds: set[str] = set()
        self.event: dict[str, Any] = {}
        self.print = Fingerprint("crucible")

    def take(self, line: _Line) -> None:
        own = line.own
        self.last = line.number
        self.kinds.add(own.kind)
        self.print.add(line.text)
        if own.kind == "experiment":
            self.info = self.info or own.data
        elif own.kind in _EVENTS and not self.event:
            self.event = own.data


def read_crucible(path: str | Path) -> ImportedRuns:
    """Find the recordings in an archive or an export of Crucible's, gzipped or not.

    Args:
        path: The file; it is read once for this, and again for each recording's events and points.

    Raises:
        StoreError: The file is missing or cannot be read.
        SpecError: It is a folder.
    """
    file = rooted(path)
    if file.is_dir():
        raise SpecError(
            f"{shown(str(file))} is a folder; give one of Crucible's *.jsonl files, or bring a folder of Parquet back "
            "with `crucible telemetry restore`",
            code="path",
        )
    problems = Problems()
    return ImportedRuns(_runs(file, problems), problems)


def _runs(path: Path, problems: Problems) -> Iterator[ImportedRun]:
    found: dict[str, _Found] = {}
    met = Problems()
    for line in _lines(path, met):
        known = found.get(line.run_id)
        if known is None:
            known = found[line.run_id] = _Found(line)
        known.take(line)
    for key, known in found.items():
        run = _run(path, key, known, is_alone=len(found) == 1)
        if len(found) == 1:
            run.problems.take(met)
        yield run
    if len(found) != 1:
        problems.take(met)


def _lines(path: Path, problems: Problems, span: Span | None = None, named: str = "") -> Iterator[_Line]:
    """Yield what the lines of a file are; one that names no recording is of the experiment named last before it."""
    counts: dict[str, int] | None = None  # of an archive whose end has not come
    for number, _, start_bytes, value, text in read_objects(path, problems, span, _value):
        own = own_line(value)
        if own is None:
            message = "is no line of an archive or an export of Crucible's; it was left out"
            problems.report("damaged", path, message, line=number)
            continue
        if own.kind == "experiment":
            _not_over(path, counts, problems)
            counts = {"events": 0, "points": 0}
            named = own.run_id or ""
        elif own.kind == "end":
            if counts is not None and own.data != counts:
                message = f"the archive had {own.data} when it was written, and {counts} were found"
                problems.report("damaged", path, message, line=number)
            counts = None
        elif counts is not None:
            counts["events"] += own.kind == "record"
            counts["points"] += _length(own.data.get("points")) if own.kind == "block" else 0
        yield _Line(number, start_bytes, named if own.run_id is None else own.run_id, named, own, text)
    if span is None:
        _not_over(path, counts, problems)


def _not_over(path: Path, counts: dict[str, int] | None, problems: Problems) -> None:
    if counts is not None:
        message = f"an archive has no end line; {counts['events']} events and {counts['points']} points were found"
        problems.report("torn", path, message)


def _length(points: Any) -> int:
    return len(points) if isinstance(points, list) else 0  # pyright: ignore[reportUnknownArgumentType]


def _value(text: bytes) -> Any:
    try:
        return decode(text.decode())
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _run(path: Path, key: str, found: _Found, *, is_alone: bool) -> CrucibleRun:
    info, event = found.info, found.event
    begun_ns = event.get("timestamp_ns", event.get("timestamp"))
    name = _text(info.get("name")) or _text(event.get("experiment_name")) or key or path.stem
    said = info or {"condition": event.get("condition"), "tags": event.get("tags")}
    first = found.first
    return CrucibleRun(
        source="crucible",
        source_id=shown(key or path.stem),
        name=shown(name if found.kinds != {"point"} else f"series of {name}"),  # beside its events, a run of its own
        fingerprint=str(found.print),
        path=path,
        metadata={word: value for word, value in said.items() if word not in _APART and value not in (None, [], {})},
        status=_text(info.get("status")) or None,
        started_at=iso_from_text(info.get("started_at")) or iso_from_ns(_time_ns(begun_ns)),
        finished_at=iso_from_text(info.get("stopped_at")),
        info=info,
        key=key,
        span=WHOLE if is_alone else Span(first.start_bytes, first.number, found.last),
        begun_in="" if is_alone else first.named,
        kinds=frozenset(found.kinds),
    )


def _time_ns(value: Any) -> int:
    return value if value.__class__ is int and value in INT64 else 0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
