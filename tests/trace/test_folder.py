"""A folder of chains, one JSON file each."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote_to_bytes

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.errors import SpecError, StoreError
from crucible.trace import Chain, Event
from crucible.trace.folder import ChainFolder
from crucible.trace.folder.names import file_name

DATA = Path(__file__).parent / "data"
START = datetime(2026, 1, 1, tzinfo=UTC)
HOSTILE = [
    "../escape",
    "..",
    ".",
    "",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "nul\0byte",
    "con",
    "NUL",
    "lpt1.txt",
    "archive",
    ".hidden",
    "trailing.",
    "trailing ",
    "a%41",
    "%",
    "%%",
    "größe",
    "\ud800",
    "x" * 300,
    "é" * 100,
    "UPPER",
    "upper",
    "a\nb",
    "C:evil",
    "~root",
    "x.json",
    "*",
]


def chain(name: str = "any", *, id: str | None = None, days: int = 0, count: int = 1) -> Chain:  # noqa: A002
    """Return a chain that was created so many days after the start."""
    made = Chain(name, id=id, created_at=START + timedelta(days=days))
    made.extend(Event.new("decision_made", "d", "r", timestamp=made.created_at) for _ in range(count))
    return made


@pytest.fixture
def folder(tmp_path: Path) -> ChainFolder:
    """Return a folder that is yet to be made."""
    return ChainFolder(tmp_path / "a" / "chains")


def test_round_trip(folder: ChainFolder) -> None:
    """A chain is saved under its id, as the predecessor names it, and comes back equal; saving again replaces it."""
    assert folder.list() == []
    made = chain("tokenizer")
    path = folder.save(made)
    assert path == folder.path / f"{made.id}.json"
    assert folder.load(made.id) == made
    made.add(Event.new("decision_made", "more", "r"))
    assert folder.save(made) == path
    (entry,) = folder.list()
    assert (entry.id, entry.name, entry.event_count, entry.path) == (made.id, "tokenizer", 2, path)
    assert (entry.created_at, entry.updated_at) == (made.created_at, made.updated_at)
    folder.delete(made.id)
    assert folder.list() == []
    for use in (folder.load, folder.delete, folder.restore):
        with pytest.raises(StoreError, match="holds no chain"):
            use(made.id)


def test_predecessor(folder: ChainFolder) -> None:
    """Files that the predecessor wrote are listed and loaded, by their ids and by their files' names."""
    shutil.copytree(DATA, folder.path)
    listing = folder.listing()
    assert listing.problems == ()
    assert len(listing.entries) == 4
    for entry in listing.entries:
        loaded = folder.load(entry.id)
        assert (loaded.id, len(loaded)) == (entry.id, entry.event_count)
        assert folder.load(entry.path.stem) == loaded
    assert {entry.name for entry in listing.entries} >= {"Session service design", "Empty chain", "v0.2 six types"}


def test_readable_by_the_predecessor(folder: ChainFolder) -> None:
    """Each file is JSON of the 8 and 14 keys that the predecessor reads, sealed or not."""
    made = chain()
    made.seal()
    data = msgspec.json.decode(folder.save(made).read_bytes())
    assert data.keys() - {"integrity"} == {
        "id",
        "name",
        "description",
        "events",
        "metadata",
        "created_at",
        "updated_at",
        "statistics",
    }
    assert list(data["events"][0]) == list(Event.__struct_fields__)
    made.metadata["x"] = float("nan")
    with pytest.raises(SpecError, match="nan"):
        folder.save(made)


@pytest.mark.parametrize("chain_id", HOSTILE)
def test_hostile_ids(folder: ChainFolder, chain_id: str) -> None:
    """Whatever an id is, its file lies in the folder, and its chain is found, moved and removed by it."""
    before = sorted(folder.path.parent.parent.rglob("*"))
    path = folder.path / file_name(chain_id)
    made = chain(id=chain_id) if chain_id and chain_id != "\ud800" else None
    if made is None:  # a chain always has an id, and JSON carries no half of a pair
        with pytest.raises(StoreError, match="holds no chain"):
            folder.load(chain_id)
        return
    assert folder.save(made) == path
    assert path.resolve().parent == folder.path.resolve()
    assert len(path.name.encode()) <= 255
    assert path.name == path.name.lower() or "%" in path.name
    assert folder.load(chain_id) == made
    assert folder.archive(timedelta()).ids == (chain_id,)
    assert folder.restore(chain_id) == path
    folder.delete(chain_id)
    after = sorted(each for each in folder.path.parent.parent.rglob("*") if each.is_file())
    assert after == [each for each in before if each.is_file()]


def test_names_differ() -> None:
    """No two ids meet in one file, also where the file system holds capitals and small letters equal."""
    names = {file_name(chain_id).casefold() for chain_id in HOSTILE}
    assert len(names) == len(HOSTILE)


