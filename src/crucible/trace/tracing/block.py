"""A traced block of code while it runs, and which block encloses the calling code: `Block`, `enclosing`.

Which one is the innermost is kept in a context variable, one entry a chain, without tokens: generators leave blocks in
another context than they entered them in, and in another order.
"""

from __future__ import annotations

import contextlib
import contextvars
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Unpack, cast

import msgspec

from crucible.errors import ContractError
from crucible.trace.event import Event, EventFields
from crucible.trace.tracing.failures import facts_of, is_stop, message_of, shortened
from crucible.trace.tracing.turns import Growing, Turns
from crucible.trace.training.making import event_of
from crucible.trace.training.stages import in_words

__all__ = ["Block", "Kind", "Step", "enclosing"]

_OF_THE_BEGINNING = ("id", "timestamp", "alternatives", "confidence", "parent_id", "depends_on")

_MARK = "_crucible_told_in"  # an attribute of errors: the event that told of it last

_blocks: contextvars.ContextVar[Mapping[int, Block]] = contextvars.ContextVar("crucible_traced_blocks")


def enclosing(chain: Growing) -> Block | None:
    """Return the innermost open block on a chain that encloses the calling code; None outside of all.

    Args:
        chain: The chain, the same object as was given to `traced_stage` or `traced_training`.
    """
    block = _blocks.get({}).get(id(chain))  # a block holds its chain, so that no other gets its identity
    return block if block is None or block.is_open else block.outer


class Kind(msgspec.Struct, frozen=True):
    """How a kind of block reads.

    Args:
        stem: Of its types: `stage` or `training`.
        subject: What begins and ends, such as `Stage train`.
        run: What to call it in a reasoning, such as `Stage`.
        opening: Why it begins.
        computed: Metadata of both ends.
    """

    stem: str
    subject: str
    run: str
    opening: str
    computed: dict[str, Any]


