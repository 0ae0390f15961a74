"""One chain, one JSON file: pretty-printed, written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from crucible.errors import SpecError, StoreError
from crucible.ir.files import atomic_write
from crucible.trace.plain import not_plain

__all__ = ["read", "write"]


def write(path: Path, data: dict[str, Any]) -> Path:
    """Write a chain's `to_dict` and return the path.

    Raises:
        SpecError: A value is none that JSON can carry; the path to it is named.
        StoreError: The file cannot be written.
    """
    problem = not_plain(data, "chain")
    if problem:
        raise SpecError(f"{problem}; {path} was not written", code="not_json")
    return atomic_write(path, msgspec.json.format(msgspec.json.encode(data), indent=2) + b"\n")


def read(path: Path) -> Any:
    """Return the JSON value in a file.

    Raises:
        StoreError: The file is missing or cannot be read.
        SpecError: It is not JSON.
    """
    try:
        return msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror or error}); check the path") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SpecError(f"{path} is not JSON ({error}); expected a chain file", code="syntax") from None
