"""One text and one hash a document, however it was written.

Two values that are equal have the same text: keys are sorted, fields at their default are left out (so that a new
optional field changes no hash), `1.0` is written `1`, and times are in UTC. Only `true` and `1`, which Python holds
equal, stay apart.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from math import isfinite
from typing import Any, cast

from pydantic_core import PydanticSerializationError

from crucible.errors import SpecError, SpecErrors
from crucible.ir.instant import in_utc
from crucible.ir.model import Model
from crucible.ir.validation_plain import is_text
from crucible.ir.wording_text import show

__all__ = ["canonical_json", "content_hash"]


def canonical_json(value: Model) -> str:
    """Return the canonical JSON of a value: what `content_hash` hashes.

    Raises:
        SpecErrors: The value holds something that JSON has no word for, which only a copy made without checks can.
    """
    name = type(value).__name__
    try:
        plain = _canonical(value.model_dump(mode="python", by_alias=True, exclude_defaults=True, warnings=False), name)
    except (PydanticSerializationError, AttributeError, RecursionError) as error:
        raise _no_word(name, f"a value of another kind ({type(error).__name__})") from None
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def content_hash(value: Model) -> str:
    """Return the SHA-256 of the canonical JSON: the same for equal values, in any order of keys and either format.

    Raises:
        SpecErrors: As `canonical_json`.
    """
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def _canonical(value: Any, source: str) -> Any:
    if isinstance(value, str):
        if not is_text(value):
            raise _no_word(source, f"half of a surrogate pair in {show(value)}")
        return value
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float) and isfinite(value):
        return int(value) if value.is_integer() else value
    if isinstance(value, datetime):
        return in_utc(value)
    if isinstance(value, Mapping):
        return {_key(key, source): _canonical(inner, source) for key, inner in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(inner, source) for inner in cast("list[Any]", value)]
    raise _no_word(source, repr(value))


def _key(key: Any, source: str) -> str:
    if not isinstance(key, str):
        raise _no_word(source, f"the key {show(key)}")
    return cast("str", _canonical(key, source))


def _no_word(source: str, what: str) -> SpecErrors:
    return SpecErrors(source, [SpecError(f"holds {what}, which JSON has no word for", code="plain")])
