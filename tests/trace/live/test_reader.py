"""Reading live chains back."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.errors import StoreError
from crucible.trace import Event
from crucible.trace.live import LiveChain, LiveReader, read_live


def written(path: Path, count: int = 3) -> list[Event]:
    """Write a live chain and return its events."""
    events = [Event.new("decision_made", f"d{place}", "r") for place in range(count)]
    with LiveChain(path, "run", id="c1") as live:
        live.extend(events)
    return events


def test_damaged_lines(tmp_path: Path) -> None:
    """A damaged line in the middle is reported with its number and place; all others are read."""
    path = tmp_path / "live"
    events = written(path, 5)
    lines = path.read_bytes().split(b"\n")
    lines[2] = lines[2][:-5]
    lines[4] = b'{"id":"x","timestamp":"no time","type":""}'
    path.write_bytes(b"\n".join(lines))
    read = read_live(path)
    assert list(read.chain) == [events[0], events[2], events[4]]
    assert [(problem.kind, problem.line) for problem in read.problems] == [("damaged", 3), ("damaged", 5)]
    assert "timestamp" in read.problems[1].message
    assert path.read_bytes()[read.problems[0].offset_bytes :].startswith(lines[2])


def test_tolerated(tmp_path: Path) -> None:
    """Unknown types, unknown keys, repeated ids, missing optional keys and blank lines load, as in a chain's file."""
    path = tmp_path / "live"
    written(path, 1)
    with path.open("ab") as file:
        for fields in (
            {"id": "e", "timestamp": "2026-01-01T00:00:00", "type": "never heard of", "x": 1},
            {"id": "e", "timestamp": "2026-01-01T01:00:00+01:00", "type": "t", "confidence": "85%", "decision": None},
        ):
            file.write(b"\n  \n" + msgspec.json.encode(fields) + b"\r\n")
    read = read_live(path)
    assert read.problems == ()
    assert [each.type for each in read.chain] == ["decision_made", "never heard of", "t"]
    assert read.chain[1].timestamp == read.chain[2].timestamp
    assert (read.chain[1].confidence, read.chain[2].confidence) == (1.0, 0.85)
    assert read.chain[1].to_dict()["x"] == 1


def test_header_lost(tmp_path: Path) -> None:
    """Without its header a file's events are read nonetheless, also that on the first line."""
    path = tmp_path / "live"
    events = written(path)
    whole = path.read_bytes()
    path.write_bytes(whole.partition(b"\n")[2])
    read = read_live(path)
    assert list(read.chain) == events
    assert [problem.kind for problem in read.problems] == ["header"]
    path.write_bytes(b"###" + whole)
    read = read_live(path)
    assert list(read.chain) == events
    assert [problem.kind for problem in read.problems] == ["header"]
    path.write_bytes(b"")
    assert [problem.kind for problem in read_live(path).problems] == ["header"]
    with pytest.raises(StoreError, match="absent"):
        read_live(tmp_path / "absent")


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 2000))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, junk: bytes, at: int) -> None:
    """Whatever stands in the middle of a file, reading never raises and loses at most the lines that it touches."""
    path = tmp_path_factory.mktemp("any") / "live"
    events = written(path, 4)
    whole = path.read_bytes()
    at %= len(whole)
    path.write_bytes(whole[:at] + junk + whole[at:])
    kept = [each.id for each in read_live(path).chain]
    touched = whole[:at].count(b"\n") - 1
    for place, event in enumerate(events):
        if place != touched:
            assert event.id in kept


def test_follows(tmp_path: Path) -> None:
    """A reader returns each event once while the file grows, and a line only when it is whole."""
    path = tmp_path / "live"
    with LiveChain(path) as live:
        reader = LiveReader(path)
        assert reader.poll() == []
        first = live.add(Event.new("t", "1", "r"))
        assert reader.poll() == [first]
        assert reader.poll() == []
        more = [Event.new("t", "2", "r"), Event.new("t", "3", "r")]
        live.extend(more)
        assert reader.poll() == more
    with path.open("ab") as file:
        file.write(b'{"id":"e4","timestamp":"2026-01-01T00:00:00Z",')
        file.flush()
        assert reader.poll() == []
        assert reader.finish() == []
        assert [problem.line for problem in reader.problems] == [5]
        reader.problems.clear()
        file.write(b'"type":"t"}')
        file.flush()
        assert reader.poll() == []
        assert [each.id for each in reader.finish()] == ["e4"]
        file.write(b"\n\nbroken\n")
        file.flush()
        assert reader.poll() == []
        assert [problem.line for problem in reader.problems] == [7]
    path.write_bytes(b"")
    assert reader.poll() == []
    assert reader.problems[-1].kind == "shrunk"
