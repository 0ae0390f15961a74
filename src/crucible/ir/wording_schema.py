"""Finding one's way in the schema that pydantic made of a type, along the places of its errors.

A node is one entry of `pydantic_core.core_schema`; what only wraps another (defaults, `None`, functions, models around
their fields) is taken off. A place of an error also names the branches of a union; these are no part of a path.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel

__all__ = ["Place", "place_of"]

_WRAPPED_AT = {"json-or-python": "json_schema", "lax-or-strict": "strict_schema"}
_FIELDS = ("model-fields", "typed-dict")


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """One place in a type.

    Args:
        node: What may stand there; None if it is not known.
        definitions: Nodes that others refer to by name.
        cls: The class whose fields `node` lists; None if it is no class.
    """

    node: Mapping[str, Any] | None
    definitions: Mapping[str, Any]
    cls: type[Any] | None = None

    @property
    def kind(self) -> str:
        """Pydantic's word for the node, such as `int`; empty if it is not known."""
        return "" if self.node is None else self.node["type"]

    def get(self, key: str) -> Any:
        """Return a setting of the node, such as its bound `ge`; None if it has none."""
        return None if self.node is None else self.node.get(key)

    def fields(self) -> list[str]:
        """Return the keys that a mapping may have here, in the order of the type; empty if any."""
        return list(self._fields())

    def required(self) -> dict[str, Place]:
        """Return what must be there, by key."""
        found = {key: field["schema"] for key, field in self._fields().items()}
        return {key: self.at(node) for key, node in found.items() if node["type"] != "default"}

    def child(self, part: str | int) -> Place:
        """Return the place below, by key or index; an unknown one if nobody says what stands there."""
        kind, inner = self.kind, None
        if kind in (*_FIELDS, "dataclass-args"):
            inner = self._fields().get(str(part), {}).get("schema")
        elif kind == "dict":
            inner = self.get("values_schema")
        elif kind == "tuple" and isinstance(part, int):
            items, rest = self.get("items_schema"), self.get("variadic_item_index")
            inner = (
                items[part if rest is None else min(part, rest)] if len(items) > (part if rest is None else 0) else None
            )
        elif kind in ("list", "set", "frozenset"):
            inner = self.get("items_schema")
        return self.at(inner)

    def choices(self) -> dict[str, Place] | list[Place]:
        """Return the branches of a union, by tag if it has tags; empty if it is no union."""
        if self.kind == "tagged-union":
            return {str(tag): self.at(node) for tag, node in cast("Mapping[Any, Any]", self.get("choices")).items()}
        if self.kind != "union":
            return []
        nodes = cast("Sequence[Any]", self.get("choices"))
        return [self.at(cast("Any", node)[0] if isinstance(node, tuple) else node) for node in nodes]

    def default_of(self, key: str) -> Any:
        """Return what a field holds by itself; None if it must be given, or if that is null."""
        node = self._fields().get(key, {}).get("schema", {})
        return node.get("default") if node.get("type") == "default" else None

    def first_name_of(self, key: str) -> str:
        """Return the name under which a field is written that may be given as `key`; `key` itself if it is that."""
        fields = self._fields()
        return next((name for name, field in fields.items() if key in fields and field is fields[key]), key)

    def at(self, node: Mapping[str, Any] | None) -> Place:
        """Return the place of a node of the same schema, with its wrapping taken off."""
        definitions, cls = self.definitions, None
        while node is not None:
            kind = node["type"]
            if kind == "definitions":
                definitions = {**definitions, **{inner["ref"]: inner for inner in node["definitions"]}}
                node = node["schema"]
            elif kind == "definition-ref":
                node = definitions.get(node["schema_ref"])
            elif (below := _WRAPPED_AT.get(kind, "schema")) in node:
                cls = node.get("cls", cls)
                node = node[below]
            else:
                break
        return Place(node, definitions, cls)

    def _fields(self) -> dict[str, Any]:
        """Return the nodes of fields by the keys under which they stand in a document."""
        if self.kind == "dataclass-args":
            return {field["name"]: field for field in self.get("fields")}
        if self.kind not in _FIELDS:
            return {}
        fields: dict[str, Any] = self.get("fields")
        return {key: field for name, field in fields.items() for key in _keys(name, field)}


def _keys(name: str, field: Mapping[str, Any]) -> list[str]:
    """Return the keys by which a field may be given, the one that is written first."""
    alias = field.get("validation_alias")
    if isinstance(alias, str):
        return [alias]
    spellings = cast("Sequence[Sequence[Any]]", alias or ())
    return list(dict.fromkeys([name, *(path[0] for path in spellings if len(path) == 1)]))


def place_of(kind: type[BaseModel]) -> Place:
    """Return the place of a whole value of a type."""
    return Place(None, {}).at(cast("Mapping[str, Any]", kind.__pydantic_core_schema__))
