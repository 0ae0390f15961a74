"""Teachers: frozen models that say how likely tokens are, one or several with a share each.

Of several the mixture teaches: the weighted mean of their probabilities, token by token.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec

from crucible.backends import Sampler
from crucible.errors import BackendError, TrainError

__all__ = ["Teacher", "check_finite", "mixed", "shares"]


class Teacher(msgspec.Struct, frozen=True):
    """A model to learn from.

    Attributes:
        name: What messages and records call it.
        sampler: The model.
        weight: Its share beside other teachers', above 0; they need not sum to 1.
        digest: SHA-256 of all that its probabilities depend on; None where nobody can tell, and then nothing that it
            said is kept for another time.
        synthetic: It was trained on made-up data.
    """

    name: str
    sampler: Sampler
    weight: float = 1.0
    digest: str | None = None
    synthetic: bool = False


def shares(teachers: Sequence[Teacher]) -> list[float]:
    """Return the teachers' weights, made to sum to 1.

    Raises:
        TrainError: There is no teacher, a weight is not above 0 and finite, or it is nothing beside the others.
    """
    if not teachers:
        raise TrainError("a distillation needs at least one teacher, got none")
    for teacher in teachers:
        if not 0 < teacher.weight < math.inf:
            raise TrainError(
                f"the weight of the teacher {teacher.name} must be above 0 and finite, got {teacher.weight}"
            )
    highest = max(teacher.weight for teacher in teachers)
    scaled = [teacher.weight / highest for teacher in teachers]  # their sum is finite, however large the weights are
    found = [weight / math.fsum(scaled) for weight in scaled]
    for teacher, share in zip(teachers, found, strict=True):
        if share == 0:
            raise TrainError(
                f"the weight of the teacher {teacher.name} is {teacher.weight}, which is nothing beside {highest}; "
                "raise it, or leave the teacher out"
            )
    return found


def check_finite(teacher: Teacher, logprobs: Iterable[float]) -> None:
    """Refuse what a teacher says where it is no number.

    Raises:
        BackendError: A log-probability is NaN or infinite; the teacher is named.
    """
    odd = next((value for value in logprobs if not math.isfinite(value)), None)
    if odd is not None:
        raise BackendError(
            f"the teacher {teacher.name} gives a token the log-probability {odd}; its weights are damaged, or its "
            "number type is too small: use another teacher"
        )


def mixed(logprobs: Sequence[float], shares: Sequence[float]) -> float:
    """Return the mixture's log-probability of a token: log sum_m share_m exp(lp_m).

    Args:
        logprobs: One natural-log probability a teacher, `-inf` where it gives the token none.
        shares: The teachers' shares, which sum to 1; as many.
    """
    if len(logprobs) == 1:
        return logprobs[0]
    highest = max(logprobs)
    if highest == -math.inf:
        return highest
    return highest + math.log(
        math.fsum(share * math.exp(lp - highest) for lp, share in zip(logprobs, shares, strict=True))
    )
