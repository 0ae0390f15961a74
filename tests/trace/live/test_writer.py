"""Recording into a live chain's file."""

from __future__ import annotations

import math
import os
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import msgspec
import pytest

from crucible.errors import SpecError, StoreError
from crucible.trace import Event
from crucible.trace.integrity import Signer, verify
from crucible.trace.live import LiveChain, read_live
from crucible.trace.live.append_log import AppendLog


def event(word: str = "d", **fields: object) -> Event:
    """Return an event."""
    return Event.new("decision_made", word, "because", **fields)  # pyright: ignore[reportArgumentType]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where to write, in a folder that is yet to be made."""
    return tmp_path / "new" / "live.jsonl"


def test_layout(path: Path) -> None:
    """A header, then one event a line with the predecessor's 14 keys and times with six decimals."""
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=1)))
    with LiveChain(path, "run", id="c1", metadata={"seed": 1}) as live:
        live.add(event(timestamp=moment, id="e1"))
        live.add(event(timestamp=datetime(2026, 1, 2, 3, 4, 5, 1000, tzinfo=UTC), id="e2"))
    header, first, second = map(msgspec.json.decode, path.read_bytes().splitlines())
    assert (header["format"], header["id"], header["name"]) == ("crucible-live-trace/1", "c1", "run")
    assert first == event(timestamp=moment, id="e1").to_dict()
    assert (first["timestamp"], second["timestamp"]) == ("2026-01-02T02:04:05.000000Z", "2026-01-02T03:04:05.001000Z")
    assert len(first) == 14
    read = read_live(path)
    assert read.problems == ()
    assert (read.chain.id, read.chain.name, read.chain.metadata) == ("c1", "run", {"seed": 1})
    assert [each.id for each in read.chain] == ["e1", "e2"]


def test_durable_on_return(path: Path) -> None:
    """What `add` returned from is in the file already, without a flush."""
    with LiveChain(path) as live:
        for count in range(1, 4):
            added = live.add(event())
            assert read_live(path).chain[count - 1] == added
        assert live.extend(event() for _ in range(5000)) == 5000
        assert len(read_live(path).chain) == 5003


def test_source_that_fails(path: Path) -> None:
    """An error of the iterable reaches the caller, and every event that it gave before is in the file."""

    def source() -> Iterator[Event]:
        for place in range(3000):
            yield event(str(place))
        raise ValueError("the source broke")

    with LiveChain(path) as live, pytest.raises(ValueError, match="the source broke"):
        live.extend(source())
    assert len(read_live(path).chain) == 3000


def test_goes_on(path: Path) -> None:
    """Opening a file again goes on with it, under its own id and name."""
    with LiveChain(path, "first") as live:
        live.add(event())
        chain_id = live.id
    with LiveChain(path, "second", metadata={"ignored": 1}) as live:
        assert (live.id, live.name, live.repaired) == (chain_id, "first", "")
        live.add(event())
    assert len(read_live(path).chain) == 2
    with pytest.raises(SpecError, match="not another"):
        LiveChain(path, id="another")


def test_one_writer(path: Path) -> None:
    """A second writer is refused until the first has closed; refused ones leave no lock behind."""
    with LiveChain(path) as live:
        for _ in range(3):
            with pytest.raises(StoreError, match="open for writing elsewhere"):
                LiveChain(path)
        live.add(event())
    LiveChain(path).close()


def test_closed(path: Path) -> None:
    """After closing, adding and flushing are refused; closing twice is fine."""
    live = LiveChain(path)
    live.flush()
    live.close()
    live.close()
    for use in (lambda: live.add(event()), lambda: live.extend([event()]), live.flush):
        with pytest.raises(StoreError, match="is closed"):
            use()
    assert "is_open=False" in repr(live)


@pytest.mark.parametrize("content", [b"something else\n", b"{}", b"\x00" * 50, b'{"format":"other"}\n'])
def test_foreign_file(path: Path, content: bytes) -> None:
    """A file that is no live chain is refused and left as it is."""
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(SpecError, match="no live chain"):
        LiveChain(path)
    assert path.read_bytes() == content


def test_foreign_places(path: Path, tmp_path: Path) -> None:
    """Folders, devices and pipes are refused, as is a header of a version to come."""
    with pytest.raises(StoreError):
        LiveChain(tmp_path)
    with pytest.raises(SpecError, match="no regular file"):
        LiveChain("/dev/null")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SpecError, match="no regular file"):
        LiveChain(tmp_path / "pipe")
    path.parent.mkdir()
    path.write_bytes(b'{"format":"crucible-live-trace/2","id":1}\n')
    with pytest.raises(SpecError, match="this version cannot read"):
        LiveChain(path)


