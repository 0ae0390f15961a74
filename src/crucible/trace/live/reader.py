"""Reading a live chain back, at once or while it grows: `read_live` and `LiveReader`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from crucible.errors import SpecError, StoreError
from crucible.trace import notices
from crucible.trace.chain import Chain
from crucible.trace.event import Event, format_timestamp
from crucible.trace.integrity.ledger import Closing, Entry, Ledger
from crucible.trace.live.lines import Header, read_header, read_line

__all__ = ["LiveProblem", "LiveRead", "LiveReader", "read_live"]


class LiveProblem(msgspec.Struct, frozen=True):
    """Something in a live chain's file that could not be read; everything else was.

    Args:
        kind: `torn`: the last line is not whole, as a crash leaves it, or as a writer at work shows for a moment;
            `damaged`: a line is none of ours; `header`: the first line is none; `shrunk`: what was read is gone.
        line: Its number, counted from 1.
        offset_bytes: Where it begins.
        message: The whole thing in a sentence.
    """

    kind: Literal["torn", "damaged", "header", "shrunk"]
    line: int
    offset_bytes: int
    message: str


class LiveRead(msgspec.Struct, frozen=True):
    """What was in a live chain's file.

    Args:
        chain: Every event that could be read; sealed, if the file is.
        problems: What could not, in the file's order.
    """

    chain: Chain
    problems: tuple[LiveProblem, ...]


class LiveReader:
    """Reads a live chain's file as far as it goes, and goes on where it left off.

    Args:
        path: The file; it need not be there yet.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.header: Header | None = None
        self.problems: list[LiveProblem] = []
        self.closing: Closing | None = None
        self.entries: list[Entry] = []
        self.is_sealed = False
        self._offset = 0
        self._line = 0
        self._rest = b""

    def poll(self) -> list[Event]:
        """Return the events of the lines that have been finished since the last call.

        Raises:
            StoreError: The file is missing or cannot be read.
        """
        lines = self._fresh().split(b"\n")
        self._rest = lines.pop()
        events: list[Event] = []
        for line in lines:
            self._line += 1
            self._take(line, events)
            self._offset += len(line) + 1
        return events

    def finish(self) -> list[Event]:
        """Take what follows the last line feed for the last line: its event if it is whole, a problem if it is not.

        For a file that nobody writes to just now; `poll` goes on from here.
        """
        rest, self._rest = self._rest, b""
        events: list[Event] = []
        if not rest:
            if self.header is None and not self._line:
                self._report("header", "the file is empty; expected a header line")
            return events
        self._line += 1
        known = len(self.problems)
        self._take(rest, events)
        if len(self.problems) > known or (self._line == 1 and self.header is None):
            del self.problems[known:], events[:]
            self._report("torn", f"the last line is not whole ({len(rest)} bytes); it was left out")
        else:
            self._offset += len(rest)
        self._line -= 1  # its line feed is still to come
        return events

    def chain(self, events: list[Event]) -> Chain:
        """Return events that this reader returned as a chain, with the header's name and, if sealed, their ledger."""
        header = self.header
        data: dict[str, Any] = {"name": self.path.stem, "events": events}
        if header is not None:
            data |= msgspec.structs.asdict(header) | {"created_at": format_timestamp(header.created_at)}
            del data["sealed"], data["public_key"]
        elif not events:
            data["created_at"] = datetime.fromtimestamp(self.path.stat().st_mtime, UTC)  # all that is known of it
        if self.is_sealed:
            key = None if header is None else header.public_key
            data["integrity"] = Ledger(
                "" if header is None else header.id, self.entries, public_key=key, closing=self.closing
            )
        return Chain.from_dict(data)

    def _fresh(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, 2)
                if size < self._offset:
                    self._report("shrunk", f"the file was cut from {self._offset} to {size} bytes after it was read")
                    self._offset = size
                file.seek(self._offset)
                return file.read()
        except OSError as error:
            raise StoreError(f"{self.path} cannot be read ({error.strerror or error}); check the path") from error

    def _take(self, line: bytes, events: list[Event]) -> None:
        if self._line == 1:
            self.header = read_header(line)
            if self.header is not None:
                self.is_sealed = self.header.sealed
                return
            self._report("header", "line 1 is no header of a live chain; the events are read nonetheless")
        if not line.strip():
            return
        try:
            found = read_line(line, sealed=self.is_sealed)
        except SpecError as error:
            if self._line > 1:
                self._report("damaged", f"line {self._line} {error}; it was left out")
            return
        if isinstance(found, Closing):
            self.closing = found
            return
        event, entry = found
        self.closing = None  # it counts all events only while it is the last line
        events.append(event)
        if entry is not None:
            self.entries.append(entry)

    def _report(self, kind: Literal["torn", "damaged", "header", "shrunk"], message: str) -> None:
        self.problems.append(LiveProblem(kind, max(self._line, 1), self._offset, message))


def read_live(path: str | Path) -> LiveRead:
    """Read a live chain's file, whatever state its writer left it in.

    A crash costs the last line at most, and it is reported; a damaged line is reported with its number and costs
    nothing else. Unknown types load, repeated ids too (`validate_relationships` names them).

    Raises:
        StoreError: The file is missing or cannot be read.
    """
    reader = LiveReader(path)
    events = reader.poll()
    events += reader.finish()
    chain = reader.chain(events)
    notices.chain_loaded(chain, path=str(path))
    return LiveRead(chain, tuple(reader.problems))
