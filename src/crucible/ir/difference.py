"""Where two values of the document differ, by path. Pure; knows nothing of runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, Literal, cast

import msgspec

from crucible.ir.model import Model

__all__ = ["Difference", "diff"]


class Difference(msgspec.Struct, frozen=True):
    """One place where two values differ.

    Args:
        path: Such as `pipeline[2].options.rank`; empty for the whole value. Of entries that moved, the place in `b`.
        kind: Whether the place was added in `b`, removed from `a`, or changed.
        a: The value on the first side, None if absent.
        b: The value on the second side, None if absent.
    """

    path: str
    kind: Literal["added", "removed", "changed"]
    a: Any = None
    b: Any = None


def diff(a: Any, b: Any) -> list[Difference]:
    """Return the smallest parts in which two values differ, in the order of the first; NaN equals NaN.

    Lists are compared by position. Entries of a list that all have a name or an id are matched by it, so that a stage
    put in front is one difference, and not one for each stage behind it.

    Args:
        a: A value of the document, or plain data.
        b: Another one.
    """
    return list(_differences(_plain(a), _plain(b), ""))


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json", by_alias=True) if isinstance(value, Model) else value


def _differences(a: Any, b: Any, path: str) -> Iterator[Difference]:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        left, right = cast("Mapping[Any, Any]", a), cast("Mapping[Any, Any]", b)
        for key in [*left, *(key for key in right if key not in left)]:
            yield from _member(left, right, key, f"{path}.{key}" if path else str(key))
    elif isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        yield from _items(cast("Sequence[Any]", a), cast("Sequence[Any]", b), path)
    elif not _is_same(a, b):
        yield Difference(path, "changed", a, b)


def _member(a: Mapping[Any, Any], b: Mapping[Any, Any], key: Any, path: str) -> Iterator[Difference]:
    if key not in b:
        yield Difference(path, "removed", a=a[key])
    elif key not in a:
        yield Difference(path, "added", b=b[key])
    else:
        yield from _differences(a[key], b[key], path)


def _items(a: Sequence[Any], b: Sequence[Any], path: str) -> Iterator[Difference]:
    for i, j in _pairs(a, b):
        if i is None:
            yield Difference(f"{path}[{j}]", "added", b=b[cast("int", j)])
        elif j is None:
            yield Difference(f"{path}[{i}]", "removed", a=a[i])
        else:
            yield from _differences(a[i], b[j], f"{path}[{j}]")


def _pairs(a: Sequence[Any], b: Sequence[Any]) -> Iterator[tuple[int | None, int | None]]:
    """Yield which item stands against which; None where there is no other."""
    left, right = _names(a), _names(b)
    blocks = [(0, len(a), 0, len(b))]
    if left != right and None not in left and None not in right:
        blocks = [code[1:] for code in SequenceMatcher(None, left, right, autojunk=False).get_opcodes()]
    for start_a, end_a, start_b, end_b in blocks:
        both = min(end_a - start_a, end_b - start_b)
        yield from ((start_a + k, start_b + k) for k in range(both))
        yield from ((i, None) for i in range(start_a + both, end_a))
        yield from ((None, j) for j in range(start_b + both, end_b))


def _names(items: Sequence[Any]) -> list[str | None]:
    return [_name(cast("Mapping[Any, Any]", item)) if isinstance(item, Mapping) else None for item in items]


def _name(item: Mapping[Any, Any]) -> str | None:
    name = item.get("id") or item.get("name")
    return name if isinstance(name, str) else None


def _is_same(a: Any, b: Any) -> bool:
    if isinstance(a, bool) is not isinstance(b, bool):
        return False  # True == 1, but not in a document
    return a == b or (a != a and b != b)  # noqa: PLR0124  # only NaN differs from itself
