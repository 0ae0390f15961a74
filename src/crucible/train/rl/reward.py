"""The reward that a document names: a scorer, or a function of one's own where the caller allows its code."""

from __future__ import annotations

import importlib
import inspect
import math
from numbers import Real
from typing import Any, Final

from crucible.data import Item, Scorer, scorer_names
from crucible.data.scorers import scorer_problem
from crucible.errors import ContractError, DataError
from crucible.ir import Failed, Outcome, Scored, Skipped, did_you_mean
from crucible.pipeline import current_registry

__all__ = ["find_reward", "reward_problem"]

_OUTCOMES: Final = (Scored, Failed, Skipped)


def reward_problem(name: str) -> str | None:
    """Return why a document may not name this reward, in one sentence; None if it may.

    Args:
        name: A scorer, or `package.module:function` of code that the run's caller allows.
    """
    if ":" not in name:
        known = scorer_names()
        if name in known:
            return scorer_problem(name)  # such as a judge that nobody has given
        return (
            f'unknown scorer "{name}"; known: {", ".join(known)}; or package.module:function of code that the caller '
            f"allows{did_you_mean(name, known)}"
        )
    module = name.partition(":")[0]
    allowed = current_registry().allow_imports
    if any(module == prefix or module.startswith(f"{prefix}.") for prefix in allowed):
        return None
    package = module.split(".")[0]
    return (
        f'"{name}" is code to import, and a document may not name any unless the caller allows its package '
        f'(allow_imports=["{package}"], or --allow-import {package}); allowed: {", ".join(allowed) or "nothing"}'
    )


def find_reward(name: str) -> str | Scorer:
    """Return the reward of a name: a scorer's name as it is, a function imported.

    The function is called with the item and the answer, and returns a number or an outcome. Its `bounds`, where it has
    any, are what its numbers are scaled by to [0, 1].

    Raises:
        ContractError: It is not allowed, cannot be imported, or is no function.
    """
    problem = reward_problem(name)
    if problem is not None:
        raise ContractError(f"reward_fn: {problem}")
    if ":" not in name:
        return name
    module, _, attribute = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            if part.startswith("__"):
                raise ContractError(f'reward_fn: "{name}" goes through {part}, which is Python\'s own; name a function')
            found = getattr(found, part)
            if inspect.ismodule(found):  # its code was not allowed
                raise ContractError(f'reward_fn: "{name}" goes on through a module; name the function\'s own')
    except ContractError:
        raise
    except (Exception, SystemExit) as error:
        raise ContractError(f'reward_fn: "{name}" cannot be imported: {error}') from error
    if not callable(found):
        raise ContractError(f'reward_fn: "{name}" must be a function of (item, answer), got {type(found).__name__}')
    return _scoring(name, found)


def _scoring(name: str, function: Any) -> Scorer:
    def score(item: Item, answer: str) -> Outcome:
        value = function(item, answer)
        if isinstance(value, _OUTCOMES):
            return value
        if not isinstance(value, Real):
            raise DataError(f"{name} must return a number or an outcome, got {value!r:.80}")
        return Scored(float(value))

    bounds = getattr(function, "bounds", None)
    if bounds is not None:
        if not _is_span(bounds):
            raise ContractError(
                f"reward_fn: the bounds of {name} must be (low, high), low below high, got {bounds!r:.80}"
            )
        score.__dict__["bounds"] = bounds
    return score


def _is_span(bounds: Any) -> bool:
    """Whether bounds are two finite numbers, the first below the second."""
    try:
        low, high = bounds
        is_span = -math.inf < low < high < math.inf
    except (TypeError, ValueError):
        return False
    return bool(is_span)