class Block:
    """An open block: what is recorded through it hangs on its first event.

    Not made by callers: `traced_stage` and `traced_training` hand it out.

    Args:
        turns: The chain to add to.
        kind: How it reads.
        fields: The caller's fields of its events.

    Attributes:
        is_open: Whether it has not ended.
        within: The block that enclosed it when it began; `outer` is the one that still does.
    """

    def __init__(self, turns: Turns, kind: Kind, fields: EventFields) -> None:
        self._turns = turns
        self._kind = kind
        self.within = enclosing(turns.chain)
        self._notes: dict[str, Any] = {}
        self._failed_inside: set[str] = set()  # what tells of blocks inside that failed
        self._ended: Event | None = None
        self._innermost: Block | None = None  # where the last step of a generator stopped
        self.is_open = True
        given_fields = cast("dict[str, Any]", {**fields})
        if self.within is not None:
            given_fields = {**self.within.lane(), **given_fields}
        self._fields = cast("EventFields", given_fields)
        self._started = event_of(
            f"{kind.stem}_started", f"{kind.subject} started", kind.opening, kind.computed, self._fields
        )
        turns.add(self._started)
        self._began_ns = time.monotonic_ns()

    @property
    def chain(self) -> Growing:
        """The chain that is added to."""
        return self._turns.chain

    @property
    def started(self) -> Event:
        """The event that opened the block."""
        return self._started

    @property
    def ended(self) -> Event | None:
        """The event that closed the block; None while it is open, or if it could not be added."""
        return self._ended

    def event(self, type: str, decision: str, reasoning: str, **fields: Unpack[EventFields]) -> Event:  # noqa: A002  # the field's name
        """Add an event of this block: its parent, stage and experiment are the block's unless given.

        Args:
            type: A type's name or alias.
            decision: What was decided or happened.
            reasoning: Why.
            **fields: Any other field of `Event`.
        """
        inside = cast("EventFields", {**self.lane(), **fields})
        return self._turns.add(Event.new(type, decision, reasoning, **inside))

    def lane(self) -> dict[str, Any]:
        """Return what events inside the block inherit, as fields: parent, stage and experiment."""
        own = {name: getattr(self._started, name) for name in ("stage_id", "experiment_id")}
        return {"parent_id": self._started.id, **{name: value for name, value in own.items() if value is not None}}

    def add(self, event: Event) -> Event:
        """Add an event and return it as it was added: parent, stage and experiment that it lacks are the block's."""
        lacking = {name: value for name, value in self.lane().items() if getattr(event, name) is None}
        return self._turns.add(msgspec.structs.replace(event, **lacking) if lacking else event)

    def note(self, **metadata: Any) -> None:
        """Add metadata to the closing event.

        Raises:
            ContractError: The block has ended.
        """
        if not self.is_open:
            raise ContractError(f"{self._kind.subject} has ended, and its closing event cannot take: {[*metadata]}")
        self._notes.update(metadata)

    def close(self, error: BaseException | None) -> None:
        """End the block; a chain that cannot take the closing event does not hide the block's own error.

        Args:
            error: What ended it; None if it ran to its end.
        """
        took = time.monotonic_ns() - self._began_ns
        self.is_open = False
        try:
            self._ended = self._turns.add(self._closing(took, error))
        except Exception as lost:
            if error is None:
                raise
            with contextlib.suppress(Exception):  # a stranger's error may refuse
                error.add_note(f"the trace could not take the event that closes the block: {message_of(lost)}")
            return
        if error is not None and self.within is not None:
            self.within.hear_of(error, self._ended.id)

    def hear_of(self, error: BaseException, event_id: str) -> None:
        """Remember which event tells of an error that left an inner block.

        The error is marked, not kept: it would keep all that its frames hold.
        """
        self._failed_inside.add(event_id)
        with contextlib.suppress(Exception):  # a stranger's error may refuse
            error.__dict__[_MARK] = event_id

    def _closing(self, took_ns: int, error: BaseException | None) -> Event:
        kind = self._kind
        facts: dict[str, Any] = {**kind.computed, "duration_ns": took_ns, "status": "ok"}
        ending, verb, why = "completed", "completed", f"{kind.run} completed successfully in {in_words(took_ns)}"
        if error is not None:
            ending, verb = "failed", "cancelled" if is_stop(error) else "failed"
            facts = {**facts, "status": "cancelled" if is_stop(error) else "exception", **facts_of(error)}
            happened = "was cancelled" if is_stop(error) else "failed with exception"
            words = ": ".join(part for part in (facts["error_type"], shortened(facts["error"], 500)) if part)
            why = f"{kind.run} {happened} after {in_words(took_ns)}: {words}"
        fields = {name: value for name, value in self._fields.items() if name not in _OF_THE_BEGINNING}
        fields["metadata"] = {**(self._fields.get("metadata") or {}), **self._notes}
        fields["parent_id"] = self._started.id
        fields["timestamp"] = max(datetime.now(UTC), self._started.timestamp)  # clocks may be set back meanwhile
        if error is not None and self._failed_inside:
            told_in = (vars(each).get(_MARK) for each in _with_members(error))
            if causes := tuple(dict.fromkeys(name for name in told_in if name in self._failed_inside)):
                fields["depends_on"] = causes
        return event_of(f"{kind.stem}_{ending}", f"{kind.subject} {verb}", why, facts, cast("EventFields", fields))

    def enter(self) -> None:
        """Make this the innermost block of its chain for the calling code."""
        self._put(self)

    def leave(self, error: BaseException | None) -> None:
        """End the block, and make the one around it the innermost again, if this is it here.

        Args:
            error: What ended it; None if it ran to its end.
        """
        try:
            self.close(error)
        finally:
            self.set_aside()

    def step(self) -> Step:
        """Make this the innermost block for one step of a generator; its consumer is not inside."""
        return Step(self)

    def into_step(self) -> Mapping[int, Block]:
        """Go on where the last step stopped, and return what to go back to."""
        before = _blocks.get({})
        self._put(self._innermost if self._innermost is not None and self._innermost.is_open else self)
        return before

    def out_of_step(self, before: Mapping[int, Block]) -> None:
        """Remember where the step stopped, and go back."""
        self._innermost = _blocks.get({}).get(id(self.chain))
        _blocks.set(before)

    def set_aside(self) -> None:
        """Make the block around this one the innermost for the calling code, while this one stays open."""
        if _blocks.get({}).get(id(self.chain)) is self:
            self._put(self.outer)

    def _put(self, block: Block | None) -> None:
        key = id(self.chain)
        others = {name: each for name, each in _blocks.get({}).items() if each.is_open and name != key}
        _blocks.set(others if block is None else {**others, key: block})

    @property
    def outer(self) -> Block | None:
        """The nearest block around this one on the same chain that is still open."""
        block = self.within
        while block is not None and not block.is_open:
            block = block.within
        return block


class Step:
    """One step of a generator inside its block; a class, because a generator sets attributes of errors.

    Args:
        block: The block.
    """

    __slots__ = ("_before", "_block")

    def __init__(self, block: Block) -> None:
        self._block = block

    def __enter__(self) -> None:
        self._before = self._block.into_step()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._block.out_of_step(self._before)


def _with_members(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, and if it is a group, all that it holds, groups in it, too."""
    waiting = [error]
    for each in waiting:  # grows meanwhile
        yield each
        if isinstance(each, BaseExceptionGroup):
            waiting += cast("BaseExceptionGroup[BaseException]", each).exceptions
