# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (the SDK is reached through `require`, so that it is optional)
"""Checkpoints of a session as requests: the state stays on the service, the adapter comes here."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from crucible.backends.checkpoint import write_checkpoint
from crucible.backends.session_events import SessionEvents
from crucible.backends.tinker.adapting import layer_groups
from crucible.backends.tinker.checkpoints import RemoteState, read_remote, remote_files, remote_name
from crucible.backends.tinker.connection import Connection
from crucible.backends.tinker.exporting import export_weights, receive_export
from crucible.backends.tinker.pipeline import Request
from crucible.backends.tinker.remote_adapter import RemoteAdapter
from crucible.errors import CheckpointError
from crucible.ir import LoraConfig

__all__ = ["Saving"]


class Saving:
    """Makes the requests of one session that save and load.

    Args:
        connection: The service.
        adapter: What is saved, and loaded into.
        events: Of the session.
        config: The adapter's configuration.
    """

    def __init__(
        self, connection: Connection, adapter: RemoteAdapter, events: SessionEvents, config: LoraConfig
    ) -> None:
        self._connection = connection
        self._adapter = adapter
        self._events = events
        self._config = config

    def save(self, folder: Path) -> Request[Path]:
        """Return the request that keeps the state on the service and downloads the adapter to a folder."""
        name = remote_name(folder.name)

        def send() -> Any:
            client = self._adapter.client
            return client, client.save_state(name), export_weights(client, name)

        def receive(sent: Any) -> Path:
            started = time.monotonic_ns()
            client, state, export = sent
            where = self._connection.settle("save_checkpoint", state).path
            exported = self._connection.settle("save_checkpoint", export).path
            files = receive_export(self._connection, client, exported)
            remote = RemoteState(path=where, base_model=self._config.base_model, rank=self._config.rank)
            step = self._adapter.steps
            more = remote_files(remote, step=step, config=self._config.model_dump(mode="json"))
            write_checkpoint(folder, {**files, **more})
            self._events.checkpoint_saved(folder, step=step, duration_ns=time.monotonic_ns() - started)
            return folder

        return Request("save_checkpoint", send, receive)

    def load(self, folder: Path) -> Request[Path]:
        """Return the request that goes on from the state that a folder names."""

        def send() -> tuple[int, int]:
            started = time.monotonic_ns()
            remote, step, config = read_remote(folder)
            self._check_fit(folder, remote, config)
            self._adapter.send_load(remote.path)
            return step, time.monotonic_ns() - started

        def receive(sent: tuple[int, int]) -> Path:
            step, duration_ns = sent
            self._adapter.receive_load(step)
            self._events.checkpoint_loaded(folder, step=step, duration_ns=duration_ns)
            return folder

        return Request("load_checkpoint", send, receive, waits=True)  # the folder may be one that is being saved

    def _check_fit(self, folder: Path, remote: RemoteState, config: dict[str, Any]) -> None:
        if remote.base_model != self._config.base_model:
            raise CheckpointError(
                f"{folder} is of another model: it adapts {remote.base_model}, this session {self._config.base_model}"
            )
        if remote.rank != self._config.rank:
            raise CheckpointError(f"{folder} has another rank: {remote.rank}, this session's is {self._config.rank}")
        modules = config.get("target_modules", self._config.target_modules)  # not said of a downloaded one
        saved = self._config.model_copy(update={"target_modules": modules})
        if layer_groups(saved) != layer_groups(self._config):
            raise CheckpointError(f"{folder} adapts other layers than this session, which its target_modules name")
