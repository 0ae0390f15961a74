"""Where the service is, with which key, and that nobody sees it."""

from __future__ import annotations

import importlib.util
import logging
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from tests.backends.tinker.fake import FakeTinkerService

from crucible import events
from crucible.backends import Backend, TinkerBackend, get_backend, registry
from crucible.backends.tinker import TinkerSession
from crucible.errors import BackendError, MissingExtra
from crucible.ir import BackendRef, LoraConfig

KEY = "tml-very-secret"


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The backend as its entry point registers it."""
    point = EntryPoint(name="tinker", value="crucible.backends.tinker:TinkerBackend", group=registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == registry.GROUP else [])


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, registered: None) -> None:
    """From the variable that a document names, or from TINKER_API_KEY; a document makes the backend by its name."""
    monkeypatch.setenv("MY_KEY", KEY)
    options = {"api_key_env": "MY_KEY", "base_url": "http://127.0.0.1:9"}
    found = get_backend(BackendRef(id="tinker", options=options))
    assert isinstance(found, TinkerBackend)
    assert isinstance(found, Backend)
    assert KEY not in repr(found) + repr(vars(found))
    monkeypatch.setenv("TINKER_API_KEY", KEY)
    monkeypatch.setenv("TINKER_BASE_URL", "http://127.0.0.1:10")
    assert "127.0.0.1:10" in repr(TinkerBackend())


def test_a_document_cannot_hold_the_key(registered: None) -> None:
    """It would be stored with the run: the option is refused, and the message does not repeat it."""
    with pytest.raises(BackendError, match=r"backend.options of 'tinker'.*api_key") as caught:
        get_backend(BackendRef(id="tinker", options={"api_key": KEY}))
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (None, "no Tinker API key: set the environment variable TINKER_API_KEY"),
        ("secret", "has an unknown form: a key begins with tml-"),
    ],
)
def test_without_a_key_there_is_no_backend(key: str | None, says: str) -> None:
    """The variable to set is named; a key of another form is not repeated."""
    with pytest.raises(BackendError, match=says) as caught:
        TinkerBackend(key)
    assert "secret" not in str(caught.value)


def test_the_variable_that_was_asked_for_is_named() -> None:
    """Not the default one."""
    with pytest.raises(BackendError, match="set the environment variable OTHER_KEY"):
        TinkerBackend(api_key_env="OTHER_KEY")


def test_without_the_sdk_there_is_no_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command that installs it is in the message."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: None)
    with pytest.raises(MissingExtra, match=r"pip install 'crucible-ml\[tinker\]'") as caught:
        TinkerBackend(KEY)
    assert caught.value.extra == "tinker"


@pytest.mark.parametrize(
    "options",
    [
        {"base_url": "localhost:1"},
        {"base_url": "ftp://x/"},
        {"timeout": "600"},
        {"timeout": 0.0},
        {"timeout": float("nan")},
        {"max_retries": -1},
        {"max_retries": float("nan")},
        {"max_retries": 2.5},
        {"max_download_bytes": 1e9},
        {"max_download_bytes": 0},
    ],
)
def test_an_option_out_of_range_is_named(options: dict[str, Any]) -> None:
    """Before anybody is asked anything."""
    with pytest.raises(BackendError, match=f"backend.options of 'tinker': {next(iter(options))}"):
        TinkerBackend(KEY, **options)


def test_making_one_imports_no_sdk_and_asks_nobody() -> None:
    """Neither the SDK nor an HTTP client is imported until a session, a sampler or a list is asked for."""
    code = (
        "import sys; from crucible.backends import TinkerBackend;"
        "TinkerBackend('tml-x', base_url='http://127.0.0.1:9');"
        "assert not {'tinker', 'httpx', 'torch', 'numpy', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_server_is_an_error_with_the_attempts(base_folder: Any, config: LoraConfig) -> None:
    """Nobody listens: two attempts, then the address and the reason; never an answer."""
    backend = TinkerBackend(KEY, base_url="http://127.0.0.1:9", tokenizer=str(base_folder), max_retries=1, window=64)
    with pytest.raises(BackendError, match="127.0.0.1:9 after 2 attempts: ConnectError") as caught:
        backend.start_session(config)
    assert (caught.value.attempts, caught.value.is_retryable, caught.value.backend) == (2, True, "tinker")
    backend.close()


def test_a_key_that_the_service_refuses(service: FakeTinkerService, base_folder: Any, config: LoraConfig) -> None:
    """Said at once; asking again would not help."""
    with (
        TinkerBackend("tml-other", base_url=service.base_url, tokenizer=str(base_folder)) as backend,
        pytest.raises(BackendError, match="does not accept the API key"),
    ):
        backend.start_session(config)


def test_a_model_that_the_service_lacks(backend: TinkerBackend, config: LoraConfig) -> None:
    """In the service's words."""
    with pytest.raises(BackendError, match="no base model no/such-model"):
        backend.start_session(config.model_copy(update={"base_model": "no/such-model"}))


