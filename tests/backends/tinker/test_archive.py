"""Archives of checkpoints, packed by friends and by enemies."""

from __future__ import annotations

import gzip
import io
import tarfile
from typing import Any

import pytest

from crucible.backends.tinker.archive import unpack
from crucible.errors import BadResponse

GOOD = {"adapter_config.json": b"{}", "adapter_model.safetensors": b"12345678" * 100}


def pack(files: dict[str, bytes], *more: tarfile.TarInfo, mode: str = "w:gz") -> bytes:
    """Return an archive of these files and entries."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for info in more:
            tar.addfile(info)
    return buffer.getvalue()


def entry(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    """Return an entry that is no file."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("folder", ["", "./", "run_step/"])
def test_an_adapter_is_unpacked(mode: str, folder: str) -> None:
    """Compressed or not, at the top or in one folder."""
    named = {f"{folder}{name}": content for name, content in GOOD.items()}
    folders = [entry(folder.rstrip("/"), tarfile.DIRTYPE)] if folder else []
    assert unpack(pack(named, *folders, mode=mode), limit_bytes=10**6) == GOOD


@pytest.mark.parametrize(
    ("files", "more", "says"),
    [
        ({"../evil": b"x"}, [], "leads out of its folder"),
        ({"/etc/passwd": b"x"}, [], "leads out of its folder"),
        ({"a/../../evil": b"x"}, [], "leads out of its folder"),
        ({"..\\evil": b"x"}, [], "leads out of its folder"),
        ({"a/b/c": b"x"}, [], "too deep"),
        ({".hidden": b"x"}, [], "plain names"),
        ({"manifest.json": b"{}"}, [], "none of them manifest.json"),
        ({"a/x": b"1", "b/y": b"2"}, [], "several folders"),
        ({"x": b"1", "./x": b"2"}, [], "twice"),
        ({}, [entry("link", tarfile.SYMTYPE, "/etc/passwd")], "is a link"),
        ({}, [entry("link", tarfile.LNKTYPE, "adapter_config.json")], "is a link"),
        ({}, [entry("pipe", tarfile.FIFOTYPE)], "is a link, a device or not a plain file"),
        ({}, [entry("disk", tarfile.BLKTYPE)], "is a link, a device or not a plain file"),
        ({}, [entry("../up", tarfile.DIRTYPE)], "leads out of its folder"),
        ({f"f{place}": b"" for place in range(300)}, [], "more than 256 entries"),
    ],
)
def test_a_hostile_archive_is_refused(files: dict[str, bytes], more: list[Any], says: str) -> None:
    """By what is wrong with it; nothing was written anywhere."""
    with pytest.raises(BadResponse, match=says):
        unpack(pack(files, *more), limit_bytes=10**6)


def test_more_than_the_limit_is_refused() -> None:
    """Of all files together, and before a small archive becomes a large memory."""
    with pytest.raises(BadResponse, match="larger than the limit of 801 bytes"):
        unpack(pack(GOOD), limit_bytes=801)
    bomb = pack({"zeros": b"\0" * 10**7})
    assert len(bomb) < 20_000
    with pytest.raises(BadResponse, match="larger than the limit"):
        unpack(bomb, limit_bytes=10**6)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_torn_archive_is_an_error_wherever_it_ends(mode: str) -> None:
    """Never a part of the files."""
    whole = pack(GOOD, mode=mode)
    for length in range(0, len(whole), 97):
        try:
            found = unpack(whole[:length], limit_bytes=10**6)
        except BadResponse:
            continue
        assert mode == "w"  # only zeros behind the end mark are missing
        assert found == GOOD


def test_what_is_no_archive_is_an_error() -> None:
    """Text, an empty body, a compressed something."""
    for content in (b"", b"<html>no</html>", gzip.compress(b"no tar"), b"\x1f\x8b" + b"\0" * 50):
        with pytest.raises(BadResponse, match="torn or no archive"):
            unpack(content, limit_bytes=10**6)


def test_headers_about_headers_are_refused() -> None:
    """The standard library descends into each; three thousand of them are deeper than Python goes."""
    info = tarfile.TarInfo("x")
    info.type = b"x"
    with pytest.raises(BadResponse, match="RecursionError"):
        unpack(info.tobuf(tarfile.USTAR_FORMAT) * 3000 + bytes(1024), limit_bytes=10**7)
