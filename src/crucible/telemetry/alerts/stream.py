"""Watches items as they come, by all rules at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from crucible.store import StoredEvent
from crucible.telemetry.alerts.alert import Alert
from crucible.telemetry.alerts.rule import AlertRule
from crucible.telemetry.alerts.watch import AbsenceWatch, watch_of
from crucible.telemetry.anomalies import Point

__all__ = ["AlertStream"]


class AlertStream:
    """Rules at work on one recording; its memory is bounded. One thread updates it.

    Args:
        rules: The rules.
        handlers: Called with each alert; one that raises is counted and stays.
    """

    def __init__(self, rules: Sequence[AlertRule], *, handlers: Iterable[Callable[[Alert], None]] = ()) -> None:
        self.handler_errors = 0
        self._handlers = tuple(handlers)
        self._watches = [watch_of(rule) for rule in rules]
        self._absences = [watch for watch in self._watches if isinstance(watch, AbsenceWatch)]

    def update(self, item: StoredEvent | Point) -> list[Alert]:
        """Look at the next event or point; whatever it holds, this does not raise.

        Returns:
            The alerts: first of what was due before, then of the item, in the order of the rules.
        """
        now_ns = item.timestamp_ns
        if now_ns is not None:
            for watch in self._absences:
                watch.begin(now_ns)
        alerts = [] if now_ns is None else self._overdue(now_ns)
        for watch in self._watches:
            alerts += watch.look(item)
        return self._told(alerts)

    def tick(self, now_ns: int) -> list[Alert]:
        """Let time pass without an item: what is absent is seen even if nothing at all comes.

        Args:
            now_ns: A time by which every item up to it was given to `update`, nanoseconds since 1970-01-01 UTC. Then
                a replay, which needs no ticks, gives the same alerts.
        """
        return self._told(self._overdue(now_ns))

    def _overdue(self, now_ns: int) -> list[Alert]:
        if not self._absences:
            return []
        late: list[tuple[int, int, AbsenceWatch]] = []
        for place, watch in enumerate(self._absences):
            due = watch.due_ns
            if due is not None and due < now_ns:
                late.append((due, place, watch))
        return [watch.fire(due) for due, _, watch in sorted(late, key=lambda entry: entry[:2])]

    def _told(self, alerts: list[Alert]) -> list[Alert]:
        for alert in alerts:
            for handler in self._handlers:
                try:
                    handler(alert)
                except (Exception, SystemExit):  # noqa: BLE001  # who is told never breaks who tells
                    self.handler_errors += 1
        return alerts
