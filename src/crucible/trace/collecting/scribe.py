"""Writes what it is told into one chain: the `Scribe`, which all collectors of a chain share.

It follows every span, so that it knows what encloses what; those that the chain does not tell of are seen through.
Words are `narration`'s, sums are `sums`'.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

from crucible import events
from crucible.trace import narration
from crucible.trace.chain import Chain
from crucible.trace.collecting.failing import Failures
from crucible.trace.collecting.listeners import Listeners
from crucible.trace.collecting.sums import SUMMED, Sums
from crucible.trace.event import Event, new_id
from crucible.trace.vocabulary import canonical_type

__all__ = ["Scribe", "is_heard"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_ENDS = frozenset(name.removesuffix(".stop") for name in narration.SPEAKERS if name.endswith(".stop"))
"""Spans of which only the end is told."""

_Role = Literal["open", "end", "follow", "leave", "sum", "tell"]

_ROLES: Mapping[str, _Role] = {
    **{f"{span}.start": "follow" for span in _ENDS},
    **{f"{span}.exception": "leave" for span in _ENDS},
    **{f"{span}.start": "open" for span in narration.SPANS},
    **{f"{span}.{end}": "end" for span in narration.SPANS for end in ("stop", "exception")},
    **dict.fromkeys(SUMMED, "sum"),
    **dict.fromkeys(narration.SPEAKERS, "tell"),
}
"""What is done about an event of the bus, by its name."""


def is_heard(event: events.Event) -> bool:
    """Return whether an event says anything to a scribe: by its name, or as the end of a span."""
    return event.span_id is not None or event.name in _ROLES


class _Frame:
    """An open span that will be told of, and what happened in it so far."""

    __slots__ = ("event_id", "failures", "inside", "is_told", "outer", "scope", "sums")

    def __init__(self, event_id: str | None, outer: _Frame | None, scope: events.Scope, *, is_told: bool) -> None:
        self.event_id = event_id  # what encloses those inside: its own opening event, or the one around
        self.outer = outer
        self.scope = scope
        self.is_told = is_told  # its opening is in the chain
        self.sums: Sums | None = None  # made by the first that is summed up
        self.inside: list[str] | None = None  # what its end rests on, if that is followed
        self.failures: Failures | None = None  # made by the first span inside that fails


class Scribe:
    """Keeps one chain of what is told to it, each event of the bus once.

    Not safe for several threads: its collectors take turns.

    Args:
        chain: The chain.
    """

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.listeners = Listeners()
        self._frames: dict[str, _Frame | None] = {}  # by open span; None: nothing told is around it
        self._places: dict[str, _Frame] = {}  # open pipelines and stages of runs, in order of opening
        self._loose: dict[str | None, Sums] = {}  # by run: what was summed up with nothing around it
        self._of_stages: dict[str | None, int] = {}  # by run

    @property
    def open_spans(self) -> int:
        """How many spans are open."""
        return len(self._frames)

    def hear(self, event: events.Event, *, resumed: bool) -> None:
        """Take an event of the bus into the chain, or into its sums.

        Args:
            event: The event.
            resumed: Whether an earlier attempt at its run left events in the chain.
        """
        name, span_id = event.name, event.span_id
        role = _ROLES.get(name)
        if role is None:
            if span_id is None:
                return
            if name.endswith(".start"):
                self._frames[span_id] = self._around(event)
            else:
                self._frames.pop(span_id, None)
        elif role == "open":
            self._open(event, resumed=resumed)
        elif role == "follow":
            around = self._around(event)
            if span_id is not None:
                event_id = None if around is None else around.event_id
                frame = self._frames[span_id] = _Frame(event_id, around, event.scope, is_told=False)
                if name.removesuffix(".start") in narration.FOLLOWED:
                    frame.inside = []
        else:
            self._take(role, event, None if span_id is None else self._frames.pop(span_id, None))

    def _take(self, role: _Role, event: events.Event, frame: _Frame | None) -> None:
        """Take a single event, or the end of a span."""
        if role == "sum":
            self._sum(event)
        elif role == "tell":
            self._tell(event, frame)
        elif role == "end":
            self._end(event, frame)
        elif frame is not None and frame.sums is not None:  # it failed, which what encloses it tells
            self._sums_of(frame.outer, event.scope.run_id).take_requests(frame.sums)

    def forget(self) -> None:
        """Tell what is summed up and not told yet, and forget what is open: nobody listens any more."""
        for frame in dict.fromkeys(self._frames.values()):
            if frame is not None and frame.sums is not None:
                self._tell_left(frame.sums, frame.scope, frame)
        for run_id, sums in self._loose.items():
            self._tell_left(sums, events.Scope(run_id=run_id), None)
        self._frames, self._places, self._loose, self._of_stages = {}, {}, {}, {}

    def _tell_left(self, sums: Sums, scope: events.Scope, parent: _Frame | None) -> None:
        for name, values in sums.summary().items():
            event = events.Event(name, {}, {}, time.time_ns(), scope)
            self._add(event, narration.left_over(name, values), parent)

    def _open(self, event: events.Event, *, resumed: bool) -> None:
        span, run_id, span_id = event.name.removesuffix(".start"), event.scope.run_id, event.span_id
        around = self._around(event, is_root=span == narration.PIPELINE)
        if span == narration.PIPELINE:
            stages = event.metadata.get("stages")
            if isinstance(stages, int):
                self._of_stages[run_id] = stages
        words = narration.opening(span, event, resumed=resumed, of_stages=self._of_stages.get(run_id))
        added = self._add(event, words, around)
        if span_id is not None:
            frame = self._frames[span_id] = _Frame(added.id, around, event.scope, is_told=True)
            if run_id is not None and span in narration.PLACES:
                self._places[span_id] = frame

    def _sum(self, event: events.Event) -> None:
        """Sum an event up: calls of samplers on the nearest event to come, the others on the nearest that is told."""
        around = self._around(event)
        if not event.name.startswith("req_llm."):
            around = _told_one(around)
        SUMMED[event.name](self._sums_of(around, event.scope.run_id), event)

    def _end(self, event: events.Event, frame: _Frame | None) -> None:
        """Tell that a span closed of which both ends are told."""
        span, _, end = event.name.rpartition(".")
        around = self._around(event, is_root=span == narration.PIPELINE)
        summary: dict[str, Any] = {}
        inside: Event | None = None
        if frame is not None:
            self._places.pop(cast("str", event.span_id), None)
            summary = frame.sums.summary() if frame.sums else {}
            if end == "exception" and frame.failures is not None:
                inside = frame.failures.cause_of(event)
        if span == narration.PIPELINE:
            self._of_stages.pop(event.scope.run_id, None)
        cause = inside.decision if inside is not None and span == narration.PIPELINE else None
        words = narration.ending(span, event, summary, cause=cause)
        added = self._add(event, words, frame or around, depends_on=(inside.id,) if inside else ())
        if end == "exception" and (told := _told_one(around)) is not None:
            told.failures = told.failures or Failures()
            told.failures.take(event, added)

    def _tell(self, event: events.Event, frame: _Frame | None) -> None:
        """Tell a single event, or the end of a span of which only that is told."""
        around = self._around(event)
        words = narration.SPEAKERS[event.name](event)
        rests_on: tuple[str, ...] = ()
        if frame is not None and not frame.is_told:
            if frame.sums is not None:
                words.metadata.update(frame.sums.summary())
            rests_on = tuple(frame.inside or ())
        added = self._add(event, words, around, depends_on=rests_on)
        if around is None:
            return
        if around.inside is not None:
            around.inside.append(added.id)
        if event.name == narration.RETRY and (told := _told_one(around)) is not None:
            told.failures = None  # of the attempt that is over

    def _around(self, event: events.Event, *, is_root: bool = False) -> _Frame | None:
        """Return what encloses an event of the bus: by span, else by stage, else the outermost of its run.

        Outside of runs nothing but spans tells whether two things that happen at a time have to do with each other.

        Args:
            event: The event.
            is_root: Whether only a span can enclose it.
        """
        parent = event.parent_span_id
        if parent is not None and parent in self._frames:
            return self._frames[parent]
        scope = event.scope
        if is_root or scope.run_id is None:
            return None
        outermost = None
        for frame in self._places.values():
            if frame.scope.run_id == scope.run_id:
                if frame.scope.stage == scope.stage and scope.stage_index in (None, frame.scope.stage_index):
                    return frame
                outermost = outermost or frame
        return outermost

    def _sums_of(self, frame: _Frame | None, run_id: str | None) -> Sums:
        if frame is None:
            return self._loose.setdefault(run_id, Sums())
        if frame.sums is None:
            frame.sums = Sums()
        return frame.sums

    def _add(
        self, event: events.Event, words: narration.Words, parent: _Frame | None, *, depends_on: tuple[str, ...] = ()
    ) -> Event:
        scope = event.scope
        if scope.run_id is not None and scope.run_id != self.chain.metadata.get("run_id"):
            words.metadata.setdefault("run_id", scope.run_id)  # a chain of several runs
        made = Event(  # not `Event.new`: what is told here was on the bus already
            new_id(),
            _EPOCH + timedelta(0, 0, event.timestamp_ns // 1000),
            canonical_type(words.type),
            words.decision,
            words.reasoning,
            words.alternatives,
            words.confidence,
            words.code_section,
            words.spec_reference,
            words.metadata,
            None if parent is None else parent.event_id,
            depends_on,
            scope.stage,
            scope.experiment_id,
        )
        self.chain.add(made)
        return made


def _told_one(frame: _Frame | None) -> _Frame | None:
    """Return the nearest frame of which the opening is told."""
    while frame is not None and not frame.is_told:
        frame = frame.outer
    return frame
