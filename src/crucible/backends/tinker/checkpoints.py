# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (the SDK is reached through `require`, so that it is optional)
"""Checkpoints that a service keeps: listed, downloaded, deleted; and the note in a local one that names its remote.

A session's local checkpoint holds the adapter in the PEFT layout and `remote.json`: where on the service the
optimiser's state lies, without which training could not go on exactly.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, cast

import msgspec

from crucible.backends.checkpoint import REMOTE, STATE, read_checkpoint, write_checkpoint
from crucible.backends.tinker.connection import Connection
from crucible.backends.tinker.exporting import (
    export_weights,
    fetch_archive,
    fetch_export,
    receive_export,
)
from crucible.backends.tinker.settings import BACKEND
from crucible.errors import BackendError, BadResponse, CheckpointError

__all__ = [
    "RemoteState",
    "TinkerCheckpoint",
    "TinkerCheckpoints",
    "check_path",
    "read_remote",
    "remote_files",
    "remote_name",
]

_PATH: Final = re.compile(r"tinker://[A-Za-z0-9_.:-]+(/[A-Za-z0-9_.-]+){1,2}")
_PAGE: Final = 100


class TinkerCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint that a service keeps.

    Attributes:
        path: Its name on the service, `tinker://…`.
        kind: `training` with the optimiser's state, `sampler` and `external` without.
        created_at: When it was made, ISO 8601.
        size_bytes: Its size; None where the service does not say.
        expires_at: When the service forgets it, ISO 8601; None: never, or not said.
    """

    path: str
    kind: Literal["training", "sampler", "external"]
    created_at: str
    size_bytes: int | None = None
    expires_at: str | None = None


class RemoteState(msgspec.Struct, frozen=True, kw_only=True):
    """What `remote.json` says.

    Attributes:
        path: The training's state on the service.
        base_model: What was adapted.
        rank: Rank of the adapter.
        backend: `tinker`.
    """

    path: str
    base_model: str
    rank: int
    backend: str = BACKEND


