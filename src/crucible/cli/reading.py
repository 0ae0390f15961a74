"""The commands that show what there is: schemas and stages. Tables for people, `--json` for programs."""

from __future__ import annotations

import json
from typing import Annotated, Any, cast

import typer
from rich.text import Text

from crucible.cli.access import JsonOption, print_json
from crucible.cli.console import console as make_console
from crucible.cli.failure import handled
from crucible.cli.tables import table
from crucible.errors import ContractError, SpecError
from crucible.ir import did_you_mean
from crucible.pipeline import Registry, type_words

__all__ = ["schema", "stages"]


@handled
def schema(
    name: Annotated[str, typer.Argument(help="Type of the document, or `document` for all of it.")] = "document",
    as_json: JsonOption = True,  # noqa: ARG001  # a schema is JSON in any case; scripts may say so
) -> None:
    """Print the JSON Schema of a type, for completion in editors."""
    from crucible import assembly, ir

    if name == "document":
        print_json(assembly.document_schema())
        return
    kinds = {key: kind for key, kind in vars(ir).items() if isinstance(kind, type) and issubclass(kind, ir.Model)}
    kinds.pop("Model")
    if name not in kinds:
        hint = did_you_mean(name, kinds) or f"; known: document, {', '.join(sorted(kinds))}"
        raise SpecError(f'no type "{name}"{hint}')
    print_json(ir.json_schema(kinds[name]))


@handled
def stages(
    name: Annotated[str | None, typer.Argument(help="One stage, with all its options.", show_default=False)] = None,
    as_json: JsonOption = False,
) -> None:
    """List the installed stages, or show the options of one."""
    registry = Registry()
    if name is None:
        _list_stages(registry, as_json=as_json)
        return
    entry = _described(registry, name)
    if as_json:
        print_json(entry)
        return
    console = make_console()
    console.print(Text(name, style="bold"))
    for paragraph in entry["description"].split("\n\n"):
        console.print(Text(" ".join(paragraph.split())))
    words = _mapping(_mapping(entry.get("__extensions__")).get("help"))
    types = _mapping(entry.get("types"))
    rows = [(key, _type(spec), _default(entry, key), words.get(key, "")) for key, spec in types.items()]
    if rows:
        console.print(table("Options", ("option", "type", "default", "meaning"), rows))


def _list_stages(registry: Registry, *, as_json: bool) -> None:
    """List all stages; one that cannot be imported or described is listed with the reason, and hides no other."""
    described: dict[str, dict[str, Any]] = {}
    for key in registry.names():
        try:
            described[key] = _described(registry, key)
        except ContractError as error:
            described[key] = {"name": key, "description": str(error), "error": str(error)}
    if as_json:
        print_json(described)
        return
    rows = [(key, entry["description"].split("\n", 1)[0]) for key, entry in described.items()]
    make_console().print(table("", ("stage", "what it does"), rows))


def _described(registry: Registry, name: str) -> dict[str, Any]:
    """Return what a stage says of itself, as JSON data with a description.

    Raises:
        SpecError: There is no such stage.
        ContractError: It cannot be imported, or what it says is not what `describe` is to return.
    """
    stage = registry.get(name)
    try:
        found: Any = stage.describe()
        json.dumps(found)
    except Exception as error:  # a stranger's code: whatever it is, the other stages are listed
        what = (str(error).strip().splitlines() or ["no message"])[0]
        raise ContractError(
            f'the stage "{name}" cannot be described: {type(error).__name__}: {what}; see `describe` of its class, and '
            "its options, which must have a JSON Schema"
        ) from error
    if not isinstance(found, dict):
        raise ContractError(f'the stage "{name}" cannot be described: describe() returned a {type(found).__name__}')
    entry = cast("dict[str, Any]", found)
    description = entry.get("description")
    return {**entry, "description": description if isinstance(description, str) else "(it has no description)"}


def _mapping(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _type(spec: Any) -> str:
    try:
        return type_words(spec)
    except Exception:  # noqa: BLE001  # a stranger's words for it: as they are
        return json.dumps(spec)


def _default(entry: dict[str, Any], key: str) -> str:
    required: Any = entry.get("required")
    if isinstance(required, list) and key in cast("list[Any]", required):
        return "required"
    return json.dumps(_mapping(entry.get("defaults")).get(key))
