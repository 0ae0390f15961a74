"""The sink `s3`: an object store, or any other place that fsspec writes to, such as `gs://`, `file:///` or `memory://`.

Credentials never stand in a document: they come from where the store's own client looks for them, or from environment
variables that the document names. An object is written once, read back and compared.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field

from crucible.errors import CrucibleError, MissingExtra, StoreError, require
from crucible.ir import atomic_write
from crucible.pipeline import Context
from crucible.report.delivery import Delivery, numbered, stem
from crucible.report.sink import SinkOptions

__all__ = ["ObjectOptions", "ObjectSink"]

_S3 = ("s3", "s3a")
_WITHOUT_FOLDERS = {*_S3, "gs", "gcs", "abfs", "abfss", "az", "adl", "oci", "oss"}


class ObjectOptions(SinkOptions):
    """Options of the sink `s3`."""

    url: str = Field(min_length=1, description="Where to, such as s3://bucket/prefix; each report is an object below.")
    options_env: dict[str, str] | None = Field(
        default=None,
        description="Option of the store's client to the environment variable that holds it, "
        "such as {endpoint_url: MINIO_URL, key: MINIO_KEY, secret: MINIO_SECRET}.",
    )


class ObjectSink:
    """Writes objects `<experiment>-<run>-<name>.<ending>`, none of them ever overwritten."""

    Options: ClassVar[type[SinkOptions]] = ObjectOptions

    def refuse(self, options: ObjectOptions, formats: tuple[str, ...]) -> Iterable[tuple[str, str]]:  # noqa: ARG002  # a sink's
        """Return what is wrong with the URL, packages that are missing, and variables that are not set."""
        if fault := _fault(options.url) or _not_installed(options.url):
            yield "url", fault
        for key, name in (options.options_env or {}).items():
            if name not in os.environ:
                yield f"options_env.{key}", f"the environment variable {name} is not set"

    def place(self, options: ObjectOptions, name: str) -> str | None:
        """Return the object's URL up to the run."""
        return f"{options.url.rstrip('/')}/{stem(name)}"

    def deliver(self, context: Context, delivery: Delivery, options: ObjectOptions) -> Context:
        """Write the object beside whatever is there already; the very same content is not written again.

        Raises:
            StoreError: It cannot be written, or what was read back differs.
            MissingExtra: The URL needs a package that is not installed.
        """
        files, folder = _connect(options)
        name = f"{stem(context.experiment_id) or 'experiment'}-{context.run_id}-{delivery.stem}"
        with _faults(options.url):
            path = _put(files, f"{folder.rstrip('/')}/{name}", delivery)
            url = files.unstrip_protocol(path)
        return context.add_output(delivery.record("s3", url=url, **delivery.digest()))


def _fault(url: str) -> str | None:
    """Return why a URL cannot be used, without showing what may be a password in it."""
    parts = urlsplit(url)
    if not parts.scheme or "://" not in url or "::" in url:
        return "expected one URL such as s3://bucket/prefix"
    if parts.password is not None or (parts.scheme in _S3 and "@" in parts.netloc):
        return (
            "holds a user or a password, and secrets never stand in a document: name environment variables in "
            "`options_env`, or leave it to the store's client"
        )
    return None


def _not_installed(url: str) -> str | None:
    scheme = urlsplit(url).scheme
    try:
        require("fsspec", extra="s3", feature="the sink s3").get_filesystem_class(scheme)
    except ValueError:
        return f'"{scheme}://" is no place that fsspec knows; expected s3://bucket/prefix, or another of its protocols'
    except MissingExtra as error:
        return str(error)
    except ImportError as error:
        return str(_missing(scheme, error))
    return None


def _missing(scheme: str, error: ImportError) -> MissingExtra | StoreError:
    """Return the error for a package that is missing; only that for S3 is in an extra of ours."""
    if scheme in _S3:
        return MissingExtra("s3", feature=f"the sink s3 with {scheme}://")
    return StoreError(f"{scheme}:// cannot be written with what is installed: {error}")


def _connect(options: ObjectOptions) -> tuple[Any, str]:
    fault = _fault(options.url)
    if fault:
        raise StoreError(f"the report's url {fault}")
    client: dict[str, str] = {}
    for key, name in (options.options_env or {}).items():
        if name not in os.environ:
            raise StoreError(f"the environment variable {name} is not set; the sink s3 takes its {key} from there")
        client[key] = os.environ[name]
    core = require("fsspec.core", extra="s3", feature="the sink s3")
    with _faults(options.url):
        try:
            return core.url_to_fs(options.url, **client)
        except ImportError as error:
            raise _missing(urlsplit(options.url).scheme, error) from error


def _put(files: Any, name: str, delivery: Delivery) -> str:
    """Write the object once, and return its path."""
    for candidate in numbered(name):
        path = f"{candidate}.{delivery.extension}"
        is_ours = not _exists(files, path) and _write(files, path, delivery.content)
        kept = files.cat_file(path)
        if kept == delivery.content:
            return path
        if is_ours:
            raise StoreError(
                f"{files.unstrip_protocol(path)}: {len(delivery.content):,} bytes were written, and {len(kept):,} "
                "other bytes were read back; check the store, then resume the run"
            )
    raise AssertionError("numbers do not end")


def _exists(files: Any, path: str) -> bool:
    files.invalidate_cache()
    return bool(files.exists(path))


def _write(files: Any, path: str, content: bytes) -> bool:
    """Write an object that must not be there yet, and tell whether nobody else came first."""
    protocols = {files.protocol} if isinstance(files.protocol, str) else set(files.protocol)
    if "file" in protocols:
        atomic_write(Path(path), content)  # durable, which a plain copy is not
        return True
    try:
        if not protocols & _WITHOUT_FOLDERS:
            files.makedirs(path.rpartition("/")[0], exist_ok=True)
        files.pipe_file(path, content, mode="create")
    except FileExistsError:
        return False
    return True


@contextlib.contextmanager
def _faults(url: str) -> Generator[None]:
    """Turn what the store's client raises into a `StoreError`; every client has errors of its own."""
    try:
        yield
    except CrucibleError:
        raise
    except Exception as error:
        raise StoreError(
            f"{url} cannot be written ({type(error).__name__}: {error}); check that it exists, that you may write "
            "there, and the credentials"
        ) from error
