"""The engine: several batches under way at once, each recorded as soon as it is scored.

Everything but the calls of the sampler (and the scorers, where they have threads) happens on the event loop's thread,
so nothing here needs a lock.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from crucible.backends.protocols import Sampler
from crucible.backends.records import Sample
from crucible.data.evaluating.about import configuration
from crucible.data.evaluating.asking import Asking
from crucible.data.evaluating.limits import Meter
from crucible.data.evaluating.line import Line
from crucible.data.evaluating.measurement import Measurement
from crucible.data.evaluating.options import EvalOptions
from crucible.data.evaluating.outcomes import outcomes_of, refuse_failed
from crucible.data.evaluating.progress import Progress
from crucible.data.evaluating.questions import Questions
from crucible.data.evaluating.record import SYNC_S
from crucible.data.evaluating.recording import Recording
from crucible.data.evaluating.tally import Tally
from crucible.data.evaluating.todo import Todo
from crucible.data.items import Item
from crucible.data.scorers import Scorer
from crucible.errors import Cancelled, DataError
from crucible.ir import Failed, Outcome
from crucible.pipeline import check_cancelled
from crucible.stats.bench.scores import FailurePolicy

__all__ = ["Work"]

Answer = Sample | Failed | Line
"""A model's answer, why there is none, or one that is recorded already and only has to be scored."""

_CALLS = 8  # under way at once, where the model is not on a device of this machine


