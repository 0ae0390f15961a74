"""Members of a zip file that somebody else made: read into memory one at a time, bounded, never written to disk."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

from crucible.errors import MissingExtra, StoreError

__all__ = ["LARGEST_BYTES", "ZipMembers"]

LARGEST_BYTES = 512 << 20
"""That a member may have once it is unpacked, whatever it claims."""

_MOST_MEMBERS = 2_000_000
_ZSTANDARD = 93  # which zipfile knows from Python 3.14 on
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_ENCRYPTED = 0x1
_BLOCK = 1 << 20


class ZipMembers:
    """The members of a zip file, by name; a context manager.

    Args:
        path: The file.

    Raises:
        StoreError: It cannot be read or is no zip file, such as one that was cut off.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error.strerror or error}") from error
        try:
            self._zip = zipfile.ZipFile(self._file)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
            self._file.close()
            raise StoreError(f"{path} is no whole zip file ({error}): it may have been cut off") from error
        if len(self._zip.NameToInfo) > _MOST_MEMBERS:
            self._file.close()
            raise StoreError(f"{path} claims {len(self._zip.NameToInfo)} members, more than {_MOST_MEMBERS}")

    def __enter__(self) -> ZipMembers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()
        self._file.close()

    @property
    def names(self) -> Mapping[str, zipfile.ZipInfo]:
        """Names of the members, in the order of the file; the last of those that share one."""
        return MappingProxyType(self._zip.NameToInfo)

    def read(self, name: str) -> bytes:
        """Return a member, unpacked.

        Raises:
            StoreError: It is not there, is damaged, encrypted, too large, or packed in a way that nobody here knows.
            MissingExtra: It is packed with Zstandard, and the package for it is not installed.
        """
        info = self.names.get(name)
        if info is None:
            raise StoreError(f"{self.path} has no {name!r}")
        if info.flag_bits & _ENCRYPTED:
            raise StoreError(f"{self.path}: {name!r} is encrypted")
        if info.file_size > LARGEST_BYTES:
            raise StoreError(
                f"{self.path}: {name!r} unpacks to {info.file_size >> 20} MiB, more than {LARGEST_BYTES >> 20} MiB"
            )
        try:
            unpacked = self._zstandard(info) if info.compress_type == _ZSTANDARD else self._plain(info)
        except (
            zipfile.BadZipFile,
            OSError,
            EOFError,
            ValueError,
            NotImplementedError,
            zlib.error,
            struct.error,
        ) as error:
            raise StoreError(f"{self.path}: {name!r} cannot be unpacked: {error}") from error
        if len(unpacked) != info.file_size or zlib.crc32(unpacked) != info.CRC:
            raise StoreError(f"{self.path}: {name!r} is damaged: it is not what the file says it should be")
        return unpacked

    def _plain(self, info: zipfile.ZipInfo) -> bytes:
        with self._zip.open(info) as member:
            return member.read(info.file_size)

    def _zstandard(self, info: zipfile.ZipInfo) -> bytes:
        try:
            import zstandard
        except ModuleNotFoundError as error:
            raise MissingExtra("stats", feature="reading a log that is packed with Zstandard") from error
        self._file.seek(info.header_offset)
        signature, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(self._file.read(_LOCAL_HEADER.size))
        if signature != b"PK\x03\x04":
            raise ValueError("its header is not where the file says")
        self._file.seek(info.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes)
        packed = self._file.read(info.compress_size)
        reader: Any = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)
        found = bytearray()
        try:
            while len(found) <= info.file_size and (block := reader.read(_BLOCK)):
                found += block
        except zstandard.ZstdError as error:
            raise ValueError(str(error)) from error
        return bytes(found)
