"""Opening a store: where it lies, and every way in which it cannot be opened, each with one clear sentence."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from crucible.errors import StoreError
from crucible.pipeline import RunInfo
from crucible.store import open_store
from crucible.store import schema as schema_room


def one_paragraph(error: pytest.ExceptionInfo[StoreError]) -> str:
    """Return the message, which is one paragraph."""
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 600
    return text


def test_a_store_is_a_folder_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing given, nothing set: `.crucible`, and it stays there when the program goes elsewhere."""
    monkeypatch.chdir(tmp_path)
    with open_store() as store:
        assert store.location == ".crucible"
        assert store.artifacts_dir == tmp_path / ".crucible" / "artifacts"
        monkeypatch.chdir("/")
        store.runs.run_started(RunInfo("r", "e", {}))
    assert (tmp_path / ".crucible" / "crucible.db").exists()
    with open_store(tmp_path / ".crucible", create=False) as store:
        assert store.runs.run("r").run_id == "r"


def test_the_environment_names_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CRUCIBLE_STORE is used where nothing is given; an argument wins over it."""
    monkeypatch.setenv("CRUCIBLE_STORE", str(tmp_path / "a" / "deep"))
    with open_store() as store:
        assert store.location == str(tmp_path / "a" / "deep")
    with open_store(str(tmp_path / "b")) as store:
        assert store.location == str(tmp_path / "b")


def test_a_folder_with_odd_characters_will_do(tmp_path: Path) -> None:
    """Percent signs, blanks, question marks and umlauts in a path mean nothing special."""
    with open_store(tmp_path / "50% of ä?b#c") as store:
        assert store.runs.list() == []


def test_a_workspace_is_a_folder_below_the_artifacts(tmp_path: Path) -> None:
    """It is made when asked for; an id that would lead elsewhere is refused."""
    with open_store(tmp_path) as store:
        assert store.workspace("r1") == tmp_path / "artifacts" / "r1"
        assert store.workspace("r1").is_dir()
        for bad in ("", ".", "..", "../x", "a/b", "/etc"):
            with pytest.raises(StoreError, match="cannot be a run id"):
                store.workspace(bad)


def test_no_store_is_made_for_somebody_who_only_looks(tmp_path: Path) -> None:
    """The message says what to do."""
    with pytest.raises(StoreError, match=r"there is no store at .*none; run an experiment first") as error:
        open_store(tmp_path / "none", create=False)
    one_paragraph(error)
    assert not (tmp_path / "none").exists()


def test_a_second_opening_does_not_load_alembic(tmp_path: Path) -> None:
    """The version is looked at cheaply."""
    open_store(tmp_path / "s").close()
    script = (
        "import sys; from crucible.store import open_store; open_store(sys.argv[1]).close(); "
        "sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path / "s")], check=False).returncode == 0


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    """Whether it is the folder itself, one above it, or the artifacts."""
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(StoreError, match="file is a file, and a store is a folder") as error:
        open_store(file)
    one_paragraph(error)
    with pytest.raises(StoreError, match=r"below: cannot open the store: .* choose another") as error:
        open_store(file / "below")
    one_paragraph(error)
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "artifacts").write_text("x")
    with pytest.raises(StoreError, match="something else is in its place"):
        open_store(tmp_path / "s")
    (tmp_path / "t" / "crucible.db").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"crucible\.db: cannot open the store: unable to open"):
        open_store(tmp_path / "t")


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    """It is not overwritten."""
    (tmp_path / "crucible.db").write_text("hello " * 1000)
    with pytest.raises(
        StoreError, match=r"crucible\.db: cannot open the store: file is not a database; .*damaged"
    ) as e:
        open_store(tmp_path)
    one_paragraph(e)
    assert (tmp_path / "crucible.db").read_text().startswith("hello")


def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    """Damage behind the first page shows when the rows are read, and is an error then."""
    with open_store(tmp_path) as store:
        for number in range(200):
            store.runs.run_started(RunInfo(f"r{number}", "e", {"x": "y" * 50}))
    file = tmp_path / "crucible.db"
    content = bytearray(file.read_bytes())
    content[4096 * 2 :] = os.urandom(len(content) - 4096 * 2)
    file.write_bytes(content)
    with (
        pytest.raises(StoreError, match=r"crucible\.db: cannot .*; the file is damaged") as error,
        open_store(tmp_path) as store,
    ):
        store.runs.list()
    one_paragraph(error)


def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    """Its tables are named."""
    connection = sqlite3.connect(tmp_path / "crucible.db")
    connection.execute("CREATE TABLE guests (name TEXT)")
    connection.close()
    with pytest.raises(StoreError, match=r"database of something else \(it holds guests") as error:
        open_store(tmp_path)
    one_paragraph(error)


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    """What a process that died while opening leaves behind is no obstacle."""
    (tmp_path / "crucible.db").touch()
    with open_store(tmp_path) as store:
        assert store.runs.list() == []


def test_a_file_system_without_wal_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Network folders cannot share memory, so SQLite stays with its old journal there; the message says so."""
    real = schema_room.Database

    class Stubborn(sqlite3.Connection):
        """Answers as SQLite does on such a file system."""

        def cursor(self, *arguments: object, **fields: object) -> sqlite3.Cursor:
            cursor = super().cursor()
            return _Deaf(self) if cursor else cursor

    class _Deaf(sqlite3.Cursor):
        def execute(self, statement: str, *arguments: object) -> sqlite3.Cursor:
            return super().execute(statement.replace("=WAL", "=DELETE"), *arguments)  # type: ignore[arg-type]

    from sqlalchemy import create_engine

    engine = create_engine(f"sqlite:///{tmp_path}/x.db", connect_args={"factory": Stubborn})
    database = real(engine, "x.db")
    with pytest.raises(StoreError, match=r"x\.db: the file system does not support SQLite's write-ahead log"):
        schema_room.use_wal(database)
    database.close()


