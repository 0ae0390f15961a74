"""Checkers of one's own: a function over the examples of a source that says what is wrong with which.

A checker registers through the entry-point group `crucible.data_checkers`, or is handed to the stage in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, cast

from crucible.data.checks import RowProblem
from crucible.data.checks_examples import Examples
from crucible.data.checks_offers import load_offer, offer_names, unknown_offer
from crucible.errors import ContractError, CrucibleError

__all__ = ["Checker", "checker_names", "named_checker", "run_checker", "unknown_checker"]

Checker = Callable[[Sequence[Any], Mapping[str, Any]], Iterable[RowProblem]]
"""Takes the examples of one source, each a mapping, and the options of the document; returns what is wrong."""

_GROUP: Final = "crucible.data_checkers"


def checker_names() -> tuple[str, ...]:
    """Return the names of the installed checkers, sorted."""
    return offer_names(_GROUP)


def unknown_checker(name: str) -> str | None:
    """Return why a document may not name this checker; None if it may."""
    return unknown_offer(_GROUP, name, "checker")


def named_checker(name: str) -> Checker:
    """Return an installed checker.

    Raises:
        ContractError: None has this name, or it cannot be imported or called.
        MissingExtra: It needs packages that are not installed.
    """
    found = load_offer(_GROUP, name, "checker")
    if not callable(found):
        raise ContractError(f'the checker "{name}" must be a function, got a {type(found).__name__}')
    return cast("Checker", found)


def run_checker(checker: Checker, examples: Examples, options: Mapping[str, Any]) -> list[RowProblem]:
    """Return what a checker has against the examples of one source.

    Raises:
        ContractError: It raised, or returned something else than `RowProblem`s of these examples.
    """
    name = getattr(checker, "__name__", type(checker).__name__)
    try:
        found = list(cast("Iterable[Any]", checker(list(examples.rows()), options)))
    except CrucibleError:
        raise
    except Exception as error:
        raise ContractError(f"the checker {name} failed: {type(error).__name__}: {error}") from error
    for each in found:
        if not isinstance(each, RowProblem):
            raise ContractError(f"the checker {name} must return RowProblems, got a {type(each).__name__}")
        if each.index is not None and not 0 <= each.index < len(examples.values):
            raise ContractError(
                f"the checker {name} speaks of example {each.index} of {examples.source}, "
                f"which has {len(examples.values)}"
            )
    return found
