"""What a stage is: a name, a pydantic model of options, and `run`.

`describe()` and validation are derived from the options model, so they cannot drift from what `run` reads.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar, Protocol, cast, runtime_checkable

from pydantic import BaseModel

from crucible.ir import Experiment, Model, read_plain
from crucible.pipeline.context import Context

__all__ = ["NoOptions", "Stage", "StageBase", "StageOptions", "parse_options", "stage"]


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

    def describe(self) -> dict[str, Any]:
        """Return name, description, required and optional options with types and defaults, and the JSON Schema."""
        return _describe(self.name, inspect.getdoc(type(self)) or "", self.Options)

    def check(self, experiment: Experiment, options: Any) -> list[tuple[str, str]]:  # noqa: ARG002  # for subclasses
        """Return problems that only the stage can see, as (path, message).

        A path whose first part is one of the stage's options means that option; any other is a path of the document.
        """
        return []


def _describe(name: str, description: str, options: type[BaseModel]) -> dict[str, Any]:
    schema = options.model_json_schema(by_alias=True)
    properties: dict[str, Any] = schema.get("properties", {})
    required: list[str] = schema.get("required", [])
    return {
        "__schema_version__": "1.0.0",
        "name": name,
        "description": description,
        "required": required,
        "optional": [key for key in properties if key not in required],
        "types": {key: _type_word(entry) for key, entry in properties.items()},
        "defaults": {key: entry["default"] for key, entry in properties.items() if "default" in entry},
        "help": {key: entry.get("description", "") for key, entry in properties.items()},
        "schema": schema,
    }


def _type_word(entry: Mapping[str, Any]) -> str:
    if "enum" in entry:
        return " | ".join(str(value) for value in entry["enum"])
    if "anyOf" in entry:
        words = [_type_word(part) for part in entry["anyOf"]]
        return " | ".join(dict.fromkeys(words))
    if "$ref" in entry:
        return str(entry["$ref"]).rsplit("/", 1)[-1]
    if entry.get("type") == "array":
        return f"list of {_type_word(entry.get('items', {}))}"
    return str(entry.get("const", entry.get("type", "any")))


def parse_options(chosen: Stage, options: Mapping[str, Any] | None, *, path: str = "options") -> Any:
    """Read a stage's options strictly and apply their defaults.

    Args:
        chosen: The stage.
        options: As the document gives them; None means none.
        path: Where they stand in the document, such as `pipeline[2].options`.

    Raises:
        SpecErrors: Every problem, each with its path.
    """
    return read_plain(chosen.Options, options or {}, source=chosen.name, prefix=(path,))


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
        return cast("Stage", type(function.__name__, (StageBase,), members)())

    return wrap
