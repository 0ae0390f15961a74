# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (the SDK is reached through `require`, so that it is optional)
"""From weights on the service to files in the PEFT layout here.

SDK 0.38 exports weights under a path of their own with one signed address a file; SDK 0.24 hands out one archive. Both
end in the same files.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any, Final, cast

from crucible.backends.manifest import ADAPTER_CONFIG, ADAPTER_WEIGHTS, check_names
from crucible.backends.tinker.archive import unpack
from crucible.backends.tinker.connection import Connection
from crucible.backends.tinker.fetching import fetch
from crucible.backends.tinker.settings import BACKEND
from crucible.errors import BackendError, BadResponse, CheckpointError

__all__ = ["adapter_files", "export_weights", "exports_files", "fetch_archive", "fetch_export", "receive_export"]

_LIFETIME_S: Final = 3600
"""How long the service keeps an export that is deleted as soon as it is here: the least that it allows."""


def exports_files(training_client: Any) -> bool:
    """Say whether this SDK exports weights file by file (0.38) or as an archive (0.24)."""
    return hasattr(training_client, "save_weights_external")


def export_weights(training_client: Any, name: str) -> Any:
    """Ask the service to lay out the present weights for a download, and return the SDK's future of their path."""
    if exports_files(training_client):
        return training_client.save_weights_external(name, ttl_seconds=_LIFETIME_S)
    return training_client.save_weights_for_sampler(name)


def receive_export(connection: Connection, training_client: Any, path: str) -> dict[str, bytes]:
    """Return the files of what `export_weights` laid out, and delete it on the service."""
    if not exports_files(training_client):
        return fetch_archive(connection, path)
    try:
        return fetch_export(connection, path)
    finally:
        with contextlib.suppress(BackendError):  # it expires by itself
            rest = connection.rest()
            connection.settle("delete_checkpoint", rest.delete_checkpoint_from_tinker_path(path))


def fetch_export(connection: Connection, path: str) -> dict[str, bytes]:
    """Return the files of an export by name.

    Args:
        connection: The service.
        path: `tinker://<run>/external_weights/<name>`.

    Raises:
        BadResponse: It holds no adapter, or files with names that lead anywhere.
        BackendError: It could not be downloaded.
    """
    answer = connection.settle("download_checkpoint", connection.rest().get_external_weights_urls(path))
    urls: dict[str, str] = dict(answer.urls)
    try:
        check_names(urls, path)
    except CheckpointError as error:
        raise BadResponse(f"the service's export cannot be used: {error}", backend=BACKEND) from error
    room = connection.settings.max_download_bytes
    files: dict[str, bytes] = {}
    for name, url in sorted(urls.items()):
        files[name] = fetch(url, f"{path}/{name}", connection.settings, limit_bytes=room)
        room -= len(files[name])
    return adapter_files(files, path)


def fetch_archive(connection: Connection, path: str) -> dict[str, bytes]:
    """Return the files of a checkpoint that an older service hands out as an archive.

    Args:
        connection: The service.
        path: `tinker://<run>/sampler_weights/<name>`, or SkyRL's `tinker://<run>/<name>`.

    Raises:
        BadResponse: The archive is torn, hostile or holds no adapter.
        BackendError: It could not be downloaded.
    """
    run, _, name = path.removeprefix("tinker://").partition("/")
    rest = connection.rest()
    listed = connection.settle("download_checkpoint", rest.list_checkpoints(run)).checkpoints
    short = name.rpartition("/")[2]
    identity = next(
        (each.checkpoint_id for each in listed if each.tinker_path == path or each.checkpoint_id == short), name
    )
    future = rest.get_checkpoint_archive_url(run, identity)
    url = connection.settle("download_checkpoint", future).url
    limit = connection.settings.max_download_bytes
    archive = fetch(url, path, connection.settings, limit_bytes=limit)
    return adapter_files(unpack(archive, limit_bytes=limit), path)


def adapter_files(files: dict[str, bytes], path: str) -> dict[str, bytes]:
    """Return an adapter's two files out of others.

    Raises:
        BadResponse: One is missing, the configuration is no JSON object, or the weights are torn or no safetensors.
    """
    for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS):
        if name not in files:
            raise BadResponse(
                f"{path} holds no {name}, so it is no adapter in the PEFT layout; "
                f"it holds {', '.join(sorted(files)) or 'nothing'}",
                backend=BACKEND,
            )
    if _json_object(files[ADAPTER_CONFIG]) is None:
        raise BadResponse(f"{path}/{ADAPTER_CONFIG} is no JSON object", backend=BACKEND)
    _check_weights(files[ADAPTER_WEIGHTS], path)
    return {name: files[name] for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS)}


def _check_weights(content: bytes, path: str) -> None:
    """Refuse what is no safetensors file of the size that its header says."""
    start = 8 + int.from_bytes(content[:8], "little")
    header = _json_object(content[8:start]) if start <= len(content) else None
    try:
        entries = [entry for name, entry in (header or {}).items() if name != "__metadata__"]
        is_whole = header is not None and start + max(entry["data_offsets"][1] for entry in entries) == len(content)
    except (ValueError, TypeError, LookupError):  # no tensors, or entries of another form
        is_whole = False
    if not is_whole:
        raise BadResponse(f"{path}/{ADAPTER_WEIGHTS} is torn or no safetensors file", backend=BACKEND)


def _json_object(content: bytes) -> dict[str, Any] | None:
    try:
        found: object = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None
