"""What teachers say of the answers that a student trains on: their likeliest tokens at each position, kept on disk.

The numbers are at temperature 1 and of each teacher alone, so another temperature, share or weight asks nobody again.
"""

from __future__ import annotations

import hashlib
import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from crucible import events
from crucible.errors import BackendError
from crucible.pipeline import check_cancelled
from crucible.text import Datum, ModelInput, SoftTargets
from crucible.train.distillation.sealed import Shelf
from crucible.train.distillation.teacher import Teacher, check_finite, mixed, shares
from crucible.train.examples import Example

__all__ = ["Key", "TopTargets", "soft_datum", "top_targets"]

_PART: Final = 64  # examples a file: what a killed run has to ask again at most
_REQUEST: Final = 16  # examples a call


class TopTargets(msgspec.Struct, frozen=True):
    """The likeliest tokens at the trained positions of one example.

    Attributes:
        tokens: P * K token ids, position after position.
        logprobs: P * K natural-log probabilities of them, float32.
        width: K.
    """

    tokens: array[int]
    logprobs: array[float]
    width: int


Key = tuple[tuple[int, ...], tuple[int, ...]]
"""Input tokens and trained positions of an example: equal keys have equal targets."""


def soft_datum(datum: Datum, targets: Mapping[Key, TopTargets]) -> Datum:
    """Return the datum with its own tokens and the teacher's candidates as its soft targets.

    Args:
        datum: One of the examples that the targets were asked of, its weights rescaled or not.
        targets: What `top_targets` returned.
    """
    positions = _positions(datum)
    found = targets[datum.model_input.tokens, positions]
    width = found.width
    nothing: tuple[tuple[int, ...], tuple[float, ...]] = (0,) * (width + 1), (0.0,) * (width + 1)
    tokens, references = [nothing[0]] * len(datum), [nothing[1]] * len(datum)
    for row, position in enumerate(positions):
        part = slice(row * width, (row + 1) * width)
        tokens[position] = (datum.target_tokens[position], *found.tokens[part])
        references[position] = (0.0, *found.logprobs[part])
    ones = ((1.0,) * (width + 1),) * len(datum)
    soft = SoftTargets(tuple(tokens), ones, {"reference_logprobs": tuple(references)})
    return msgspec.structs.replace(datum, soft_targets=soft)


def top_targets(
    teachers: Sequence[Teacher], examples: Iterable[Example], top_k: int, *, shelf: Shelf
) -> dict[Key, TopTargets]:
    """Return the mixture's likeliest tokens at every trained position of the examples.

    Of several teachers, the candidates are the `top_k` likeliest of all that they name together; a teacher that does
    not name a token gives it a probability of 0.

    Args:
        teachers: One or several.
        examples: Whose answers to look at.
        top_k: Candidates a position.
        shelf: Where what a teacher with a digest says is kept.

    Raises:
        TrainError: A weight is out of range.
        DataError: An example is longer than a teacher's window, or `top_k` exceeds its vocabulary.
        BackendError: A teacher cannot tell its likeliest tokens, or does not answer.
        Cancelled: The run was asked to stop; what was kept so far is kept.
        StoreError: What a teacher said cannot be written.
    """
    share = shares(teachers)
    data = {_key(example.datum): example.datum for example in examples}
    said = [_said(teacher, list(data.values()), top_k, shelf) for teacher in teachers]
    if len(said) == 1:
        return dict(zip(data, said[0], strict=True))
    return {key: _mixture(own, share, top_k) for key, *own in zip(data, *said, strict=True)}


def _key(datum: Datum) -> Key:
    return datum.model_input.tokens, _positions(datum)


def _positions(datum: Datum) -> tuple[int, ...]:
    return tuple(position for position, weight in enumerate(datum.weights) if weight)


def _said(teacher: Teacher, data: list[Datum], top_k: int, shelf: Shelf) -> list[TopTargets]:
    """Return what one teacher says, of the shelf where it is there."""
    found: list[TopTargets] = []
    kept = 0
    about = {"teacher": teacher.name, "examples": len(data), "top_k": top_k}
    with events.span("crucible_train.teaching", about) as span:
        for start in range(0, len(data), _PART):
            part = data[start : start + _PART]
            of = {"teacher": teacher.digest or "", "top_k": str(top_k), "data": _digest(part)}
            content = None if teacher.digest is None else shelf.get(of)
            if content is None:
                answers = list(_asked(teacher, part, top_k))
                if teacher.digest is not None:
                    shelf.put(of, msgspec.msgpack.encode([_packed(answer) for answer in answers]))
            else:
                answers = [_unpacked(*each) for each in msgspec.msgpack.decode(content)]
                kept += len(answers)
            found += answers
        span.measure(positions=sum(len(each.tokens) // each.width for each in found), kept_examples=kept)
    return found


def _asked(teacher: Teacher, data: list[Datum], top_k: int) -> Iterator[TopTargets]:
    for start in range(0, len(data), _REQUEST):
        check_cancelled()
        part = data[start : start + _REQUEST]
        prompts = [ModelInput((*datum.model_input.tokens, datum.target_tokens[-1])) for datum in part]
        for datum, top in zip(part, teacher.sampler.top_logprobs(prompts, top_k), strict=True):
            rows = [top[position + 1] for position in _positions(datum)]
            if any(len(row) != top_k for row in rows):
                got = next(len(row) for row in rows if len(row) != top_k)
                raise BackendError(f"the teacher {teacher.name} told {got} tokens of a position; asked for {top_k}")
            logprobs = [logprob for row in rows for _, logprob in row]
            check_finite(teacher, logprobs)
            yield TopTargets(array("i", [token for row in rows for token, _ in row]), array("f", logprobs), top_k)


def _mixture(own: Sequence[TopTargets], share: Sequence[float], top_k: int) -> TopTargets:
    """Return the mixture of what each teacher says of one example."""
    tokens, logprobs = array("i"), array("f")
    for start in range(0, len(own[0].tokens), top_k):
        part = slice(start, start + top_k)
        named = [dict(zip(each.tokens[part], each.logprobs[part], strict=True)) for each in own]
        union = {
            token: mixed([each.get(token, -math.inf) for each in named], share) for each in named for token in each
        }
        best = sorted(union.items(), key=lambda pair: (-pair[1], pair[0]))[:top_k]
        tokens.extend(token for token, _ in best)
        logprobs.extend(logprob for _, logprob in best)
    return TopTargets(tokens, logprobs, top_k)


def _digest(data: Sequence[Datum]) -> str:
    digest = hashlib.sha256()
    for datum in data:
        content = (datum.model_input.tokens, datum.target_tokens[-1], _positions(datum))
        digest.update(msgspec.msgpack.encode(content))
    return digest.hexdigest()


def _packed(targets: TopTargets) -> tuple[bytes, bytes, int]:
    return targets.tokens.tobytes(), targets.logprobs.tobytes(), targets.width


def _unpacked(tokens: bytes, logprobs: bytes, width: int) -> TopTargets:
    return TopTargets(array("i", tokens), array("f", logprobs), width)
