"""A bucket whose server dies, lies, refuses or stays silent: a typed error in time, and never half a checkpoint."""

from __future__ import annotations

import contextlib
import http.server
import itertools
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crucible import pipeline
from crucible.backends.checkpoint import read_checkpoint
from crucible.errors import Cancelled, CheckpointError, MissingExtra, StoreError, StoreUnavailable
from crucible.train.keeping import CheckpointCache, CheckpointStore, open_checkpoints
from crucible.train.keeping.calls import run_all

Make = Callable[..., Path]


def bucket(address: str, cache: CheckpointCache, *, timeout_s: float = 20.0) -> CheckpointStore:
    """Return the place `s3://kept/runs` at a server."""
    return open_checkpoints("s3://kept/runs", cache=cache, timeout_s=timeout_s, options={"endpoint_url": address})


def test_a_server_that_dies_in_the_middle_of_an_upload_leaves_nothing_to_be_seen(
    s3: str, line: Callable[..., Any], make: Make, cache: CheckpointCache
) -> None:
    """The writer gets `StoreUnavailable`, no reader ever sees a part, and the next upload is whole."""
    folder = make(1, weights=os.urandom(300_000))
    started = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"s3://kept/runs cannot be reached to .*try again"):
        bucket(line(cut_after=150_000).address, cache).put(folder)
    assert time.monotonic() - started < 30
    whole = bucket(s3, cache)
    assert whole.list_checkpoints() == []
    with pytest.raises(CheckpointError, match="there is no checkpoint 'step-000001'"):
        whole.find("step-000001")
    assert whole.put(folder).problem is None
    whole.verify("step-000001")


def test_a_replacement_that_dies_in_the_middle_takes_nothing_away(
    s3: str, line: Callable[..., Any], make: Make, cache: CheckpointCache
) -> None:
    """The old one is listed, whole and with its record, as if nobody had tried; the next try replaces it."""
    whole = bucket(s3, cache)
    old = whole.put(make(1), record=b"old")
    folder = make(1, weights=os.urandom(300_000), validation_loss=0.5)
    with pytest.raises(StoreUnavailable):
        bucket(line(cut_after=150_000).address, cache).put(folder, record=b"new")
    assert whole.list_checkpoints() == [old]
    whole.verify("step-000001")
    assert whole.record("step-000001") == b"old"
    assert whole.put(folder, record=b"new").metrics == {"validation_loss": 0.5}
    whole.verify("step-000001")
    assert whole.record("step-000001") == b"new"


