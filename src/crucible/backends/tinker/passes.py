# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (the SDK is reached through `require`, so that it is optional)
"""Forward and backward passes of a session as requests: what is sent, and how the answer is read.

A loss that the service computes is one request; any other is computed here, between a forward and a backward there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from crucible.backends.batch_checks import check_batch, check_trained
from crucible.backends.loss_terms import policy_settings
from crucible.backends.prompts import check_window, prompt_tokens
from crucible.backends.records import ForwardBackwardOutput
from crucible.backends.session_events import SessionEvents
from crucible.backends.tinker.connection import Connection
from crucible.backends.tinker.conversion import fits_service, output_of, sdk_data
from crucible.backends.tinker.pipeline import Request
from crucible.backends.tinker.remote_adapter import RemoteAdapter
from crucible.text import Datum, ModelInput, Tokenizer

if TYPE_CHECKING:
    from crucible.backends.losses import CustomLoss, Loss

__all__ = ["Passes"]

T = TypeVar("T")


class Passes:
    """Makes the passes of one session.

    Args:
        connection: The service.
        adapter: What they go through.
        events: Of the session.
        tokenizer: The base model's tokenizer.
        window: Most tokens of one sequence.
    """

    def __init__(
        self,
        connection: Connection,
        adapter: RemoteAdapter,
        events: SessionEvents,
        *,
        tokenizer: Tokenizer,
        window: int,
    ) -> None:
        self._connection = connection
        self._adapter = adapter
        self._events = events
        self._tokenizer = tokenizer
        self._window = window

    def forward(
        self, data: tuple[Datum, ...], loss: str | Loss, loss_config: Mapping[str, float] | None
    ) -> Request[ForwardBackwardOutput]:
        """Return the request for a pass without a gradient."""
        on_service = _is_on_service(data, loss)
        name = str(loss) if on_service else "cross_entropy"

        def send() -> Any:
            self._check(data, trains=False)
            if on_service:
                settings = policy_settings(name, loss_config or {}) or None
            else:
                settings = None
                _check_loss(data, loss, loss_config)
            return self._adapter.client.forward(sdk_data(data, name), name, settings)

        def receive(sent: Any) -> ForwardBackwardOutput:
            answer = self._connection.settle("forward", sent)
            output = output_of(data, answer, trained=False, loss=name)
            if on_service:
                return output
            from crucible.backends.losses import resolve
            from crucible.backends.tinker.losses import forward_output

            return forward_output(resolve(loss, loss_config), data, output)

        return Request("forward", send, receive, status="evaluating")

    def forward_backward(
        self, data: tuple[Datum, ...], loss: str | Loss, loss_config: Mapping[str, float] | None
    ) -> Request[ForwardBackwardOutput]:
        """Return the request for a pass that adds to the gradient."""
        if not _is_on_service(data, loss):
            return self._named(data, loss, loss_config)
        name = str(loss)

        def send() -> Any:
            self._check(data, trains=True)
            settings = policy_settings(name, loss_config or {}) or None
            future = self._adapter.client.forward_backward(sdk_data(data, name), name, settings)
            self._adapter.has_gradient = True
            return future

        def receive(sent: Any) -> ForwardBackwardOutput:
            def wait() -> ForwardBackwardOutput:
                answer = self._connection.settle("forward_backward", sent)
                return self._adapter.noted(output_of(data, answer, trained=True, loss=name))

            return self._events.forward_backward(len(data), name, wait)

        return Request("forward_backward", send, receive)

    def custom(self, data: tuple[Datum, ...], fn: CustomLoss) -> Request[ForwardBackwardOutput]:
        """Return the request for a pass whose loss is a function of the log-probabilities."""
        return self._custom("forward_backward_custom", data, fn, fn, trains=False)

    def logprobs(self, prompts: tuple[str | ModelInput, ...]) -> Request[list[list[float | None]]]:
        """Return the request for the log-probabilities of prompts."""

        def send() -> Any:
            tokens_N_T = [  # noqa: N806  shape suffix
                prompt_tokens(self._tokenizer, number, prompt) for number, prompt in enumerate(prompts)
            ]
            check_window(tokens_N_T, self._window)
            pairs = [(tuple(tokens[:-1]), tuple(tokens[1:])) for tokens in tokens_N_T if len(tokens) > 1]
            data = tuple(Datum(ModelInput(ins), outs, (1.0,) * len(outs)) for ins, outs in pairs)
            if not data:
                return tokens_N_T, data, None
            self._check(data, trains=False)
            return tokens_N_T, data, self._adapter.client.forward(sdk_data(data, "cross_entropy"), "cross_entropy")

        def receive(sent: Any) -> list[list[float | None]]:
            tokens_N_T, data, pending = sent  # noqa: N806
            found: list[list[float | None]] = []
            if data:
                answer = self._connection.settle("logprobs", pending)
                found = output_of(data, answer, trained=False, loss="cross_entropy").logprobs
            rows = iter(found)
            return [[None, *next(rows)] if len(tokens) > 1 else [None] for tokens in tokens_N_T]

        return Request("logprobs", send, receive, status="evaluating")

    def _named(
        self, data: tuple[Datum, ...], loss: str | Loss, loss_config: Mapping[str, float] | None
    ) -> Request[ForwardBackwardOutput]:
        """Train with a loss of Crucible's registry, or a function of the same form."""

        def custom(items: Sequence[Datum], logprobs: Any) -> Any:
            from crucible.backends.losses import resolve
            from crucible.backends.tinker.losses import as_custom

            return as_custom(resolve(loss, loss_config))(items, logprobs)

        def check() -> None:
            _check_loss(data, loss, loss_config)

        return self._custom("forward_backward", data, custom, loss, trains=True, check=check)

    def _custom(
        self, request: str, data: tuple[Datum, ...], fn: CustomLoss, loss: object, *, trains: bool, check: Any = None
    ) -> Request[ForwardBackwardOutput]:
        from crucible.backends.tinker.losses import LocalLoss

        local = LocalLoss(fn, data)

        def send() -> Any:
            self._check(data, trains=trains)
            if check is not None:
                check()
            self._adapter.has_gradient = True
            client = self._adapter.client
            return _or_its_own(local, lambda: client.forward_backward_custom(sdk_data(data, "cross_entropy"), local))

        def receive(sent: Any) -> ForwardBackwardOutput:
            def wait() -> ForwardBackwardOutput:
                answer = _or_its_own(local, lambda: self._connection.settle(request, sent))
                output = output_of(data, answer, trained=trains, loss="cross_entropy")
                metrics = {name: value for name, value in output.metrics.items() if name != "surrogate_loss:sum"}
                metrics |= {**local.metrics, "loss:sum": local.value}
                return msgspec.structs.replace(output, loss=local.value, metrics=metrics)

            return self._events.forward_backward(len(data), loss, wait)

        return Request(request, send, receive)

    def _check(self, data: tuple[Datum, ...], *, trains: bool) -> None:
        check_batch(data, window=self._window, vocabulary=self._tokenizer.vocab_size)
        if trains:
            check_trained(data)


def _is_on_service(data: tuple[Datum, ...], loss: str | Loss) -> bool:
    """Say whether the service computes this loss: not one that was registered in place of Crucible's own."""
    if not isinstance(loss, str) or not fits_service(data, loss):
        return False
    registry = sys.modules.get("crucible.backends.losses.registry")  # without it nobody registered anything
    is_replaced = getattr(registry, "is_replaced", None)  # nor while it is being imported
    return is_replaced is None or not is_replaced(loss)


def _check_loss(data: tuple[Datum, ...], loss: str | Loss, loss_config: Mapping[str, float] | None) -> None:
    """Refuse a loss that cannot be computed here, before anything is sent."""
    from crucible.backends.losses import check_inputs, resolve

    found = resolve(loss, loss_config)
    for datum in data:
        check_inputs(found, {"weights", *datum.input_names})


def _or_its_own(local: Any, call: Callable[[], T]) -> T:
    """Return what a call returns; where it fails because the loss itself raised, raise that."""
    try:
        return call()
    except Exception:
        if local.failure is not None:
            raise local.failure from None
        raise
