"""A chain of whatever happens in a block of code: `collect`."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType

from crucible.trace.chain import Chain
from crucible.trace.collecting.collector import Collector

__all__ = ["collect"]


class _Collecting:
    """A block that is collected; a class, because a generator sets attributes of errors, which some refuse."""

    __slots__ = ("_chain", "_collector", "_name", "_run_id")

    def __init__(self, name: str, run_id: str | None, chain: Chain | None) -> None:
        self._name = name
        self._run_id = run_id
        self._chain = chain

    def __enter__(self) -> Chain:
        self._collector = Collector(self._run_id, self._name, chain=self._chain).start()
        return self._collector.chain

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._collector.stop()


def collect(
    name: str = "Collected", *, run_id: str | None = None, chain: Chain | None = None
) -> AbstractContextManager[Chain, None]:
    """Keep a chain of what the bus tells for the time of a block.

    `with collect("night run") as chain: …`

    | on the bus | in the chain |
    |---|---|
    | pipelines, stages, trainings | `stage_started`, `training_started`; `…_completed` or `…_failed` below it |
    | another attempt at a stage, a request to stop | `stage_retried`, `decision_made` |
    | epochs, checkpoints | `epoch_completed`, `checkpoint_saved` |
    | evaluations, built base models | `metric_recorded`, `model_loaded` |
    | decisions | the type that they name |
    | votes of ensembles | `vote_completed` |
    | predictions of ensembles | `inference_completed` or `request_failed`, which rests on its votes |
    | hedges | `request_hedged` |
    | hedged requests | `request_completed` or `request_failed`, which rests on its hedges |
    | optimiser steps, validations | summed up on their training: `batches`, `validation` |
    | calls of samplers (`req_llm.request`) | summed up on the nearest of the above that ends: `requests` |

    What is summed up when the block ends, and enclosed by nothing that has ended, becomes one event. Events of the
    trace itself (`crucible_trace.event.created`) are not told. Blocks may be nested; several on one chain take each
    event of the bus once.

    Args:
        name: Name of the chain.
        run_id: Listen to this run alone; None for everything on the bus.
        chain: Add to this chain instead of a new one.
    """
    return _Collecting(name, run_id, chain)
