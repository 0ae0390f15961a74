"""JSON text of strangers as plain values: also what Python writes and JSON lacks, and integers of any length."""

from __future__ import annotations

import json
from typing import Any

import msgspec

__all__ = ["LongInteger", "json_value"]


class LongInteger(str):
    """The digits of an integer that Python does not convert; a text to everybody who does not ask."""

    __slots__ = ()


def json_value(text: bytes) -> Any:
    """Return the value of JSON text; NaN and Infinity, which JSON lacks and Python writes, are taken.

    An integer of more digits than Python converts (4,300, as it comes) is a `LongInteger`.

    Raises:
        ValueError: It is none.
    """
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        pass
    try:
        return json.loads(text.decode(), parse_int=_integer)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _integer(digits: str) -> int | str:
    try:
        return int(digits)
    except ValueError:
        return LongInteger(digits)
