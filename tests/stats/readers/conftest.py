"""Files as other tools write them, made by hand: small, and with the parts that a reader has to get right."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

ZSTANDARD = 93

WriteZip = Callable[..., Path]
WriteEval = Callable[..., Path]
MakeHeader = Callable[..., dict[str, Any]]
MakeSample = Callable[..., dict[str, Any]]


@pytest.fixture
def write_zip(tmp_path: Path) -> WriteZip:
    """Return what writes a zip file whose members are packed with Zstandard, as Inspect does since 2026.

    Python's own zipfile cannot write these before 3.14, so that the records of the format are written here.
    """

    def write(name: str, members: Mapping[str, bytes], **altered: int) -> Path:
        import zstandard

        body, directory = b"", b""
        for member, content in members.items():
            packed = zstandard.ZstdCompressor().compress(content)
            size = altered.get("claimed_bytes", len(content))
            fields = (ZSTANDARD, 0, 0, altered.get("crc", zlib.crc32(content)), len(packed), size, len(member))
            flags = altered.get("flags", 0)
            directory += (
                struct.pack("<4s4H2H3I5H2I", b"PK\1\2", 45, 45, flags, ZSTANDARD, *fields[1:], 0, 0, 0, 0, 0, len(body))
                + member.encode()
            )
            body += (
                struct.pack("<4s3H2H3I2H", b"PK\3\4", 45, flags, ZSTANDARD, *fields[1:], 0) + member.encode() + packed
            )
        end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, len(members), len(members), len(directory), len(body), 0)
        path = tmp_path / name
        path.write_bytes(body + directory + end)
        return path

    return write


def _header(**changed: Any) -> dict[str, Any]:
    """Return the header of a log, with the fields of inspect_ai 0.3.285 that matter and a few that do not."""
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "task": "sums",
            "model": "mockllm/model",
            "dataset": {"name": "sums", "samples": 3, "sample_ids": ["1", "2", "3"]},
            "config": {"epochs": 2, "epochs_reducer": ["mean"], "fail_on_error": False},
            "scorers": [{"name": "match"}],
        },
        "plan": {"steps": []},
        "invalidated": False,
        **changed,
    }


def _sample(key: str | int, epoch: int = 1, scores: Any = None, **more: Any) -> dict[str, Any]:
    """Return a sample, or its summary, with what both hold."""
    found = {name: {"value": value, "answer": "4", "explanation": "because"} for name, value in (scores or {}).items()}
    return {
        "id": key,
        "epoch": epoch,
        "input": f"What is {key}+{key}?",
        "target": "4",
        "metadata": {"subject": f"s{int(key) % 2}"},
        "scores": found,
        **more,
    }


@pytest.fixture
def write_eval(write_zip: WriteZip, tmp_path: Path) -> WriteEval:
    """Return what writes an Inspect log: samples, and summaries of them unless they are to be left out."""

    def write(
        name: str,
        samples: list[dict[str, Any]],
        *,
        summaries: list[dict[str, Any]] | None = None,
        packed: str = "zstandard",
        **changed: Any,
    ) -> Path:
        members = {
            f"samples/{one['id']}_epoch_{one['epoch']}.json": {**one, "messages": [{"role": "user"}], "events": [{}]}
            for one in samples
        }
        documents: dict[str, Any] = {"_journal/start.json": _header(**changed), **members}
        if summaries is not None:
            documents["summaries.json"] = summaries
        documents["header.json"] = _header(**changed)
        contents = {member: json.dumps(document).encode() for member, document in documents.items()}
        if packed == "zstandard":
            return write_zip(name, contents)
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as file:
            for member, content in contents.items():
                file.writestr(member, content)
        return tmp_path / name

    return write


@pytest.fixture
def header() -> MakeHeader:
    """Return what makes the header of a log, some fields of it changed."""
    return _header


@pytest.fixture
def sample() -> MakeSample:
    """Return what makes a sample: id, epoch, value by scorer, and further fields."""
    return _sample
