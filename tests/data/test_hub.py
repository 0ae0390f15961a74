"""The Hub through huggingface_hub itself: its cache on disk, and a server on this machine that speaks its protocol."""

from __future__ import annotations

import datetime
import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

import pyarrow
import pytest
from pyarrow import parquet

from crucible.data import Dataset, Item, load
from crucible.data import cache as cache_room
from crucible.data.cache.record import Wanted
from crucible.errors import DataError, MissingExtra
from crucible.ir import DatasetRef

SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty Hub cache; the tests' environment says that there is no network."""
    folder = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))
    monkeypatch.setenv("CRUCIBLE_CACHE", str(tmp_path / "crucible"))
    return folder


def cached(cache: Path, repository: str, revision: str = "main") -> Path:
    """Return the snapshot folder of a repository as huggingface_hub lays it out."""
    root = cache / ("datasets--" + repository.replace("/", "--"))
    (root / "refs").mkdir(parents=True, exist_ok=True)
    (root / "refs" / revision).write_text(SHA)
    snapshot = root / "snapshots" / SHA
    snapshot.mkdir(parents=True, exist_ok=True)
    return snapshot


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as parquet or JSONL, by the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        path.write_text("\n".join(map(json.dumps, rows)))


def rows(*names: str) -> list[dict[str, Any]]:
    """Return one row a name."""
    return [{"input": name, "expected": name.upper()} for name in names]


def hub(name: str = "me/claims", **fields: Any) -> DatasetRef:
    """Return a reference to a repository of the Hub."""
    return DatasetRef(name=name, provider="huggingface", **fields)


def test_parquet_files_of_a_split_are_read_with_their_revision(cache: Path) -> None:
    """In order of their names, numbered through; the commit is the revision; dates become text."""
    snapshot = cached(cache, "me/claims")
    write(snapshot / "data/train-00000-of-00002.parquet", rows("a", "b"))
    write(
        snapshot / "data/train-00001-of-00002.parquet",
        [{"input": "c", "expected": "C", "day": datetime.date(2026, 1, 2)}],
    )
    write(snapshot / "data/test-00000-of-00001.parquet", rows("t"))
    data = load(hub())
    assert list(data)[:2] == [Item("train-1", "a", "A"), Item("train-2", "b", "B")]
    assert data[2] == Item("train-3", "c", "C", {"day": "2026-01-02"})
    assert data.provenance.revision == SHA
    assert data.provenance.sha256 is not None
    assert data.provenance.source.startswith("https://huggingface.co/datasets/me/claims: data/train-00000")
    assert [item.input for item in load(hub(split="test"))] == ["t"]


def test_half_a_split_in_the_cache_is_not_the_split(cache: Path) -> None:
    """The names say how many pieces there are; whoever wants some of them names them."""
    snapshot = cached(cache, "me/claims")
    write(snapshot / "data/train-00001-of-00003.parquet", rows("b"))
    with pytest.raises(DataError, match=r"me/claims: 1 of 3 pieces of data/train-…-of-00003 are there"):
        load(hub())
    assert [item.input for item in load(hub(options={"files": ["data/train-00001-*"]}))] == ["b"]


def test_jsonl_files_and_named_files_are_read(cache: Path) -> None:
    """What lies in no usual place is named with the option files."""
    snapshot = cached(cache, "me/claims")
    write(snapshot / "train.jsonl", rows("a"))
    write(snapshot / "odd/claims.jsonl", rows("b"))
    data = load(hub())
    assert [item.input for item in data] == ["a"]
    assert data.provenance.sha256 == hashlib.sha256((snapshot / "train.jsonl").read_bytes()).hexdigest()
    assert [item.input for item in load(hub(options={"files": ["odd/*"]}))] == ["b"]


