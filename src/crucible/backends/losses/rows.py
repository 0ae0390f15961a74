"""The rows that a loss reads of some data: one for each target, or candidate, of the positions that are asked for."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from crucible.text import Datum

__all__ = ["Positions", "candidate_tokens", "row_counts", "row_inputs"]

Positions = Sequence[Sequence[int]]
"""For each datum the places of its positions, in the order in which their rows come."""


def candidate_tokens(datum: Datum, places: Sequence[int]) -> list[tuple[int, ...]]:
    """Return the tokens whose log-probabilities a loss reads at some positions of a datum.

    Args:
        datum: With soft targets or without: then each position has one candidate, its target.
        places: The positions.
    """
    soft = datum.soft_targets
    return [(datum.target_tokens[place],) if soft is None else soft.tokens[place] for place in places]


def row_counts(data: Sequence[Datum], asked: Positions) -> list[int]:
    """Return how many rows each datum has."""
    return [
        len(places) * (1 if datum.soft_targets is None else datum.soft_targets.candidates)
        for datum, places in zip(data, asked, strict=True)
    ]


def row_inputs(data: Sequence[Datum], asked: Positions, *, device: str = "cpu") -> dict[str, torch.Tensor]:
    """Return what a loss reads beside the log-probabilities: `weights` and the inputs that all data have.

    Args:
        data: The data.
        asked: The positions of each.
        device: Where the tensors go.

    Returns:
        (M,) float32 each: datum after datum, position after position, candidate after candidate.
    """
    names = frozenset[str]().union(*(datum.input_names for datum in data))
    shared = sorted(names.intersection(*(datum.input_names for datum in data)))
    return {
        name: torch.tensor(
            [value for datum, places in zip(data, asked, strict=True) for value in _values(datum, name, places)],
            dtype=torch.float32,
            device=device,
        )
        for name in ("weights", *shared)
    }


def _values(datum: Datum, name: str, places: Sequence[int]) -> list[float]:
    soft = datum.soft_targets
    own = datum.weights if name == "weights" else datum.loss_inputs.get(name, ())
    if soft is None:
        return [own[place] for place in places]
    if name == "weights":
        return [own[place] * share for place in places for share in soft.weights[place]]
    if name in soft.loss_inputs:
        return [value for place in places for value in soft.loss_inputs[name][place]]
    return [own[place] for place in places for _ in soft.tokens[place]]
