"""Files at a URL, through fsspec: listed, read, copied in and out, removed; each call has an end."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlsplit

from crucible.backends.manifest import FileEntry
from crucible.errors import CheckpointError, MissingExtra, StoreError, require
from crucible.train.keeping.calls import Progress, run_all
from crucible.train.keeping.remote_file import RemoteFile, changed_at, shown_url

__all__ = ["RemotePlace"]

T = TypeVar("T")
_BLOCK_BYTES: Final = 4 << 20
_PART_BYTES: Final = 8 << 20
_SMALL_BYTES: Final = 64 << 20
_CONNECT_TIMEOUT_S: Final = 5.0
_RETRIES: Final = 3


class RemotePlace:
    """A prefix of a bucket, or a folder of another file system that fsspec knows.

    Args:
        url: Such as `s3://bucket/prefix`.
        timeout_s: Longest time in seconds in which nothing moves.
        options: For fsspec's file system.

    Raises:
        MissingExtra: The package of that kind of URL is not installed.
        StoreError: The URL cannot be understood.
    """

    def __init__(self, url: str, *, timeout_s: float, options: Mapping[str, Any]) -> None:
        self.shown = shown_url(url)
        self._timeout_s = timeout_s
        fsspec = cast("Any", require("fsspec", extra="s3", feature=f"checkpoints at {self.shown}"))
        protocol = urlsplit(url).scheme
        settings: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
        if protocol in ("s3", "s3a"):
            limits = {"connect_timeout": min(_CONNECT_TIMEOUT_S, timeout_s), "read_timeout": timeout_s}
            settings["config_kwargs"] = {**limits, "retries": {"max_attempts": 1}}
        try:
            self._files = fsspec.filesystem(protocol, **{**settings, **options})
            self._root = str(self._files._strip_protocol(url)).rstrip("/")  # noqa: SLF001  # fsspec's own way to a path
        except ImportError as error:
            if protocol in ("s3", "s3a"):
                raise MissingExtra("s3", feature=f"checkpoints at {self.shown}") from error
            raise StoreError(f"{self.shown} needs another package: {error}") from error
        except (ValueError, TypeError) as error:
            raise StoreError(f"{self.shown} is no address of checkpoints: {error}") from error
        if not self._root.strip("/") and protocol != "memory":
            raise StoreError(f"{self.shown} names no bucket; give one, such as s3://bucket/prefix")
        self._is_s3 = protocol in ("s3", "s3a")
        if self._is_s3:
            self._files.retries = _RETRIES  # s3fs's own, with growing waits between them, beside botocore's

    def list_files(self) -> list[RemoteFile]:
        """Return all files of the place.

        Raises:
            StoreError: It cannot be listed.
        """

        def find(_progress: Progress) -> dict[str, dict[str, Any]]:
            self._files.invalidate_cache()
            if not self._is_s3:
                try:
                    return self._files.find(self._root, maxdepth=3, detail=True)
                except FileNotFoundError:
                    return {}
            found = self._files.find(self._root, detail=True)  # one listing, whatever the count of folders
            if not found:
                self._files.call_s3("head_bucket", Bucket=self._root.partition("/")[0])
            return found

        (found,) = self._run([find], "list its checkpoints")
        prefix = f"{self._root}/"
        return [
            RemoteFile(path.removeprefix(prefix), int(info.get("size") or 0), changed_at(info))
            for path, info in sorted(found.items())
            if path.startswith(prefix)
        ]

    def read(self, paths: Sequence[str]) -> list[bytes | None]:
        """Return the contents of small files, None for one that is not there.

        Raises:
            StoreError: One cannot be read.
        """

        def one(path: str) -> Callable[[Progress], bytes | None]:
            def call(_progress: Progress) -> bytes | None:
                try:
                    return cast("bytes", self._files.cat_file(self._path(path), start=0, end=_SMALL_BYTES))
                except FileNotFoundError as error:
                    if "bucket" in str(error).lower():
                        raise
                    return None
                except OSError as error:
                    if error.errno == errno.EINVAL and "range" in str(error).lower():
                        return b""  # S3 has no range of an empty object
                    raise

            return call

        return self._run([one(path) for path in paths], "read")

    def download(self, files: Mapping[str, FileEntry], folder: str, to: Path | None) -> None:
        """Copy files to this machine, several at once, each held against its entry while it comes.

        Args:
            files: What is expected of each, by name.
            folder: Their folder below the place.
            to: An existing folder; None: they are read, and kept nowhere.

        Raises:
            CheckpointError: A file is missing, truncated or altered; it is named.
            StoreError: The place or the disk fails.
        """

        def one(name: str, entry: FileEntry) -> Callable[[Progress], None]:
            return lambda progress: self._download(f"{folder}/{name}", entry, to and to / name, progress)

        self._run([one(name, entry) for name, entry in files.items()], f"fetch {folder}")

    def _download(self, path: str, entry: FileEntry, to: Path | None, progress: Progress) -> None:
        digest, size_bytes, shown = hashlib.sha256(), 0, f"{self.shown}/{path}"
        with _reading(shown):
            source = self._files.open(self._path(path), "rb", cache_type="none")
        with source, Path(to or os.devnull).open("wb") as target:
            while block := _next_block(source, shown):
                progress.moved()
                digest.update(block)
                size_bytes += target.write(block)
                if size_bytes > entry.size_bytes:
                    break
            target.flush()
            if to is not None:
                os.fsync(target.fileno())
        if size_bytes != entry.size_bytes:
            raise CheckpointError(
                f"{shown} is truncated or altered: {size_bytes} bytes came, the manifest says {entry.size_bytes}; "
                "use another checkpoint"
            )
        if digest.hexdigest() != entry.sha256:
            raise CheckpointError(f"{shown} is corrupt: its SHA-256 is not the manifest's; use another checkpoint")

    def upload(self, files: Mapping[str, Path]) -> None:
        """Copy files to the place, several at once.

        Args:
            files: The local file, by its path below the place.

        Raises:
            StoreError: The place fails, or takes another size than the file has.
        """

        def one(path: str, local: Path) -> Callable[[Progress], None]:
            return lambda progress: self._upload(path, local, progress)

        self._run([one(path, local) for path, local in files.items()], "upload")

    def _upload(self, path: str, local: Path, progress: Progress) -> None:
        def moved(_size: int, _value: int, **_about: Any) -> None:
            progress.moved()

        callback = cast("Any", require("fsspec.callbacks", extra="s3")).Callback(hooks={"moved": moved})
        parts: dict[str, Any] = {"chunksize": _PART_BYTES} if self._is_s3 else {}
        if not self._is_s3:
            self._files.makedirs(self._path(path).rpartition("/")[0], exist_ok=True)
        self._files.put_file(str(local), self._path(path), callback=callback, **parts)
        progress.moved()
        size = self._files.info(self._path(path))["size"]
        if size != local.stat().st_size:
            raise StoreError(
                f"{self.shown}/{path} has {size} bytes after the upload of {local.stat().st_size}; try again"
            )

    def write(self, path: str, content: bytes) -> None:
        """Write a small file.

        Raises:
            StoreError: The place fails.
        """

        def call(_progress: Progress) -> None:
            if not self._is_s3:
                self._files.makedirs(self._path(path).rpartition("/")[0], exist_ok=True)
            self._files.pipe_file(self._path(path), content)

        self._run([call], f"write {path}")

    def remove(self, paths: Sequence[str]) -> None:
        """Remove files; one that is not there is no error.

        Raises:
            StoreError: One cannot be removed.
        """

        def one(path: str) -> Callable[[Progress], None]:
            def call(_progress: Progress) -> None:
                try:
                    self._files.rm_file(self._path(path))
                except FileNotFoundError as error:
                    if "bucket" in str(error).lower():
                        raise

            return call

        self._run([one(path) for path in paths], "remove files")

    def _path(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _run(self, calls: Sequence[Callable[[Progress], T]], doing: str) -> list[T]:
        return run_all(calls, where=self.shown, doing=doing, idle_s=self._timeout_s)


def _next_block(source: Any, shown: str) -> bytes:
    with _reading(shown):
        return cast("bytes", source.read(_BLOCK_BYTES))


@contextlib.contextmanager
def _reading(shown: str) -> Generator[None]:
    """Tell a file that is gone, or that somebody changes while it is read, from a place that fails."""
    try:
        yield
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{shown} is missing, so this checkpoint cannot be used; if it is just being replaced, try again, "
            "else use another one"
        ) from error
    except OSError as error:
        if type(error).__name__ != "FileExpired":  # s3fs's, where the object is no longer the one that was opened
            raise
        raise CheckpointError(f"{shown} was changed while it was read; try again") from error
