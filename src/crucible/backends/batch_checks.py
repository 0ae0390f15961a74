"""What of a training request's data no model can use, said by number of the datum before anything is computed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from crucible.errors import DataError
from crucible.text import Datum

__all__ = ["check_batch", "check_trained"]


def check_batch(data: Sequence[Datum], *, window: int, vocabulary: int | None = None) -> None:
    """Refuse data that no model can use.

    Args:
        data: The data of one request.
        window: Most tokens of a sequence.
        vocabulary: Count of token ids, which lie in [0, vocabulary); None where it is not known.

    Raises:
        DataError: There is no datum, one is longer than the window, holds a token outside of the vocabulary, or a
            weight or other input of the loss that is not finite, or lacks an input that others have.
    """
    if not data:
        raise DataError("a request needs at least one datum, got none")
    names = data[0].loss_inputs.keys()
    for number, datum in enumerate(data):
        if len(datum) > window:
            raise DataError(f"datum {number} has {len(datum)} tokens and the model's window holds {window}")
        if not all(map(math.isfinite, datum.weights)):
            raise DataError(f"datum {number} has a weight that is not finite")
        if datum.loss_inputs.keys() != names:
            odd = min(datum.loss_inputs.keys() ^ names)
            raise DataError(f"loss_inputs[{odd!r}] is in some data of the request but not in all; see datum {number}")
        for name, values in datum.loss_inputs.items():
            if not all(map(math.isfinite, values)):
                raise DataError(f"datum {number} has a value in loss_inputs[{name!r}] that is not finite")
        tokens = (*datum.model_input.tokens, *datum.target_tokens)
        least, most = min(tokens), max(tokens)
        if vocabulary is not None and not 0 <= least <= most < vocabulary:
            raise DataError(
                f"datum {number} holds a token outside the vocabulary of {vocabulary}: "
                f"{least if least < 0 else most}; was it made with another tokenizer?"
            )


def check_trained(data: Sequence[Datum]) -> None:
    """Refuse a datum of which nothing is trained on.

    Raises:
        DataError: All its weights are 0.
    """
    for number, datum in enumerate(data):
        if not any(datum.weights):
            raise DataError(f"datum {number} has only weights of 0, so there is nothing to train on")
