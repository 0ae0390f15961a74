"""What of a training request's data no model can use, said by number of the datum before anything is computed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain

from crucible.backends.loss_terms import COMPUTED
from crucible.errors import DataError
from crucible.text import Datum, SoftTargets

__all__ = ["check_batch", "check_trained"]


def check_batch(data: Sequence[Datum], *, window: int, vocabulary: int | None = None) -> None:
    """Refuse data that no model can use.

    Args:
        data: The data of one request.
        window: Most tokens of a sequence.
        vocabulary: Count of token ids, which lie in [0, vocabulary); None where it is not known.

    Raises:
        DataError: There is no datum, one is longer than the window, holds a token outside of the vocabulary, or a
            weight or other input of the loss that is not finite, lacks an input that others have, or brings one that
            the session computes.
    """
    if not data:
        raise DataError("a request needs at least one datum, got none")
    names = data[0].input_names
    for name in names.intersection(COMPUTED):
        raise DataError(f"loss_inputs holds {name!r}, which the session computes from the model; leave it out")
    for number, datum in enumerate(data):
        if len(datum) > window:
            raise DataError(f"datum {number} has {len(datum)} tokens and the model's window holds {window}")
        if datum.input_names != names:
            odd = min(datum.input_names ^ names)
            raise DataError(f"loss_inputs[{odd!r}] is in some data of the request but not in all; see datum {number}")
        _check_numbers(number, datum)
        tokens = (*datum.model_input.tokens, *datum.target_tokens)
        if datum.soft_targets is not None:
            tokens = (*tokens, *chain.from_iterable(datum.soft_targets.tokens))
        least, most = min(tokens), max(tokens)
        if vocabulary is not None and not 0 <= least <= most < vocabulary:
            raise DataError(
                f"datum {number} holds a token outside the vocabulary of {vocabulary}: "
                f"{least if least < 0 else most}; was it made with another tokenizer?"
            )


def _check_numbers(number: int, datum: Datum) -> None:
    if not all(map(math.isfinite, datum.weights)):
        raise DataError(f"datum {number} has a weight that is not finite")
    for name, values in datum.loss_inputs.items():
        if not all(map(math.isfinite, values)):
            raise DataError(f"datum {number} has a value in loss_inputs[{name!r}] that is not finite")
    if datum.soft_targets is not None:
        _check_soft_targets(number, datum.soft_targets)


def _check_soft_targets(number: int, soft: SoftTargets) -> None:
    if not all(map(math.isfinite, chain.from_iterable(soft.weights))):
        raise DataError(f"datum {number} has a weight in soft_targets that is not finite")
    for name, rows in soft.loss_inputs.items():
        if not all(map(math.isfinite, chain.from_iterable(rows))):
            raise DataError(f"datum {number} has a value in soft_targets.loss_inputs[{name!r}] that is not finite")


def check_trained(data: Sequence[Datum]) -> None:
    """Refuse a datum of which nothing is trained on.

    Raises:
        DataError: All its weights are 0.
    """
    for number, datum in enumerate(data):
        if not any(datum.weights):
            raise DataError(f"datum {number} has only weights of 0, so there is nothing to train on")
