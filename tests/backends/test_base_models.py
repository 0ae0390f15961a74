"""From a base model's name to its folder: folders, built-in names, the Hub and its absence."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import ClassVar

import huggingface_hub
import pytest

from crucible.backends import base_models, resolve_base_model
from crucible.errors import BackendError

BUILT: list[object] = []


def build(progress: Callable[..., None] | None = None) -> Path:
    """What a package registers for a built-in model."""
    BUILT.append(progress)
    return Path("/built/here")


def test_a_folder_is_itself(base_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Absolute or relative, if it holds a model."""
    assert resolve_base_model(str(base_folder)) == base_folder
    monkeypatch.chdir(base_folder.parent)
    assert resolve_base_model(base_folder.name) == base_folder


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    """It says which file is missing."""
    with pytest.raises(BackendError, match=r"is a folder without config\.json"):
        resolve_base_model(str(tmp_path))


@pytest.mark.parametrize("name", ["/no/such/folder", "./nothing", "~/no-such-model-folder", "a/b/c"])
def test_what_looks_like_a_path_is_not_looked_up_elsewhere(name: str) -> None:
    """A mistyped path never becomes a download."""
    with pytest.raises(BackendError, match="there is no such folder"):
        resolve_base_model(name)


def test_a_built_in_model_is_built_with_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry point's function gets the progress callback and returns the folder."""
    point = EntryPoint(name="own/model", value=f"{__name__}:build", group=base_models.GROUP)
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or sys.modules[build.__module__])
    monkeypatch.setattr(base_models, "entry_points", lambda group: [point] if group == base_models.GROUP else [])
    assert resolve_base_model("own/model", progress=print) == Path("/built/here")
    assert [print] == BUILT
    with pytest.raises(BackendError, match='did you mean "own/model"'):
        resolve_base_model("own/modle")


def test_offline_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub id that is not cached, with the network forbidden, fails at once."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    started = time.monotonic()
    with pytest.raises(
        BackendError,
        match=r"'someone/some-model' is not a folder, not built-in \(.*\), not in the local Hub cache, and there is no "
        r"network to download it \(HF_HUB_OFFLINE is set\)",
    ):
        resolve_base_model("someone/some-model")
    assert time.monotonic() - started < 5


def test_an_impossible_name_is_refused() -> None:
    """Not a path, not built in, and nothing that the Hub could hold."""
    with pytest.raises(BackendError, match="no valid Hub id"):
        resolve_base_model("a model")


def test_a_cached_hub_model_needs_no_network(
    base_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The snapshot in the Hub's cache is used as it is."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    repo = tmp_path / "models--someone--cached"
    snapshot = repo / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(commit)
    for name in ("config.json", "model.safetensors"):
        (snapshot / name).write_bytes((base_folder / name).read_bytes())
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    assert resolve_base_model("someone/cached") == snapshot


class _Hub(http.server.BaseHTTPRequestHandler):
    """A Hub on loopback that knows one model of two files and answers the rest with a fixed status."""

    files: ClassVar = {"config.json": b"{}", "model.safetensors": b"\x00" * 16, "pytorch_model.bin": b"a pickle"}
    bare: ClassVar = {"config.json": b"{}", "pytorch_model.bin": b"a pickle"}
    status = 404

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        commit = "0123456789abcdef0123456789abcdef01234567"
        files = self.bare if "/someone/bare" in path else self.files
        path = path.replace("/someone/bare", "/someone/good")
        if path.startswith("/api/models/someone/good/tree"):
            listing = [
                {"type": "file", "path": name, "size": len(body), "oid": f"{number:040x}"}
                for number, (name, body) in enumerate(files.items())
            ]
            self._send(200, json.dumps(listing).encode(), {"Content-Type": "application/json"})
        elif path.startswith("/api/models/someone/good"):
            siblings = [{"rfilename": name} for name in files]
            body = {"id": "someone/good", "sha": commit, "siblings": siblings, "tags": [], "private": False}
            self._send(200, json.dumps(body).encode(), {"Content-Type": "application/json"})
        elif path.startswith("/someone/good/resolve/"):
            name = path.rpartition("/")[2]
            headers = {"ETag": f'"{name}"', "X-Repo-Commit": commit}
            self._send(200, files[name], headers)
        else:
            code = {404: "RepoNotFound"}.get(self.status, "")
            self._send(self.status, b"", {"X-Error-Code": code} if code else {})

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Silent(http.server.BaseHTTPRequestHandler):
    """Accepts and never answers."""

    def do_GET(self) -> None:
        time.sleep(30)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _serve(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def hub() -> Iterator[str]:
    """A Hub on loopback."""
    yield from _serve(_Hub)


@pytest.fixture
def silent_hub() -> Iterator[str]:
    """A Hub that accepts connections and never answers."""
    yield from _serve(_Silent)


ASK = """
import sys
from crucible.backends import base_models
from crucible.errors import BackendError
base_models._REACH_TIMEOUT_S = 0.5
try:
    print(base_models.resolve_base_model(sys.argv[1]))
except BackendError as error:
    print("BackendError", error)
"""


def _ask(name: str, endpoint: str, cache: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"}}
    environment |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(cache), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    environment |= {"HF_HUB_DISABLE_XET": "1", "no_proxy": "*"}
    done = subprocess.run(
        [sys.executable, "-c", ASK, name], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_model_is_downloaded_without_its_pickles(hub: str, tmp_path: Path) -> None:
    """Configuration and safetensors come, `.bin` files stay where they are."""
    folder = Path(_ask("someone/good", hub, tmp_path))
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_a_model_of_pickles_alone_is_refused(hub: str, tmp_path: Path) -> None:
    """Without safetensors there is nothing to open."""
    assert "'someone/bare' has no safetensors weights on the Hub" in _ask("someone/bare", hub, tmp_path)


def test_a_model_that_the_hub_does_not_have(hub: str, tmp_path: Path) -> None:
    """It says so, and what a private one needs."""
    assert "the Hub has no public model of this name" in _ask("someone/else", hub, tmp_path)


def test_a_hub_that_fails_is_quoted(hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server error is reported as the Hub's answer, at once."""
    monkeypatch.setattr(_Hub, "status", 500)
    assert "the Hub answered" in _ask("someone/else", hub, tmp_path)


def test_a_hub_that_never_answers_is_not_waited_for(silent_hub: str, tmp_path: Path) -> None:
    """One short try, no retries for minutes."""
    started = time.monotonic()
    assert "there is no network to download it (ReadTimeout)" in _ask("someone/else", silent_hub, tmp_path)
    assert time.monotonic() - started < 20


def test_a_hub_out_of_reach(tmp_path: Path) -> None:
    """Nobody listens on the port: no network."""
    assert "there is no network to download it (ConnectError)" in _ask("someone/else", "http://127.0.0.1:9", tmp_path)
