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

from crucible.errors import SpecError, SpecErrors
from crucible.ir.instant import in_utc
from crucible.ir.model import Model

__all__ = ["canonical_json", "content_hash"]


def canonical_json(value: Model) -> str:
    """Return the canonical JSON of a value: what `content_hash` hashes.

    Raises:
        SpecErrors: The value holds something that JSON has no word for, which only a copy made without checks can.
    """
    plain = _canonical(value.model_dump(mode="python", by_alias=True, exclude_defaults=True), type(value).__name__)
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def content_hash(value: Model) -> str:
    """Return the SHA-256 of the canonical JSON: the same for equal values, in any order of keys and either format.

    Raises:
        SpecErrors: As `canonical_json`.
    """
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def _canonical(value: Any, source: str) -> Any:
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float) and isfinite(value):
        return int(value) if value.is_integer() else value
    if isinstance(value, datetime):
        return in_utc(value)
    if isinstance(value, Mapping):
        return {key: _canonical(inner, source) for key, inner in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(inner, source) for inner in cast("list[Any]", value)]
    raise SpecErrors(source, [SpecError(f"holds {value!r}, which JSON has no word for", code="plain")])