@settings(deadline=None)
@given(st.text(max_size=40) | st.text("aA.%/-", max_size=6))
def test_names_are_reversible(chain_id: str) -> None:
    """The id can be read off the file's name, which is plain ASCII without separators."""
    name = file_name(chain_id)
    assert name.isascii()
    assert "/" not in name
    assert not name.startswith(".")
    assert len(name) < 255
    if chain_id and not name.startswith("%%"):
        assert unquote_to_bytes(name.removesuffix(".json")) == chain_id.encode("utf-8", "surrogatepass")


def test_one_bad_file_hides_no_other(folder: ChainFolder) -> None:
    """Files that are no chains are reported, each with its reason, and everything else is listed."""
    good = chain()
    folder.save(good)
    (folder.path / "text.json").write_text("no JSON")
    (folder.path / "list.json").write_text("[]")
    (folder.path / "number.json").write_text("1")
    (folder.path / "empty.json").write_text("")
    (folder.path / "binary.json").write_bytes(b"\xff\xfe\x00")
    (folder.path / "event.json").write_text('{"id":"x","events":[{"type":"t"}]}')
    (folder.path / "folder.json").mkdir()
    (folder.path / "deep.json").write_text("[" * 100_000)
    os.mkfifo(folder.path / "pipe.json")
    (folder.path / "loop.json").symlink_to(folder.path / "loop.json")
    (folder.path / "gone.json").symlink_to(folder.path / "absent")
    (folder.path / "note.txt").write_text("not ours")
    (folder.path / ".hidden.json.tmp").write_text("not ours")
    listing = folder.listing()
    assert [entry.id for entry in listing.entries] == [good.id]
    assert {problem.path.stem for problem in listing.problems} == {
        "text",
        "list",
        "number",
        "empty",
        "binary",
        "event",
        "folder",
        "deep",
        "pipe",
        "loop",
        "gone",
    }
    assert listing.problems == tuple(folder.problems())
    assert all(problem.message.isprintable() for problem in listing.problems)
    for name in ("folder", "pipe", "loop", "gone"):
        with pytest.raises(StoreError):
            folder.load(name)
    assert folder.archive(timedelta()).ids == (good.id,)


def test_links(folder: ChainFolder, tmp_path: Path) -> None:
    """A link that leads out of the folder is neither read nor written through; one inside is followed."""
    outside = chain("secret").save(tmp_path / "outside.json")
    inside = chain("inside", id="inside")
    folder.save(inside)
    (folder.path / "out.json").symlink_to(outside)
    (folder.path / "in.json").symlink_to("inside.json")
    with pytest.raises(StoreError, match="out of the folder"):
        folder.load("out")
    with pytest.raises(StoreError, match="out of the folder"):
        folder.delete("out")
    assert folder.load("in") == inside
    assert [problem.path.name for problem in folder.problems()] != []
    before = outside.read_bytes()
    folder.save(chain(id="out"))
    assert outside.read_bytes() == before
    assert not (folder.path / "out.json").is_symlink()
    shutil.rmtree(folder.path)
    folder.path.mkdir()
    (tmp_path / "elsewhere").mkdir()
    folder.archive_path.symlink_to(tmp_path / "elsewhere")
    folder.save(inside)
    moved = folder.archive(timedelta())
    assert moved.ids == ()
    assert "out of the folder" in moved.problems[0].message
    assert list((tmp_path / "elsewhere").iterdir()) == []
    with pytest.raises(StoreError, match="out of the folder"):
        folder.list_archived()


def test_capitals_of_others(folder: ChainFolder) -> None:
    """A file that another writer named with capitals is the chain's own: it is loaded, replaced and removed."""
    made = chain(id="Run-A")
    folder.path.mkdir(parents=True)
    path = made.save(folder.path / "Run-A.json")
    assert folder.load("Run-A") == made
    assert folder.save(made) == path
    assert len(folder.list()) == 1
    folder.delete("Run-A")
    assert not path.exists()


def test_a_renamed_chain_is_not_replaced(folder: ChainFolder) -> None:
    """A file that was renamed keeps its chain, which its id finds, whatever chain is saved, loaded or removed."""
    first, second = chain("first", id="aaa"), chain("second", id="bbb")
    path = folder.save(first).rename(folder.path / "bbb.json")
    with pytest.raises(StoreError, match=r"bbb\.json holds the chain 'aaa'; 'bbb' was not saved"):
        folder.save(second)
    with pytest.raises(StoreError, match="holds the chain 'aaa'"):
        folder.delete("bbb")
    assert folder.load("bbb") == first == folder.load("aaa")
    second.save(folder.path / "ccc.json")
    assert (folder.load("bbb"), folder.load("aaa")) == (second, first)
    folder.delete("bbb")
    path.rename(folder.path / "aaa.json")
    assert folder.save(second) == path
    assert {entry.name for entry in folder.list()} == {"first", "second"}


