# pyright: reportUnknownMemberType=false
# (torch is partly untyped)
"""An adapter in training of which each process computes a share: the leader's side of `following`.

The leader holds the weights, the optimiser and every decision; the others get the weights before they compute, and give
their part of the gradient. Whatever is saved, loaded, clipped or stepped happens here alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import weakref
from collections.abc import Callable, Mapping, Sequence
from pickle import PicklingError, dumps
from typing import Any

import msgspec
import torch

from crucible import events
from crucible.backends.batch_checks import check_trained
from crucible.backends.data_scoring import every_position, weighted_positions
from crucible.backends.distributed.masks import DropoutState, drawing, rows_of_shares
from crucible.backends.distributed.shared_sampler import SharedSampler
from crucible.backends.distributed.shares import Outcome, attempt, first_failure, joined, shares
from crucible.backends.distributed.team import Team
from crucible.backends.local_adapter import LocalAdapter
from crucible.backends.local_base import LoadedBase
from crucible.backends.local_sampler import LocalSampler
from crucible.backends.losses import CustomLoss, Loss, gradient_of, resolve
from crucible.backends.losses.rows import Positions
from crucible.backends.records import ForwardBackwardOutput
from crucible.errors import BackendError
from crucible.ir import LoraConfig
from crucible.text import Datum

__all__ = ["SharedAdapter", "check_same_base", "linear"]


class SharedAdapter(LocalAdapter):
    """A fresh adapter on a frozen base, trained by all processes together.

    Args:
        config: As for `LocalAdapter`.
        base: The leader's frozen base model.
        team: The processes.

    Raises:
        BackendError: Another process cannot load the base model, or has other files of that name.
    """

    def __init__(self, config: LoraConfig, base: LoadedBase, team: Team) -> None:
        super().__init__(config, base)
        self._team = team
        self._id = team.new_id()
        self._handed_over = -1  # version of the weights that the others have
        self._has_told = False
        weakref.finalize(self, team.forget, self._id)
        kind = torch.device(base.device).type
        with team.asking("open_session", (self._id, config, kind)):
            outcomes = team.outcomes(attempt(lambda: base.digest))
        check_same_base(config.base_model, outcomes)
        if kind == "cuda":
            with team.asking("use_gpus"):
                team.use_gpus()

    def forward_backward(
        self, data: Sequence[Datum], loss: str | Loss, config: Mapping[str, float] | None
    ) -> ForwardBackwardOutput:
        """Add the gradient of the summed loss over all processes' shares; raises as that of one process does."""
        if self._team.is_speaking:
            return super().forward_backward(data, loss, config)
        compute = resolve(loss, config)
        self._check(data)
        check_trained(data)
        sent = _sent(compute)
        if sent is None:
            return self._alone(lambda: super(SharedAdapter, self).forward_backward(data, compute, None), loss)
        places = self._places(data)
        masks = self._masks(data, places, weighted_positions(data))
        with self._asking("forward_backward", data, places, sent, masks), drawing(self, masks[0]):
            own = attempt(lambda: super(SharedAdapter, self).forward_backward(_of(data, places[0]), compute, None))
            outcomes = self._team.outcomes(own)
            self._team.add_up(self.weights.gradient)
        return _answer(places, outcomes, len(data))

    def forward(
        self, data: Sequence[Datum], loss: str | Loss, config: Mapping[str, float] | None
    ) -> ForwardBackwardOutput:
        """Compute the summed loss over all processes' shares; raises as that of one process does."""
        if self._team.is_speaking:
            return super().forward(data, loss, config)
        compute = resolve(loss, config)
        self._check(data)
        sent = _sent(compute)
        if sent is None:
            return self._alone(lambda: super(SharedAdapter, self).forward(data, compute, None), loss)
        places = self._places(data)
        with self._asking("forward", data, places, sent):
            outcomes = self._team.outcomes(
                attempt(lambda: super(SharedAdapter, self).forward(_of(data, places[0]), compute, None))
            )
        return _answer(places, outcomes, len(data))

    def forward_backward_custom(self, data: Sequence[Datum], fn: CustomLoss) -> ForwardBackwardOutput:
        """Add the gradient of a function of all log-probabilities: it is called once, here, and sees those of all."""
        if self._team.is_speaking:
            return super().forward_backward_custom(data, fn)
        self._check(data)
        places = self._places(data)
        trade = _Trade(self._team, data, places, fn)
        masks = self._masks(data, places, every_position(data))
        with self._asking("forward_backward_custom", data, places, None, masks), drawing(self, masks[0]):
            own_data = _of(data, places[0])
            own = attempt(lambda: super(SharedAdapter, self).forward_backward_custom(own_data, trade.own_part))
            trade.end(own)
            outcomes = self._team.outcomes(own)
            self._team.add_up(self.weights.gradient)
        if trade.error is not None:
            raise trade.error
        answer = _answer(places, outcomes, len(data))
        metrics = {**trade.metrics, **answer.metrics, "loss:sum": trade.loss}
        return msgspec.structs.replace(answer, loss=trade.loss, metrics=metrics)

    def sampler(self, model: str) -> LocalSampler:
        """Return a sampler of the present weights, of which each process answers a share of the prompts."""
        if self._team.is_speaking:
            return super().sampler(model)
        number = self._team.new_id()
        self._hand_over()
        with self._team.asking("open_sampler", (number, self._id, model)):
            own = attempt(self.merged)
            outcomes = self._team.outcomes(own)
        if (error := first_failure(outcomes)) is not None:
            self._team.forget(number)
            raise error
        return SharedSampler(self._base, model=model, weights=own.value, team=self._team, number=number)

    def _alone(self, work: Callable[[], ForwardBackwardOutput], loss: object) -> ForwardBackwardOutput:
        """Compute the whole request here: the others cannot be told what the loss is."""
        if not self._has_told:
            self._has_told = True
            events.decision(
                f"process 0 computes the loss {getattr(loss, '__name__', loss)!r} alone",
                "it is no function that another process can import, such as a lambda",
                alternatives=[f"{self._team.count} processes share it, if it is defined in a module"],
            )
        return work()

    def _places(self, data: Sequence[Datum]) -> list[list[int]]:
        return shares([len(datum) for datum in data], self._team.count)

    def _asking(
        self,
        name: str,
        data: Sequence[Datum],
        places: Sequence[Sequence[int]],
        loss: bytes | None,
        masks: Sequence[DropoutState | None] = (),
    ) -> contextlib.AbstractContextManager[None]:
        """Hand over the weights where they have changed, then ask every process for its share."""
        self._hand_over()
        return self._team.asking(name, (self._id, [_of(data, own) for own in places[1:]], loss, list(masks[1:])))

    def _hand_over(self) -> None:
        if self._handed_over == self.weights.version:
            return
        with self._team.asking("weights", self._id):
            self._team.hand_over(self.weights.flat)
            self._handed_over = self.weights.version

    def _masks(
        self, data: Sequence[Datum], places: Sequence[Sequence[int]], asked: Positions
    ) -> list[DropoutState | None]:
        """Return what each process's dropout begins with, as repeatable as that of one process."""
        count = self._team.count
        if not self._config.dropout:
            return [None] * count
        state, groups = self.dropout_state(), self._scoring.groups(data)
        if len(groups) == 1:
            lengths = [len(datum) for datum in data]
            return [DropoutState(state, rows=each) for each in rows_of_shares(groups[0], lengths, asked, places)]
        seed = int.from_bytes(hashlib.sha256(state).digest()[:7])
        return [None, *(DropoutState(None, seed + rank) for rank in range(1, count))]


