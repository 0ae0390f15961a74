"""The Hub through huggingface_hub itself: its cache on disk, and a server on this machine that speaks its protocol."""

from __future__ import annotations

import datetime
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

import pyarrow
import pytest
from pyarrow import parquet

from crucible.data import Item, load
from crucible.errors import DataError, MissingExtra
from crucible.ir import DatasetRef

SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty Hub cache; the tests' environment says that there is no network."""
    folder = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))
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
        load(hub())
    (snapshot / "train.csv").write_text("a,b")
    with pytest.raises(DataError, match=r"train.csv: expected .parquet or .jsonl"):
        load(hub(options={"files": ["train.csv"]}))


def test_without_cache_and_network_there_is_one_clear_sentence(cache: Path) -> None:
    """It says what is missing and what to do instead."""
    with pytest.raises(
        DataError, match=r"the dataset me/claims is not in the local Hub cache and .* cannot be reached"
    ) as caught:
        load(hub())
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="me/claims at revision v2 is not in"):
        load(hub(version="v2"))


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
    """Speaks what snapshot_download asks of the Hub, for one repository; a gated and an absent one are refused."""

    files: ClassVar[dict[str, bytes]] = {}

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

    def do_GET(self) -> None:
        """Answer a request for the repository, its tree or a file."""
        path = unquote(urlsplit(self.path).path)
        if "gated" in path:
            self.answer(403, b"{}", X_Error_Code="GatedRepo", X_Error_Message="ask first")
        elif "/revision/v9" in path:
            self.answer(404, b"{}", X_Error_Code="RevisionNotFound")
        elif path.startswith("/api/datasets/me/claims/tree/"):
            tree = [
                {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for name, content in self.files.items()
            ]
            self.answer(200, json.dumps(tree).encode(), Content_Type="application/json")
        elif path.startswith("/api/datasets/me/claims"):
            names = [{"rfilename": name} for name in self.files]
            info = {"id": "me/claims", "sha": SHA, "siblings": names, "private": False, "tags": [], "downloads": 0}
            self.answer(200, json.dumps(info).encode(), Content_Type="application/json")
        elif path.startswith("/datasets/me/claims/resolve/"):
            content = self.files[path.split(SHA + "/", 1)[1]]
            self.answer(200, content, ETag=f'"{hashlib.sha1(content).hexdigest()}"', X_Repo_Commit=SHA)
        else:
            self.answer(404, b"{}", X_Error_Code="RepoNotFound")

    do_HEAD = do_GET


@pytest.fixture
def server(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FakeHub]]:
    """Run the fake Hub on this machine and point huggingface_hub at it."""
    kind = type("OneHub", (FakeHub,), {"files": {"train.jsonl": b'{"input": "a", "expected": "b"}', "README.md": b"x"}})
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
    yield kind
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def test_a_download_records_the_commit_and_fetches_only_the_split(server: type[FakeHub], cache: Path) -> None:
    """The second time, without a network, the cache answers with the same items."""
    online = load(hub())
    assert [item.expected for item in online] == ["b"]
    assert online.provenance.revision == SHA
    assert [path.name for path in (cache / "datasets--me--claims/snapshots" / SHA).iterdir()] == ["train.jsonl"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        assert load(hub()).content_hash() == online.content_hash()


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
