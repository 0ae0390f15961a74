"""One example of a dataset. Knows nothing of files, models or scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

__all__ = ["Item"]


class Item(msgspec.Struct, frozen=True):
    """What a model is asked, and what it should answer.

    Args:
        id: Unique within its dataset; conditions are paired by it.
        input: The prompt.
        expected: The answer wanted; None where there is none to compare with.
        metadata: Whatever else the source says of the item, JSON values. It is copied, and read-only from then on, so
            that no item of a dataset changes under somebody else; what is inside of its lists and objects is not.
    """

    id: str
    input: str
    expected: str | None = None
    metadata: Mapping[str, Any] = {}

    def __post_init__(self) -> None:
        if type(self.metadata) is not _ReadOnly:
            msgspec.structs.force_setattr(self, "metadata", _ReadOnly(self.metadata) if self.metadata else _NOTHING)


class _ReadOnly(dict[str, Any]):
    """A dictionary that cannot be changed: still one for who writes JSON, compares or copies it."""

    __slots__ = ()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(
            "an item's metadata is read-only: make a new item, such as "
            'msgspec.structs.replace(item, metadata={**item.metadata, "key": value})'
        )

    if not TYPE_CHECKING:  # what the type of a dictionary promises is taken back here
        __setitem__ = __delitem__ = __ior__ = _refuse
        clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return _ReadOnly, (dict(self),)


_NOTHING = _ReadOnly()
