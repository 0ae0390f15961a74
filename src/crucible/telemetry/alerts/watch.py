"""One rule at work: which values it sees, how often its condition held, when it fires."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Protocol

from crucible.store import StoredEvent
from crucible.telemetry.alerts.alert import Alert, alert_of
from crucible.telemetry.alerts.judge import Judge, judge_of
from crucible.telemetry.alerts.rule import AlertRule
from crucible.telemetry.anomalies import At, Point
from crucible.telemetry.anomalies.readings import Reader, Reading

__all__ = ["AbsenceWatch", "Watch", "watch_of"]

_MAX_STREAMS = 1_000
_NOTHING = object()

Item = StoredEvent | Point


class Watch(Protocol):
    """A rule that looks at every item."""

    def look(self, item: Item) -> Iterator[Alert]:
        """Yield the alerts that an item brings about."""
        ...


def watch_of(rule: AlertRule) -> Watch:
    """Return what watches by a rule."""
    match rule.condition.kind:
        case "absent_for_s":
            return AbsenceWatch(rule)
        case "error_rate_above":
            return _ErrorRateWatch(rule)
        case _:
            return _ValueWatch(rule)


class _Filter:
    """Which items a rule is about."""

    def __init__(self, rule: AlertRule) -> None:
        event = rule.event
        self._prefix = event[:-1] if event is not None and event.endswith("*") else None
        self._name = event if self._prefix is None else None
        self._where = tuple(rule.where.items())
        self._has_any = event is not None or bool(rule.where)
        self._reader = Reader([rule.metric]) if rule.metric is not None else None

    def admits(self, item: Item) -> bool:
        """Whether name and fields are those that the rule names; a point has no event to be of."""
        if not self._has_any:
            return True
        if isinstance(item, Point):
            return False
        if self._name is not None and item.name != self._name:
            return False
        if self._prefix is not None and not item.name.startswith(self._prefix):
            return False
        return all(_is(item, key, value) for key, value in self._where)

    def readings(self, item: Item) -> Iterator[Reading]:
        """Yield the metric's readings of an item that the rule is about."""
        if self._reader is not None and self.admits(item):
            yield from self._reader.read(item)


def _is(record: StoredEvent, key: str, wanted: str | float | bool) -> bool:
    for place in (record.fields, record.metadata, record.measurements):
        found = place.get(key, _NOTHING)
        if found is not _NOTHING:
            return isinstance(found, bool) == isinstance(wanted, bool) and _equal(found, wanted)
    return False


def _equal(found: object, wanted: object) -> bool:
    try:
        return bool(found == wanted)
    except Exception:  # noqa: BLE001  # an array, or an object that compares in its own way, is not equal
        return False


class _Trigger:
    """Turns how often a condition held into when to fire: at the nth time in a row, once, and not in the cooldown."""

    __slots__ = ("_cooldown_ns", "_fired_ns", "_is_armed", "_least", "_streak")

    def __init__(self, rule: AlertRule) -> None:
        self._least = rule.consecutive
        self._cooldown_ns = round(rule.cooldown_s * 1e9)
        self._streak = 0
        self._is_armed = True
        self._fired_ns: int | None = None

    def pull(self, holds: bool | None, at_ns: int | None) -> bool:
        """Take in whether the condition holds, None for neither; True: fire now."""
        if holds is None:
            return False
        if not holds:
            self._streak, self._is_armed = 0, True
            return False
        self._streak += 1
        if not self._is_armed or self._streak < self._least:
            return False
        if at_ns is not None and self._fired_ns is not None and at_ns < self._fired_ns + self._cooldown_ns:
            return False
        self._is_armed = False
        self._fired_ns = at_ns
        return True


class _ValueWatch:
    """Judges each stream of the metric on its own."""

    def __init__(self, rule: AlertRule) -> None:
        self._rule = rule
        self._filter = _Filter(rule)
        self._streams: OrderedDict[tuple[str, str], tuple[Judge, _Trigger]] = OrderedDict()

    def look(self, item: Item) -> Iterator[Alert]:
        for reading in self._filter.readings(item):
            judge, trigger = self._stream((reading.metric, reading.group))
            at = reading.at
            if trigger.pull(judge(reading.value, at), at.timestamp_ns):
                yield alert_of(self._rule, reading.metric, reading.group, reading.value, at)

    def _stream(self, key: tuple[str, str]) -> tuple[Judge, _Trigger]:
        stream = self._streams.get(key)
        if stream is None:
            if len(self._streams) >= _MAX_STREAMS:
                self._streams.popitem(last=False)
            stream = self._streams[key] = judge_of(self._rule.condition), _Trigger(self._rule)
        else:
            self._streams.move_to_end(key)
        return stream


class _ErrorRateWatch:
    """Counts failures among the last outcomes of all events that the rule is about."""

    def __init__(self, rule: AlertRule) -> None:
        over = rule.condition.over
        self._rule = rule
        self._limit = rule.condition.error_rate_above or 0.0
        self._filter = _Filter(rule)
        self._trigger = _Trigger(rule)
        self._outcomes: deque[bool] = deque(maxlen=over.last_n if over is not None else None)
        self._failures = 0

    def look(self, item: Item) -> Iterator[Alert]:
        if isinstance(item, Point) or item.success is None or not self._filter.admits(item):
            return
        outcomes = self._outcomes
        if len(outcomes) == outcomes.maxlen:
            self._failures -= not outcomes[0]
        outcomes.append(item.success)
        self._failures += not item.success
        if len(outcomes) < (outcomes.maxlen or 0):
            return
        rate = self._failures / len(outcomes)
        if self._trigger.pull(rate > self._limit, item.timestamp_ns):
            at = At(None, item.timestamp_ns, item.event_id or None)
            yield alert_of(self._rule, "error_rate", "", rate, at)


class AbsenceWatch:
    """Waits for what does not come. Time is that of the items, and passes with every one of them."""

    def __init__(self, rule: AlertRule) -> None:
        self._rule = rule
        self._filter = _Filter(rule)
        self._absent_ns = round((rule.condition.absent_for_s or 0.0) * 1e9)
        self._cooldown_ns = round(rule.cooldown_s * 1e9)
        self._since_ns: int | None = None
        self._fired_ns: int | None = None
        self._is_armed = True

    @property
    def due_ns(self) -> int | None:
        """The last moment at which a value is not late; None while none is waited for."""
        if self._since_ns is None or not self._is_armed:
            return None
        due = self._since_ns + self._absent_ns
        return due if self._fired_ns is None else max(due, self._fired_ns + self._cooldown_ns)

    def begin(self, now_ns: int) -> None:
        """Begin to wait, if it has not begun."""
        if self._since_ns is None:
            self._since_ns = now_ns

    def fire(self, due_ns: int) -> Alert:
        """Return the alert of a value that was due, and wait for nothing until one comes."""
        self._is_armed = False
        self._fired_ns = due_ns
        metric = self._rule.metric or self._rule.event or ""
        return alert_of(self._rule, metric, "", None, At(None, due_ns))

    def look(self, item: Item) -> Iterator[Alert]:
        """Note that a value came; yields nothing."""
        at_ns = item.timestamp_ns
        if at_ns is not None and self._is_here(item) and (self._since_ns is None or at_ns >= self._since_ns):
            self._since_ns = at_ns
            self._is_armed = True
        return iter(())

    def _is_here(self, item: Item) -> bool:
        if self._rule.metric is None:
            return self._filter.admits(item)
        return next(self._filter.readings(item), None) is not None
