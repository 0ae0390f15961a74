"""Which events of a chain make a span, and under which: the plan that the OpenTelemetry export carries out.

A `…_started` and the `…_completed` or `…_failed` that ends it are one span; any other event is a span of no length, or
of the length that it says it took, so that whatever is below it or rests on it can point to it.
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from crucible.trace.chain import Chain
from crucible.trace.event import Event
from crucible.trace.plain import plain
from crucible.trace.reading import read_timestamp
from crucible.trace.vocabulary import canonical_type

__all__ = ["Span", "plan_spans", "stem_of"]

_OPENING = "_started"
_CLOSING = ("_completed", "_failed")
_UNITS = {"duration_ns": 1e-3, "duration_us": 1.0, "duration_ms": 1e3, "duration_s": 1e6}  # in microseconds
_LONGEST_US = 1e15  # 31 years; what says more is no duration
_FIRST = datetime.min.replace(tzinfo=UTC)
_MOST_OPEN = 256  # beginnings that an end is compared with; a bound on the work


class Span:
    """One span, as it will be exported.

    Args:
        place: Place of its first event in the chain, counted from 0.
        event: Its first event.
        occurrence: How many events before it have the same id.
    """

    def __init__(self, place: int, event: Event, occurrence: int) -> None:
        self.place = place
        self.event = event
        self.occurrence = occurrence
        self.closing: Event | None = None
        self.parent: Span | None = None
        self.is_parent_missing = False
        self.is_parent_in_cycle = False
        self.rests_on: list[Span] = []
        self.start = _moment(event)
        self.end = self.start

    @property
    def events(self) -> tuple[Event, ...]:
        """The event, or the two that begin and end the span."""
        return (self.event,) if self.closing is None else (self.event, self.closing)

    @property
    def is_unfinished(self) -> bool:
        """Whether it began and nothing in the chain ends it."""
        return self.closing is None and canonical_type(self.event.type).endswith(_OPENING)

    @property
    def failure(self) -> Event | None:
        """The event that says it failed; None if none does."""
        last = self.events[-1]
        return last if canonical_type(last.type).endswith("_failed") else None


def plan_spans(chain: Chain) -> list[Span]:
    """Return the spans in the order of their first events, with parents and dependencies.

    An end belongs to the beginning that is its parent, else to the latest open one of the same kind, stage, experiment,
    parent, epoch, worker and rank that names the same model, name and fold, else to the latest that contradicts none of
    these three (of the last 256 open ones). A beginning without end lasts until the last event below it. A cycle of
    parents is cut at its first event.
    """
    pairs = _pairs(chain)
    spans: list[Span] = []
    by_id: dict[str, Span] = {}
    seen: dict[str, int] = {}
    by_place: dict[int, Span] = {}
    for place, event in enumerate(chain):
        opened = by_place.get(pairs.get(place, -1))
        if opened is None:
            opened = Span(place, event, seen.get(event.id, 0))
            opened.start = _begin(event, opened.end)
            spans.append(opened)
        else:
            opened.closing = event
            opened.end = max(opened.start, _moment(event))
        seen[event.id] = seen.get(event.id, 0) + 1
        by_place[place] = opened
        by_id.setdefault(event.id, opened)
    for span in spans:
        _link(span, by_id)
    _cut_cycles(spans)
    _stretch(spans)
    return spans


def stem_of(event: Event) -> str:
    """Return what begins and ends: `training` of `training_started`; other types whole."""
    name = canonical_type(event.type)
    suffix = next((each for each in (_OPENING, *_CLOSING) if name.endswith(each)), "")
    return name.removesuffix(suffix) or name


def _pairs(chain: Chain) -> dict[int, int]:
    """Return, by the place of each end, the place of its beginning."""
    places: dict[str, int] = {}
    beginnings = _Beginnings()
    pairs: dict[int, int] = {}
    for place, event in enumerate(chain):
        name = canonical_type(event.type)
        if name.endswith(_OPENING):
            beginnings.open(place, event)
            places.setdefault(event.id, place)
        elif name.endswith(_CLOSING):
            begin = places.get(event.parent_id) if event.parent_id is not None else None
            is_its_own = begin is not None and stem_of(chain[begin]) == stem_of(event)
            begin = beginnings.close(event, begin if is_its_own else None)
            if begin is not None:
                pairs[place] = begin
    return pairs


class _Beginnings:
    """The beginnings that nothing has ended yet."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[Any, ...], dict[int, tuple[str | None, ...]]] = {}  # by place, in order
        self._alike: dict[tuple[Any, ...], list[int]] = {}
        self._kin: dict[int, tuple[Any, ...]] = {}  # of what is open

    def open(self, place: int, event: Event) -> None:
        """Note a beginning."""
        kin, names = _kin(event), _names(event)
        self._kin[place] = kin
        self._waiting.setdefault(kin, {})[place] = names
        self._alike.setdefault((kin, names), []).append(place)

    def close(self, event: Event, begin: int | None) -> int | None:
        """Return the beginning that an event ends, `begin` if that is open, and forget it; None if there is none."""
        if begin not in self._kin:
            kin, names = _kin(event), _names(event)
            alike = self._alike.get((kin, names), [])
            while alike and alike[-1] not in self._kin:
                alike.pop()
            latest = itertools.islice(reversed(self._waiting.get(kin, {}).items()), _MOST_OPEN)
            fitting = (place for place, others in latest if _agree(names, others))
            begin = alike[-1] if alike else next(fitting, None)
        if begin is not None:
            del self._waiting[self._kin.pop(begin)][begin]
        return begin


