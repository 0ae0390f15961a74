"""JSON as the document means it: keys are unique, numbers are numbers, text is Unicode.

The quick reader of trusted form and the slow reader with good messages are both here, and agree on what they take.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar, cast

import msgspec
from pydantic import BaseModel, ValidationError

from crucible.ir.wording_text import show

__all__ = ["parse_json", "quickly"]

M = TypeVar("M", bound=BaseModel)

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def parse_json(text: str) -> Any:
    """Return the plain data of a JSON text; a byte-order mark in front is skipped.

    Raises:
        ValueError: The text is not JSON of this kind; the message says why and, where it can, at which place.
    """
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise ValueError("it is empty")
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        if "integer string conversion" in str(error):
            raise ValueError("an integer has more digits than can be read") from None
        raise


def quickly(text: str, kind: type[M]) -> tuple[M, dict[str, Any]] | None:
    """Return value and plain data of a text that is beyond doubt; None where the slow way must look, or complain.

    Args:
        text: Any text.
        kind: What to build.
    """
    try:
        data = _decode(text)
        if not isinstance(data, dict) or not _keys_are_unique(text, data):
            return None
        return kind.__pydantic_validator__.validate_json(text), cast("dict[str, Any]", data)
    except (msgspec.DecodeError, ValidationError, UnicodeEncodeError, RecursionError):
        return None


def _keys_are_unique(text: str, data: Any) -> bool:
    """Tell whether surely no key of the text was lost on the way to `data`.

    Each key is followed by one colon, and other colons stand in strings, where both texts show them alike unless they
    are escaped. A key that is given twice takes its colon with it: then the counts differ.
    """
    return "\\u003" not in text and text.count(":") == _encode(data).count(b":")


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is not a JSON number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"key {show(key)} is given twice")
            seen.add(key)
    return result
