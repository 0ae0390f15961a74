"""Results as plain JSON data, also where a caller gave a number of numpy's: an alpha, a margin, a fixed value."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["plain"]


def plain(value: Any) -> Any:
    """Return a struct, mapping or sequence as dictionaries, lists, text and Python's own numbers.

    Raises:
        TypeError: There is something in it that is no data.
    """
    return msgspec.to_builtins(value, enc_hook=_python_s_own)


def _python_s_own(value: Any) -> Any:
    if getattr(value, "shape", None) == () and hasattr(value, "item"):  # a scalar of numpy's
        return value.item()
    raise TypeError(f"{value!r} is a {type(value).__name__}, expected data")
