"""Which checkpoint is the best, and which may go."""

from __future__ import annotations

import math
import random

import msgspec
import pytest

from crucible.errors import CheckpointError
from crucible.train.keeping import best, surplus


class Kept(msgspec.Struct, frozen=True):
    """The least that can be chosen from."""

    name: str
    metrics: dict[str, float] = {}


def kept(*losses: float | None) -> list[Kept]:
    """Return checkpoints with these losses, from the oldest."""
    return [Kept(str(i), {} if loss is None else {"loss": loss}) for i, loss in enumerate(losses)]


def test_the_earliest_among_equals_wins() -> None:
    """A later one that is no better does not displace it."""
    assert best(kept(2, 1, 1, 3), "loss").name == "1"
    assert best(kept(2, 3, 3, 1), "loss", "max").name == "1"


def test_what_is_no_number_or_not_measured_does_not_take_part() -> None:
    """NaN and infinity are never the best."""
    assert best(kept(math.nan, None, 5, -math.inf), "loss").name == "2"


def test_mistakes_are_named() -> None:
    """No checkpoints, no metric at all, an unknown one, an unknown mode."""
    with pytest.raises(CheckpointError, match="there are no checkpoints"):
        best([], "loss")
    with pytest.raises(CheckpointError, match="none was measured"):
        best(kept(None), "loss")
    with pytest.raises(CheckpointError, match="'los'; the metrics are loss"):
        best(kept(1), "los")
    with pytest.raises(CheckpointError, match="mode must be min or max, got 'low'"):
        best(kept(1), "loss", "low")  # type: ignore[arg-type]


def test_the_best_and_the_last_always_stay() -> None:
    """Over 500 random trainings and counts, and never more than `keep`."""
    draw = random.Random(0)
    for _ in range(500):
        there = kept(*(draw.choice([None, draw.random()]) for _ in range(draw.randint(0, 9))))
        keep = draw.randint(2, 6)
        removed, chosen = surplus(there, keep, metric="loss", mode=draw.choice(["min", "max"]))
        left = [each for each in there if each not in removed]
        assert len(left) <= keep
        assert not there or there[-1] in left
        assert chosen is None or chosen in left
        assert there[-(keep - 1) :] == left[-(keep - 1) :]


def test_a_keep_of_less_than_two_is_refused() -> None:
    """The best and the last may be two."""
    with pytest.raises(CheckpointError, match="keep must be at least 2.*got 1"):
        surplus(kept(1, 2), 1)
