"""Plain data as JSON that any reader takes."""

from __future__ import annotations

import json
import re
from typing import Any

from crucible.errors import StatsError

__all__ = ["write_json"]

_SURROGATES = re.compile("[\ud800-\udfff]")


def write_json(data: Any, *, indent: int | None = None) -> str:
    """Return JSON text that can be encoded as UTF-8, keys in the order of the fields.

    Raises:
        StatsError: A number is not finite, which JSON has no word for, or a value is no JSON data.
    """
    try:
        text = json.dumps(data, ensure_ascii=False, allow_nan=False, indent=indent)
    except (TypeError, ValueError) as error:
        raise StatsError(f"the result cannot be written as JSON: {error}") from error
    return _SURROGATES.sub(lambda match: f"\\u{ord(match.group()):04x}", text)