RESTRICTED = """
import os, sys
import alembic.command, alembic.autogenerate, logging.config
from crucible.errors import StoreError
from crucible.pipeline import RunInfo
from crucible.store import open_store
folder, action = sys.argv[1:]
try:
    if action == "create":
        if os.geteuid() == 0:
            os.seteuid(65534)
        open_store(folder)
    else:
        store = open_store(folder)
        store.close()
        if os.geteuid() == 0:
            os.seteuid(65534)
        store = open_store(folder)
        store.runs.run_started(RunInfo("r", "e", {}))
    print("no error")
except StoreError as error:
    print(error)
"""


@pytest.fixture
def outside() -> Path:  # type: ignore[misc]
    """A folder that other users may look into, unlike pytest's own."""
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="crucible-ro-"))
    folder.chmod(0o755)
    yield folder  # type: ignore[misc]
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_read_only_folder_is_named(outside: Path) -> None:
    """A store that cannot be made says where, why, and what to do."""
    outside.chmod(0o555)
    command = [sys.executable, "-c", RESTRICTED, str(outside / "store"), "create"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"{outside / 'store'}: cannot open the store: Permission denied; choose a folder" in said
    assert said.count("\n") == 1


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_store_that_became_read_only_is_named(outside: Path) -> None:
    """A run is not started that could not be kept."""
    with open_store(outside / "store"):
        pass
    for path in (outside / "store").rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    (outside / "store").chmod(0o555)
    command = [sys.executable, "-c", RESTRICTED, str(outside / "store"), "write"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "crucible.db: cannot " in said
    assert "may write to" in said
    assert said.count("\n") == 1


FULL = """
import resource, sys
import alembic.command
from crucible.errors import StoreError
from crucible.pipeline import RunInfo
from crucible.store import open_store
folder, limit, when = sys.argv[1], int(sys.argv[2]), sys.argv[3]
try:
    if when == "later":
        store = open_store(folder)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    if when == "first":
        store = open_store(folder)
    for number in range(1000):
        store.runs.run_started(RunInfo(f"r{number}", "e", {"number": number, "text": "x" * 1000}))
        done = number
    print("no error")
except StoreError as error:
    print(error)
if when == "later":
    print(done, len(store.runs.list()))
"""


@pytest.mark.skipif(os.name != "posix", reason="resource limits of POSIX")
@pytest.mark.parametrize(("limit", "when"), [(20_000, "first"), (1_000_000, "later")])
def test_a_full_disk_is_an_error_that_says_so(tmp_path: Path, limit: int, when: str) -> None:
    """Whether the tables or the hundredth run do not fit; what was kept before can still be read."""
    command = [sys.executable, "-c", FULL, str(tmp_path / "store"), str(limit), when]
    # Where coverage is measured, the process could not write that file either.
    plain = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=plain).stdout.splitlines()
    assert "crucible.db: cannot " in said[0]
    assert "the disk is full or refuses to grow the file; free space" in said[0]
    if when == "later":
        last, kept = map(int, said[1].split())
        assert kept == last + 1 > 10


def test_a_url_of_another_kind_is_refused() -> None:
    """What is accepted is said."""
    for url in ("mysql://u:secret@h/d", "sqlite:///x.db", "s3://bucket/x"):
        with pytest.raises(StoreError, match=r"cannot live at .* expected a folder, or postgresql://") as error:
            open_store(url)
        assert "secret" not in one_paragraph(error)
    with pytest.raises(StoreError, match="URL cannot be read; expected a folder"):
        open_store("://")


def test_a_server_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    """The message says which server, and what to check."""
    pytest.importorskip("psycopg")
    with pytest.raises(StoreError, match=r"postgresql://me:\*\*\*@/d\?host=.*: cannot open the store: ") as error:
        open_store(f"postgresql://me:secret@/d?host={tmp_path}")
    assert "secret" not in one_paragraph(error)
    assert "check the URL in CRUCIBLE_STORE and that the server runs" in str(error.value)


def test_a_database_that_is_not_there_is_named(postgres: object) -> None:
    """The message says to create it."""
    with pytest.raises(StoreError, match='database "nowhere" does not exist'):
        open_store(f"postgresql://postgres@/nowhere?host={postgres.folder}")  # type: ignore[attr-defined]


def test_files_of_a_server_store_stay_in_the_working_directory(
    postgres: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows go to the server; files lie in `.crucible/artifacts`; a file in the way is named."""
    monkeypatch.chdir(tmp_path)
    url = postgres.database()  # type: ignore[attr-defined]
    with open_store(url) as store:
        assert unquote(store.location) == url
        assert store.artifacts_dir == tmp_path / ".crucible" / "artifacts"
    shutil.rmtree(tmp_path / ".crucible")
    (tmp_path / ".crucible").write_text("x")
    with pytest.raises(StoreError, match="cannot make the folder of the artifacts"):
        open_store(url)