def test_the_key_is_in_no_event_log_or_request_body(
    service: FakeTinkerService, session: TinkerSession, data: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """It travels in one header."""
    caplog.set_level(logging.INFO)
    with events.collect() as collected:
        session.forward_backward(data).result()
    assert "tml-fake" not in repr([(event.name, event.measurements, event.metadata) for event in collected])
    assert "tml-fake" not in caplog.text
    assert all(b"tml-fake" not in request.body for request in service.requests)
    assert {request.headers["x-api-key"] for request in service.requests} == {"tml-fake"}


@pytest.mark.parametrize("allowed", [False, True])
def test_the_sdks_own_telemetry_is_off(
    service: FakeTinkerService, connect: Callable[..., TinkerBackend], config: LoraConfig, allowed: bool
) -> None:
    """Unless asked for: it sends what happened in this process to the service, headers of requests included."""
    with connect(sdk_telemetry=allowed) as backend:
        backend.start_session(config).close()
    assert bool(service.seen("/telemetry")) is allowed


def test_a_project_is_sent(
    service: FakeTinkerService, connect: Callable[..., TinkerBackend], config: LoraConfig
) -> None:
    """With the request that opens the session."""
    connect(project_id="proj-7").start_session(config).close()
    assert b'"project_id":"proj-7"' in service.seen("/create_session")[0].body.replace(b" ", b"")


def test_closing_finishes_the_session_on_the_service(
    service: FakeTinkerService, connect: Callable[..., TinkerBackend], config: LoraConfig
) -> None:
    """Once; a closed backend opens nothing any more."""
    backend = connect()
    backend.start_session(config).close()
    backend.close()
    backend.close()
    assert len(service.engine.finished) == 1
    with pytest.raises(BackendError, match="this tinker backend is closed"):
        backend.start_session(config)


@pytest.mark.parametrize("is_folder", [False, True], ids=["blocked", "a folder of that name"])
def test_without_the_sdk_a_fresh_process_names_the_command(is_folder: bool, tmp_path: Any) -> None:
    """However its absence shows; a folder called tinker, such as one of the user's, is not the SDK."""
    (tmp_path / "tinker").mkdir()
    code = f"""
import sys
from importlib.machinery import ModuleSpec
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] != "tinker":
            return None
        if not {is_folder}:
            raise ModuleNotFoundError(name)
        found = ModuleSpec(name, None, is_package=True)
        found.submodule_search_locations = [{str(tmp_path / "tinker")!r}]
        return found
sys.meta_path.insert(0, Blocker())
from crucible.backends import TinkerBackend
from crucible.errors import MissingExtra
try:
    TinkerBackend("tml-x")
except MissingExtra as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'crucible-ml[tinker]'" in done.stdout


def test_validate_names_what_a_service_cannot_do(registered: None) -> None:
    """A document with the default dropout is refused before anything runs, and without a key."""
    from crucible.train.feasibility import config_problems

    found = dict(config_problems(LoraConfig(base_model="Qwen/Qwen3-8B"), "tinker"))
    assert "Tinker's adapters have no dropout; set dropout: 0" in found["dropout"]