@pytest.mark.parametrize("is_sealed", [False, True])
def test_torn_at_every_byte(path: Path, is_sealed: bool) -> None:
    """Wherever a crash tears the last line: reading reports it and keeps the rest; going on cuts it off."""
    signer = Signer.generate() if is_sealed else None
    with LiveChain(path, signer=signer) as live:
        first, last = live.add(event("first")), live.add(event("größer", metadata={"a": [1, {"b": "\n"}]}))
        whole = path.read_bytes()
    start = whole.rindex(b"\n", 0, -1) + 1
    key = None if signer is None else signer.public_key
    for size in range(start, len(whole) + 1):
        path.write_bytes(whole[:size])
        read = read_live(path)
        is_whole = size >= len(whole) - 1  # all but its line feed is a whole event
        assert list(read.chain) == ([first, last] if is_whole else [first])
        assert [problem.kind for problem in read.problems] == ([] if is_whole or size == start else ["torn"])
        if read.problems:
            assert (read.problems[0].line, read.problems[0].offset_bytes) == (3, start)
        with LiveChain(path, signer=signer) as live:
            assert bool(live.repaired) == bool(read.problems)
            later = live.add(event("later"))
        again = read_live(path)
        assert again.problems == ()
        assert list(again.chain) == [*read.chain, later]
        if is_sealed:
            assert verify(again.chain, public_key=key).ok


def test_torn_header(path: Path) -> None:
    """A crash over the header leaves nothing behind that hinders the next writer."""
    LiveChain(path, "run").close()
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        assert len(read_live(path).chain) == 0
        with LiveChain(path, "run") as live:
            assert bool(live.repaired) == (size > 0)
            live.add(event())
        assert read_live(path).problems == ()


def test_nothing_fails_to_be_recorded(path: Path) -> None:
    """What JSON cannot carry becomes its nearest value, as the returned event says; the rest stays as it is."""
    hostile = [
        event("\ud800half"),
        event("nan", metadata={"loss": math.nan, "all": [math.inf], "big": 2**70}, confidence=math.nan),
        event("object", metadata={"x": object(), "when": datetime(2026, 1, 1, tzinfo=UTC), 3: (1, 2)}),
        event("line\nfeed\r\u2028\0", metadata={"\n": "\x1b"}, alternatives=["\ud800"]),
        event("x" * 100_000),
        Event.from_dict({**event("foreign").to_dict(), "unknown": {"a": 1}}),
        event("no such type"),
    ]
    deep: dict[str, object] = {}
    deep["self"] = deep
    hostile.append(event("endless", metadata=deep))
    for sealed in (False, True):
        file = path.with_suffix(f".{sealed}")
        with LiveChain(file, sealed=sealed) as live:
            kept = [live.add(each) for each in hostile]
            live.extend(hostile)
        read = read_live(file)
        assert read.problems == ()
        assert list(read.chain) == kept * 2
        assert b"NaN" not in file.read_bytes()
        if sealed:
            assert verify(read.chain).ok
    assert kept[1].metadata == {"loss": "nan", "all": ["inf"], "big": hex(2**70)}
    assert kept[1].confidence is None
    assert kept[5] is hostile[5]


def test_sealed(path: Path) -> None:
    """A signed live chain verifies while open and after closing; each deed in the file is named."""
    signer = Signer.generate()
    events = [event(f"d{place}") for place in range(6)]
    with LiveChain(path, signer=signer) as live:
        live.extend(events[:3])
        assert verify(read_live(path).chain, public_key=signer.public_key).ok
        assert not verify(read_live(path).chain).is_closed
        for each in events[3:]:
            live.add(each)
        head = live.head
    lines = path.read_bytes().splitlines(keepends=True)

    def first_of(changed: list[bytes]) -> tuple[str, int | None]:
        path.write_bytes(b"".join(changed))
        read = read_live(path)
        assert read.problems == ()
        found = verify(read.chain, public_key=signer.public_key, head=head).first
        assert found is not None
        return found.fault, found.place

    assert first_of([*lines[:3], lines[3].replace(b'"d2"', b'"no"'), *lines[4:]]) == ("altered", 2)
    assert first_of([*lines[:3], *lines[4:]]) == ("dropped", 2)
    assert first_of([*lines[:3], lines[4], lines[3], *lines[5:]]) == ("reordered", 2)
    assert first_of([*lines[:3], lines[1], *lines[3:]]) == ("inserted", 2)
    assert first_of(lines[:5]) == ("dropped", 4)
    path.write_bytes(b"".join(lines))
    outcome = verify(read_live(path).chain, public_key=signer.public_key, head=head)
    assert outcome.ok
    assert outcome.is_closed


def test_sealed_goes_on(path: Path) -> None:
    """A sealed file goes on with its hashes, closed or killed, also over damaged lines; not with another key."""
    signer = Signer.generate()
    for _ in range(3):
        with LiveChain(path, signer=signer) as live:
            live.add(event())
    LiveChain(path, signer=signer).close()  # nothing new: the closing record is not written twice
    assert verify(read_live(path).chain, public_key=signer.public_key).is_closed
    assert path.read_bytes().count(b'"closing"') == 3
    with path.open("ab") as file:
        file.write(b"damage\n" * 20_000)
    with LiveChain(path, signer=signer) as live:
        live.add(event())
    read = read_live(path)
    assert len(read.problems) == 20_000
    assert verify(read.chain, public_key=signer.public_key).ok
    for other in (None, Signer.generate()):
        with pytest.raises(SpecError, match="signed with"):
            LiveChain(path, signer=other)
    plain = path.with_suffix(".plain")
    LiveChain(plain).close()
    with pytest.raises(SpecError, match="not sealed"):
        LiveChain(plain, sealed=True)