def test_a_configuration_is_a_folder(cache: Path) -> None:
    """As most repositories have it."""
    snapshot = cached(cache, "me/claims")
    write(snapshot / "easy/train-00000-of-00001.parquet", rows("e"))
    write(snapshot / "hard/train-00000-of-00001.parquet", rows("h"))
    assert [item.input for item in load(hub(options={"config": "hard"}))] == ["h"]
    with pytest.raises(DataError, match='no file of the split "train" in the usual places .*config'):
        load(hub())


def test_a_known_name_knows_its_repository_and_fields(cache: Path) -> None:
    """`gsm8k` from the Hub gives the items that it gives from a folder."""
    snapshot = cached(cache, "openai/gsm8k")
    write(snapshot / "main/train-00000-of-00001.parquet", [{"question": "q", "answer": "1+1\n#### 2"}])
    assert load(hub("gsm8k"))[0] == Item("train-1", "Question: q\n\nAnswer:", "1+1\n#### 2", {"final": "2"})
    assert load(hub("gsm8k", options={"answer": "final"}))[0].expected == "#### 2"


def test_a_bad_row_is_named_by_repository_file_and_row(cache: Path) -> None:
    """So are a broken file and one of another kind."""
    snapshot = cached(cache, "me/claims")
    write(snapshot / "train.parquet", [*rows("a"), {"input": "b", "expected": None}])
    with pytest.raises(DataError, match=r'me/claims@01234567/train.parquet row 2: .*"expected" is empty'):
        load(hub())
    (snapshot / "train.parquet").write_bytes(b"PAR1 not")
    with pytest.raises(DataError, match=r"train.parquet is no readable parquet file"):
        load(hub(options={"on_change": "accept"}))
    (snapshot / "train.txt").write_text("a,b")
    with pytest.raises(DataError, match=r"train.txt: the name does not say what it is; expected one of .parquet"):
        load(hub(options={"files": ["train.txt"]}))


def test_without_cache_and_network_there_is_one_clear_sentence(cache: Path) -> None:
    """It says what is missing and what to do instead."""
    with pytest.raises(
        DataError, match=r"the dataset me/claims is not in the local Hub cache, and nobody is asked offline; go online"
    ) as caught:
        load(hub())
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="me/claims at revision v2 is not in"):
        load(hub(version="v2"))


def test_a_hub_that_does_not_answer_is_told_from_nobody_asked(server: type[FakeHub], cache: Path) -> None:
    """The one says what broke, the other that it was not tried."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
        patch.setattr("huggingface_hub.hf_api.constants.ENDPOINT", "http://127.0.0.1:9")
        with pytest.raises(DataError, match=r"not in the local Hub cache, and the .* cannot be reached \(Connect\w+\)"):
            load(hub())
    with pytest.raises(DataError, match="not in the local Hub cache, and nobody is asked offline"):
        load(hub(), offline=True)
    assert server.sent == []


def test_a_name_that_cannot_be_a_repository_is_refused(cache: Path) -> None:
    """Before any request."""
    with pytest.raises(DataError, match=r"is not on the Hugging Face Hub; check its name \(owner/name\)"):
        load(hub("a/b/c"))


def test_options_of_files_do_not_apply(cache: Path) -> None:
    """A repository has no path."""
    with pytest.raises(DataError, match="me/claims takes no option path"):
        load(hub(), path="x")


def test_without_its_packages_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the exact command."""
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(
        MissingExtra, match=r"provider: huggingface needs the extra 'data': pip install 'crucible-ml\[data\]'"
    ):
        load(hub())


