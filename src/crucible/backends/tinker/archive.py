"""Opening an archive of a checkpoint that came over the network, as if an enemy had packed it.

Nothing is written while it is read: the result is content by plain file name. Links, devices, paths that lead anywhere
and sizes beyond the limit are refused by name, and an archive that ends early is an error.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zlib
from pathlib import PurePosixPath
from typing import Final

from crucible.backends.manifest import check_names
from crucible.backends.tinker.settings import BACKEND
from crucible.errors import BadResponse, CheckpointError

__all__ = ["unpack"]

_MOST_FILES: Final = 256
_OVERHEAD_BYTES: Final = _MOST_FILES * 2048 + 2**16  # headers and padding of a tar
_END: Final = bytes(1024)  # two blocks of zeros end a tar
_FAULTS: Final = (
    tarfile.TarError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    OSError,
    ValueError,
    ArithmeticError,
    LookupError,
    RecursionError,  # tarfile descends into each of a thousand headers about headers
)


def unpack(archive: bytes, *, limit_bytes: int) -> dict[str, bytes]:
    """Return the files of a tar archive, compressed or not, by name.

    All files lie at the top or in one folder of it.

    Args:
        archive: Its bytes.
        limit_bytes: Most bytes of all files together.

    Raises:
        BadResponse: It is torn, no archive, too large, or holds anything but plain files with plain names.
    """
    files: dict[str, bytes] = {}
    folders: set[str] = set()
    room = limit_bytes
    try:
        plain = _decompressed(archive, limit_bytes)
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as tar:
            for number, member in enumerate(tar):
                if number >= _MOST_FILES:
                    raise _refused(f"holds more than {_MOST_FILES} entries")
                if member.isdir():
                    _parts(member.name)
                    continue
                folder, name = _place(member)
                folders.add(folder)
                if name in files or len(folders) > 1:
                    raise _refused(f"holds {name!r} twice, or files of several folders")
                if member.size > room:
                    raise _refused(f"is larger than the limit of {limit_bytes} bytes with {name!r}")
                files[name] = _content(tar, member)
                room -= len(files[name])
    except _FAULTS as error:
        if isinstance(error, BadResponse):
            raise
        raise _refused(f"is torn or no archive: {type(error).__name__}: {error}") from error
    try:
        check_names(files, "the archive")
    except CheckpointError as error:
        raise _refused(f"cannot be used: {error}") from error
    return files


def _decompressed(archive: bytes, limit_bytes: int) -> bytes:
    """Return the whole tar; reading it to its end checks that none is missing."""
    openers = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
    most = limit_bytes + _OVERHEAD_BYTES
    opener = openers.get(archive[:2])
    if opener is not None:
        with opener(io.BytesIO(archive)) as file:
            archive = file.read(most + 1)
    if len(archive) > most:
        raise _refused(f"is larger than the limit of {limit_bytes} bytes")
    if not archive.endswith(_END):
        raise _refused("is torn or no archive: it has no end mark")
    return archive


def _place(member: tarfile.TarInfo) -> tuple[str, str]:
    """Return folder and name of a plain file."""
    if not member.isfile() or member.issparse():
        raise _refused(f"holds {member.name[:80]!r}, which is a link, a device or not a plain file")
    parts = _parts(member.name)
    if len(parts) not in (1, 2):
        raise _refused(f"holds {member.name[:80]!r}, which is too deep")
    return "/".join(parts[:-1]), parts[-1]


def _parts(name: str) -> tuple[str, ...]:
    path = PurePosixPath(name)
    parts = tuple(part for part in path.parts if part != ".")
    if path.is_absolute() or ".." in parts or "\\" in name or (not parts and name.strip("./")):
        raise _refused(f"holds {name[:80]!r}, which leads out of its folder")
    return parts


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    content = b"" if file is None else file.read(member.size + 1)
    if len(content) != member.size:
        raise _refused(f"is torn: {member.name!r} has {len(content)} of {member.size} bytes")
    return content


def _refused(reason: str) -> BadResponse:
    return BadResponse(f"the checkpoint's archive {reason}; nothing of it was kept", backend=BACKEND)
