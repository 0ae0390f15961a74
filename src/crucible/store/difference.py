"""Where two JSON values differ, by path. Pure; knows nothing of runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, cast

import msgspec

__all__ = ["Difference", "differences"]


class Difference(msgspec.Struct, frozen=True):
    """One place where two values differ.

    Args:
        path: Such as `pipeline[2].options.rank`; empty for the whole value.
        kind: `changed`, or on which side alone there is something.
        a: The value on the first side, None if absent.
        b: The value on the second side, None if absent.
    """

    path: str
    kind: Literal["changed", "only_a", "only_b"]
    a: Any = None
    b: Any = None


def differences(a: Any, b: Any, path: str = "") -> Iterator[Difference]:
    """Yield the smallest parts in which two JSON values differ, in the order of the first; NaN equals NaN."""
    if isinstance(a, dict) and isinstance(b, dict):
        left, right = cast("dict[str, Any]", a), cast("dict[str, Any]", b)
        for key in [*left, *(key for key in right if key not in left)]:
            yield from _member(left, right, key, f"{path}.{key}" if path else key)
    elif isinstance(a, list) and isinstance(b, list):
        first, second = dict(enumerate(cast("list[Any]", a))), dict(enumerate(cast("list[Any]", b)))
        for index in range(max(len(first), len(second))):
            yield from _member(first, second, index, f"{path}[{index}]")
    elif not _same(a, b):
        yield Difference(path, "changed", a, b)


def _member(a: dict[Any, Any], b: dict[Any, Any], key: Any, path: str) -> Iterator[Difference]:
    if key not in b:
        yield Difference(path, "only_a", a=a[key])
    elif key not in a:
        yield Difference(path, "only_b", b=b[key])
    else:
        yield from differences(a[key], b[key], path)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, bool) is not isinstance(b, bool):
        return False  # True == 1, but not in a document
    return a == b or (a != a and b != b)  # noqa: PLR0124  # only NaN differs from itself
