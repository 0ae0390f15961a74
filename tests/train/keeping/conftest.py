"""Checkpoints of a few bytes, a real S3 server on the loopback, and a line to it that can be cut."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crucible.backends.checkpoint import write_checkpoint
from crucible.train.keeping import CheckpointCache, CheckpointStore, open_checkpoints

Make = Callable[..., Path]
Open = Callable[..., CheckpointStore]


def make_checkpoint(folder: Path, step: int, *, weights: bytes = b"weights", **metrics: float) -> Path:
    """Write a checkpoint of a step below `folder`; its tensors are not real, its form is."""
    about = {"model": "adapter", "base_model": "tiny", "step": step, "metrics": metrics, "data": {"synthetic": True}}
    files = {
        "adapter_config.json": b"{}",
        "adapter_model.safetensors": weights,
        "optimizer.safetensors": b"moments",
        "state.json": json.dumps({"step": step}).encode(),
        "training.json": json.dumps(about).encode(),
    }
    return write_checkpoint(folder / f"step-{step:06d}", files)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """`make(step, **metrics)` writes a checkpoint below `made`."""
    return lambda step, **about: make_checkpoint(tmp_path / "made", step, **about)


@pytest.fixture
def cache(tmp_path: Path) -> CheckpointCache:
    """An empty cache of a megabyte."""
    return CheckpointCache(tmp_path / "cache", 1_000_000)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[tuple[str, int]]:
    """Host and port of an S3 server in this process."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield server.get_host_and_port()
    server.stop()


@pytest.fixture
def s3(s3_server: tuple[str, int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Address of the S3 server, with an empty bucket `kept`; credentials are in the environment."""
    host, port = s3_server
    address = f"http://{host}:{port}"
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    for path, method in (("/moto-api/reset", "POST"), ("/kept", "PUT")):
        with urllib.request.urlopen(urllib.request.Request(address + path, method=method)):
            pass
    return address


@pytest.fixture
def objects(s3: str) -> Any:
    """The objects of the S3 server, as anybody with the credentials can change them."""
    import s3fs

    return s3fs.S3FileSystem(endpoint_url=s3, skip_instance_cache=True, use_listings_cache=False)


@pytest.fixture(params=["folder", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, cache: CheckpointCache) -> CheckpointStore:
    """An empty place of every kind."""
    if request.param == "folder":
        (tmp_path / "kept").mkdir()
        return open_checkpoints(tmp_path / "kept")
    if request.param == "memory":
        import fsspec

        files = fsspec.filesystem("memory")
        if files.exists("/kept"):
            files.rm("/kept", recursive=True)
        return open_checkpoints("memory://kept", cache=cache)
    address = request.getfixturevalue("s3")
    return open_checkpoints("s3://kept/runs", cache=cache, timeout_s=20, options={"endpoint_url": address})


class Line:
    """A relay to a server that is cut after so many bytes of a client, or swallows everything.

    Args:
        host: The server's.
        port: The server's.
        cut_after: Bytes from clients after which every connection is cut and none is taken any more; None: never.
        is_silent: Whether nothing ever comes back.
    """

    def __init__(self, host: str, port: int, *, cut_after: int | None = None, is_silent: bool = False) -> None:
        self._server = (host, port)
        self._left = cut_after
        self._is_silent = is_silent
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(client)
            if self._is_silent:
                continue
            server = socket.create_connection(self._server)
            self._open.append(server)
            threading.Thread(target=self._relay, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._relay, args=(server, client, False), daemon=True).start()

    def _relay(self, source: socket.socket, target: socket.socket, counts: bool) -> None:
        try:
            while block := source.recv(65536):
                if counts and self._spend(len(block)):
                    self.cut()
                    return
                target.sendall(block)
        except OSError:
            pass

    def _spend(self, size: int) -> bool:
        with self._lock:
            if self._left is None:
                return False
            self._left -= size
            return self._left < 0

    def cut(self) -> None:
        """Close everything, as a machine that loses power does."""
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@pytest.fixture
def line(s3: str, s3_server: tuple[str, int]) -> Iterator[Callable[..., Line]]:
    """`line(cut_after=…)` opens a line to the S3 server."""
    lines: list[Line] = []

    def open_line(**how: Any) -> Line:
        lines.append(Line(*s3_server, **how))
        return lines[-1]

    yield open_line
    for each in lines:
        each.cut()
