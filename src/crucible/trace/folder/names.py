"""File names for chain ids: every id has one, none leads out of the folder, and no two meet on any file system.

Lower-case letters, digits, `-`, `_` and inner dots stand for themselves, which is every id that this library or the
predecessor makes. All else is percent-encoded, capitals too, since some file systems hold `A` and `a` equal. An id too
long for a name gets `%%` and its SHA-256.
"""

from __future__ import annotations

import hashlib
import re

__all__ = ["SUFFIX", "file_name", "is_plain"]

SUFFIX = ".json"
_LIMIT_BYTES = 200  # file systems take 255; temporary names need some too
_UNSAFE = re.compile(rb"[^a-z0-9._-]")
_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,190}", re.ASCII)
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(10)}
)


def file_name(chain_id: str) -> str:
    """Return the name of a chain's file."""
    raw = chain_id.encode("utf-8", "surrogatepass")
    name = _UNSAFE.sub(lambda byte: b"%%%02X" % byte[0][0], raw).decode()
    if not name:
        name = "%"  # else two digits always follow it
    elif name.startswith(".") or name.partition(".")[0] in _RESERVED:
        name = f"%{ord(name[0]):02X}{name[1:]}"
    if len(name) > _LIMIT_BYTES:
        name = f"%%{hashlib.sha256(raw).hexdigest()}"
    return name + SUFFIX


def is_plain(chain_id: str) -> bool:
    """Return whether an id could be a file's name as it stands, as another writer may have taken it."""
    return _PLAIN.fullmatch(chain_id) is not None and chain_id.partition(".")[0].lower() not in _RESERVED
