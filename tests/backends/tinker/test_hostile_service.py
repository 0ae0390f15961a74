"""Services that answer nonsense, hang or break off: a typed error in time, and nothing is taken for a result."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.backends.tinker.fake import FakeTinkerService, Fault
from tests.backends.tinker.fake.wire import encode_samples

from crucible.backends import SamplingParams, TinkerBackend
from crucible.backends.tinker import TinkerSession
from crucible.backends.tinker.fetching import fetch
from crucible.backends.tinker.settings import TinkerSettings
from crucible.errors import BackendError, BadResponse
from crucible.ir import LoraConfig

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SETTINGS = TinkerSettings(api_key="tml-x", timeout_s=1.0, max_retries=0)


def hang(stream: socket.socket, end: threading.Event) -> None:
    """Stop in the middle of a body."""
    stream.sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")
    end.wait(20)


def drip(stream: socket.socket, end: threading.Event) -> None:
    """Send a body that has no end."""
    stream.sendall(HEAD + b"Content-Length: 1000000\r\n\r\n{")
    while not end.wait(0.05):
        stream.sendall(b" ")


def drop(stream: socket.socket, end: threading.Event) -> None:
    """Break off."""
    del stream, end


def fail(stream: socket.socket, end: threading.Event) -> None:
    """Answer 500."""
    del end
    stream.sendall(b"HTTP/1.1 500 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def garble(stream: socket.socket, end: threading.Event) -> None:
    """Send what cannot be decompressed."""
    del end
    stream.sendall(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\nConnection: close\r\n\r\nabcd")


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """`serve(act)`: the address of a server that does `act(stream, end)` on each connection."""
    with contextlib.ExitStack() as stack:

        def make(act: Callable[[socket.socket, threading.Event], None]) -> str:
            end, threads = threading.Event(), []
            listener = socket.create_server(("127.0.0.1", 0))

            def answer(stream: socket.socket) -> None:
                with stream, contextlib.suppress(OSError):
                    stream.recv(65536)
                    act(stream, end)

            def accept() -> None:
                with contextlib.suppress(OSError):
                    while True:
                        threads.append(threading.Thread(target=answer, args=listener.accept()[:1], daemon=True))
                        threads[-1].start()

            def stop() -> None:
                end.set()
                listener.shutdown(socket.SHUT_RDWR)
                listener.close()
                for thread in threads:
                    thread.join(5)

            threading.Thread(target=accept, daemon=True).start()
            stack.callback(stop)
            return f"http://127.0.0.1:{listener.getsockname()[1]}"

        yield make


@pytest.mark.parametrize("act", [hang, drip, drop, fail, None], ids=["hang", "drip", "drop", "500", "nobody"])
def test_the_deadline_holds_whatever_the_server_does(serve: Any, base_folder: Path, act: Any) -> None:
    """With ten retries allowed, each call ends at `timeout`; a session, and a download."""
    url = "http://127.0.0.1:9" if act is None else serve(act)
    backend = TinkerBackend("tml-x", base_url=url, tokenizer=str(base_folder), timeout=1.0, window=64)
    config = LoraConfig(base_model="m", rank=4, dropout=0.0)
    begun = time.monotonic()
    with pytest.raises(BackendError) as caught:
        backend.start_session(config)
    assert time.monotonic() - begun < 2.5
    assert caught.value.is_retryable
    begun = time.monotonic()
    with pytest.raises(BackendError):
        fetch(f"{url}/file", "file", SETTINGS, limit_bytes=10**9)
    assert time.monotonic() - begun < 2.5
    backend.close()


def test_a_closed_backend_answers_no_more(
    backend: TinkerBackend, session: TinkerSession, service: FakeTinkerService, data: Any
) -> None:
    """Samplers and sessions say so at once, and what is under way is not waited for until `timeout`."""
    sampler = session.create_sampler()
    service.faults.add("/retrieve_future", Fault(delay_s=3.0))
    pending = session.forward(data)
    while not service.seen("/retrieve_future"):
        time.sleep(0.01)
    begun = time.monotonic()
    backend.close()
    for call in (lambda: sampler.sample(["a"]), lambda: sampler.logprobs(["ab"]), pending.result):
        with pytest.raises(BackendError, match="this tinker backend is closed"):
            call()
    assert time.monotonic() - begun < 8  # closing itself waits for its connections, 3 s twice at most


@pytest.mark.parametrize(
    ("tokens", "logprobs", "says"),
    [
        ([3, -5], [-1.0, -1.0], "holds the token -5"),
        ([5, 6, 7], [-1.0], "a sample of 3 tokens has 1 logprobs"),
    ],
)
def test_a_sample_that_cannot_be(
    service: FakeTinkerService, backend: TinkerBackend, config: LoraConfig, tokens: Any, logprobs: Any, says: str
) -> None:
    """Refused, and not decoded to something."""
    sampler = backend.create_sampler(config.base_model)
    raw = encode_samples([(tokens, logprobs, "length")], None)
    service.faults.add("/retrieve_future", Fault(status=200, raw=raw))
    with pytest.raises(BadResponse, match=says):
        sampler.sample(["a"], SamplingParams(max_tokens=3))


def test_lost_logprobs_are_asked_for_again(
    service: FakeTinkerService, backend: TinkerBackend, config: LoraConfig
) -> None:
    """410: like samples, they change nothing."""
    sampler = backend.create_sampler(config.base_model)
    expected = sampler.logprobs(["ticket"])
    service.faults.add("/retrieve_future", Fault(status=410, body={"error": "gone"}))
    assert sampler.logprobs(["ticket"]) == expected


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"r": "x"}', b"\xff", b"[" * 100_000])
def test_a_configuration_that_is_none(
    service: FakeTinkerService,
    backend: TinkerBackend,
    session: TinkerSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes,
) -> None:
    """The download is refused, and no folder appears."""
    saved = session.save_checkpoint(tmp_path / "a").result()
    remote = json.loads((saved / "remote.json").read_text())["path"]
    files = {"adapter_config.json": content, "adapter_model.safetensors": (saved / ADAPTER).read_bytes()}
    monkeypatch.setattr(service.engine, "exported", lambda path: files)
    with pytest.raises(BadResponse, match=r"adapter_config.json (is no JSON object|has the rank 'x')"):
        backend.checkpoints.download(remote, tmp_path / "b")
    assert not (tmp_path / "b").exists()


ADAPTER = "adapter_model.safetensors"
HUGE = (2**63).to_bytes(8, "little")


@pytest.mark.parametrize("content", [b"", b"junk", HUGE + b"{}", (2).to_bytes(8, "little") + b"{}", None])
def test_weights_that_are_none(
    service: FakeTinkerService, session: TinkerSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: Any
) -> None:
    """Junk, a header beyond the file, no tensors, or a file that is one byte short: the checkpoint is not written."""
    if content is None:
        content = (session.save_checkpoint(tmp_path / "a").result() / ADAPTER).read_bytes()[:-1]
    monkeypatch.setattr(service.engine, "exported", lambda path: {"adapter_config.json": b"{}", ADAPTER: content})
    with pytest.raises(BadResponse, match="torn or no safetensors file"):
        session.save_checkpoint(tmp_path / "b").result()
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("url", ["file:///etc/passwd", "https://\x00"])
def test_an_address_that_is_none(url: str) -> None:
    """A typed error, whatever the HTTP library thinks of it."""
    with pytest.raises(BadResponse, match="no web address"):
        fetch(url, "file", SETTINGS, limit_bytes=10)


def test_a_download_that_cannot_be_decompressed(serve: Any) -> None:
    """As one that is torn."""
    with pytest.raises(BackendError, match="could not be downloaded whole.*DecodingError") as caught:
        fetch(serve(garble), "file", SETTINGS, limit_bytes=10)
    assert isinstance(caught.value.__cause__, httpx.DecodingError)


def test_a_deletion_whose_answer_was_lost_is_one(
    service: FakeTinkerService, backend: TinkerBackend, session: TinkerSession, tmp_path: Path
) -> None:
    """The second attempt finds nothing any more, which is what was asked for."""
    saved = session.save_checkpoint(tmp_path / "a").result()
    remote = json.loads((saved / "remote.json").read_text())["path"]
    service.faults.add(remote.rpartition("/")[2], Fault(status=502, after=True))
    backend.checkpoints.delete(remote)
    with pytest.raises(BackendError, match="no checkpoint"):
        backend.checkpoints.delete(remote)