class _Trade:
    """The log-probabilities of all shares for the one call of a custom loss, and the gradients back.

    Args:
        team: The processes.
        data: Those of the request.
        places: Which of them each process computes.
        fn: The custom loss.
    """

    def __init__(self, team: Team, data: Sequence[Datum], places: Sequence[Sequence[int]], fn: CustomLoss) -> None:
        self._team = team
        self._data = data
        self._places = places
        self._fn = fn
        self._has_traded = False
        self.loss = 0.0
        self.metrics: dict[str, float] = {}
        self.error: BaseException | None = None

    def own_part(self, _: Sequence[Datum], leaves: list[torch.Tensor]) -> tuple[torch.Tensor, Mapping[str, float]]:
        """Return what has the right gradient for the leader's own share; called by its own backward pass."""
        self._has_traded = True
        parts = self._team.gather(Outcome(value=[leaf.detach().cpu() for leaf in leaves]))
        try:
            gradients = self._gradients(parts, leaves[0].device)
        except BaseException as error:
            self.error = error
            self._team.scatter([None] * self._team.count)
            raise
        return linear(self._team.scatter(gradients), leaves), {}

    def end(self, own: Outcome[Any]) -> None:
        """Let the others go on where the leader's share failed before there was anything to trade."""
        if not self._has_traded:
            self._team.gather(Outcome())
            self._team.scatter([None] * self._team.count)
            self.error = self.error or own.error

    def _gradients(self, parts: Sequence[Outcome[list[torch.Tensor]]], device: torch.device) -> list[Any]:
        """Call the loss with the log-probabilities of all data; return the gradients of each process's share."""
        _raise_first(parts)
        whole: dict[int, torch.Tensor] = {}
        for own, part in zip(self._places, parts, strict=True):
            whole.update(zip(own, part.value or [], strict=True))
        ordered = [whole[number].to(device) for number in range(len(self._data))]
        self.loss, gradients, self.metrics = gradient_of(self._fn, self._data, ordered)
        return [[gradients[number].cpu() for number in own] for own in self._places]


def linear(gradients: Sequence[torch.Tensor], leaves: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return a number whose derivatives by the leaves are the gradients.

    Args:
        gradients: One tensor a leaf, of its shape.
        leaves: The log-probabilities of a share.
    """
    terms = [
        (gradient.to(leaf.device) * leaf.masked_fill(~leaf.isfinite(), 0.0)).sum()
        for gradient, leaf in zip(gradients, leaves, strict=True)
    ]
    return torch.stack(terms).sum()


def _answer(
    places: Sequence[Sequence[int]], outcomes: Sequence[Outcome[ForwardBackwardOutput]], count: int
) -> ForwardBackwardOutput:
    _raise_first(outcomes)
    return joined(places, [each.value for each in outcomes], count)


def _raise_first(outcomes: Sequence[Outcome[Any]]) -> None:
    error = first_failure(outcomes)
    if error is not None:
        raise error


def check_same_base(name: str, outcomes: Sequence[Outcome[str]]) -> None:
    """Raise `BackendError` where a process could not load a base model, or has other files of that name.

    Args:
        name: The base model's name.
        outcomes: What became of loading it, with the digest of its files, the leader's first.
    """
    _raise_first(outcomes)
    for other in outcomes[1:]:
        if other.value != outcomes[0].value:
            raise BackendError(
                f"{other.where} has other files of the base model {name} than the leader ({other.value} and "
                f"{outcomes[0].value}); copy the leader's folder to every host",
                backend="local",
            )


def _of(data: Sequence[Datum], places: Sequence[int]) -> list[Datum]:
    return [data[place] for place in places]


def _sent(loss: Loss) -> bytes | None:
    """Return a loss as it can be sent to another process; None where it, or a part of it, cannot be imported there."""
    try:
        return dumps(loss)
    except (PicklingError, AttributeError, TypeError):
        return None
