"""What a stage is: a name, a pydantic model of options, and `run`.

`describe()` and validation are derived from the options model, so they cannot drift from what `run` reads.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar, Literal, Protocol, cast, runtime_checkable

from pydantic import BaseModel

from crucible.errors import SpecErrors
from crucible.ir import Experiment, Model, read_plain
from crucible.pipeline.context import Context
from crucible.pipeline.schema import describe

__all__ = ["NoOptions", "OptionsMode", "Stage", "StageBase", "StageOptions", "parse_options", "stage"]


_log = logging.getLogger("crucible.pipeline")


class StageOptions(Model):
    """Base of all options models: frozen, strict, unknown keys refused."""


class NoOptions(StageOptions):
    """The options of a stage that has none."""


@runtime_checkable
class Stage(Protocol):
    """One step of a pipeline."""

    name: ClassVar[str]
    Options: ClassVar[type[BaseModel]]

    def run(self, context: Context, options: Any, /) -> Context | Awaitable[Context]:
        """Do the work and return the new context; may be `async`."""
        ...

    def describe(self) -> dict[str, Any]:
        """Return the stage's schema: name, description, options."""
        ...


class StageBase:
    """A convenient base: `describe` from the options model, no rebuild, no further checks."""

    name: ClassVar[str] = ""
    Options: ClassVar[type[BaseModel]] = NoOptions
    reads: ClassVar[frozenset[str] | None] = None
    """Parts of the document that the stage carries out, such as `reliability.stats`; None: it does not say."""

    def describe(self) -> dict[str, Any]:
        """Return the stage's canonical schema, derived from its options model and its docstring."""
        text = inspect.getdoc(type(self))
        return describe(self.name, "" if text == inspect.getdoc(StageBase) else text or "", self.Options)

    def check(self, experiment: Experiment, options: Any) -> list[tuple[str, str]]:  # noqa: ARG002  # for subclasses
        """Return problems that only the stage can see, as (path, message).

        A path whose first part is one of the stage's options means that option; any other is a path of the document.
        """
        return []

    def announces(self, experiment: Experiment, options: Any) -> Mapping[str, Any] | None:  # noqa: ARG002  # as above
        """Return what the stage will leave for later ones, by name, such as `{"scores.base": {…}}`.

        Later stages check the document against it before anything costs time. None: the stage does not say.
        """
        return None


OptionsMode = Literal["off", "warn", "error"]


def parse_options(
    chosen: Stage, options: Mapping[str, Any] | None, *, path: str = "options", mode: OptionsMode = "error"
) -> Any:
    """Read a stage's options and apply their defaults.

    Args:
        chosen: The stage.
        options: As the document gives them; None means none.
        path: Where they stand in the document, such as `pipeline[2].options`.
        mode: `error`: strictly. `warn`: problems are logged, and the options that do not fit are handed over as they
            are, unknown ones left out. `off`: the same in silence.

    Raises:
        SpecErrors: Every problem, each with its path; in the mode `error` only.
    """
    given = options or {}
    try:
        return read_plain(chosen.Options, given, source=chosen.name, prefix=(path,))
    except SpecErrors as errors:
        if mode == "error":
            raise
        if mode == "warn":
            listed = ", ".join(str(error) for error in errors.errors)
            _log.warning("Stage %s options validation warnings: %s", chosen.name, listed)
        unfit = {error.path.removeprefix(f"{path}.").replace("[", ".").partition(".")[0] for error in errors.errors}
        return _as_far_as_fits(chosen.Options, given, unfit)


def _as_far_as_fits(kind: type[BaseModel], given: Mapping[str, Any], unfit: set[str]) -> BaseModel:
    """Return options of which some do not fit: these are handed over raw, the others as they should be."""
    fitting = {name: value for name, value in given.items() if name not in unfit}
    try:
        read = read_plain(kind, fitting, source=kind.__name__)
        fitting = {name: getattr(read, name) for name in read.model_fields_set}
    except SpecErrors:
        pass  # an option that must be there is not: nothing can be read
    return kind.model_construct(**{**given, **fitting})


StageFunction = Callable[..., Context | Awaitable[Context]]


def stage(name: str, *, options: type[BaseModel] = NoOptions) -> Callable[[StageFunction], Stage]:
    """Make a stage of a plain function `(context, options) -> Context`, sync or async.

    Args:
        name: The stage's name.
        options: Model of its options.
    """

    def wrap(function: StageFunction) -> Stage:
        def run(self: Any, context: Context, chosen: Any, /) -> Any:  # noqa: ARG001  # a method
            return function(context, chosen)

        async def arun(self: Any, context: Context, chosen: Any, /) -> Any:  # noqa: ARG001  # a method
            return await cast("Awaitable[Context]", function(context, chosen))

        body = arun if inspect.iscoroutinefunction(function) else run
        members = {"name": name, "Options": options, "run": body, "__doc__": inspect.getdoc(function)}
        return cast("Stage", type(getattr(function, "__name__", name), (StageBase,), members)())

    return wrap
