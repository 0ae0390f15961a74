"""From records to spans, in the order in which they come: what begins opens a span, what ends closes it.

Nothing waits for the whole: an end without its beginning, a beginning without its end, a parent that is over or was
never seen are all told as what they are, by attributes such as `crucible.unfinished`. Memory is bounded.

Imported only where the extra `otel` is known to be installed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace import set_span_in_context as in_context

from crucible.store import StoredEvent
from crucible.telemetry.bridges.attributes import AttributeValue, number, words
from crucible.telemetry.bridges.naming import conventional, outcome, own_attributes, payload, stem_of
from crucible.telemetry.bridges.semconv import Convention, SpanRule

__all__ = ["SpanWriter"]

_CLOSING = (".stop", ".exception")
_LONGEST_NS = 10**18  # 31 years; what says more is no duration
_REMEMBERED = 10_000  # spans that are over, and may still get a child

_Key = tuple[str, str]
_V = TypeVar("_V")


class _Open(msgspec.Struct, frozen=True):
    span: Span
    record: StoredEvent


class SpanWriter:
    """Writes records as spans through a tracer; not for several threads at once.

    Args:
        tracer: Where spans are made.
        table: The convention's names.
        is_by_run: Whether a span's id is unique within its recording only, as in a store; on the bus it always is.
        before: Called with the record of a span before that is made: the chance to choose its ids.
        most_open: Spans that may be open at once; one more ends the oldest as unfinished.
    """

    def __init__(
        self,
        tracer: Tracer,
        table: Convention,
        *,
        is_by_run: bool = False,
        before: Callable[[StoredEvent], None] | None = None,
        most_open: int = 10_000,
    ) -> None:
        self._tracer = tracer
        self._table = table
        self._is_by_run = is_by_run
        self._before = before
        self._most_open = most_open
        self._open: dict[_Key, _Open] = {}
        self._over: dict[_Key, SpanContext] = {}
        self._told_early: dict[_Key, StoredEvent] = {}  # an end came, its beginning has not
        self._began_late: dict[_Key, StoredEvent] = {}  # its beginning came after an end: perhaps the clock went back
        self._latest: dict[str, int] = {}
        self.spans = 0
        self.unsampled = 0
        self.unfinished = 0

    def add(self, record: StoredEvent, around: SpanContext | None = None) -> None:
        """Write one record.

        Args:
            record: What happened.
            around: The span of somebody else's in which it happened; used where Crucible has none around it.
        """
        at, latest = record.timestamp_ns, self._latest.get(record.run_id, 0)
        if at > latest:
            _remember(self._latest, record.run_id, at)
        if record.name.endswith(_CLOSING):
            if record.span_id is not None:
                self._close((self._run(record), record.span_id), record, around)
                return
            if _duration_ns(record) is not None:
                self._whole(record, around)
                return
        elif record.span_id is not None and record.name.endswith(".start"):
            self._begin((self._run(record), record.span_id), record, around)
            return
        self._moment(record, around)

    def finish(self, at_ns: int | None = None) -> int:
        """End what is still open as unfinished, and return how many there were.

        Args:
            at_ns: When, nanoseconds since 1970; None: at the last record of the same recording.
        """
        before = self.unfinished
        for key in reversed(list(self._open)):
            self._give_up(key, at_ns)
        self._began_late.clear()  # their ends were told
        return self.unfinished - before

    # --- the kinds of records ---

    def _begin(self, key: _Key, record: StoredEvent, around: SpanContext | None) -> None:
        if key in self._open:
            self._give_up(key, record.timestamp_ns)  # another process's, which died
        early = self._told_early.pop(key, None)
        if early is not None and stem_of(early.name) == stem_of(record.name):
            _remember(self._began_late, key, record)
            return
        self._start(key, record, around)

    def _start(self, key: _Key, record: StoredEvent, around: SpanContext | None) -> _Open:
        if len(self._open) >= self._most_open:
            self._give_up(next(iter(self._open)), None)
        opened = self._open[key] = _Open(self._new(record, record.timestamp_ns, around), record)
        return opened

    def _close(self, key: _Key, record: StoredEvent, around: SpanContext | None) -> None:
        opened = self._open.pop(key, None)
        if opened is None and (late := self._began_late.pop(key, None)) is not None:
            self._start(key, late, around)
            opened = self._open.pop(key)
        if opened is None:
            span = self._whole(record, around, is_start_missing=True)
            _remember(self._told_early, key, record)
            _remember(self._over, key, span.get_span_context())
            return
        start = opened.record.timestamp_ns
        told = outcome(record) | conventional(record, self._table)[1]
        if record.event_id:
            told["crucible.end_event_id"] = record.event_id
        if record.timestamp_ns < start:
            told["crucible.clock_went_back"] = True
        opened.span.set_attributes(told)
        # the monotonic clock measured the duration; the wall clock may have been set meanwhile
        end = max(record.timestamp_ns, start + (_duration_ns(record) or 0))
        self._end(opened.span, record, end)
        _remember(self._over, key, opened.span.get_span_context())

    def _whole(self, record: StoredEvent, around: SpanContext | None, *, is_start_missing: bool = False) -> Span:
        """Write a span of which there is only the end, as far back as that says."""
        span = self._new(record, record.timestamp_ns - (_duration_ns(record) or 0), around)
        if is_start_missing:
            span.set_attribute("crucible.start_missing", True)
        self._end(span, record, record.timestamp_ns)
        return span

    def _moment(self, record: StoredEvent, around: SpanContext | None) -> None:
        """Write what has no length: on the span around it, or as a span where that is over or unknown."""
        parent = self._open.get((self._run(record), record.parent_span_id or ""))
        if parent is None:
            span = self._new(record, record.timestamp_ns, around)
            self._end(span, record, record.timestamp_ns)
            return
        told = payload(record) | conventional(record, self._table)[1]
        if record.event_id:
            told["crucible.event_id"] = record.event_id
        parent.span.add_event(words(record.name), told, max(0, record.timestamp_ns))

    def _give_up(self, key: _Key, at_ns: int | None) -> None:
        opened = self._open.pop(key)
        opened.span.set_attribute("crucible.unfinished", True)
        start = max(0, opened.record.timestamp_ns)
        opened.span.end(max(start, self._latest.get(opened.record.run_id, 0) if at_ns is None else at_ns))
        _remember(self._over, key, opened.span.get_span_context())
        self.unfinished += 1

    # --- spans ---

    def _new(self, record: StoredEvent, start_ns: int, around: SpanContext | None) -> Span:
        rule, told = conventional(record, self._table)
        attributes = own_attributes(record) | told
        parent = self._parent(record)
        if parent is None and record.parent_span_id is not None:
            attributes["crucible.parent_missing"] = True
        elif parent is None and around is not None and around.is_valid:
            parent = around
        if self._before is not None:
            self._before(record)
        span = self._tracer.start_span(
            _name(record, rule, told),
            context=Context() if parent is None else in_context(NonRecordingSpan(parent), Context()),
            kind=self._kind(record, rule),
            attributes=attributes,
            start_time=max(0, start_ns),
        )
        if span.is_recording():
            self.spans += 1
        else:
            self.unsampled += 1
        return span

    def _end(self, span: Span, record: StoredEvent, end_ns: int) -> None:
        end_ns, table = max(0, end_ns), self._table
        kind, message, trace = (_told(record, key) for key in ("error_type", "error", "traceback"))
        if record.name.endswith(".exception"):
            told = {
                table.exception_type: kind or table.other_error,
                table.exception_message: message,
                table.exception_stacktrace: trace,
            }
            span.add_event(table.exception_event, {key: text for key, text in told.items() if text}, end_ns)
        if record.name.endswith(".exception") or record.success is False:
            span.set_attribute(table.error_type, kind or table.other_error)
            span.set_status(Status(StatusCode.ERROR, message or kind))
        span.end(end_ns)

    def _parent(self, record: StoredEvent) -> SpanContext | None:
        if record.parent_span_id is None:
            return None
        key = (self._run(record), record.parent_span_id)
        opened = self._open.get(key)
        return self._over.get(key) if opened is None else opened.span.get_span_context()

    def _kind(self, record: StoredEvent, rule: SpanRule | None) -> SpanKind:
        is_here = _told(record, "backend") in self._table.local_backends
        return SpanKind.CLIENT if rule is not None and rule.is_client and not is_here else SpanKind.INTERNAL

    def _run(self, record: StoredEvent) -> str:
        return record.run_id if self._is_by_run else ""


def _name(record: StoredEvent, rule: SpanRule | None, told: dict[str, AttributeValue]) -> str:
    """Return a name of which there are few, as OpenTelemetry asks: `text_completion tiny`, `crucible_train.epoch`."""
    if rule is None:
        return words(stem_of(record.name)) or "event"
    subject = told.get(rule.subject)
    operation = words(told[rule.operation_name])
    return operation if subject is None else f"{operation} {words(subject)}"


def _told(record: StoredEvent, key: str) -> str | None:
    value = record.metadata.get(key)
    return None if value is None else words(value)


def _duration_ns(record: StoredEvent) -> int | None:
    value = number(record.measurements.get("duration_ns"))
    return int(value) if value is not None and 0 <= value <= _LONGEST_NS else None


def _remember(memory: dict[Any, _V], key: Any, value: _V) -> None:
    """Keep the newest of what may still be asked for."""
    memory.pop(key, None)
    if len(memory) >= _REMEMBERED:
        del memory[next(iter(memory))]
    memory[key] = value