class FakeHub(BaseHTTPRequestHandler):
    """Speaks what huggingface_hub asks of the Hub, for one repository; a gated and an absent one are refused."""

    files: ClassVar[dict[str, bytes]] = {}
    commit: ClassVar[str] = SHA
    in_lfs: ClassVar[bool] = False
    lies: ClassVar[bool] = False
    sent: ClassVar[list[str]] = []
    url: ClassVar[str] = ""

    def log_message(self, *args: object) -> None:
        """Stay quiet."""

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        """Send one answer."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def described(self, key: str, name: str) -> dict[str, Any]:
        """Say of a file what the Hub says: its name, size, and the hash under which git or LFS keeps it."""
        content = self.files[name]
        sha = hashlib.sha256(content).hexdigest()
        git = "0" * 40 if self.lies else hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        one: dict[str, Any] = {key: name, "size": len(content), "blobId": git, "oid": git, "type": "file"}
        if self.in_lfs:
            one["lfs"] = {"oid": sha, "sha256": sha, "size": len(content), "pointerSize": 130}
        return one

    def do_GET(self) -> None:
        """Answer a request for the repository, its tree or a file."""
        path = unquote(urlsplit(self.path).path)
        if "gated" in path:
            self.answer(403, b"{}", X_Error_Code="GatedRepo", X_Error_Message="ask first")
        elif "/revision/v9" in path:
            self.answer(404, b"{}", X_Error_Code="RevisionNotFound")
        elif path.startswith("/api/datasets/me/claims/tree/"):
            tree = [self.described("path", name) for name in self.files]
            self.answer(200, json.dumps(tree).encode(), Content_Type="application/json")
        elif path.startswith("/api/datasets/me/claims"):
            names = [self.described("rfilename", name) for name in self.files]
            known = {"private": False, "tags": [], "downloads": 0}
            info = {"id": "me/claims", "sha": self.commit, "siblings": names, **known}
            self.answer(200, json.dumps(info).encode(), Content_Type="application/json")
        elif path.startswith("/datasets/me/claims/resolve/"):
            name = path.removeprefix("/datasets/me/claims/resolve/").split("/", 1)[1]
            content = self.files[name]
            if self.command == "GET":
                self.sent.append(name)
            self.answer(200, content, ETag=f'"{hashlib.sha1(content).hexdigest()}"', X_Repo_Commit=self.commit)
        else:
            self.answer(404, b"{}", X_Error_Code="RepoNotFound")

    do_HEAD = do_GET


@pytest.fixture
def server(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FakeHub]]:
    """Run the fake Hub on this machine and point huggingface_hub at it."""
    files = {"train.jsonl": b'{"input": "a", "expected": "b"}', "README.md": b"x"}
    kind = type("OneHub", (FakeHub,), {"files": files, "sent": []})
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url = f"http://127.0.0.1:{httpd.server_address[1]}"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
    monkeypatch.setattr(
        "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr("huggingface_hub.hf_api.constants.ENDPOINT", url)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    kind.url = url
    yield kind
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def outputs(data: Dataset) -> list[str | None]:
    """Return the expected answers."""
    return [item.expected for item in data]


def test_a_download_records_the_commit_and_fetches_only_the_split(server: type[FakeHub], cache: Path) -> None:
    """The second time, without a network, the cache answers with the same items."""
    online = load(hub())
    assert outputs(online) == ["b"]
    assert online.provenance.revision == SHA
    assert [path.name for path in (cache / "datasets--me--claims/snapshots" / SHA).iterdir()] == ["train.jsonl"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        assert load(hub()).content_hash() == online.content_hash()
    assert load(hub(), offline=True).content_hash() == online.content_hash()
    assert server.sent == ["train.jsonl"]


@pytest.mark.parametrize("in_lfs", [True, False])
def test_a_changed_repository_is_refused_and_the_message_says_how_to_go_on(server: type[FakeHub], in_lfs: bool) -> None:
    """A commit that leaves the split's files alone changes nothing; another file is an error, with both ways out."""
    server.in_lfs = in_lfs
    first = load(hub())
    server.commit, server.files["README.md"] = "f" * 40, b"better words"
    assert load(hub()).provenance.revision == SHA
    server.files["train.jsonl"] = b'{"input": "a", "expected": "c"}'
    with pytest.raises(DataError, match=f"has changed on the Hub .*train.jsonl.*version: {SHA} .*on_change: accept"):
        load(hub())
    assert outputs(load(hub(), offline=True)) == ["b"]
    assert outputs(load(hub(), on_change="accept")) == ["c"]
    again = load(hub())
    assert (outputs(again), again.provenance.revision) == (["c"], "f" * 40)
    assert first.provenance.sha256 != again.provenance.sha256


