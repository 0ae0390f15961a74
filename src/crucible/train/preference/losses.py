"""The loss of some places as a function of what the policy gives their answers, with what is worth knowing of it.

Rewards are beta times (policy minus reference), in nats, as DPO defines them; orpo, which has no reference, has beta
times the mean log-probability. This module needs PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import torch

from crucible.backends.losses import CustomLoss, preference
from crucible.text import Datum
from crucible.train.preference.places import Preferred
from crucible.train.preference.scoring import Sums
from crucible.train.preference.settings import PreferenceConfig

__all__ = ["Placed", "custom_loss", "loss_of"]

_Found = tuple[torch.Tensor, dict[str, float]]


class Placed(msgspec.Struct, frozen=True):
    """The places of one batch.

    Attributes:
        places: What it holds, N of them.
        references: N sums of the reference; zeros where the loss has none.
        total: What the loss is divided by: places of the whole step.
    """

    places: tuple[Preferred, ...]
    references: tuple[Sums, ...]
    total: int


def custom_loss(placed: Placed, settings: PreferenceConfig) -> CustomLoss:
    """Return the loss of a batch, for `Session.forward_backward_custom`; its data are two a place."""

    def compute(data: Sequence[Datum], logprobs: list[torch.Tensor]) -> tuple[torch.Tensor, Mapping[str, float]]:
        sums = [_sum(datum, each) for datum, each in zip(data, logprobs, strict=True)]
        policy = torch.stack(sums).reshape(-1, 2)  # (N, 2)
        return loss_of(placed, policy, settings)

    return compute


def loss_of(placed: Placed, policy: torch.Tensor, settings: PreferenceConfig) -> _Found:
    """Return the loss, divided by the total, and sums of what was measured by name, each with its count.

    Args:
        placed: N places.
        policy: (N, 2) float64 sums of the policy, first and second answers.
        settings: Which loss.
    """
    references = torch.tensor(placed.references, dtype=policy.dtype, device=policy.device).reshape(-1, 2)
    compute = _kto if settings.loss_type == "kto" else _orpo if settings.loss_type == "orpo" else _paired
    loss, found = compute(placed.places, policy, references, settings)
    return loss / placed.total, found


def _paired(
    places: Sequence[Preferred], policy: torch.Tensor, references: torch.Tensor, settings: PreferenceConfig
) -> _Found:
    rewards = settings.beta * (policy - references).detach()  # (N, 2)
    both = torch.cat([policy, references], dim=1)  # (N, 4): chosen, rejected, those of the reference
    rows, weights = _both_ways(places, both)
    how = {"beta": settings.beta, "weights": weights}
    if settings.loss_type == "dpo":
        return preference.dpo(*rows, **how), _ranked(places, rewards)
    if settings.loss_type == "ipo":
        return preference.ipo(*rows, **how), _ranked(places, rewards)
    return preference.cdpo(*rows, **how, label_smoothing=settings.label_smoothing), _ranked(places, rewards)


def _orpo(
    places: Sequence[Preferred], policy: torch.Tensor, references: torch.Tensor, settings: PreferenceConfig
) -> _Found:
    del references
    lengths = [[sum(place.first.weights), sum(place.second.weights)] for place in places]
    means = policy / torch.tensor(lengths, dtype=policy.dtype, device=policy.device)  # (N, 2)
    rows, weights = _both_ways(places, means)
    loss = preference.orpo(*rows, beta=settings.beta, weights=weights)
    return loss, _ranked(places, settings.beta * means.detach())


def _kto(
    places: Sequence[Preferred], policy: torch.Tensor, references: torch.Tensor, settings: PreferenceConfig
) -> _Found:
    further = (policy - references).detach()  # (N, 2)
    divergence = further[:, 1].mean().clamp(min=0)
    wanted = [place.desirable is True for place in places]
    desirable = torch.tensor(wanted, device=policy.device)
    factors = [
        place.share * (settings.desirable_weight if is_wanted else settings.undesirable_weight)
        for place, is_wanted in zip(places, wanted, strict=True)
    ]
    loss = preference.kto(
        policy[:, 0],
        references[:, 0],
        desirable,
        divergence,
        beta=settings.beta,
        weights=torch.tensor(factors, dtype=policy.dtype, device=policy.device),
    )
    rewards = settings.beta * further[:, 0]
    found = {"divergence": float(divergence) * len(places), "divergence:n": float(len(places))}
    for name, chosen in (("desirable_reward", desirable), ("undesirable_reward", ~desirable)):
        found |= {name: float(rewards[chosen].sum()), f"{name}:n": float(chosen.sum())}
    return loss, found


def _both_ways(places: Sequence[Preferred], columns: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Return the columns, with each tie in both orders, and what each row counts: of a tie half."""
    ties = [place for place, each in enumerate(places) if each.is_tie]
    weights = torch.ones(len(places) + len(ties), dtype=columns.dtype, device=columns.device)
    if not ties:
        return list(columns.unbind(1)), weights
    weights[ties] = weights[len(places) :] = _HALF
    order = [1, 0, 3, 2][: columns.shape[1]]
    return list(torch.cat([columns, columns[ties][:, order]]).unbind(1)), weights


_HALF: Final = 0.5
_EQUAL: Final = 1e-6  # rewards that are no further apart differ by rounding alone: other batches, other sums


def _ranked(places: Sequence[Preferred], rewards: torch.Tensor) -> dict[str, float]:
    """Return sums over the places that are no ties: accuracy counts equal rewards as half right."""
    kept = [place for place, each in enumerate(places) if not each.is_tie]
    chosen, rejected = rewards[kept].unbind(1)
    ahead = chosen - rejected
    right = (ahead > _EQUAL).double() + _HALF * (ahead.abs() <= _EQUAL).double()
    sums = {"accuracy": right, "margin": ahead, "chosen_reward": chosen, "rejected_reward": rejected}
    found = {name: float(values.sum()) for name, values in sums.items()}
    return found | {f"{name}:n": float(len(kept)) for name in sums}


def _sum(datum: Datum, logprobs: torch.Tensor) -> torch.Tensor:
    """Return the sum over the weighted tokens, in float64: a long answer's has more digits than float32."""
    values = logprobs.cpu().double()
    return (values * torch.tensor(datum.weights, dtype=torch.float64)).sum()
