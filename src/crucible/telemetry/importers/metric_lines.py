"""Lines of a metrics store, ours or the predecessor's, as runs: one for each `run_id` of the file.

A line without a step comes one step after the line before it of the same metric. A null that is flagged `non_finite`
is the number that the flag names; other values that are no number, and lines with metadata, become events
`metric.recorded`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from crucible.store import StoredEvent
from crucible.telemetry.importers.curve import Curves
from crucible.telemetry.importers.fingerprint import Fingerprint
from crucible.telemetry.importers.identity import event_id
from crucible.telemetry.importers.imported import BATCH, ImportedPoint, ImportedRun
from crucible.telemetry.importers.metric_entry import is_metric_line
from crucible.telemetry.importers.moment import iso_from_ns, ns_from_text
from crucible.telemetry.importers.number import json_number, json_step
from crucible.telemetry.importers.problem import Problems, shown
from crucible.telemetry.importers.reading import WHOLE, Entry, Span, read_objects

__all__ = ["MetricLinesRun", "metric_runs"]

_EVENT = "metric.recorded"
_FLAG = "non_finite"


class MetricLinesRun(ImportedRun, kw_only=True, eq=False):
    """A run in a file of metric lines; several share the file.

    Args:
        span: The lines from its first to its last.
        shares_file: Whether others lie in the file too; what is damaged there is a problem of the `ImportedRuns`.
    """

    span: Span
    shares_file: bool

    def points(self, batch: int = BATCH) -> Iterator[list[ImportedPoint]]:
        """Yield the run's numbers; see `ImportedRun.points`."""
        curves = Curves()
        for entry in self._own():
            value = _value(entry.value)
            if value is not None:
                time_ns = ns_from_text(entry.value.get("timestamp"))
                curves.add(entry.value["metric"], json_step(entry.value.get("step")), value, time_ns)
            elif entry.value.get("value") is None:
                curves.skip("nulls")
        yield from curves.batches(batch)
        self.skipped = curves.skipped

    def events(self, batch: int = BATCH) -> Iterator[list[StoredEvent]]:
        """Yield what of the lines is more than a number; see `ImportedRun.events`."""
        found: list[StoredEvent] = []
        for entry in self._own():
            line = entry.value
            metadata = {key: value for key, value in _metadata(line).items() if key != _FLAG}
            number = _value(line)
            if not metadata and (number is not None or line.get("value") is None):
                continue
            measurements = {"step": line.get("step"), line["metric"]: line.get("value") if number is None else number}
            found.append(
                StoredEvent(
                    _EVENT,
                    ns_from_text(line.get("timestamp")),
                    measurements={key: value for key, value in measurements.items() if value is not None},
                    metadata=metadata,
                    run_id=self.source_id,
                    event_id=event_id(self.source_id, entry.number),
                )
            )
            if len(found) >= batch:
                yield found
                found = []
        if found:
            yield found

    def _own(self) -> Iterator[Entry]:
        for entry in _lines(self.path, Problems() if self.shares_file else self.problems, self.span):
            if shown(entry.value["run_id"]) == self.source_id:
                yield entry


def metric_runs(path: Path, problems: Problems) -> Iterator[ImportedRun]:
    """Yield the runs of a file of metric lines, in order of appearance.

    Args:
        path: The file, which is read once for this.
        problems: Takes what belongs to no run.

    Raises:
        StoreError: The file cannot be opened or read.
    """
    spans: dict[str, Span] = {}
    started: dict[str, int] = {}
    prints: dict[str, Fingerprint] = {}
    met = Problems()
    for entry in _lines(path, met, WHOLE):
        run_id = shown(entry.value["run_id"])
        prints.setdefault(run_id, Fingerprint("wandb")).add(entry.text)
        known = spans.get(run_id)
        if known is None:
            spans[run_id] = Span(entry.start_bytes, entry.number, entry.last)
            started[run_id] = ns_from_text(entry.value.get("timestamp"))
        else:
            spans[run_id] = known._replace(last=entry.last)
    shares_file = len(spans) != 1
    if shares_file:
        problems.take(met)
    for run_id, span in spans.items():
        yield MetricLinesRun(
            source="wandb",
            source_id=run_id,
            name=run_id,
            fingerprint=str(prints[run_id]),
            path=path,
            started_at=iso_from_ns(started[run_id]),
            span=span if shares_file else WHOLE,
            shares_file=shares_file,
        )


def _lines(path: Path, problems: Problems, span: Span) -> Iterator[Entry]:
    for entry in read_objects(path, problems, span):
        if is_metric_line(entry.value):
            yield entry
        else:
            message = "expected a line with `run_id`, `metric` and `value`; it was left out"
            problems.report("damaged", path, message, line=entry.number)


def _metadata(line: Mapping[str, Any]) -> dict[str, Any]:
    found = line.get("metadata")
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _value(line: Mapping[str, Any]) -> float | None:
    value = line["value"]
    return json_number(_metadata(line).get(_FLAG) if value is None else value)