class Work:
    """An evaluation in progress.

    Args:
        sampler: The model.
        questions: What to ask.
        scorers: Functions by name.
        options: How to evaluate.
        progress: Is told how far it is.

    Raises:
        StoreError: The record cannot be opened, or is damaged.
        ContractError: The record is of another evaluation.
        DataError: A limit on the cost cannot be held.
    """

    def __init__(
        self,
        sampler: Sampler,
        questions: Questions,
        scorers: Mapping[str, Scorer],
        options: EvalOptions,
        progress: Progress,
    ) -> None:
        self.reason = ""
        self.meter = Meter(options.limits, sampler.model, time.monotonic())
        self._sampler = sampler
        self._questions = questions
        self._scorers = scorers
        self._options = options
        self._progress = progress
        self._aborts = options.policy is FailurePolicy.ABORT
        self._asking = Asking(
            sampler,
            options.drawn,
            timeout_s=options.timeout_s,
            attempts=options.attempts,
            raises=self._aborts,
        )
        self.recording = Recording(
            None if options.record is None else Path(options.record),
            configuration(sampler, questions, scorers, options),
            Tally(scorers, options.repeats),
            options.repeats,
            resume=options.resume,
        )
        self.tally = self.recording.tally
        self._is_closing = False
        self._synced_s = time.monotonic()
        self._syncing: asyncio.Future[None] | None = None
        self._pool = ThreadPoolExecutor(options.scoring_threads) if options.scoring_threads else None

    @property
    def concurrency(self) -> int:
        """Calls under way at once."""
        return self._options.concurrency or (1 if getattr(self._sampler, "device", None) else _CALLS)

    async def run(self) -> None:
        """Measure what is not recorded, until all is or a limit is reached. What was finished is recorded in any case.

        Raises:
            ContractError: A recorded item is another one.
            DataError: Under `abort`, an item could not be scored; a limit on tokens cannot be held.
            BackendError: Under `abort`, the sampler failed; also whatever else a sampler raises.
            StoreError: A measurement cannot be written.
            Cancelled: The run was asked to stop; batches under way were finished.
        """
        if self._aborts and not self._options.retry_failed:
            self.tally.refuse_failures()
        todo = Todo(self._questions, self.recording, self._options)
        batches = todo.batches()
        tasks = [asyncio.create_task(self._work(batches)) for _ in range(self.concurrency)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            self._is_closing = True
            if isinstance(_error(tasks), Cancelled):
                await asyncio.wait(tasks)  # what is under way is paid for
        finally:
            self._is_closing = True
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._end_sync()
        if error := _error(tasks):
            raise error
        self.reason = self.reason or todo.reason
        self._progress.tell(self.tally.measured, is_last=True)

    def close(self) -> None:
        """Let go of the record and of the threads."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self.recording.close()

    # --- asking, scoring, recording ---

    async def _work(self, batches: Iterator[list[Measurement]]) -> None:
        tally = self.tally
        while not self._is_closing:
            check_cancelled()
            batch = next(batches, None)
            if batch is None:
                return
            if reason := self.meter.reached(tally.prompt_tokens, tally.completion_tokens, time.monotonic()):
                self.reason, self._is_closing = reason, True
                return
            await self._measure(batch)
            await asyncio.sleep(0)  # a sampler that never waits must not keep others, and Ctrl-C, from their turn

    async def _measure(self, batch: list[Measurement]) -> None:
        asked = [one for one in batch if one.kept is None]
        answers = iter(await self._asking.answers(asked)) if asked else iter(())
        found: list[Answer] = [one.kept or next(answers) for one in batch]
        scored = await self._scored(batch, found)
        lines = [self._line(one, answer, scores) for one, answer, scores in zip(batch, found, scored, strict=True)]
        self.recording.add([one.slot for one in batch], lines, [one.digest for one in batch])
        self._keep_synced()
        if self._aborts:
            for one, scores in zip(batch, scored, strict=True):
                refuse_failed(one.item, scores)
        if self.meter.counts_tokens:
            self._refuse_uncounted(found)
        self._progress.tell(self.tally.measured)

    async def _scored(self, batch: Sequence[Measurement], answers: Sequence[Answer]) -> list[dict[str, Outcome]]:
        if self._pool is None:
            return [self._outcomes(one.item, answer) for one, answer in zip(batch, answers, strict=True)]
        loop, pool = asyncio.get_running_loop(), self._pool

        def threaded(item: Item, answer: Answer) -> asyncio.Future[dict[str, Outcome]]:
            scope = contextvars.copy_context()
            return loop.run_in_executor(pool, lambda: scope.run(self._outcomes, item, answer))

        return await asyncio.gather(*(threaded(one.item, answer) for one, answer in zip(batch, answers, strict=True)))

    def _outcomes(self, item: Item, answer: Answer) -> dict[str, Outcome]:
        if isinstance(answer, Failed):
            return dict.fromkeys(self._scorers, answer)
        return outcomes_of(self._scorers, item, answer.text if isinstance(answer, Sample) else answer.output or "")

    def _line(self, one: Measurement, answer: Answer, scores: dict[str, Outcome]) -> Line:
        if isinstance(answer, Line):
            return msgspec.structs.replace(answer, scores=scores)
        repeat = one.repeat if self._options.repeats > 1 else msgspec.UNSET
        asked = (one.item.id, one.place, f"{one.digest:016x}", one.item.input, one.item.expected)
        synthetic = self._questions.synthetic
        if isinstance(answer, Failed):
            return Line(*asked, None, None, scores, repeat, synthetic=synthetic)
        return Line(
            *asked,
            answer.text,
            answer.stop_reason,
            scores,
            repeat,
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=len(answer.tokens),
            truncated_prompt=answer.truncated_prompt,
            synthetic=synthetic,
        )

    def _refuse_uncounted(self, answers: Sequence[Answer]) -> None:
        for answer in answers:
            if isinstance(answer, Sample) and answer.text and not answer.tokens and not answer.prompt_tokens:
                raise DataError(
                    f"a limit on tokens or cost cannot be held: {self._sampler.model} does not tell how many tokens it "
                    "reads and writes; limit items or seconds instead"
                )

    # --- the disk ---

    def _keep_synced(self) -> None:
        now_s = time.monotonic()
        if now_s - self._synced_s < SYNC_S:
            return
        if self._syncing is not None and self._syncing.done():
            self._syncing.result()
            self._syncing = None
        if self._syncing is None:
            self._synced_s = now_s
            self._syncing = asyncio.get_running_loop().run_in_executor(None, self.recording.sync)

    async def _end_sync(self) -> None:
        if self._syncing is not None:
            await asyncio.wait([self._syncing])
        self.recording.sync()


def _error(tasks: Sequence[asyncio.Task[None]]) -> BaseException | None:
    """Return what ended one of the tasks; None where none was ended by anything."""
    ended = [task for task in tasks if task.done()]
    errors = [error for task in ended if not task.cancelled() and (error := task.exception())]
    if errors:
        return errors[0]
    return asyncio.CancelledError() if any(task.cancelled() for task in ended) else None
