"""Rules across fields: small functions from a value to what is wrong with it, registered by the type of the value.

A rule runs on a value whose own fields fit. It may only look: no file, no network, nothing that is not in the value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from crucible.ir.issue import Issue
from crucible.ir.model import Model

__all__ = ["Rule", "error", "forget", "rule", "rules_of", "warning"]

M = TypeVar("M", bound=Model)
Rule = Callable[[M], Iterable[Issue]]
"""Takes a value and returns what is wrong with it; paths are relative to the value."""

_registered: dict[type[Model], list[Rule[Any]]] = {}
_collected: dict[type[Model], tuple[Rule[Any], ...]] = {}


def rule(kind: type[M]) -> Callable[[Rule[M]], Rule[M]]:
    """Register a function as a rule of a type and of the types that derive from it.

    Args:
        kind: Whose values the rule is about.

    Returns:
        A decorator that hands the function back.
    """

    def register(check: Rule[M]) -> Rule[M]:
        _registered.setdefault(kind, []).append(check)
        _collected.clear()
        return check

    return register


def forget(check: Rule[Any]) -> None:
    """Take a rule away again, of whatever type it is; an unknown one is no error."""
    for checks in _registered.values():
        if check in checks:
            checks.remove(check)
    _collected.clear()


def rules_of(kind: type[Model]) -> tuple[Rule[Any], ...]:
    """Return the rules of a type, in the order in which they were registered."""
    found = _collected.get(kind)
    if found is None:
        found = tuple(check for base in reversed(kind.__mro__) for check in _registered.get(base, ()))
        _collected[kind] = found
    return found


def error(path: str, code: str, message: str) -> Issue:
    """Return an error of a rule.

    Args:
        path: Where, seen from the value, such as `weights.a`; empty for the value itself.
        code: A stable word for programs.
        message: What is wrong, beginning with the last name of the path.
    """
    return Issue(path, code, message)


def warning(path: str, code: str, message: str) -> Issue:
    """Return a warning of a rule; as `error`."""
    return Issue(path, code, message, "warning")
