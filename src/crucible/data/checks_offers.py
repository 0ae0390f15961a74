"""Parts that installed packages offer by name: checkers of examples, adapters of guardrails.

Only these names can stand in a document. An import path in it would run whatever code it names.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from crucible.errors import ContractError, CrucibleError
from crucible.ir import did_you_mean

__all__ = ["load_offer", "offer_names", "unknown_offer"]


def _offers(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=group)}


def offer_names(group: str) -> tuple[str, ...]:
    """Return the names of an entry-point group, sorted."""
    return tuple(sorted(_offers(group)))


def unknown_offer(group: str, name: str, what: str) -> str | None:
    """Return why a document may not use this name; None if it may.

    Args:
        group: The entry-point group.
        name: The name in the document.
        what: What it names, such as `checker`.
    """
    known = offer_names(group)
    if name in known:
        return None
    listed = ", ".join(known) or "none is installed"
    found = f'unknown {what} "{name}"{did_you_mean(name, known)}; known: {listed}'
    if "." in name or ":" in name:
        found += f"; an import path is code, which a document may not name: register it as an entry point of {group}"
    return found


def load_offer(group: str, name: str, what: str) -> Any:
    """Return what a name of an entry-point group stands for.

    Raises:
        ContractError: The name is unknown, or what it stands for cannot be imported.
        MissingExtra: It needs packages that are not installed.
    """
    if problem := unknown_offer(group, name, what):
        raise ContractError(problem)
    point = _offers(group)[name]
    try:
        return point.load()
    except CrucibleError:
        raise
    except Exception as error:
        raise ContractError(f'the {what} "{name}" ({point.value}) cannot be imported: {error}') from error
