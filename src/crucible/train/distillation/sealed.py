"""Files of what a teacher said, each with what it is of and the digest of its content.

A file is taken only if it is whole and of the very thing that is asked for; anything else is noticed and said, and the
teacher is asked again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from crucible import events
from crucible.errors import StoreError
from crucible.ir import atomic_write

__all__ = ["Shelf"]

_FORMAT: Final = "crucible-teaching/1"


class _Sealed(msgspec.Struct, frozen=True):
    """A file: what it is of, and its content."""

    format: str
    of: dict[str, str]
    sha256: str
    content: bytes


class Shelf:
    """A folder of sealed files.

    Args:
        folder: Where they lie; made when something is put there. None: nothing is kept.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def get(self, of: Mapping[str, str]) -> bytes | None:
        """Return the content that is of this very thing; None where there is none that can be used.

        Args:
            of: What it is of, such as the digests of the teacher and of the data.
        """
        if self._folder is None:
            return None
        path = self._path(of)
        try:
            sealed = msgspec.msgpack.decode(path.read_bytes(), type=_Sealed)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            return self._unusable(path, f"is not whole ({type(error).__name__}: {error})")
        if sealed.format != _FORMAT or sealed.of != dict(of):
            return self._unusable(path, f"is of {sealed.of}, not of {dict(of)}")
        if hashlib.sha256(sealed.content).hexdigest() != sealed.sha256:
            return self._unusable(path, "has another content than was written")
        return sealed.content

    def put(self, of: Mapping[str, str], content: bytes) -> None:
        """Keep a content, whole or not at all.

        Raises:
            StoreError: The folder cannot be written.
        """
        if self._folder is None:
            return
        sealed = _Sealed(_FORMAT, dict(of), hashlib.sha256(content).hexdigest(), content)
        try:
            atomic_write(self._path(of), msgspec.msgpack.encode(sealed))
        except StoreError as error:
            raise StoreError(f"what the teacher said cannot be kept: {error}") from error

    def _path(self, of: Mapping[str, str]) -> Path:
        assert self._folder is not None  # noqa: S101  # both callers looked
        name = hashlib.sha256(msgspec.json.encode(sorted(of.items()))).hexdigest()[:24]
        return self._folder / f"{name}.teaching"

    def _unusable(self, path: Path, why: str) -> None:
        events.decision(
            "asked the teacher again", f"{path} {why}", alternatives=["what was kept"], metadata={"path": str(path)}
        )
