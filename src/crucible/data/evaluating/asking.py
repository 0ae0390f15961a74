"""Asking the model one batch: in time, again where that can help, and in halves where one prompt spoils it.

The policy, in full: an error that says `is_retryable` is tried again, the whole batch, up to `attempts` times. What
fails for good, or runs out of time, is asked in halves, down to the single prompt, so that only prompts that fail alone
are failed. Parts of a batch whose tries are used up are tried once each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

from crucible.backends.protocols import Sampler
from crucible.backends.records import Sample, SamplingParams
from crucible.data.evaluating.measurement import Measurement, seeded
from crucible.errors import BackendTimeout, BadResponse
from crucible.ir import Failed
from crucible.pipeline.cancel import check_cancelled, is_stop

__all__ = ["Asking"]

_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0


class Asking:
    """How a model is asked.

    Args:
        sampler: The model.
        params: How answers are drawn.
        timeout_s: Most seconds of one call; None waits as long as it takes.
        attempts: Most tries of a call whose error says that another can help.
        raises: Raise what fails, instead of failing the measurements.
    """

    def __init__(
        self, sampler: Sampler, params: SamplingParams, *, timeout_s: float | None, attempts: int, raises: bool
    ) -> None:
        self._sampler = sampler
        self._params = params
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._raises = raises

    async def answers(self, batch: Sequence[Measurement]) -> list[Sample | Failed]:
        """Return the answer to each measurement, or why there is none.

        Raises:
            Cancelled: The run was asked to stop.
            BackendError: Under `raises`, the sampler failed; also whatever else a sampler raises.
        """
        return await self._asked(batch, self._attempts)

    async def _asked(self, batch: Sequence[Measurement], attempts: int) -> list[Sample | Failed]:
        attempt = 1
        while True:
            try:
                return list(await self._call(batch))
            except Exception as error:  # whatever a backend raises fails what was asked, and nothing else
                if is_stop(error):
                    raise
                can_help = getattr(error, "is_retryable", False) is True
                if not can_help or attempt >= attempts:
                    if self._raises:
                        raise
                    if len(batch) == 1:
                        return [Failed(f"no answer: {type(error).__name__}: {error}")]
                    break
            await asyncio.sleep(min(_WAIT_S * 2 ** (attempt - 1), _LONGEST_WAIT_S))
            attempt += 1
        return await self._in_halves(batch, 1 if can_help else attempts)

    async def _in_halves(self, batch: Sequence[Measurement], attempts: int) -> list[Sample | Failed]:
        found: list[Sample | Failed] = []
        half = len(batch) // 2
        for part in (batch[:half], batch[half:]):
            check_cancelled()
            found += await self._asked(part, attempts)
        return found

    async def _call(self, batch: Sequence[Measurement]) -> list[Sample]:
        prompts = [one.item.input for one in batch]
        call = self._sampler.asample(prompts, seeded(self._params, batch))
        if self._timeout_s is None:
            samples = await call
        else:
            limit = asyncio.timeout(self._timeout_s)
            try:
                async with limit:
                    samples = await call
            except TimeoutError as error:
                if not limit.expired():
                    raise
                raise BackendTimeout(
                    f"no answer within timeout_s = {self._timeout_s:g}", backend=self._sampler.model
                ) from error
        if len(samples) != len(batch):
            raise BadResponse(f"{len(samples)} answers came for {len(batch)} prompts", backend=self._sampler.model)
        for sample in cast("list[object]", samples):
            if not isinstance(sample, Sample):
                raise BadResponse(f"a {type(sample).__name__} came; expected a Sample", backend=self._sampler.model)
        return samples
