"""One run under way: which entry is next, what it is given, what becomes of it.

A pipeline without `needs` is a sequence, and each context goes straight to the next stage. With `needs` it is a graph:
an entry is given what the entries on its own ways have added, in pipeline order, so that its context does not depend
on which branch was faster.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable, Sequence

from crucible import events
from crucible.errors import ContractError
from crucible.pipeline.attempts import Attempts, Terms
from crucible.pipeline.calling import drive, in_thread
from crucible.pipeline.cancel import is_stop
from crucible.pipeline.context import Context
from crucible.pipeline.entry import Entry, prepare
from crucible.pipeline.graph import Ways, dependencies
from crucible.pipeline.records import (
    ContextDelta,
    Failure,
    RunInfo,
    StageRecord,
    failure_of,
)
from crucible.pipeline.registry import Registry, using
from crucible.pipeline.stage import OptionsMode

__all__ = ["Carrying", "Ending"]


@dataclasses.dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended, with every attempt's record."""

    context: Context
    records: list[StageRecord]
    failed: StageRecord | None = None
    failure: Failure | None = None
    error: BaseException | None = None


class Carrying:
    """Carries one run.

    Args:
        context: Where the run starts.
        terms: What all attempts at its stages go by.
        registry: Where stages are found.
        mode: How options are read.
        max_parallel: How many branches are carried out at once.

    Raises:
        SpecErrors: The `needs` of the pipeline do not fit together.
    """

    def __init__(
        self, context: Context, terms: Terms, registry: Registry, mode: OptionsMode, max_parallel: int
    ) -> None:
        self.context = context
        self._terms = terms
        self._book = terms.book
        self._registry = registry
        self._mode: OptionsMode = mode
        self._max_parallel = max_parallel
        self._skipped: set[int] = set()
        self._pipeline = context.experiment.pipeline
        self._is_graph = any(definition.needs is not None for definition in self._pipeline)
        self._direct = dependencies(self._pipeline) if self._is_graph else []

    async def go(self, info: RunInfo) -> Ending:
        """Carry the run to its end, and write down how it ended.

        Raises:
            StoreError: Its start could not be written: nothing was started, so there is no end to write either.
        """
        error: BaseException | None = None
        self._book.open(info)
        try:
            with (
                using(self._registry),
                events.span("crucible_framework.pipeline", {"stages": len(self._pipeline)}),
            ):
                entries = await self._prepare()
                await (self._graph(entries) if self._is_graph else self._sequence(entries))
        except BaseException as raised:
            self._terms.cancellation.request()  # for threads that a stage left running
            if is_stop(raised):
                self._book.close_stopped(raised)
                raise
            error = raised  # a stage that failed, or a record that could not be written
        failure = failure_of(error) if error else None
        try:
            self._book.close("failed" if error else "completed", failure)
        except Exception as lost:  # noqa: BLE001  # the run's own end could not be written: that is its failure
            if error is None:
                failure, error = failure_of(lost), lost
        return Ending(self.context, self._book.records, self._book.failed, failure, error)

    async def _prepare(self) -> list[Entry]:
        """Find all stages and read all options; on a thread where something is imported, which may take seconds."""

        def prepared() -> list[Entry]:
            return [prepare(i, definition, self._registry, self._mode) for i, definition in enumerate(self._pipeline)]

        if all(map(self._registry.has_loaded, self._pipeline)):
            return prepared()
        return await in_thread(prepared, self._terms.cancellation)

    # --- in order ---

    async def _sequence(self, entries: Sequence[Entry]) -> None:
        place = 0
        while place < len(entries):
            if entries[place].needs_loop:
                self.context = await self._step(entries[place], self.context, in_loop=True)
                place += 1
                continue
            end = next((i for i in range(place, len(entries)) if entries[i].needs_loop), len(entries))
            stretch = entries[place:end]
            await in_thread(lambda stretch=stretch: drive(self._stretch(stretch)), self._terms.cancellation)
            place = end

    async def _stretch(self, entries: Iterable[Entry]) -> None:
        """Carry synchronous entries out, all on the thread of the caller."""
        for entry in entries:
            self.context = await self._step(entry, self.context, in_loop=False)

    # --- as a graph ---

    async def _graph(self, entries: Sequence[Entry]) -> None:
        ways = Ways(self.context, self._direct)
        done = [asyncio.Event() for _ in entries]
        places = asyncio.Semaphore(self._max_parallel)

        async def branch(entry: Entry) -> None:
            for needed in self._direct[entry.index]:
                await done[needed].wait()
            before = self.context
            try:
                before = ways.before(entry.index)
            except ContractError as problem:
                entry = dataclasses.replace(entry, problem=problem)
            try:
                async with places:
                    after = await self._step(entry, before, in_loop=True)
            except Exception as error:
                self._book.lost(error)
                raise
            ways.keep(entry.index, before, after)
            done[entry.index].set()

        error: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as group:
                for entry in entries:
                    group.create_task(branch(entry))
        except BaseExceptionGroup as failures:
            error = _cause(failures)
        try:
            self.context = ways.end()
        except ContractError as conflict:
            error = error or conflict  # what ended the run is told, not what follows from it
        if error is not None:
            raise error

    # --- one entry ---

    async def _step(self, entry: Entry, context: Context, *, in_loop: bool) -> Context:
        """Carry one entry out; returns what the next one is given."""
        self._terms.cancellation.check()
        name = entry.definition.name
        with events.scope(stage=name, stage_index=entry.index):
            if reason := self._why_skipped(entry):
                self._book.finish(StageRecord(entry.index, name, "skipped", reason, started_at=self._book.now()))
                return context
            attempts = Attempts(self._terms, entry, context, in_loop=in_loop)
            done = self._terms.resume.completed.get(entry.index)
            if done is not None and entry.problem is None:
                after = await attempts.rebuild(done, self._terms.resume.deltas.get(entry.index, ContextDelta()))
                self._book.records.append(done)
                return after.mark_stage_complete(done.name)
            try:
                with events.span("crucible_framework.stage", {"stage": name, "stage_index": entry.index}) as span:
                    try:
                        after = await attempts.carry_out()
                    finally:
                        span.measure(attempts=attempts.count)
            except Exception:
                if attempts.verdict == "skip":
                    self._skipped.add(entry.index)
                if attempts.verdict in ("skip", "continue"):
                    return context
                raise
            return after.mark_stage_complete(attempts.name)

    def _why_skipped(self, entry: Entry) -> str:
        if not entry.definition.enabled:
            return "enabled: false"
        if entry.definition.needs is None or self._skipped.isdisjoint(self._direct[entry.index]):
            return ""
        first = self._pipeline[min(self._skipped.intersection(self._direct[entry.index]))]
        self._skipped.add(entry.index)
        return f"needs {first.id or first.name}, which was skipped"


def _cause(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error that ended the branches: a failure rather than a branch that was stopped because of it."""
    errors = failures.exceptions
    return next((error for error in errors if not is_stop(error)), errors[0])