def _kin(event: Event) -> tuple[Any, ...]:
    told = (repr(plain(event.metadata.get(name))) for name in ("epoch", "worker", "rank"))
    return (stem_of(event), event.stage_id, event.experiment_id, event.parent_id, *told)


def _names(event: Event) -> tuple[str | None, ...]:
    """Return which model, name and fold an event is about, None where it does not say."""
    told = event.metadata
    values = (told.get("model", told.get("model_name")), told.get("name"), told.get("fold"))
    return tuple(None if value is None else repr(plain(value)) for value in values)


def _agree(names: tuple[str | None, ...], others: tuple[str | None, ...]) -> bool:
    return all(None in pair or pair[0] == pair[1] for pair in zip(names, others, strict=True))


def _link(span: Span, by_id: dict[str, Span]) -> None:
    parent_id = span.event.parent_id
    if parent_id is not None:
        span.parent = by_id.get(parent_id)
        span.is_parent_missing = span.parent is None
        if span.parent is span:
            span.parent, span.is_parent_in_cycle = None, True
    basis = dict.fromkeys(event_id for event in span.events for event_id in event.depends_on)
    found = dict.fromkeys(by_id[event_id] for event_id in basis if event_id in by_id)
    span.rests_on = [each for each in found if each is not span]


def _cut_cycles(spans: list[Span]) -> None:
    done: set[Span] = set()
    for span in spans:
        path: dict[Span, None] = {}
        walker: Span | None = span
        while walker is not None and walker not in done and walker not in path:
            path[walker] = None
            walker = walker.parent
        if walker is not None and walker in path:
            on_cycle = list(path)[list(path).index(walker) :]
            first = min(on_cycle, key=lambda each: each.place)
            first.parent, first.is_parent_in_cycle = None, True
        done.update(path)


def _stretch(spans: list[Span]) -> None:
    """Let what was never ended last until the last event below it, going through the ends from the latest on."""
    reached: set[Span] = set()
    for span in sorted(spans, key=lambda each: each.end, reverse=True):
        end, walker = span.end, span.parent
        while walker is not None and walker not in reached:
            reached.add(walker)
            if walker.is_unfinished:
                walker.end = max(walker.end, end)
            walker = walker.parent


def _begin(event: Event, end: datetime) -> datetime:
    """Return when it began: where only the end is in the chain and says how long it took, that much earlier."""
    if canonical_type(event.type).endswith(_OPENING):
        return end
    for name, microseconds in _UNITS.items():
        value = plain(event.metadata.get(name))  # also NumPy's; what no 64 bits hold becomes a word
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value * microseconds <= _LONGEST_US:
            length = timedelta(microseconds=value * microseconds)
            return end - length if length <= end - _FIRST else _FIRST
    return end


def _moment(event: Event) -> datetime:
    # a time that is none in UTC, as the year 1 has them, or no time at all, is the first there is
    return read_timestamp(event.timestamp) or _FIRST