def test_a_file_that_joins_the_split_is_a_change(server: type[FakeHub]) -> None:
    """A split is all of its files."""
    server.files = {"train-00000-of-00001.jsonl": b'{"input": "a", "expected": "b"}'}
    load(hub())
    server.commit = "e" * 40
    server.files = {**server.files, "train-00001-of-00002.jsonl": b'{"input": "c", "expected": "d"}'}
    with pytest.raises(DataError, match="train-00001-of-00002.jsonl is another file"):
        load(hub())


def test_a_revision_that_is_a_commit_is_never_asked_about(server: type[FakeHub]) -> None:
    """It cannot change; so a pinned dataset needs no network once it is there."""
    assert outputs(load(hub(version=SHA))) == ["b"]
    server.commit, server.files = "d" * 40, {}
    assert outputs(load(hub(version=SHA))) == ["b"]


def test_an_altered_file_in_the_cache_is_noticed(server: type[FakeHub], cache: Path) -> None:
    """Each read hashes the file and holds it against the record; removing it has it downloaded anew."""
    load(hub())
    file = cache / "datasets--me--claims/snapshots" / SHA / "train.jsonl"
    file.resolve().write_bytes(b'{"input": "a", "expected": "!"}')
    with pytest.raises(DataError, match=r'is not the file that was recorded .*data.cache.remove\("me/claims"\)'):
        load(hub())
    with pytest.raises(DataError, match="is not the file that was recorded"):
        load(hub(), offline=True)
    assert cache_room.remove("me/claims") > 0
    assert outputs(load(hub())) == ["b"]


def test_a_file_that_is_gone_is_downloaded_again_at_the_recorded_commit(server: type[FakeHub], cache: Path) -> None:
    """Offline that cannot be, and is said."""
    load(hub())
    (cache / "datasets--me--claims/snapshots" / SHA / "train.jsonl").unlink()
    with pytest.raises(DataError, match="train.jsonl of the recorded commit 01234567 is not in the Hub cache"):
        load(hub(), offline=True)
    assert outputs(load(hub())) == ["b"]


def test_a_download_that_is_not_what_the_hub_describes_is_damaged(server: type[FakeHub]) -> None:
    """It is taken out of the cache, so that the next try can succeed; nothing is recorded."""
    server.lies = True
    with pytest.raises(DataError, match="train.jsonl came damaged"):
        load(hub())
    assert cache_room.list() == ()
    server.lies = False
    assert outputs(load(hub())) == ["b"]
    assert server.sent == ["train.jsonl", "train.jsonl"]