@pytest.mark.parametrize("nth", [1, 3, 5, 6, 7])
def test_a_replacement_that_is_refused_takes_nothing_away(
    make: Make, cache: CheckpointCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    """Whichever write the place refuses, a file's, the record's or the manifest's: the old one stays, to the bit."""
    import fsspec

    files = fsspec.filesystem("memory")
    if files.exists("/refusing"):
        files.rm("/refusing", recursive=True)
    store = open_checkpoints("memory://refusing", cache=cache)
    old = store.put(make(1), record=b"old")
    writes, numbers = list[str](), itertools.count(1)

    def refusing(name: str) -> Callable[..., Any]:
        write = getattr(type(files), name)

        def refuse(self: Any, *args: Any, **options: Any) -> Any:
            writes.append(name)
            if next(numbers) == nth:
                raise OSError(28, "No space left on device")
            return write(self, *args, **options)

        return refuse

    replacement = make(1, weights=b"other")
    with monkeypatch.context() as patched:
        for name in ("put_file", "pipe_file"):
            patched.setattr(type(files), name, refusing(name))
        with pytest.raises(StoreError, match="No space left on device"):
            store.put(replacement, record=b"new")
    assert len(writes) >= nth
    assert store.list_checkpoints() == [old]
    assert store.record("step-000001") == b"old"
    store.fetch("step-000001", tmp_path / "copy")
    assert store.put(replacement).problem is None
    assert store.record("step-000001") is None


def test_one_replacement_after_another_leaves_only_the_last(
    s3: str, objects: Any, make: Make, cache: CheckpointCache, tmp_path: Path
) -> None:
    """What the bucket holds in the end is one checkpoint, and removing it leaves nothing."""
    store = bucket(s3, cache)
    for number in range(2):
        folder = make(1, weights=bytes([number]) * 9)
        store.put(folder, record=str(number).encode())
        assert store.record("step-000001") == str(number).encode()
        assert read_checkpoint(store.fetch("step-000001", tmp_path / "copy")) == read_checkpoint(folder)
        assert len(objects.find("kept/runs")) == 7  # five files, the manifest and the record
    objects.rm_file("kept/runs/step-000001/manifest.json")  # a removal that was torn
    (half, *_) = (path for path in objects.find("kept/runs") if path.endswith("adapter_config.json"))
    objects.rm_file(half)
    store.put(folder)
    assert read_checkpoint(store.fetch("step-000001", tmp_path / "copy")) == read_checkpoint(folder)
    assert store.record("step-000001") is None
    store.remove("step-000001")
    assert objects.find("kept/runs") == []


def test_a_flat_checkpoint_of_an_older_version_is_read_and_replaced(
    s3: str, objects: Any, make: Make, cache: CheckpointCache, tmp_path: Path
) -> None:
    """All files and the manifest in one folder, the record beside it: as every version before wrote them."""
    folder = make(1)
    for file in folder.iterdir():
        objects.pipe_file(f"kept/runs/step-000001/{file.name}", file.read_bytes())
    objects.pipe_file("kept/runs/step-000001.json", b"record")
    store = bucket(s3, cache)
    assert [each.problem for each in store.list_checkpoints()] == [None]
    assert store.record("step-000001") == b"record"
    with store.opened("step-000001") as path:
        assert read_checkpoint(path) == read_checkpoint(folder)
    store.put(folder)
    assert store.record("step-000001") == b"record"
    other = make(1, weights=b"other")
    store.put(other)
    assert store.record("step-000001") is None
    assert not objects.exists("kept/runs/step-000001.json")
    assert read_checkpoint(store.fetch("step-000001", tmp_path / "copy")) == read_checkpoint(other)


def test_a_manifest_is_never_taken_for_that_of_the_files_before_it(
    make: Make, cache: CheckpointCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader whose list is older than a replacement reads the old one, as long as its files are there."""
    import fsspec

    files = fsspec.filesystem("memory")
    if files.exists("/replaced"):
        files.rm("/replaced", recursive=True)
    old, new = make(1).rename(tmp_path / "old"), make(1, weights=b"another")
    store, writer = (open_checkpoints("memory://replaced", cache=cache) for _ in range(2))
    place = store._place  # type: ignore[attr-defined]
    lists = place.list_files
    monkeypatch.setattr(writer._place, "remove", lambda _: None)  # type: ignore[attr-defined]  # it dies before

    def listed() -> Any:
        """Right after the list somebody else puts another one there."""
        found = lists()
        monkeypatch.setattr(place, "list_files", lists)
        writer.put(new, "name", record=b"new")
        return found

    for number, read in enumerate((store.verify, store.record, lambda name: store.fetch(name, tmp_path / "copy"))):
        if files.exists("/replaced"):
            files.rm("/replaced", recursive=True)
        store.put(old, "name", record=b"old")
        monkeypatch.setattr(place, "list_files", listed)
        assert read("name") == (None, b"old", tmp_path / "copy")[number]
        assert store.record("name") == b"new"
    assert read_checkpoint(tmp_path / "copy") == read_checkpoint(old)


@pytest.mark.slow
def test_a_reader_has_the_old_one_or_the_new_while_it_is_replaced(
    s3: str, make: Make, cache: CheckpointCache, tmp_path: Path
) -> None:
    """Never a mixture: what comes is one of them to the bit, or a `CheckpointError`."""
    store = bucket(s3, cache)
    folders = [make(1, weights=b"a" * 50_000), tmp_path / "two" / "step-000001"]
    folders[0] = folders[0].rename(tmp_path / "one")
    make(1, weights=b"b" * 50_000).parent.rename(tmp_path / "two")
    known = [read_checkpoint(folder) for folder in folders]
    store.put(folders[0], "name")
    done = threading.Event()

    def write() -> None:
        for number in range(4):
            bucket(s3, cache).put(folders[(number + 1) % 2], "name")
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    seen = []
    try:
        while not done.is_set():
            with contextlib.suppress(CheckpointError):
                seen.append(known.index(read_checkpoint(store.fetch("name", tmp_path / "copy"))))
    finally:
        thread.join()
    assert seen
    assert read_checkpoint(store.fetch("name", tmp_path / "copy")) == known[0]


def test_a_download_that_is_cut_leaves_nothing_behind(
    s3: str, line: Callable[..., Any], make: Make, cache: CheckpointCache, tmp_path: Path
) -> None:
    """Neither in the cache nor in the folder; tried again, it is whole."""
    bucket(s3, cache).put(make(1, weights=os.urandom(300_000)))
    cut = line(cut_after=10**9)
    store = bucket(cut.address, cache)
    store.find("step-000001")
    cut.cut()
    with pytest.raises(StoreUnavailable), store.opened("step-000001"):
        pass
    with pytest.raises(StoreUnavailable):
        store.fetch("step-000001", tmp_path / "copy")
    assert cache.names() == []
    assert not (tmp_path / "copy").exists()
    assert [path for path in tmp_path.iterdir() if path.name.endswith(".tmp")] == []
    with bucket(s3, cache).opened("step-000001") as path:
        assert len((path / "adapter_model.safetensors").read_bytes()) == 300_000


def test_a_server_that_says_nothing_is_given_up_in_time(line: Callable[..., Any], cache: CheckpointCache) -> None:
    """The limit is that of the caller, not of the network."""
    started = time.monotonic()
    with pytest.raises(StoreUnavailable, match="did not answer for 1 s|cannot be reached"):
        bucket(line(is_silent=True).address, cache, timeout_s=1.0).list_checkpoints()
    assert time.monotonic() - started < 5


def test_waiting_for_a_silent_server_can_be_cancelled(line: Callable[..., Any], cache: CheckpointCache) -> None:
    """A run that is asked to stop does not wait for the network."""
    store = bucket(line(is_silent=True).address, cache, timeout_s=60.0)
    with pipeline.cancellable() as cancellation:
        threading.Timer(0.3, cancellation.request).start()
        started = time.monotonic()
        with pytest.raises(Cancelled):
            store.list_checkpoints()
    assert time.monotonic() - started < 5


def test_no_bucket_no_credentials_no_package_say_what_to_do(
    s3: str, cache: CheckpointCache, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is a `StoreError` of its own words."""
    options = {"endpoint_url": s3}
    store = open_checkpoints("s3://nowhere/runs", cache=cache, timeout_s=20, options=options)
    for call in (store.list_checkpoints, lambda: store.put(make(1))):
        with pytest.raises(StoreError, match=r"s3://nowhere/runs: could not .*there is no such bucket"):
            call()
    for url, says in (("s3://", "names no bucket"), ("zzz://a/b", "Protocol not known: zzz"), ("gs://a/b", "gcsfs")):
        with pytest.raises(StoreError, match=says):
            open_checkpoints(url, cache=cache)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(StoreError, match="no credentials: .*; set AWS_ACCESS_KEY_ID"):
        bucket(s3, cache).list_checkpoints()


def test_without_fsspec_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, cache: CheckpointCache) -> None:
    """The exact command to install it."""
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(MissingExtra, match=r"pip install 'crucible-ml\[s3\]'"):
        open_checkpoints("s3://kept/runs", cache=cache)


@pytest.fixture
def forbidding() -> Iterator[str]:
    """Address of a server that refuses everything, as S3 does."""

    class Refuse(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
            self.send_response(403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_PUT = do_HEAD = do_DELETE = do_GET

        def log_message(self, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refuse)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_refusal_is_told_from_silence(s3: str, forbidding: str, cache: CheckpointCache) -> None:
    """Credentials without permission are not a network that is down."""
    with pytest.raises(StoreError, match="no permission: .*check the credentials and the bucket's policy") as caught:
        bucket(forbidding, cache).list_checkpoints()
    assert not isinstance(caught.value, StoreUnavailable)


def test_damage_in_the_bucket_is_named(
    s3: str, objects: Any, make: Make, cache: CheckpointCache, tmp_path: Path
) -> None:
    """A flipped bit, a truncated file, a missing one: each refused by its address, and nothing is left in the cache."""
    store = bucket(s3, cache)
    store.put(make(1, weights=b"0123456789"))
    path = "runs/step-000001/adapter_model.safetensors"
    for content, says in ((b"0123456780", "is corrupt"), (b"012", "is truncated"), (b"0" * 99, "is truncated")):
        objects.pipe_file(f"kept/{path}", content)
        for call in (lambda: store.verify("step-000001"), lambda: store.opened("step-000001").__enter__()):
            with pytest.raises(CheckpointError, match=f"s3://kept/{path} {says}"):
                call()
        with pytest.raises(CheckpointError, match=says):
            store.fetch("step-000001", tmp_path / "copy")
    objects.rm_file(f"kept/{path}")
    assert "is missing" in str(store.find("step-000001").problem)
    with pytest.raises(CheckpointError, match=r"adapter_model\.safetensors is missing"):
        store.verify("step-000001")
    assert cache.names() == []


@pytest.mark.parametrize(
    ("then", "says"), [("is removed", "is missing.*try again"), ("is written", "was changed while")]
)
def test_a_file_that_goes_while_it_is_read_is_no_fault_of_the_place(
    s3: str, objects: Any, make: Make, cache: CheckpointCache, monkeypatch: pytest.MonkeyPatch, then: str, says: str
) -> None:
    """Between its opening and its first byte: the checkpoint cannot be used as it was, and the message says so."""
    store = bucket(s3, cache)
    store.put(make(1))
    path = "kept/runs/step-000001/adapter_model.safetensors"
    files = store._place._files  # type: ignore[attr-defined]
    opens = files.open

    def opened(name: str, *args: Any, **options: Any) -> Any:
        file = opens(name, *args, **options)
        if name == path:
            objects.rm_file(path) if then == "is removed" else objects.pipe_file(path, b"others!")
        return file

    monkeypatch.setattr(files, "open", opened)
    with pytest.raises(CheckpointError, match=f"s3://{path} {says}"):
        store.verify("step-000001")


def test_a_hostile_manifest_leads_nowhere(
    s3: str, objects: Any, make: Make, cache: CheckpointCache, tmp_path: Path
) -> None:
    """Names with `..`, absolute ones, and keys that are no checkpoint's: refused, or not seen at all."""
    store = bucket(s3, cache)
    store.put(make(1))
    manifest = json.loads(objects.cat_file("kept/runs/step-000001/manifest.json"))
    for name in ("../../evil", "/etc/evil", "manifest.json", ".evil", "a/b"):
        files = {**manifest["files"], name: {"sha256": "0" * 64, "size_bytes": 0}}
        objects.pipe_file("kept/runs/step-000001/manifest.json", json.dumps({**manifest, "files": files}).encode())
        with pytest.raises(CheckpointError, match="names a file"):
            store.fetch("step-000001", tmp_path / "deep" / "copy")
        assert "names a file" in str(store.list_checkpoints()[0].problem)
    objects.pipe_file("kept/runs/../up/manifest.json", b"{}")
    objects.pipe_file("kept/runs/deep/er/manifest.json", b"{}")
    objects.pipe_file("kept/runs/empty/manifest.json", b"")
    assert [each.name for each in store.list_checkpoints()] == ["empty", "step-000001"]
    assert "manifest.json is corrupt" in str(store.find("empty").problem)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made"]


def test_what_a_dead_writer_left_is_swept_when_it_is_old(
    s3: str, objects: Any, make: Make, cache: CheckpointCache
) -> None:
    """Younger than a day it may still be in the making; a whole checkpoint is never swept."""
    store = bucket(s3, cache)
    store.put(make(1))
    objects.pipe_file("kept/runs/step-000002/adapter_config.json", b"{}")
    assert store.sweep() == []
    assert store.sweep(older_than_s=-5.0) == ["step-000002"]
    assert [each.name for each in store.list_checkpoints()] == ["step-000001"]
    store.put(make(1, weights=b"other"))
    torn = f"kept/runs/step-000001/_{'0' * 16}/adapter_config.json"
    for path in (torn, f"kept/runs/step-000001/_{'0' * 16}.json"):
        objects.pipe_file(path, b"{}")
    assert store.sweep() == []
    assert store.sweep(older_than_s=-5.0) == ["step-000001"]
    assert not objects.exists(torn)
    store.verify("step-000001")


@pytest.mark.slow
def test_large_files_go_in_parts(s3: str, make: Make, tmp_path: Path) -> None:
    """Above 16 MB an upload is a multipart one, and the copy is the original."""
    store = bucket(s3, CheckpointCache(tmp_path / "cache", 10**8))
    weights = os.urandom(17 << 20)
    store.put(make(1, weights=weights))
    with store.opened("step-000001") as path:
        assert (path / "adapter_model.safetensors").read_bytes() == weights


def test_secrets_of_a_url_are_not_shown(cache: CheckpointCache) -> None:
    """A password in the address appears in no message."""
    store = open_checkpoints("memory://me:secret@kept", cache=cache)
    assert store.location == "memory://kept"


def test_the_first_failure_ends_the_others() -> None:
    """Calls that have not begun are not begun."""
    begun: list[int] = []

    def call(number: int) -> Callable[[object], int]:
        def work(_progress: object) -> int:
            begun.append(number)
            if number == 0:
                raise OSError(28, "No space left on device")
            time.sleep(0.05)
            return number

        return work

    with pytest.raises(StoreError, match="No space left on device; free space"):
        run_all([call(i) for i in range(50)], where="here", doing="copy", idle_s=5.0, workers=1)
    assert begun == [0]
