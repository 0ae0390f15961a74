"""The JSON of tool calls, read strictly: what a format's own error says about it is the format's business."""

from __future__ import annotations

import json
from typing import Any, cast

from crucible.errors import DataError
from crucible.text.chat.messages import ToolCall

__all__ = ["checked_arguments", "json_text", "read_json", "read_object"]


class _NotStrictError(ValueError):
    """NaN or infinity, which JSON has not."""


def _refuse(constant: str) -> Any:
    raise _NotStrictError(constant)


def read_json(text: str) -> Any:
    """Return the value of a JSON text; None if it is none (a JSON null is no call either)."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def read_object(text: str) -> dict[str, Any] | None:
    """Return the object of a JSON text; None if it is none."""
    value = read_json(text)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def json_text(value: Any) -> str:
    """Return JSON in the form that the formats use: `, ` and `: ` between, letters of any script as they are."""
    return json.dumps(value, ensure_ascii=False)


def checked_arguments(call: ToolCall, family: str) -> str:
    """Return the call's arguments, which must be a JSON object.

    Raises:
        DataError: They are none.
    """
    try:
        value = json.loads(call.arguments, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{family} tool call arguments must be valid JSON (call of {call.name!r}: {error})") from error
    if not isinstance(value, dict):
        raise DataError(f"{family} tool call arguments must decode to a JSON object (call of {call.name!r})")
    return call.arguments
