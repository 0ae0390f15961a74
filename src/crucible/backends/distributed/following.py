# pyright: reportUnknownMemberType=false
# (transformers and PEFT models are untyped)
"""A process that does what the leader asks: it keeps copies of adapters and samplers and computes its share.

It reads no document, holds no data and writes nothing; what it was asked last is all it knows.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from crucible.backends.adapter import merged_model, open_adapter
from crucible.backends.base_models import resolve_base_model
from crucible.backends.device import own_device
from crucible.backends.distributed.masks import drawing
from crucible.backends.distributed.shared_adapter import linear
from crucible.backends.distributed.shares import Outcome, attempt
from crucible.backends.distributed.team import Team
from crucible.backends.local_adapter import LocalAdapter
from crucible.backends.local_base import LoadedBase, load_base
from crucible.backends.local_sampler import LocalSampler
from crucible.backends.losses import Loss
from crucible.errors import BackendError
from crucible.text import Datum

__all__ = ["Follower"]


class Follower:
    """All that this process keeps for the leader.

    Args:
        team: The processes.
    """

    def __init__(self, team: Team) -> None:
        self._team = team
        self._where = team.place.name
        self._bases: dict[int, LoadedBase] = {}
        self._adapters: dict[int, LocalAdapter] = {}
        self._samplers: dict[int, LocalSampler] = {}
        self._does: dict[str, Callable[[Any], None]] = {
            "forward": self._forward,
            "forward_backward": self._forward_backward,
            "forward_backward_custom": self._forward_backward_custom,
            "idle": self._idle,
            "logprobs": self._logprobs,
            "open_base_sampler": self._open_base_sampler,
            "open_sampler": self._open_sampler,
            "open_session": self._open_session,
            "sample": self._sample,
            "top_logprobs": self._top_logprobs,
            "use_gpus": self._use_gpus,
            "weights": self._weights,
        }

    def serve(self) -> None:
        """Do what the leader asks until it ends.

        Raises:
            BackendError: A process is gone.
        """
        while True:
            name, about, gone = self._team.hear()
            for number in gone:
                for kept in (self._bases, self._adapters, self._samplers):
                    kept.pop(number, None)
            if name == "end":
                return
            self._does[name](about)

    def _idle(self, _: None) -> None:
        """Hear that the leader is there, and say the same."""
        self._team.outcomes(Outcome())

    def _use_gpus(self, _: None) -> None:
        self._team.use_gpus()

    def _open_session(self, about: Any) -> None:
        number, config, kind = about

        def opened() -> str:
            base = self._base(config.base_model, kind)
            self._adapters[number] = LocalAdapter(config, base)
            self._bases[number] = base
            return base.digest

        self._team.outcomes(attempt(opened, self._where))

    def _open_base_sampler(self, about: Any) -> None:
        number, base_model, kind, files = about

        def opened() -> str:
            base = self._base(base_model, kind)
            weights = _merged(base, files) if files else None
            self._samplers[number] = LocalSampler(base, model=base_model, weights=weights)
            return base.digest

        self._team.outcomes(attempt(opened, self._where))

    def _open_sampler(self, about: Any) -> None:
        number, session, model = about

        def opened() -> None:
            adapter = self._adapter(session)
            self._samplers[number] = LocalSampler(self._bases[session], model=model, weights=adapter.merged())

        self._team.outcomes(attempt(opened, self._where))

    def _weights(self, session: int) -> None:
        self._team.hand_over(self._adapter(session).weights.flat)

    def _forward_backward(self, about: Any) -> None:
        session, shares, loss, masks = about
        adapter, share = self._adapter(session), self._own(shares)
        work = (lambda: adapter.forward_backward(share, _received(loss), None)) if share else lambda: None
        with drawing(adapter, self._own(masks)):
            own = attempt(work, self._where)
        self._team.outcomes(own)
        self._give_gradient(adapter)

    def _forward(self, about: Any) -> None:
        session, shares, loss, _ = about
        adapter, share = self._adapter(session), self._own(shares)
        work = (lambda: adapter.forward(share, _received(loss), None)) if share else lambda: None
        self._team.outcomes(attempt(work, self._where))

    def _forward_backward_custom(self, about: Any) -> None:
        session, shares, _, masks = about
        adapter, share = self._adapter(session), self._own(shares)
        has_traded = False

        def part(_: Sequence[Datum], leaves: list[torch.Tensor]) -> tuple[torch.Tensor, Mapping[str, float]]:
            nonlocal has_traded
            has_traded = True
            gradients = self._trade(Outcome(value=[leaf.detach().cpu() for leaf in leaves]))
            if gradients is None:
                raise BackendError("the loss was not computed", backend="local")
            return linear(gradients, leaves), {}

        with drawing(adapter, self._own(masks)):
            own = attempt(lambda: adapter.forward_backward_custom(share, part) if share else None, self._where)
        if not has_traded:
            self._trade(Outcome(error=own.error, where=self._where))
        self._team.outcomes(own)
        self._give_gradient(adapter)

    def _sample(self, about: Any) -> None:
        self._answer(about, lambda sampler: sampler.answers)

    def _logprobs(self, about: Any) -> None:
        self._answer(about, lambda sampler: sampler.logprobs)

    def _top_logprobs(self, about: Any) -> None:
        self._answer(about, lambda sampler: sampler.top_logprobs)

    def _answer(self, about: Any, method: Callable[[LocalSampler], Callable[..., Any]]) -> None:
        number, parts = about
        prompts, *more = self._own(parts)
        work = (lambda: method(self._samplers[number])(prompts, *more)) if prompts else lambda: None
        self._team.outcomes(attempt(work, self._where))

    def _base(self, base_model: str, kind: str) -> LoadedBase:
        return load_base(resolve_base_model(base_model), own_device(kind, self._team.place))

    def _adapter(self, session: int) -> LocalAdapter:
        return self._adapters[session]

    def _own(self, parts: Sequence[Any]) -> Any:
        return parts[self._team.place.rank - 1]  # those of the leader stay there

    def _trade(self, own: Outcome[Any]) -> Any:
        self._team.gather(own)
        return self._team.scatter()

    def _give_gradient(self, adapter: LocalAdapter) -> None:
        gradient = adapter.weights.gradient
        self._team.add_up(gradient)
        gradient.zero_()
        adapter.weights.has_gradient = False


def _received(loss: bytes) -> Loss:
    """Return a loss that the leader has sent."""
    try:
        return pickle.loads(loss)  # noqa: S301  # from the leader of this very launch
    except (AttributeError, ImportError) as error:
        raise BackendError(f"the loss cannot be imported here: {error}", backend="local") from error


def _merged(base: LoadedBase, files: Mapping[str, bytes]) -> Any:
    """Return the base with an adapter of the leader's disk folded in."""
    with tempfile.TemporaryDirectory(prefix="crucible-adapter-") as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        return merged_model(open_adapter(base, Path(folder)))
