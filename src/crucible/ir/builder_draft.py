"""A document in the making: plain data that is never changed, only followed by a newer draft."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from crucible.errors import SpecError, SpecErrors
from crucible.ir.model import Model, did_you_mean

__all__ = ["Draft", "given", "merged"]


@dataclass(frozen=True)
class Draft:
    """Plain data of a document, and which of its mappings must fit a type although the document takes any.

    Args:
        data: The data.
        typed: Type by dotted path, such as `reliability.drift`.
    """

    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    typed: Mapping[str, type[Model]] = field(default_factory=dict[str, type[Model]])

    def at(self, path: str) -> Any:
        """Return what stands at a dotted path, None if nothing does."""
        here: Any = self.data
        for part in path.split("."):
            here = cast("Mapping[str, Any]", here).get(part) if isinstance(here, Mapping) else None
        return here

    def put(self, path: str, value: Any, kind: type[Model] | None = None) -> Draft:
        """Return a draft with another value at a dotted path; mappings on the way are made.

        Args:
            path: Such as `reliability.stats`.
            value: Plain data.
            kind: What the value must fit, where the document would take any mapping.
        """
        typed = {name: found for name, found in self.typed.items() if name != path}
        return Draft(_put(self.data, path.split("."), lambda _: value), typed | ({path: kind} if kind else {}))

    def merge(self, path: str, values: Mapping[str, Any]) -> Draft:
        """Return a draft in which values are merged into the mapping at a dotted path, or at the top if it is empty."""
        if not path:
            return Draft(merged(self.data, values), self.typed)
        return Draft(_put(self.data, path.split("."), lambda old: merged(old, values)), self.typed)

    def remove(self, path: str) -> Draft:
        """Return a draft without what stands at a dotted path.

        Raises:
            SpecErrors: Nothing stands there.
        """
        *above, last = path.split(".")
        parent = self.at(".".join(above)) if above else self.data
        if not isinstance(parent, Mapping) or last not in parent:
            names = cast("Mapping[str, Any]", parent) if isinstance(parent, Mapping) else ()
            hint = did_you_mean(last, names)
            raise SpecErrors("builder", [SpecError(f"there is nothing to remove{hint}", path=path, code="missing")])
        rest = {name: value for name, value in cast("Mapping[str, Any]", parent).items() if name != last}
        typed = {name: kind for name, kind in self.typed.items() if name != path and not name.startswith(f"{path}.")}
        return Draft(_put(self.data, above, lambda _: rest) if above else rest, typed)


def _put(data: Mapping[str, Any], parts: Sequence[str], change: Callable[[Any], Any]) -> dict[str, Any]:
    first, *rest = parts
    inner = data.get(first)
    if rest:
        below = cast("Mapping[str, Any]", inner if isinstance(inner, Mapping) else {})
        return {**data, first: _put(below, rest, change)}
    return {**data, first: change(inner)}


def merged(old: Any, new: Any) -> Any:
    """Return `new` laid over `old`: mappings are merged key by key, anything else is replaced."""
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        return new
    result = dict(cast("Mapping[str, Any]", old))
    for key, value in cast("Mapping[str, Any]", new).items():
        result[key] = merged(result.get(key), value)
    return result


def given(value: Any, name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return plain data of a built value, a mapping or a single field, with further fields laid over it.

    Args:
        value: A built value, a mapping, what belongs to the field `name`, or None for nothing.
        name: The field that a bare value is for.
        fields: Further fields.
    """
    if isinstance(value, Model):
        return {**value.model_dump(mode="json", by_alias=True, exclude_unset=True), **fields}
    if isinstance(value, Mapping):
        return {**cast("Mapping[str, Any]", value), **fields}
    return dict(fields) if value is None else {name: value, **fields}
