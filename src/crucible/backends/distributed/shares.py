"""Which process computes which data of a request, and how their answers become the one answer of the request.

Losses are sums over data, so the sum over the shares is the loss, and the sum of the gradients is the gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from crucible.backends.records import ForwardBackwardOutput
from crucible.errors import BackendError, CrucibleError

__all__ = ["Outcome", "attempt", "first_failure", "joined", "shares"]

T = TypeVar("T")


class Outcome(msgspec.Struct, Generic[T]):
    """What became of one process's share.

    Attributes:
        value: Its answer; None where it failed, or had nothing to do.
        error: Why it failed.
        where: Which process, in words; empty for the leader.
        wants_to_stop: The process was asked to end, and so the run is.
    """

    value: T | None = None
    error: Exception | None = None
    where: str = ""
    wants_to_stop: bool = False


def shares(sizes: Sequence[int], count: int) -> list[list[int]]:
    """Return for each process which data it computes, so that all have about as much to do.

    The largest goes first, each to the process that has the least so far; a process may get none, process 0 gets one
    wherever there is one. The same sizes always give the same shares.

    Args:
        sizes: Tokens of each datum.
        count: Processes, at least 1.
    """
    found: list[list[int]] = [[] for _ in range(count)]
    loads = [0] * count
    for number in sorted(range(len(sizes)), key=lambda each: (-sizes[each], each)):
        least = loads.index(min(loads))
        found[least].append(number)
        loads[least] += max(1, sizes[number])
    return [sorted(share) for share in found]


def attempt(work: Callable[[], T], where: str = "") -> Outcome[T]:
    """Return what work gave or why it failed, so that the others are told of it before it is raised.

    Args:
        work: What to do.
        where: This process in words; empty for the leader, who raises the very error.
    """
    try:
        return Outcome(value=work(), where=where)
    except Exception as error:  # noqa: BLE001  # whatever a loss or a library raises has to reach the leader
        if not where:
            return Outcome(error=error)
        said = str(error) if isinstance(error, CrucibleError) else f"{type(error).__name__}: {error}"
        return Outcome(error=BackendError(said, backend="local"), where=where)  # not every error can travel


def first_failure(outcomes: Sequence[Outcome[Any]]) -> Exception | None:
    """Return why the request failed: the leader's own error before that of another process; None where none did."""
    failed = next((each for each in outcomes if each.error is not None), None)
    if failed is None or not failed.where:
        return failed and failed.error
    return BackendError(f"{failed.where}: {failed.error}", backend="local")


def joined(
    places: Sequence[Sequence[int]], answers: Sequence[ForwardBackwardOutput | None], count: int
) -> ForwardBackwardOutput:
    """Return the answer to a request of which each process has computed a share.

    Args:
        places: For each process, which data it computed.
        answers: What it answered; None of an empty share. At least one is there.
        count: Data of the request.
    """
    given = [(own, answer) for own, answer in zip(places, answers, strict=True) if answer is not None]
    first = given[0][1]
    changes: dict[str, Any] = {"loss": sum(answer.loss for _, answer in given)}
    for name in first.__struct_fields__:
        if isinstance(getattr(first, name), list):  # one entry a datum
            changes[name] = _in_order([(own, getattr(answer, name)) for own, answer in given], count)
    changes["metrics"] = _metrics([answer.metrics for _, answer in given])
    return msgspec.structs.replace(first, **changes)


def _in_order(parts: Sequence[tuple[Sequence[int], list[Any]]], count: int) -> list[Any]:
    """Put lists of one entry a datum together; one that a process left out is empty for each of its data."""
    if not any(values for _, values in parts):
        return []
    whole: list[Any] = [[] for _ in range(count)]
    for own, values in parts:
        for number, value in zip(own, values, strict=bool(values)):
            whole[number] = value
    return whole


def _metrics(parts: Sequence[dict[str, float]]) -> dict[str, float]:
    """Join numbers by what their name says of them: `quantity:sum`, `:max`, `:min`; any other is a mean of tokens."""
    whole: dict[str, float] = {}
    for name in dict.fromkeys(name for part in parts for name in part):
        values = [part[name] for part in parts if name in part]
        kind = name.rpartition(":")[2]
        if kind == "sum":
            whole[name] = sum(values)
        elif kind in ("max", "min"):
            whole[name] = max(values) if kind == "max" else min(values)
        else:
            tokens = [part.get("weighted_tokens:sum", 1.0) for part in parts if name in part]
            products = (value * weight for value, weight in zip(values, tokens, strict=True))
            whole[name] = sum(products) / (sum(tokens) or 1.0)
    return whole