@pytest.mark.parametrize("content", ["", '{"id": "bbb", "events": [', "[]"])
def test_an_unreadable_file_is_not_replaced(folder: ChainFolder, content: str) -> None:
    """A file of that name may be what is left of a chain: it stays until it is renamed or removed."""
    folder.path.mkdir(parents=True)
    path = folder.path / "bbb.json"
    path.write_text(content)
    with pytest.raises(StoreError, match="cannot be read; 'bbb' was not saved"):
        folder.save(chain(id="bbb"))
    assert path.read_text() == content
    folder.delete("bbb")
    assert folder.save(chain(id="bbb")) == path


def test_an_archive_out_of_the_folder_is_a_problem(folder: ChainFolder, tmp_path: Path) -> None:
    """It is reported beside the other problems, which stay to be seen."""
    folder.path.mkdir(parents=True)
    (folder.path / "bad.json").write_text("no JSON")
    (tmp_path / "elsewhere").mkdir()
    folder.archive_path.symlink_to(tmp_path / "elsewhere")
    assert [problem.path.name for problem in folder.problems()] == ["bad.json", "archive"]
    assert "out of the folder" in folder.problems()[1].message


def test_repeated_id(folder: ChainFolder) -> None:
    """A copy under another name is listed, and reported."""
    made = chain()
    shutil.copy(folder.save(made), folder.path / "copy.json")
    listing = folder.listing()
    assert [entry.id for entry in listing.entries] == [made.id, made.id]
    assert [made.id in problem.message for problem in listing.problems] == [True]


def test_search(folder: ChainFolder) -> None:
    """Every filter, inclusive at both ends; the newest first."""
    for place, name in enumerate(["Alpha", "beta", "STRASSE alpha"]):
        folder.save(chain(name, days=place, count=place + 1))

    def names(**filters: object) -> list[str]:
        return [entry.name for entry in folder.search(**filters)]  # pyright: ignore[reportArgumentType]

    assert names() == ["STRASSE alpha", "beta", "Alpha"]
    assert names(name_contains="ALPHA") == ["STRASSE alpha", "Alpha"]
    assert names(name_contains="straße") == ["STRASSE alpha"]
    assert names(created_after=START + timedelta(days=1)) == ["STRASSE alpha", "beta"]
    assert names(created_before=datetime(2026, 1, 2)) == ["beta", "Alpha"]  # naive counts as UTC
    assert names(min_events=2, max_events=2) == ["beta"]
    assert names(name_contains="alpha", max_events=1) == ["Alpha"]


def test_archive(folder: ChainFolder) -> None:
    """What was created before the limit is moved, and only that is reported; restoring moves it back."""
    old, new = chain("old"), chain("new", days=10)
    folder.save(old)
    folder.save(new)
    assert folder.archive(START).ids == ()
    moved = folder.archive(START + timedelta(days=10))
    assert (moved.ids, moved.problems) == ((old.id,), ())
    assert [entry.id for entry in folder.list()] == [new.id]
    assert [entry.id for entry in folder.list_archived()] == [old.id]
    with pytest.raises(StoreError):
        folder.load(old.id)
    folder.restore(old.id)
    assert folder.load(old.id) == old
    assert folder.list_archived() == []


def test_archive_replaces_nothing(folder: ChainFolder) -> None:
    """Where the archive has a file of the name already, the chain stays, and is not reported as moved."""
    made = chain("first", id="same")
    folder.save(made)
    folder.archive(timedelta())
    other = chain("second", id="same")
    folder.save(other)
    moved = folder.archive(timedelta())
    assert moved.ids == ()
    assert "is there already" in moved.problems[0].message
    with pytest.raises(StoreError, match="is there already"):
        folder.restore("same")
    assert folder.load("same") == other
    assert [entry.name for entry in folder.list_archived()] == ["first"]


def test_archive_after_a_crash(folder: ChainFolder) -> None:
    """A crash between the two steps of a move leaves the file under both names; the next archiving ends it."""
    made = chain(id="half")
    path = folder.save(made)
    folder.archive_path.mkdir()
    os.link(path, folder.archive_path / path.name)
    assert folder.archive(timedelta()).ids == ("half",)
    assert not path.exists()


def test_without_second_names(folder: ChainFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """File systems without hard links move too, and replace nothing either."""

    def refused(*_args: object, **_options: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    folder.save(chain(id="a"))
    assert folder.archive(timedelta()).ids == ("a",)
    folder.save(chain(id="a"))
    assert folder.archive(timedelta()).ids == ()


def test_no_folder(tmp_path: Path) -> None:
    """A folder that is a file is a store error, not an empty listing."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        ChainFolder(tmp_path / "file").list()
    with pytest.raises(StoreError):
        ChainFolder(tmp_path / "file").save(chain())
    assert ChainFolder().path == Path("causal_traces")