def test_key_named_seal(path: Path) -> None:
    """An unknown key `seal` is kept in a plain file, and refused in a sealed one before anything is written."""
    odd = Event.from_dict({**event().to_dict(), "seal": 1})
    with LiveChain(path) as live:
        live.add(odd)
    assert list(read_live(path).chain) == [odd]
    with LiveChain(path.with_suffix(".sealed"), sealed=True) as live:
        with pytest.raises(SpecError, match="key 'seal'"):
            live.extend([event(), odd])
        live.add(event())
    read = read_live(path.with_suffix(".sealed"))
    assert verify(read.chain).ok
    assert len(read.chain) == 1


@pytest.mark.parametrize("sealed", [False, True])
def test_threads(path: Path, sealed: bool) -> None:
    """Threads may share one: every line is whole, every event is there once, and a sealed chain holds."""
    with LiveChain(path, sealed=sealed) as live:

        def work(number: int) -> None:
            for place in range(100):
                live.add(event(f"{number}.{place}"))
            live.extend(event(f"{number}.{place}") for place in range(100, 200))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    read = read_live(path)
    assert read.problems == ()
    decisions = [each.decision for each in read.chain]
    assert sorted(decisions) == sorted(f"{number}.{place}" for number in range(6) for place in range(200))
    assert [word for word in decisions if word.startswith("3.")] == [f"3.{place}" for place in range(200)]
    if sealed:
        assert verify(read.chain).ok


def test_fork(path: Path) -> None:
    """A forked child cannot write into its parent's chain, nor take its lock away; the parent goes on."""
    live = LiveChain(path, sealed=True)
    live.add(event())
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of forks beside threads
        child = os.fork()
    if child == 0:
        try:
            live.add(event("child"))
        except StoreError as error:
            os.write(writing, str(error).encode())
        live.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert b"is a fork" in os.read(reading, 1000)
    os.close(reading)
    os.close(writing)
    with pytest.raises(StoreError, match="elsewhere"):
        LiveChain(path)
    live.add(event())
    live.close()
    read = read_live(path)
    assert len(read.chain) == 2
    assert verify(read.chain).is_closed


@pytest.mark.parametrize("sealed", [False, True])
def test_interrupted(path: Path, sealed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt in the middle of a write, before or after it, costs no other event and breaks no seal."""
    real = os.write
    with LiveChain(path, sealed=sealed) as live:
        live.add(event("before"))
        for keep in (0, 20, None):

            def interrupted(descriptor: int, data: bytes, keep: int | None = keep) -> int:
                real(descriptor, bytes(data)[:keep])
                raise KeyboardInterrupt

            monkeypatch.setattr(os, "write", interrupted)
            with pytest.raises(KeyboardInterrupt):
                live.add(event(f"interrupted at {keep}"))
            monkeypatch.setattr(os, "write", real)
            live.add(event(f"after {keep}"))
    read = read_live(path)
    assert read.problems == ()
    words = [each.decision for each in read.chain]
    assert words == ["before", "after 0", "after 20", "interrupted at None", "after None"]
    if sealed:
        assert verify(read.chain).ok


def test_synced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sync="event"` waits for the disk at each write; what the disk refuses is taken back."""
    synced: list[int] = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: (synced.append(descriptor), real(descriptor)))
    with LiveChain(path, sync="event") as live:
        live.add(event())
        live.extend([event(), event()])
        assert len(synced) == 3  # the header too

        def refused(_descriptor: int) -> None:
            raise OSError(5, "Input/output error")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", refused)
            with pytest.raises(StoreError, match="Input/output"):
                live.add(event("refused"))
            with pytest.raises(StoreError, match="Input/output"):
                live.flush()
        live.add(event("kept"))
    assert [each.decision for each in read_live(path).chain] == ["d", "d", "d", "kept"]


def test_dropped_without_closing(path: Path) -> None:
    """A chain that is let go without closing leaves neither a lock nor a lost event behind."""
    LiveChain(path).add(event())
    with LiveChain(path) as live:
        live.add(event())
    assert len(read_live(path).chain) == 2


def test_long_lines_from_the_end(tmp_path: Path) -> None:
    """The last line is found however long it is."""
    log = AppendLog(tmp_path / "log", "none")
    for size in (10, 70_000, 300_000):
        log.append(b"a" * size + b"\n")
        assert log.lines_from_end()[0] == b"a" * size
    assert log.tail() == b""
    log.append(b"b" * 200_000)
    assert log.tail() == b"b" * 200_000
    log.close()
