"""The sink `s3` writes each report once, reads it back, and never takes a secret from a document.

fsspec's own memory and local file systems stand for the store; each is real, and neither needs a network.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from crucible.errors import MissingExtra, StoreError
from crucible.pipeline import Context, parse_options
from crucible.report.stages import ReportStage

STAGE = ReportStage()
REGISTRY = importlib.import_module("fsspec.registry")  # the package has a name of its own in front of it


def run(context: Context, **options: Any) -> Context:
    """Run the stage with the options of a document."""
    return STAGE.run(context, parse_options(STAGE, options))


def problems(context: Context, **options: Any) -> list[tuple[str, str]]:
    """Return what the stage refuses."""
    return STAGE.check(context.experiment, parse_options(STAGE, {"sink": "s3", "sink_options": options}))


@pytest.fixture
def memory() -> Iterator[MemoryFileSystem]:
    """An empty object store in memory; it is one for the whole process."""
    files = fsspec.filesystem("memory")
    files.store.clear()
    yield files
    files.store.clear()


def test_names_and_digests(tmp_path: Path, leave: SimpleNamespace, memory: MemoryFileSystem) -> None:
    """An object's name has experiment, run, output and ending; its digest stands among the run's outputs."""
    outputs = [{"name": "For the boss", "formats": ["html", "csv"], "sink": "s3", "options": {"url": "memory://b/p/"}}]
    context = run(leave.start(tmp_path, outputs=outputs))
    names = [f"/b/p/quickstart-{context.run_id}-for-the-boss.{ending}" for ending in ("csv", "html")]
    assert sorted(memory.find("/")) == names
    kept = memory.cat_file(names[0])
    assert context.outputs[1] == {
        "name": "For the boss",
        "format": "csv",
        "sink": "s3",
        "url": f"memory://{names[0]}",
        "sha256": hashlib.sha256(kept).hexdigest(),
        "size_bytes": len(kept),
    }
    assert context.artifacts == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scheme", ["memory", "file"])
def test_nothing_is_overwritten(tmp_path: Path, leave: SimpleNamespace, memory: MemoryFileSystem, scheme: str) -> None:
    """The same report is not written again; another one of the same name stands beside the first."""
    url = "memory://bucket" if scheme == "memory" else (tmp_path / "a folder").as_uri().replace("%20", " ")
    options = {"sink": "s3", "formats": ["json"], "sink_options": {"url": url}}
    context = leave.start(tmp_path, outputs=None)
    first = run(context, **options).outputs[0]
    assert run(context, **options).outputs[0] == first
    later = run(context.put_metric("more", 1), **options).outputs[0]
    assert later["url"] == first["url"].replace("-report.json", "-report-2.json")
    files, path = fsspec.core.url_to_fs(first["url"])
    assert hashlib.sha256(files.cat_file(path)).hexdigest() == first["sha256"]
    assert len(files.ls(path.rpartition("/")[0])) == 2


def test_an_experiment_without_letters(tmp_path: Path, leave: SimpleNamespace, memory: MemoryFileSystem) -> None:
    """An id that no file can be named by does not lead out of the prefix."""
    context = leave.start(tmp_path, id="../..", outputs=None)
    run(context, sink="s3", formats=["json"], sink_options={"url": "memory://b"})
    assert memory.find("/") == [f"/b/experiment-{context.run_id}-report.json"]


def test_what_is_read_back_is_compared(
    tmp_path: Path, leave: SimpleNamespace, memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that keeps something else than it was given is an error, and so is one that cannot be written."""

    class Torn(MemoryFileSystem):
        protocol = "torn"

        def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **more: Any) -> None:
            super().pipe_file(path, value[:10], mode=mode, **more)

    class Full(MemoryFileSystem):
        protocol = "full"

        def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **more: Any) -> None:
            raise RuntimeError("no space")

    monkeypatch.setitem(REGISTRY._registry, "torn", Torn)
    monkeypatch.setitem(REGISTRY._registry, "full", Full)
    context = leave.start(tmp_path, outputs=None)
    with pytest.raises(StoreError, match=r"torn://.*10 other bytes were read back"):
        run(context, sink="s3", formats=["json"], sink_options={"url": "torn://b"})
    with pytest.raises(StoreError, match=r"full://b cannot be written \(RuntimeError: no space\)"):
        run(context, sink="s3", formats=["json"], sink_options={"url": "full://b"})