def test_without_an_answer_of_the_hub_the_recorded_data_is_read(
    server: type[FakeHub], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that fails is no change; the files are checked all the same."""
    load(hub())
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.hf_api.constants.ENDPOINT", "http://127.0.0.1:9")
    assert outputs(load(hub())) == ["b"]


def test_the_cache_is_listed_measured_and_removed_by_name(server: type[FakeHub], cache: Path) -> None:
    """What two splits share is removed with the last of them; a name is looked up and never a path."""
    server.files["test.jsonl"] = b'{"input": "t", "expected": "u"}'
    load(hub())
    load(hub(split="test"))
    entries = cache_room.list()
    assert [(entry.name, entry.split, entry.commit, entry.is_complete) for entry in entries] == [
        ("me/claims", "test", SHA, True),
        ("me/claims", "train", SHA, True),
    ]
    assert entries[1].files == ("train.jsonl",)
    assert cache_room.cache_size() == sum(entry.size_bytes for entry in entries) == 62
    assert cache_room.remove("me/claims", split="test") == 0
    assert cache_room.cache_size() == 31
    for name in ("../../etc", "me/claim", "/", "*"):
        with pytest.raises(DataError, match=f'nothing of "{re.escape(name)}" is in the cache; it has: me/claims'):
            cache_room.remove(name)
    assert cache_room.remove("me/claims") >= 31
    assert cache_room.list() == ()
    assert cache_room.cache_size() == 0
    assert not list((cache / "datasets--me--claims").glob("snapshots/*/*"))


def test_a_damaged_record_is_an_error_that_names_it(server: type[FakeHub]) -> None:
    """It is never taken for nothing: that would record whatever is there now."""
    load(hub())
    (record,) = cache_room.records_folder().glob("*.json")
    record.write_text('{"wanted": ')
    with pytest.raises(DataError, match=rf"{record.name}, the record of a download, cannot be read"):
        load(hub())


@pytest.mark.parametrize("name", ["../up", "a/../b", "train/../../x", "x*", "[a]"])
def test_a_split_or_config_that_is_no_name_is_refused(cache: Path, name: str) -> None:
    """Before it becomes part of a pattern or a path."""
    with pytest.raises(DataError, match="is no name; expected letters"):
        load(hub(split=name))
    with pytest.raises(DataError, match="is no name; expected letters"):
        load(hub(options={"config": name}))


def test_the_name_of_a_record_is_safe_whatever_the_dataset_is_called() -> None:
    """Letters, digits and dashes, and a hash that keeps apart what looks alike."""
    names = {
        Wanted(name=name, repository=name, split="train", config=None, version=None, patterns=()).file_name()
        for name in ("../../x", "x", "X", "x" * 500, "\x00/é")
    }
    assert len(names) == 5
    assert all(re.fullmatch(r"[a-z0-9-]{1,60}\.[0-9a-f]{16}\.json", name) for name in names)


def test_processes_at_once_download_once_and_agree(server: type[FakeHub], cache: Path) -> None:
    """One holds the lock and records; the others find the record. No file is left half written."""
    code = "from crucible.data import load; print(load('me/claims', provider='huggingface').content_hash())"
    own = {"HF_ENDPOINT": server.url, "HF_HUB_OFFLINE": "0", "HF_HUB_CACHE": str(cache), "HF_HUB_DISABLE_XET": "1"}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=60) for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    assert {out for out, _ in said} == {load(hub()).content_hash() + "\n"}
    assert server.sent == ["train.jsonl"]
    assert len(list(cache_room.records_folder().glob("*.json"))) == 1
    assert not list(cache_room.records_folder().glob(".*.tmp"))


def test_csv_and_gzipped_files_of_a_repository_are_read(server: type[FakeHub]) -> None:
    """Parquet first, then JSONL, CSV and the others; `format` chooses."""
    lines = gzip.compress(b'{"input": "a", "expected": "from gz"}')
    server.files = {"train.csv": b"input,expected\na,from csv\n", "train.jsonl.gz": lines}
    assert outputs(load(hub(format="csv"))) == ["from csv"]
    assert outputs(load(hub())) == ["from gz"]


def test_a_repository_is_streamed(server: type[FakeHub]) -> None:
    """Checked against the record first; the revision is in the provenance."""
    stream = load(hub(), stream=True)
    assert (stream.provenance.revision, stream.provenance.sha256 is None) == (SHA, False)
    assert stream.content_hash() == load(hub()).content_hash()


def test_names_whose_repository_holds_a_program_say_where_the_files_are(cache: Path) -> None:
    """Nothing of a repository is run."""
    for name, home in (("fever", "fever.ai"), ("scifact", "github.com/allenai/scifact")):
        with pytest.raises(DataError, match=f"programs are not run here; get its files from .*{home}"):
            load(hub(name))


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        (hub("me/absent"), r"the dataset me/absent is not on the Hugging Face Hub; check its name"),
        (hub("me/gated"), r"the dataset me/gated is gated; accept its terms"),
        (hub(version="v9"), r"me/claims at revision v9 is not on the Hugging Face Hub; .*version"),
    ],
)
def test_what_the_hub_refuses_is_said(server: type[FakeHub], ref: DatasetRef, message: str) -> None:
    """A wrong name, a gated repository and a wrong revision are three sentences."""
    with pytest.raises(DataError, match=message):
        load(ref)