class TinkerCheckpoints:
    """The checkpoints of an account.

    Args:
        connection: The service.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, run: str | None = None) -> list[TinkerCheckpoint]:
        """Return the checkpoints of a run, or of all runs, newest first.

        Args:
            run: The training run: what stands in a path between `tinker://` and the next slash.

        Raises:
            BackendError: The service refused or failed.
        """
        rest = self._connection.call("list_checkpoints", lambda _: self._connection.rest())
        if run is not None:
            found = list(self._settle("list_checkpoints", rest.list_checkpoints(run)).checkpoints)
        else:
            found = self._all_pages(rest)
        return sorted(map(_checkpoint, found), key=lambda each: each.created_at, reverse=True)

    def download(self, path: str, local_path: Path) -> Path:
        """Write a checkpoint's adapter to the folder `local_path`, whole or not at all, and return it.

        Args:
            path: `tinker://…`. With SDK 0.38 one of kind `training` or `external`: the service hands out no others.
            local_path: The folder; a checkpoint that is there is replaced, anything else refused.

        Raises:
            BackendError: There is no such checkpoint, or it could not be downloaded.
            BadResponse: It is torn, hostile, larger than `max_download_bytes`, or no adapter.
            StoreError: The disk is full or read-only, or `local_path` holds something else.
        """
        check_path(path)
        call = self._connection.call
        sdk_rest = call("download_checkpoint", lambda _: self._connection.rest())
        if hasattr(sdk_rest, "get_checkpoint_archive_url"):
            files = fetch_archive(self._connection, path)
        elif "/external_weights/" in path:
            files = fetch_export(self._connection, path)
        elif "/sampler_weights/" in path:
            raise BackendError(
                f"{path} is for sampling only, and the service does not hand out such weights; "
                "download the training checkpoint",
                backend=BACKEND,
            )
        else:
            client = call("download_checkpoint", lambda service: service.create_training_client_from_state(path))
            exported = self._settle("download_checkpoint", export_weights(client, remote_name("download"))).path
            files = receive_export(self._connection, client, exported)
        config = cast("dict[str, Any]", json.loads(files["adapter_config.json"]))
        rank = config.get("r", 0)
        if not isinstance(rank, int):
            raise BadResponse(f"{path}/adapter_config.json has the rank {str(rank)[:80]!r}", backend=BACKEND)
        remote = RemoteState(path=path, base_model=str(config.get("base_model_name_or_path")), rank=rank)
        return write_checkpoint(Path(local_path), {**files, **remote_files(remote, step=None, config={})})

    def delete(self, path: str) -> None:
        """Delete a checkpoint on the service; local copies stay.

        Raises:
            BackendError: There is no such checkpoint, or the service refused.
        """
        check_path(path)
        rest = self._connection.call("delete_checkpoint", lambda _: self._connection.rest())
        self._settle("delete_checkpoint", rest.delete_checkpoint_from_tinker_path(path))

    def _all_pages(self, rest: Any) -> list[Any]:
        found: list[Any] = []
        while True:
            page = self._settle("list_checkpoints", rest.list_user_checkpoints(limit=_PAGE, offset=len(found)))
            found += page.checkpoints
            total = None if page.cursor is None else page.cursor.total_count
            if not page.checkpoints or total is None or len(found) >= total:
                return found

    def _settle(self, request: str, pending: Any) -> Any:
        return self._connection.settle(request, pending)


def _checkpoint(found: Any) -> TinkerCheckpoint:
    try:
        check_path(found.tinker_path)
    except BackendError as error:
        raise BadResponse(f"the service lists a checkpoint that cannot be used: {error}", backend=BACKEND) from error
    expires = getattr(found, "expires_at", None)
    return TinkerCheckpoint(
        path=found.tinker_path,
        kind=found.checkpoint_type,
        created_at=found.time.isoformat(),
        size_bytes=getattr(found, "size_bytes", None),
        expires_at=None if expires is None else expires.isoformat(),
    )


def check_path(path: str) -> None:
    """Refuse what is no path on a service, before it becomes part of an address.

    Raises:
        BackendError: It is of another form.
    """
    if not _PATH.fullmatch(path) or ".." in path:
        raise BackendError(
            f"{path[:80]!r} is no path on a Tinker service; expected tinker://<run>/weights/<name>", backend=BACKEND
        )


def remote_name(folder: str) -> str:
    """Return a name for the service that begins as a folder's does and that nothing there has yet."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", folder)[:64].strip("-") or "checkpoint"
    return f"{plain}-{secrets.token_hex(6)}"


def remote_files(remote: RemoteState, *, step: int | None, config: Mapping[str, Any]) -> dict[str, bytes]:
    """Return `remote.json` and `state.json` of a local checkpoint.

    Args:
        remote: Where the training's state lies.
        step: Optimiser steps taken; None where nobody knows.
        config: The session's configuration.
    """
    state = {"step": step, "device_type": BACKEND, "config": dict(config)}
    return {
        REMOTE: json.dumps(msgspec.to_builtins(remote), indent=2, sort_keys=True).encode(),
        STATE: json.dumps(state, indent=2, sort_keys=True).encode(),
    }


def read_remote(folder: Path) -> tuple[RemoteState, int, dict[str, Any]]:
    """Return what a verified local checkpoint says of its remote, the steps taken, and the configuration.

    Raises:
        CheckpointError: It is damaged, or has no state on a service, such as one of the local backend.
    """
    files = read_checkpoint(folder)
    if REMOTE not in files:
        raise CheckpointError(
            f"{folder} has no {REMOTE}: it was not written by the tinker backend, and a service takes no weights "
            "from outside; load it with the local backend"
        )
    try:
        remote = msgspec.json.decode(files[REMOTE], type=RemoteState)
        state: dict[str, Any] = json.loads(files[STATE])
        steps = 0 if state["step"] is None else int(state["step"])
        config: dict[str, Any] = dict(state.get("config") or {})
    except (ValueError, KeyError, TypeError) as error:  # msgspec's errors are ValueErrors
        raise CheckpointError(f"{folder} cannot be read: {type(error).__name__}: {error}") from error
    with contextlib.suppress(BackendError):
        check_path(remote.path)
        return remote, steps, config
    raise CheckpointError(f"{folder}/{REMOTE} names no path on a Tinker service: {remote.path[:80]!r}")