def test_somebody_else_comes_first(
    tmp_path: Path, leave: SimpleNamespace, memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An object that appears between the look and the write is not overwritten."""

    class Raced(MemoryFileSystem):
        protocol = "raced"

        def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **more: Any) -> None:
            if not path.endswith("-2.json"):
                super().pipe_file(path, b"theirs")
            super().pipe_file(path, value, mode=mode, **more)

    monkeypatch.setitem(REGISTRY._registry, "raced", Raced)
    context = run(leave.start(tmp_path, outputs=None), sink="s3", formats=["json"], sink_options={"url": "raced://b"})
    assert context.outputs[0]["url"].endswith("-report-2.json")
    assert sorted(len(kept.getvalue()) == 6 for kept in memory.store.values()) == [False, True]


@pytest.mark.parametrize(
    ("url", "words"),
    [("bucket/prefix", "expected one URL such as s3://bucket/prefix"), ("simplecache::s3://b", "expected one URL"),
     ("s3://AKIAKEY:topsecret@bucket/x", "secrets never stand in a document"),
     ("s3://AKIAKEY@bucket", "secrets never stand in a document"), ("ftp://u:topsecret@host/x", "secrets never"),
     ("s33://bucket", '"s33://" is no place that fsspec knows')],
)  # fmt: skip
def test_urls_are_checked(tmp_path: Path, leave: SimpleNamespace, url: str, words: str) -> None:
    """What is no URL, or holds a secret, is refused before the run and when it runs; the secret is not repeated."""
    context = leave.start(tmp_path, outputs=None)
    found = problems(context, url=url)
    assert [path for path, _ in found] == ["sink_options.url"]
    assert words in found[0][1]
    assert "topsecret" not in found[0][1]
    with pytest.raises(StoreError) as caught:
        run(context, sink="s3", sink_options={"url": url})
    assert "topsecret" not in str(caught.value)


def test_a_url_is_needed(tmp_path: Path, leave: SimpleNamespace) -> None:
    """The sink has nowhere to write to without one."""
    [(path, message)] = problems(leave.start(tmp_path, outputs=None))
    assert path == "sink_options.url"
    assert "is required" in message


def test_missing_packages(tmp_path: Path, leave: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the client of a store is not installed, the message says what to install; for S3 it is the extra."""
    for scheme in ("s3", "gs"):
        entry = {"class": "no_such_package.Files", "err": "install no_such_package"}
        monkeypatch.setitem(REGISTRY.known_implementations, scheme, entry)
        monkeypatch.delitem(REGISTRY._registry, scheme, raising=False)
    context = leave.start(tmp_path, outputs=None)
    assert "pip install 'crucible-ml[s3]'" in problems(context, url="s3://bucket")[0][1]
    assert "install no_such_package" in problems(context, url="gs://bucket")[0][1]
    with pytest.raises(MissingExtra, match=r"pip install 'crucible-ml\[s3\]'"):
        run(context, sink="s3", sink_options={"url": "s3://bucket"})
    with pytest.raises(StoreError, match="install no_such_package"):
        run(context, sink="s3", sink_options={"url": "gs://bucket"})


def test_without_fsspec(tmp_path: Path, leave: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that writes to no object store needs no fsspec; one that does says what to install."""
    monkeypatch.setitem(sys.modules, "fsspec", None)
    assert "pip install 'crucible-ml[s3]'" in problems(leave.start(tmp_path, outputs=None), url="memory://b")[0][1]
    assert run(leave.start(tmp_path, outputs=None)).artifacts


def test_options_come_from_the_environment(
    tmp_path: Path, leave: SimpleNamespace, memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The document names variables; their values reach the client and stand in no report."""
    seen: list[dict[str, Any]] = []

    class Locked(MemoryFileSystem):
        protocol = "locked"
        cachable = False

        def __init__(self, **options: Any) -> None:
            seen.append(options)
            super().__init__()

    monkeypatch.setitem(REGISTRY._registry, "locked", Locked)
    context = leave.start(tmp_path, outputs=None)
    options = {"url": "locked://b", "options_env": {"secret": "REPORT_SECRET"}}
    assert problems(context, **options) == [
        ("sink_options.options_env.secret", "the environment variable REPORT_SECRET is not set")
    ]
    with pytest.raises(StoreError, match="REPORT_SECRET is not set; the sink s3 takes its secret from there"):
        run(context, sink="s3", sink_options=options)
    monkeypatch.setenv("REPORT_SECRET", "topsecret")
    assert problems(context, **options) == []
    done = run(context, sink="s3", formats=["json"], sink_options=options)
    assert seen == [{"secret": "topsecret"}]
    assert "topsecret" not in str(done.outputs)
    assert all(b"topsecret" not in memory.cat_file(path) for path in memory.find("/b"))
