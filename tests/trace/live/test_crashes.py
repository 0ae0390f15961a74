"""Killed writers and full disks, with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from crucible.trace.integrity import verify
from crucible.trace.live import LiveChain, read_live

WRITER = """
import os, sys
from crucible.trace import Event
from crucible.trace.live import LiveChain

live = LiveChain(sys.argv[1], sealed=sys.argv[2] == "sealed")
while True:
    added = live.add(Event.new("decision_made", "x" * 300, "r"))
    os.write(1, added.id.encode() + b"\\n")
"""

FULL_DISK = """
import os, resource, sys
from crucible.errors import StoreError
from crucible.trace import Event
from crucible.trace.live import LiveChain

path, is_sealed = sys.argv[1], sys.argv[2] == "sealed"
live = LiveChain(path, sealed=is_sealed)
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))  # Python ignores SIGXFSZ, so writes fail
kept, refused = [], 0
for count in range(200):
    event = Event.new("decision_made", "x" * 300, "r")
    try:
        kept.append(live.add(event).id)
    except StoreError as error:
        refused += 1
        assert os.path.getsize(path) <= 20_000 and "File too large" in str(error), error
        assert open(path, "rb").read()[-1:] == b"\\n"
try:
    live.extend(Event.new("decision_made", "x", "r") for _ in range(500))
    raise SystemExit("a batch that cannot fit was taken")
except StoreError:
    refused += 1
resource.setrlimit(resource.RLIMIT_FSIZE, limits)
for count in range(3):
    kept.append(live.add(Event.new("decision_made", "later", "r")).id)
live.close()
assert refused > 100
print(*kept)
"""


@pytest.mark.parametrize("kind", ["plain", "sealed"])
@pytest.mark.parametrize("count", [1, 57, 400])
def test_killed(tmp_path: Path, kind: str, count: int) -> None:
    """Every event whose `add` returned before a `kill -9` is read back, in order, and the file goes on."""
    path = tmp_path / "live"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path), kind], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        returned = [writer.stdout.readline() for _ in range(count)]
        os.kill(writer.pid, signal.SIGKILL)
        returned += writer.stdout.readlines()
        writer.wait()
    ids = [line.strip().decode() for line in returned if line.endswith(b"\n")]
    read = read_live(path)
    kept = [event.id for event in read.chain]
    assert kept[: len(ids)] == ids
    assert len(kept) - len(ids) <= 1  # written, and killed before it could be said
    assert all(problem.kind == "torn" for problem in read.problems)
    with LiveChain(path, sealed=kind == "sealed") as live:
        live.add(read.chain[0])
    again = read_live(path)
    assert len(again.chain) == len(kept) + 1
    if kind == "sealed":
        assert verify(again.chain).ok


@pytest.mark.parametrize("kind", ["plain", "sealed"])
def test_full_disk(tmp_path: Path, kind: str) -> None:
    """A full disk is a StoreError; it loses nothing before it, leaves no torn line, and writing works again later."""
    path = tmp_path / "live"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path), kind], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    read = read_live(path)
    assert read.problems == ()
    assert [event.id for event in read.chain] == done.stdout.split()
    if kind == "sealed":
        assert verify(read.chain).ok
        assert verify(read.chain).is_closed
