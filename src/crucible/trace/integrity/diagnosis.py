"""What was done where the hash chain first breaks.

A ledger may lie beside its events (a JSON file) or go along with them (a line, a row): then an event that is dropped or
moved takes its entry with it. Both are told apart by the numbers in the hashes, by the ids, and by which link holds
when the suspect is left out. One tampering is named for certain; after several, the first is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from crucible.errors import SpecError
from crucible.trace.display import clean
from crucible.trace.event import Event
from crucible.trace.integrity.canonical import digest
from crucible.trace.integrity.findings import Fault, Finding
from crucible.trace.integrity.ledger import Closing, Entry
from crucible.trace.integrity.links import following, read_hash

__all__ = ["Break", "holds"]


def holds(previous: bytes, number: int, event: Event, entry: Entry) -> bool:
    """Return whether an entry is the one of this event at this number after `previous`."""
    found = read_hash(entry.hash)
    return found == (number, _value(previous, number, event)) and entry.event_id == event.id


def _value(previous: bytes, number: int, event: Event) -> bytes | None:
    try:
        return following(previous, number, digest(event))
    except SpecError:  # no JSON value: never sealed as it is
        return None


class Break:
    """The first place at which events and entries disagree.

    Args:
        events: The chain's.
        entries: The ledger's.
        place: Where, counted from 0; all before it holds.
        trail: The hashes before it: genesis, that of the first event and so on, `place + 1` of them.
        closing: The closing record, if there is one.
    """

    def __init__(
        self,
        events: Sequence[Event],
        entries: Sequence[Entry],
        place: int,
        *,
        trail: Sequence[bytes],
        closing: Closing | None,
    ) -> None:
        self._events = events
        self._entries = entries
        self._place = place
        self._before = trail[-1]
        self._trail = trail
        self._closing = closing

    def finding(self) -> Finding:
        """Name what was done."""
        place, events, entries = self._place, self._events, self._entries
        if place >= len(entries):
            if self._closing is not None and self._closing.count > len(entries):
                return self._about(place, "ledger", "has lost its entry in the ledger")
            return self._about(place, "inserted", "was added without being sealed")
        if place >= len(events):
            return self._gone(place, len(entries) - place)
        if self._follows(self._before, place, entries[place]):
            return self._about(place, "ledger", "is as it was sealed, but its entry names another event or number")
        if events[place].id != entries[place].event_id:
            return self._mismatch()
        return self._moved() or self._skipped() or self._numbered()

    def _mismatch(self) -> Finding:
        """The entry here is another event's: the ledger lies apart from the events."""
        place = self._place
        event, entry = self._events[place], self._entries[place]
        found = read_hash(entry.hash)
        if found is None or found[0] != place + 1:
            return self._about(
                place, "ledger", f"should have entry {place + 1}, which is not where it was in the ledger"
            )
        bearers = Counter(event.id for event in self._events)
        sealed = Counter(entry.event_id for entry in self._entries)
        is_surplus = bearers[event.id] > sealed[event.id]
        is_missing = bearers[entry.event_id] < sealed[entry.event_id]
        if is_surplus and is_missing:
            if self._follows(self._before, place, entry, msgspec.structs.replace(event, id=entry.event_id)):
                return self._about(place, "altered", f"was altered: its id was {clean(entry.event_id)!r}")
            return self._about(place, "altered", f"was altered, or stands in the place of {clean(entry.event_id)!r}")
        if is_missing:
            return self._gone(place, 1)
        if is_surplus:
            return self._about(place, "inserted", "was inserted")
        return self._about(place, "reordered", f"was moved: {clean(entry.event_id)!r} was sealed in this place")

    def _moved(self) -> Finding | None:
        """Ask whether the event here is a genuine one of another number, and the only one of it."""
        place = self._place
        found = read_hash(self._entries[place].hash)
        if found is None or found[0] == place + 1:
            return None
        number = found[0]
        known = [read for entry in self._entries if (read := read_hash(entry.hash)) is not None]
        before = [value for other, value in known if other == number - 1]
        if number == 1:
            before = [self._trail[0]] if place == 0 else []
        if sum(other == number for other, _ in known) == 1 and any(
            self._follows_as(value, place, number) for value in before
        ):
            return self._about(place, "reordered", f"was moved: it was sealed as number {number}")
        return None

    def _skipped(self) -> Finding | None:
        """Leave one event out and see whether the next one follows then: it was inserted with an entry of its own."""
        place = self._place
        if place + 1 < min(len(self._events), len(self._entries)) and self._follows_as(
            self._before, place + 1, place + 1
        ):
            return self._about(place, "inserted", "was inserted")
        if place >= 1 and self._follows_as(self._trail[-2], place, place):
            return self._about(place - 1, "inserted", "was inserted, with a hash that fits")
        return None

    def _numbered(self) -> Finding:
        place = self._place
        found = read_hash(self._entries[place].hash)
        if found is None:
            return self._about(place, "ledger", "has an entry that is no hash")
        number = found[0]
        if number == place + 1:
            return self._altered()
        numbers = Counter(read[0] for entry in self._entries if (read := read_hash(entry.hash)) is not None)
        if numbers[number] > 1:
            return self._about(place, "inserted", f"was inserted: it is a copy of number {number}")
        if number < place + 1 or numbers[place + 1]:
            return self._about(place, "reordered", f"was moved: it was sealed as number {number}")
        return self._gone(place, number - place - 1)

    def _altered(self) -> Finding:
        """Event and entry are where they were: ask what follows them which of the two is genuine."""
        place = self._place
        event, entry = self._events[place], self._entries[place]
        computed = _value(self._before, place + 1, event)
        found = read_hash(entry.hash)
        if computed is not None and found is not None and self._vouched(computed) and not self._vouched(found[1]):
            return self._about(place, "ledger", "is as it was sealed, but its hash in the ledger was altered")
        return self._about(place, "altered", "was altered after it was sealed")

    def _vouched(self, value: bytes) -> bool:
        place = self._place
        if place + 1 < min(len(self._events), len(self._entries)):
            return self._follows(value, place + 1, self._entries[place + 1])
        closing = self._closing
        return closing is not None and read_hash(closing.head) == (place + 1, value)

    def _follows(self, previous: bytes, place: int, entry: Entry, event: Event | None = None) -> bool:
        """Return whether an entry's hash is that of the event at `place`, whatever number and id it bears."""
        found = read_hash(entry.hash)
        value = _value(previous, place + 1, event or self._events[place])
        return found is not None and found[1] == value

    def _follows_as(self, previous: bytes, place: int, number: int) -> bool:
        """Return whether the event at `place` has the hash that it would have as `number`."""
        found = read_hash(self._entries[place].hash)
        return found is not None and found[1] == _value(previous, number, self._events[place])

    def _about(self, place: int, fault: Fault, what: str) -> Finding:
        event = self._events[place]
        message = f"event {place + 1} of {len(self._events)} ({clean(event.id)}: {clean(str(event.decision))!r}) {what}"
        return Finding(fault, message, place, event.id, event.decision)

    def _gone(self, place: int, count: int) -> Finding:
        events, entries = self._events, self._entries
        lost = entries[place].event_id if place < len(entries) else None
        if place < len(events) and lost == events[place].id:
            lost = None  # the entry went with the event
        where = f"before {clean(events[place].id)}" if place < len(events) else "at the end"
        name = f" {clean(lost)!r}" if lost else ""
        many = f"{count} events from {place + 1} on were dropped"
        what = f"event {place + 1}{name} was dropped" if count == 1 else many
        return Finding("dropped", f"{what} ({where})", place, lost)
