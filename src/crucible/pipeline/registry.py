"""Stages by name: those of the entry-point group `crucible.stages`, and those registered by hand.

A stage of Crucible registers exactly as a stranger's does. A stage's module is imported when it is first asked for. An
import path in a document is code execution: it is followed only below the prefixes that the caller allows.
"""

from __future__ import annotations

import contextlib
import contextvars
import importlib
import inspect
from collections.abc import Generator, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from crucible.errors import ContractError, SpecError
from crucible.ir import StageDef, did_you_mean
from crucible.ir.wording_text import show
from crucible.pipeline.stage import Stage, stage

__all__ = ["Registry", "current_registry", "using"]

GROUP = "crucible.stages"


class Registry:
    """Finds stages by name.

    Args:
        stages: Stages to know from the start, beside the installed ones.
        installed: Whether to know the stages that installed packages offer.
        allow_imports: Packages and modules whose code a document's `module` may name, such as `mylab.stages`.
    """

    def __init__(self, *stages: Stage, installed: bool = True, allow_imports: Iterable[str] = ()) -> None:
        self.allow_imports = (allow_imports,) if isinstance(allow_imports, str) else tuple(allow_imports)
        self._imported: dict[tuple[str, str], Stage] = {}
        self._stages: dict[str, Stage] = {}
        self._offers: dict[str, EntryPoint] = (
            {point.name: point for point in entry_points(group=GROUP)} if installed else {}
        )
        for entry in stages:
            self.register(entry)

    def register(self, entry: Stage, *, name: str | None = None) -> None:
        """Add a stage under its own name or another; a later one replaces an earlier one.

        Raises:
            ContractError: It is not a stage, or has no name and is given none.
        """
        kind = entry.__name__ if isinstance(entry, type) else type(entry).__name__
        made = _as_stage(entry, name or getattr(entry, "name", ""), kind)
        if not (name or made.name):
            raise ContractError(f"the stage {kind} has no name: set `name`, or register it under one")
        self._stages[name or made.name] = made

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
                raise SpecError(f"unknown stage {show(name)}{hint}", code="unknown_stage")
            self._stages[name] = _load(self._offers[name])
        return self._stages[name]

    def resolve(self, definition: StageDef) -> Stage:
        """Return the stage of an entry of a pipeline: its `module` where it names one, else the stage of its name.

        Raises:
            SpecError: No stage of this name is registered, or the import path is not allowed (`code` is `import`).
            ContractError: What is found is not a stage, or cannot be imported.
        """
        path = definition.module
        if path is None:
            return self.get(definition.name)
        key = (path, definition.name)
        if key not in self._imported:
            self._imported[key] = self._import(*key)
        return self._imported[key]

    def has_loaded(self, definition: StageDef) -> bool:
        """Return whether an entry of a pipeline, with its fallback, can be resolved without importing anything."""
        if not definition.enabled:
            return True
        path, name = definition.module, definition.name
        here = name in self._stages if path is None else (path, name) in self._imported
        return here and (definition.fallback is None or self.has_loaded(definition.fallback))

    def allowing(self, prefixes: Iterable[str]) -> Registry:
        """Return a registry of the same stages that follows import paths below these prefixes, too."""
        wider = Registry(installed=False, allow_imports=prefixes)
        wider.allow_imports = (*self.allow_imports, *wider.allow_imports)
        wider._stages, wider._offers = dict(self._stages), dict(self._offers)
        return wider

    def _import(self, path: str, name: str) -> Stage:
        module, _, attribute = path.partition(":")
        if not any(module == prefix or module.startswith(f"{prefix}.") for prefix in self.allow_imports):
            package = module.split(".")[0]
            allowed = ", ".join(self.allow_imports) or "nothing"
            raise SpecError(
                f'"{path}" is code to import, and a document may not name any unless the caller allows its package '
                f'(allow_imports=["{package}"], or --allow-import {package}); allowed: {allowed}. '
                "A stage that is registered through the entry-point group crucible.stages needs no permission",
                code="import",
            )
        try:
            found: Any = importlib.import_module(module)
            for part in attribute.split("."):
                found = getattr(found, part)
                if inspect.ismodule(found):
                    raise SpecError(
                        f'"{path}" goes on through the module {found.__name__}; name the module of the stage itself',
                        code="import",
                    )
        except SpecError:
            raise
        except (Exception, SystemExit) as error:
            raise ContractError(f'stage "{name}" ({path}) cannot be imported: {error}') from error
        return _as_stage(found, name, path)


_current: contextvars.ContextVar[Registry | None] = contextvars.ContextVar("crucible_registry", default=None)


def current_registry() -> Registry:
    """Return the registry of the run that goes on, or that of the installed stages outside of one."""
    return _current.get() or Registry()


@contextlib.contextmanager
def using(registry: Registry) -> Generator[None]:
    """Make a registry the one that `current_registry` returns inside the block; the runner does so."""
    token = _current.set(registry)
    try:
        yield
    finally:
        _current.reset(token)


def _load(point: EntryPoint) -> Stage:
    try:
        found = point.load()
    except (Exception, SystemExit) as error:  # a script may end the process when it is imported
        raise ContractError(f'stage "{point.name}" ({point.value}) cannot be imported: {error}') from error
    return _as_stage(found, point.name, point.value)


def _as_stage(found: Any, name: str, path: str) -> Stage:
    """Return what was imported as a stage: an instance, a class that needs no arguments, or a plain function."""
    try:
        entry: Any = cast("Any", found)() if isinstance(found, type) else found
    except Exception as error:
        raise ContractError(f'stage "{name}" ({path}) cannot be made: {error}') from error
    if isinstance(entry, Stage):
        return entry
    if callable(entry) and not isinstance(found, type):
        return stage(name)(cast("Any", entry))
    raise ContractError(f'stage "{name}" ({path}) is a {type(entry).__name__} without name, Options, run and describe')
