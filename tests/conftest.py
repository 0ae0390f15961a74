"""What every test can count on: no network, one thread a library, no settings of the user's, real parts by fixture."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crucible import events

# Before anything imports torch or transformers; subprocesses inherit it.
os.environ.update({"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"})
os.environ.update({"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"})
# What a user may have set must not steer a test, nor a terminal's width and colours what a command prints.
for _name in ("CRUCIBLE_STORE", "CRUCIBLE_CACHE", "FORCE_COLOR", "CLICOLOR_FORCE"):
    os.environ.pop(_name, None)
os.environ.update({"NO_COLOR": "1", "COLUMNS": "120"})

# A shell starts what it puts in the background with Ctrl-C ignored, and every process below inherits that: the tests of
# Ctrl-C would find a command line that cannot be interrupted.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_refused: list[str] = []


class NetworkRefused(ConnectionRefusedError):
    """A test reached for another machine."""


def _is_here(address: object) -> bool:
    """Tell whether a socket address is on this machine: a unix socket, or loopback."""
    if not isinstance(address, tuple):
        return True  # AF_UNIX paths are text or bytes; AF_NETLINK does not leave the kernel
    host = address[0]
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    return host in (None, "", "localhost", "::1", "0.0.0.0", "::") or str(host).startswith("127.")


def _guard(event: str, args: tuple[object, ...]) -> None:
    if not event.startswith("socket."):
        return
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = args[1]
    elif event == "socket.getaddrinfo":
        address = (args[0],)
    else:
        return
    if not _is_here(address):
        _refused.append(f"{event} {address}")
        raise NetworkRefused(f"tests have no network: {event} {address}")


sys.addaudithook(_guard)


@pytest.fixture(autouse=True)
def refused() -> Iterator[list[str]]:
    """Fail a test that reached for the network, even where the code under test swallowed the refusal.

    A test that means to try clears the list.
    """
    _refused.clear()
    yield _refused
    assert not _refused, f"reached for the network: {_refused}"


@pytest.fixture(scope="session", autouse=True)
def crucible_cache(request: pytest.FixtureRequest) -> Iterator[Path]:
    """Keep built base models in pytest's cache, one folder for all workers and for the next run."""
    cache = request.config.cache
    assert cache is not None
    folder = cache.mkdir("crucible-bases")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRUCIBLE_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of Debian's chromium; skip where it is absent, but fail where CRUCIBLE_REQUIRE_BROWSER is set."""
    path = shutil.which("chromium")
    if path is None:
        if os.environ.get("CRUCIBLE_REQUIRE_BROWSER"):
            pytest.fail("CRUCIBLE_REQUIRE_BROWSER is set and there is no chromium on the PATH")
        pytest.skip("no chromium on the PATH: apt-get install chromium")
    return path


@pytest.fixture
def follow_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Return what runs a page of `docs` as a reader would, in an empty folder.

    Its Python blocks run in order in one namespace; the text block after one must be what it printed. The number of
    text blocks comes back.
    """

    def follow(page: str, names: dict[str, Any] | None = None) -> int:
        monkeypatch.chdir(tmp_path)
        text = (Path(__file__).parents[1] / "docs" / page).read_text(encoding="utf-8")
        names = {"__name__": "page"} if names is None else names
        printed, checked = "", 0
        for language, block in re.findall(r"^```(python|text)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            if language == "text":
                shown = [line.rstrip() for line in block.splitlines()]
                assert [line.rstrip() for line in printed.rstrip().splitlines()] == shown, f"after {printed!r}"
                checked += 1
                continue
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(block, page, "exec", dont_inherit=True), names)
            printed = out.getvalue()
        return checked

    return follow


@pytest.fixture(autouse=True)
def quiet_bus() -> Iterator[None]:
    """Leave no handler, and no count of a handler's errors, to the next test: the bus is one for the whole process."""
    yield
    for handler_id in {*events.attached(), *events.handler_errors()}:
        events.attach(handler_id, "*", lambda _event: None)  # forgets its errors
        events.detach(handler_id)


@pytest.fixture(scope="session")
def base(crucible_cache: Path) -> Path:
    """A base model of 30 pre-training steps, built by the product's own builder."""
    from crucible.train.tiny_base import TinyBaseRecipe, build

    recipe = TinyBaseRecipe(
        steps=30,
        batch_size=4,
        warmup_steps=2,
        vocab_size=320,
        hidden_size=32,
        intermediate_size=64,
        layers=2,
        heads=2,
        window=256,
        tokenizer_texts=60,
    )
    return build(recipe=recipe, cache=crucible_cache)
