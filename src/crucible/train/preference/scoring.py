"""What a model gives whole answers: sums of log-probabilities, dropout off, a few requests ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice

from crucible.backends import ForwardBackwardOutput, Session, SessionFuture
from crucible.data import batches
from crucible.pipeline import check_cancelled
from crucible.text import Datum
from crucible.train.preference.places import Preferred

__all__ = ["Sums", "score_answers"]

_AHEAD = 4

Sums = tuple[float, float]
"""Summed natural-log probabilities of the first and the second answer of a place, over its weighted tokens."""


def score_answers(session: Session, places: Sequence[Preferred], batch_size: int) -> list[Sums]:
    """Return what the weights as they are give both answers of every place.

    Args:
        session: The model; neither its gradient nor its dropout is touched.
        places: What to score.
        batch_size: Places a request.

    Raises:
        Cancelled: The run was asked to stop; a few requests are still answered.
    """
    parts = batches(places, batch_size)
    sent: deque[tuple[list[Datum], SessionFuture[ForwardBackwardOutput]]] = deque()
    found: list[Sums] = []
    while True:
        check_cancelled()
        for part in islice(parts, _AHEAD - len(sent)):
            data = [datum for place in part for datum in (place.first, place.second)]
            sent.append((data, session.forward(data)))
        if not sent:
            return found
        data, future = sent.popleft()
        sums = [_sum(datum, row) for datum, row in zip(data, future.result().logprobs, strict=True)]
        found += zip(sums[::2], sums[1::2], strict=True)


def _sum(datum: Datum, logprobs: Sequence[float | None]) -> float:
    return sum(
        weight * value for weight, value in zip(datum.weights, logprobs, strict=True) if weight and value is not None
    )
