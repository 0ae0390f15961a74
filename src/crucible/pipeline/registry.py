"""Stages by name: those of the entry-point group `crucible.stages`, and those registered by hand.

A stage of Crucible registers exactly as a stranger's does. A stage's module is imported when it is first asked for.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from crucible.errors import ContractError, SpecError
from crucible.ir import did_you_mean
from crucible.pipeline.stage import Stage

__all__ = ["Registry"]

GROUP = "crucible.stages"


class Registry:
    """Finds stages by name.

    Args:
        stages: Stages to know from the start, beside the installed ones.
        installed: Whether to know the stages that installed packages offer.
    """

    def __init__(self, *stages: Stage, installed: bool = True) -> None:
        self._stages: dict[str, Stage] = {}
        self._offers: dict[str, EntryPoint] = (
            {point.name: point for point in entry_points(group=GROUP)} if installed else {}
        )
        for entry in stages:
            self.register(entry)

    def register(self, entry: Stage, *, name: str | None = None) -> None:
        """Add a stage under its own name or another; a later one replaces an earlier one."""
        self._stages[name or entry.name] = entry

    def names(self) -> list[str]:
        """Return all names, sorted."""
        return sorted({*self._stages, *self._offers})

    def get(self, name: str) -> Stage:
        """Return a stage.

        Raises:
            SpecError: No stage of this name is registered (`code` is `unknown_stage`).
            ContractError: What is registered is not a stage, or cannot be imported.
        """
        if name not in self._stages:
            if name not in self._offers:
                hint = did_you_mean(name, self.names()) or f"; known: {', '.join(self.names())}"
                raise SpecError(f'unknown stage "{name}"{hint}', code="unknown_stage")
            self._stages[name] = _load(self._offers[name])
        return self._stages[name]


def _load(point: EntryPoint) -> Stage:
    try:
        found = point.load()
    except Exception as error:
        raise ContractError(f'stage "{point.name}" ({point.value}) cannot be imported: {error}') from error
    entry = found() if isinstance(found, type) else found
    if not isinstance(entry, Stage):
        raise ContractError(
            f'stage "{point.name}" ({point.value}) is a {type(entry).__name__} without name, Options, run and describe'
        )
    return entry
