"""The attempts at one entry: middleware around each, and what happens after one that failed.

The first answer counts: that of a middleware, then the entry's `retry`, then its `on_error`. Each attempt has a record
of its own, a fallback's under the fallback's name.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from typing import Any, cast

from crucible import events
from crucible.errors import Cancelled, StageTimeout
from crucible.pipeline.bookkeeping import Bookkeeping
from crucible.pipeline.calling import as_failure, awaited, on_thread, with_limit
from crucible.pipeline.cancel import Cancellation, is_stop
from crucible.pipeline.context import Context
from crucible.pipeline.entry import Entry, checked
from crucible.pipeline.middleware import Again, Hooks, StageCall, Verdict
from crucible.pipeline.records import PASSED_OVER, ContextDelta, Failure, Resume, StageRecord, failure_of

__all__ = ["Attempts", "Terms"]


@dataclasses.dataclass(frozen=True, slots=True)
class Terms:
    """What all attempts of one run go by.

    Args:
        book: Where each is written down.
        hooks: The middleware around it.
        cancellation: How the run is asked to stop.
        resume: Where an earlier attempt at the run stood.
    """

    book: Bookkeeping
    hooks: Hooks
    cancellation: Cancellation
    resume: Resume


class Attempts:
    """Carries one entry out, as often as it takes.

    Args:
        terms: What all attempts of the run go by.
        entry: The entry.
        context: What the stage is given, every time.
        in_loop: Whether an event loop may be waited for here.
    """

    def __init__(self, terms: Terms, entry: Entry, context: Context, *, in_loop: bool) -> None:
        self.count = 0
        self.name = entry.definition.name
        self.verdict: Verdict | None = None
        self._terms = terms
        self._book = terms.book
        self._entry = entry
        self._context = context
        self._in_loop = in_loop
        self._earlier = terms.resume.attempts.get(entry.index, 0)

    async def carry_out(self) -> Context:
        """Try until an attempt succeeds, or nothing more is tried: then the last error is raised, `verdict` set."""
        chosen, tries = self._entry, 0
        while True:
            tries += 1
            record = self._next_record(chosen)
            started = self._book.begin(record)
            call = StageCall(chosen.index, self.name, tries, self._context, chosen.options)
            try:
                after = await self._attempt(chosen, call)
            except BaseException as error:
                if is_stop(error):
                    self._book.stopped(record, started, error)
                    raise
                verdict = self._failed(record, started, chosen, call, cast("Exception", error))
                if verdict != "halt" and self._terms.cancellation.is_requested:
                    raise Cancelled("the run was asked to stop") from error
                if isinstance(verdict, Again):
                    await self._pause(verdict.after_s)
                elif verdict == "fallback" and chosen.fallback is not None:
                    chosen, tries = chosen.fallback, 0
                else:
                    self.verdict = verdict
                    raise
            else:
                self._book.ended(record, "ok", started, chosen.standing, delta=after.delta_since(self._context))
                return after

    async def rebuild(self, done: StageRecord, delta: ContextDelta) -> Context:
        """Return the context after a stage that an earlier attempt at the run completed, its resources made again."""
        entry = self._entry.that_made(done)
        context = self._context.restored(delta)
        function = entry.function("rebuild")
        if function is None:
            return context
        record, started = self._next_record(entry), time.monotonic_ns()
        try:
            return checked(await self._call(entry, function, context), context, entry)
        except BaseException as error:
            if is_stop(error):
                self._book.stopped(record, started, error)
            else:
                self._book.halted(self._book.ended(record, "failed", started, error=failure_of(error)))
            raise

    def _next_record(self, entry: Entry) -> StageRecord:
        self.count += 1
        self.name = entry.definition.name
        return StageRecord(
            entry.index, self.name, "running", attempt=self._earlier + self.count, started_at=self._book.now()
        )

    async def _attempt(self, entry: Entry, call: StageCall) -> Context:
        if entry.problem is not None:
            raise entry.problem
        hooks = self._terms.hooks
        for before in hooks.before:
            before(call)
        started = time.monotonic_ns()
        after = checked(await self._call(entry, entry.function("run"), self._context), self._context, entry)
        took = time.monotonic_ns() - started
        for hear in hooks.after:
            hear(call, after, took)
        return after

    async def _call(self, entry: Entry, function: Any, context: Context) -> Any:
        if not self._in_loop:
            return on_thread(function, context, entry.options)
        limit = entry.definition.timeout_s
        arguments = (context, entry.options)
        try:
            return await with_limit(function, arguments, limit, self._terms.cancellation, what=entry.place)
        except SystemExit as error:  # KeyboardInterrupt may be a person's here
            raise as_failure(error) from error

    def _failed(self, record: StageRecord, started: int, entry: Entry, call: StageCall, error: Exception) -> Verdict:
        """Decide what happens after an attempt that failed, write it down and tell it."""
        verdict = self._judge(entry, call, error)
        reason, instead = _reason(entry, verdict)
        failure = failure_of(error)
        status = "skipped" if verdict == "skip" else "failed"
        written = self._book.ended(record, status, started, reason, error=failure)
        if reason is None:
            self._book.halted(written)
            return verdict
        if isinstance(verdict, Again):
            _tell_retry(record, verdict, failure)
        events.decision(f"{entry.place}: {reason}", f"{failure.type}: {failure.message}", alternatives=instead)
        return verdict

    def _judge(self, entry: Entry, call: StageCall, error: Exception) -> Verdict:
        if entry.problem is not None:
            return "halt"
        still_runs = isinstance(error, StageTimeout) and not error.is_stopped
        for judge in (*self._terms.hooks.on_error, *((entry.retry.on_error,) if entry.retry else ())):
            try:
                verdict = judge(call, error)
            except Exception as broken:  # noqa: BLE001  # the stage's own error is the one to tell
                error.add_note(f"{_called(judge)} raised {type(broken).__name__}: {broken}")
                return "halt"
            if verdict is None or (still_runs and isinstance(verdict, Again)):
                continue
            if not isinstance(verdict, Again) and verdict not in _WORDS:
                error.add_note(f"{_called(judge)} answered {verdict!r}; expected Again, {', '.join(_WORDS)} or None")
                return "halt"
            return verdict
        return entry.definition.on_error

    async def _pause(self, seconds: float) -> None:
        if self._in_loop:
            await awaited(asyncio.sleep(seconds), self._terms.cancellation)
        else:
            self._terms.cancellation.wait(seconds)


def _called(judge: object) -> str:
    return getattr(judge, "__qualname__", type(judge).__name__)


_WORDS = ("halt", "skip", "continue", "fallback")


def _reason(entry: Entry, verdict: Verdict) -> tuple[str | None, tuple[str, ...]]:
    """Return what is done after a failure, in words, and what was not; None where the run ends."""
    if isinstance(verdict, Again):
        return f"try again after {verdict.after_s:.3g} s", ("give up",)
    if verdict == "fallback" and entry.fallback is not None:
        return f"{entry.fallback.definition.name} runs instead", ("halt the run",)
    if verdict in ("skip", "continue"):
        return PASSED_OVER[verdict], ("halt the run",)
    return None, ()


def _tell_retry(record: StageRecord, verdict: Again, failure: Failure) -> None:
    events.emit(
        "crucible_framework.stage.retry",
        {"attempt": record.attempt, "wait_s": verdict.after_s},
        {
            "stage": record.name,
            "stage_index": record.index,
            "error_type": failure.type,
            "error": failure.message,
        },
    )
