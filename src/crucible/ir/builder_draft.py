"""A document in the making: plain data that is never changed, only followed by a newer draft."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from crucible.errors import SpecError, SpecErrors
from crucible.ir.model import Model, did_you_mean
from crucible.ir.wording_text import show
from crucible.ir.write import dumped

__all__ = ["Draft", "given", "merged", "plainly", "problem"]


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
        plain = plainly(value)
        return Draft(_put(self.data, path.split("."), lambda _: plain), typed | ({path: kind} if kind else {}))

    def merge(self, path: str, values: Mapping[str, Any]) -> Draft:
        """Return a draft in which values are merged into the mapping at a dotted path, or at the top if it is empty."""
        plain = cast("Mapping[str, Any]", plainly(values))
        if not path:
            return Draft(merged(self.data, plain), self.typed)
        return Draft(_put(self.data, path.split("."), lambda old: merged(old, plain)), self.typed)

    def lay(self, other: Draft) -> Draft:
        """Return a draft in which another one is merged into this one, with what its mappings must fit."""
        return Draft(merged(self.data, other.data), {**self.typed, **other.typed})

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
            raise problem(f"there is nothing to remove{hint}", path, "missing")
        rest = {name: value for name, value in cast("Mapping[str, Any]", parent).items() if name != last}
        typed = {name: kind for name, kind in self.typed.items() if name != path and not name.startswith(f"{path}.")}
        return Draft(_put(self.data, above, lambda _: rest) if above else rest, typed)

    def entries(self, field: str) -> list[Any]:
        """Return the entries of a list at the top, none if nothing was said.

        Raises:
            SpecErrors: Something else stands there.
        """
        found = self.at(field)
        if found is None:
            return []
        if not isinstance(found, (list, tuple)):
            raise problem(f"{field} must be a list, got {show(found)}", field, "type")
        return list(cast("Sequence[Any]", found))

    def change_entry(self, field: str, name: str | int, values: Mapping[str, Any] | None) -> Draft:
        """Return a draft in which values are merged into one entry of a list at the top, or without the entry.

        Args:
            field: The list.
            name: The `id` or name of the entry, or its index.
            values: Fields of the entry; None to leave it out.

        Raises:
            SpecErrors: There is no such entry, more than one, or it is no mapping.
        """
        entries = self.entries(field)
        names = [_name_of(entry) for entry in entries]
        if isinstance(name, int):
            places = [name] if 0 <= name < len(entries) else []
        else:
            places = [place for place, found in enumerate(names) if found == name]
        if len(places) != 1:
            hint = did_you_mean(str(name), filter(None, names)) if not places else "; give the index instead"
            raise problem(f"expected one entry {show(name)}, found {len(places)}{hint}", field, "missing")
        at = places[0]
        if values is None:
            return self.put(field, [*entries[:at], *entries[at + 1 :]])
        if not isinstance(entries[at], Mapping):
            raise problem(f"{field}[{at}] must be a map, got {show(entries[at])}", f"{field}[{at}]", "type")
        return self.put(field, [*entries[:at], merged(entries[at], plainly(values)), *entries[at + 1 :]])


def problem(message: str, path: str, code: str) -> SpecErrors:
    """Return the error of a step that cannot be taken.

    Args:
        message: What is wrong.
        path: Where, dotted.
        code: A stable word for programs.
    """
    return SpecErrors("builder", [SpecError(message, path=path, code=code)])


def _name_of(entry: Any) -> str:
    if not isinstance(entry, Mapping):
        return ""
    fields = cast("Mapping[str, Any]", entry)
    name = fields.get("id") or fields.get("name")
    return name if isinstance(name, str) else ""


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


def plainly(value: Any) -> Any:
    """Return data in which built values are plain, with the fields that were set, so that they can be merged.

    Raises:
        SpecErrors: A built value holds what JSON has no word for.
    """
    if isinstance(value, Model):
        return dumped(value, exclude_unset=True)
    if isinstance(value, Mapping):
        return {key: plainly(inner) for key, inner in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [plainly(inner) for inner in cast("Sequence[Any]", value)]
    return value


def given(value: Any, name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return plain data of a built value, a mapping or a single field, with further fields laid over it.

    Args:
        value: A built value, a mapping, what belongs to the field `name`, or None for nothing.
        name: The field that a bare value is for.
        fields: Further fields.
    """
    if isinstance(value, Model):
        return {**plainly(value), **fields}
    if isinstance(value, Mapping):
        return {**cast("Mapping[str, Any]", value), **fields}
    return dict(fields) if value is None else {name: value, **fields}
