"""A model in training on the fake service: a local adapter behind Tinker's rules of order.

Requests carry numbers from 1 on and are carried out in their order, however they arrive; a number that comes again is
the same request, answered once. After one that failed the others fail, too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch
from tests.backends.tinker.fake.wire import TrainingRequest, encode_output

from crucible.backends.local_adapter import LocalAdapter
from crucible.backends.records import AdamParams

__all__ = ["FakeModel"]


class FakeModel:
    """One adapter.

    Args:
        adapter: Computes; it tells no events, which are the client's to tell.
        base_model: Name of the base model.
        rank: Rank of the adapter.
    """

    def __init__(self, adapter: LocalAdapter, *, base_model: str, rank: int) -> None:
        self.adapter = adapter
        self.base_model = base_model
        self.rank = rank
        self.executed: list[int] = []
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="fake-tinker-model")
        self._lock = threading.Lock()
        self._failure: Exception | None = None
        self._next = 1
        self._waiting: dict[int, tuple[Callable[[], Any], Future[Any]]] = {}
        self._known: dict[int, tuple[str, Future[Any]]] = {}

    def submit(self, seq_id: int, request_id: str, work: Callable[[], Any]) -> tuple[str, Future[Any]]:
        """Queue a request; one of a known number is answered with what it was given the first time."""
        with self._lock:
            if seq_id in self._known:
                return self._known[seq_id]
            future: Future[Any] = Future()
            self._known[seq_id] = request_id, future
            self._waiting[seq_id] = work, future
            while self._next in self._waiting:
                due, answer = self._waiting.pop(self._next)
                self._worker.submit(self._carry_out, self._next, due, answer)
                self._next += 1
            return request_id, future

    def _carry_out(self, seq_id: int, work: Callable[[], Any], answer: Future[Any]) -> None:
        self.executed.append(seq_id)
        if self._failure is not None:
            answer.set_exception(self._failure)
            return
        try:
            answer.set_result(work())
        except Exception as error:
            self._failure = error
            answer.set_exception(error)

    def compute(self, request: TrainingRequest) -> bytes:
        """Carry out a forward or a forward_backward."""
        loss: Any = request.loss if request.loss == "cross_entropy" else _LOSSES[request.loss](request.config)
        seen = self.adapter.forward(request.data, "cross_entropy", None)
        soft = seen.soft_logprobs or [[]] * len(request.data)
        counted = [datum for datum in request.data if any(datum.weights)]
        if request.forward_only:
            total = self.adapter.forward(request.data, loss, None).loss
        else:
            total = self.adapter.forward_backward(counted, loss, None).loss if counted else 0.0
        numbers = [rows or values for values, rows in zip(seen.logprobs, soft, strict=True)]
        return encode_output(numbers, {"loss:sum": total})

    def step(self, values: dict[str, Any]) -> dict[str, Any]:
        """Carry out an optim_step."""
        output = self.adapter.weights.step(AdamParams(**values))
        return {"metrics": {"grad_norm": output.gradient_norm}}

    def close(self) -> None:
        """Stop."""
        self._worker.shutdown(wait=True, cancel_futures=True)


def _ratio(logprobs: torch.Tensor, inputs: Any) -> torch.Tensor:
    return (logprobs - inputs["logprobs"]).exp()


def _importance_sampling(config: dict[str, float]) -> Any:
    del config
    return lambda logprobs, inputs: -(_ratio(logprobs, inputs) * inputs["advantages"]).sum()


def _ppo(config: dict[str, float]) -> Any:
    low, high = config["clip_low_threshold"], config["clip_high_threshold"]

    def loss(logprobs: torch.Tensor, inputs: Any) -> torch.Tensor:
        ratio, gain = _ratio(logprobs, inputs), inputs["advantages"]
        return -torch.minimum(ratio * gain, ratio.clamp(low, high) * gain).sum()

    return loss


def _cispo(config: dict[str, float]) -> Any:
    low, high = config["clip_low_threshold"], config["clip_high_threshold"]

    def loss(logprobs: torch.Tensor, inputs: Any) -> torch.Tensor:
        return -(_ratio(logprobs, inputs).clamp(low, high).detach() * logprobs * inputs["advantages"]).sum()

    return loss


def _dro(config: dict[str, float]) -> Any:
    def loss(logprobs: torch.Tensor, inputs: Any) -> torch.Tensor:
        pull = config["beta"] / 2 * (logprobs - inputs["logprobs"]).square()
        return -(logprobs * inputs["advantages"] - pull).sum()

    return loss


_LOSSES: dict[str, Callable[[dict[str, float]], Any]] = {
    "importance_sampling": _importance_sampling,
    "ppo": _ppo,
    "cispo": _cispo,
    "dro": _dro,
}
"""Losses beside cross-entropy; formulas as the SDK's documentation has them."""
