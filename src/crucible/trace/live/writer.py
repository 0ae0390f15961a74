"""Recording a chain while it happens: the `LiveChain`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from crucible.errors import SpecError, StoreError
from crucible.trace import notices
from crucible.trace.event import Event, new_id
from crucible.trace.integrity.keys import Signer
from crucible.trace.integrity.ledger import Closing, Entry, closing_message, entry_message
from crucible.trace.integrity.links import Links, read_hash
from crucible.trace.layout import written
from crucible.trace.live.append_log import AppendLog, Sync
from crucible.trace.live.lines import OPENING, Header, closing_line, read_header, read_line, sealed_line

__all__ = ["LiveChain"]

_BATCH = 2048  # events a write: about a megabyte
_HEADER_LIMIT = 1 << 24


class LiveChain:
    """A chain that is on the disk as it grows, one event a line; `read_live` reads it back.

    When `add` returns, the event survives the death of the process. Threads may share one; a forked child may not, and
    is told so. Ids are not compared with those in the file. Opening a file that is there goes on with it: a last line
    that a crash tore is cut off first (`repaired`).

    Args:
        path: The file.
        name: The chain's name. Like `id` and `metadata`, it is of a new file; one that is there keeps its own.
        id: The chain's id; None makes one, and takes that of a file that is there.
        metadata: The chain's metadata, JSON values.
        signer: Seals and signs: every `add`, and in `extend` the last event of each write.
        sealed: Seals without a signature, which shows damage but not forgery; see `integrity`.
        sync: `none`, or `event` to wait for the disk each time, which survives a power loss too.

    Raises:
        StoreError: The file cannot be opened, or somebody else has it open for writing.
        SpecError: The file is no live chain, or another one, or sealed otherwise.
    """

    def __init__(  # all but the path are optional, and each is one word
        self,
        path: str | Path,
        name: str = "live chain",
        *,
        id: str | None = None,  # noqa: A002  # the field's name
        metadata: Mapping[str, Any] | None = None,
        signer: Signer | None = None,
        sealed: bool = False,
        sync: Sync = "none",
    ) -> None:
        key = None if signer is None else signer.public_key.text
        wanted = Header(
            id or new_id(),
            name,
            datetime.now(UTC),
            metadata=dict(metadata or {}),
            sealed=sealed or signer is not None,
            public_key=key,
        )
        wanted_line = wanted.line()
        self.repaired = ""
        """What was cut off on opening, in a sentence; empty if nothing was."""
        self._signer = signer
        self._links: Links | None = None  # None too where only the file knows how far it got
        self._log = AppendLog(Path(path), sync)
        try:
            self.header = self._opened(wanted, wanted_line, id)
            if self.header.sealed:
                self._links = self._resumed()
        except BaseException:
            self._log.close()
            raise

    @property
    def path(self) -> Path:
        """The file."""
        return self._log.path

    @property
    def id(self) -> str:
        """The chain's id."""
        return self.header.id

    @property
    def name(self) -> str:
        """The chain's name."""
        return self.header.name

    @property
    def head(self) -> str | None:
        """The hash of the last event, to note elsewhere; None if the chain is not sealed, or was just interrupted."""
        return None if self._links is None else self._links.head

    def __repr__(self) -> str:
        return f"LiveChain({str(self.path)!r}, id={self.id!r}, is_open={self._log.is_open})"

    def add(self, event: Event) -> Event:
        """Write an event and return it as it was written: what JSON cannot carry is replaced by its nearest value.

        Raises:
            StoreError: It could not be written, and is not in the file; trying again is safe.
            SpecError: The chain is sealed, and the event has an unknown key `seal`.
        """
        with self._log.lock:
            if not self.header.sealed:
                event, text = written(event)
                self._log.append(text + b"\n")
                return event
            return self._add_sealed([event])[0]

    def extend(self, events: Iterable[Event]) -> int:
        """Write events in order, many at a time, and return how many.

        Raises:
            StoreError: They could not be written. All before the write that failed (up to 2,048 events each) are in the
                file, and none of it or after it.
            SpecError: As `add`.
        """
        count = 0
        for batch in _batches(events):
            with self._log.lock:
                if not self.header.sealed:
                    self._log.append(b"\n".join([written(event)[1] for event in batch]) + b"\n")
                else:
                    self._add_sealed(batch)
            count += len(batch)
        return count

    def _add_sealed(self, batch: list[Event]) -> list[Event]:
        links = self._links or self._resumed()
        ahead = Links(links.chain_id, number=links.number, last=links.last)
        kept: list[Event] = []
        lines: list[bytes] = []
        for given in batch:
            event, text = written(given)
            if event.__class__ is not Event and "seal" in event.to_dict():
                raise SpecError(f"event {event.id!r} has a key 'seal', which a sealed chain needs", code="seal")
            entry = Entry(event.id, ahead.add(event))
            if self._signer is not None and len(lines) == len(batch) - 1:
                entry = Entry(event.id, entry.hash, self._signer.sign(entry_message(entry.hash)))
            kept.append(event)
            lines.append(sealed_line(text, entry))
        try:
            self._log.append(b"".join(lines))
        except StoreError:
            raise
        except BaseException:  # interrupted: whether they were written, the file knows
            self._links = None
            raise
        self._links = ahead
        return kept

    def flush(self) -> None:
        """Wait until everything is on the disk, safe from a power loss.

        Raises:
            StoreError: The disk does not take it.
        """
        with self._log.lock:
            self._log.sync()

    def close(self) -> None:
        """Write the closing record of a sealed chain, wait for the disk, and unlock the file. Closing twice is fine.

        Raises:
            StoreError: The disk does not take it; the file is unlocked all the same.
        """
        with self._log.lock:
            if not self._log.is_open:
                return
            try:
                if self.header.sealed:
                    self._close_ledger(self._links or self._resumed())
                self._log.sync()
            finally:
                self._log.close()
        notices.live_chain_saved(self, path=str(self.path))

    def _close_ledger(self, links: Links) -> None:
        last = self._log.lines_from_end()[:1]
        if last and last[0].startswith(b'{"closing":'):
            return  # nothing came since it was closed before
        signature = None
        if self._signer is not None:
            signature = self._signer.sign(closing_message(links.chain_id, links.number, links.head))
        self._log.append(closing_line(Closing(links.number, links.head, signature)))

    def __enter__(self) -> LiveChain:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _opened(self, wanted: Header, wanted_line: bytes, asked_id: str | None) -> Header:
        log = self._log
        start = log.start(len(OPENING))
        if not OPENING.startswith(start):
            raise SpecError(f"{log.path} is no live chain; it was left as it is, choose another name", code="format")
        if log.last_line_feed() == 0:  # a new file, or one whose maker died over the header
            if start:
                self.repaired = f"the header was torn after {log.size_bytes} bytes; it was written anew"
                log.cut(0)
            log.append(wanted_line)
            log.sync_name()
            return wanted
        first, _, _ = log.start(_HEADER_LIMIT).partition(b"\n")
        header = read_header(first)
        if header is None:
            raise SpecError(f"{log.path} has a header that this version cannot read; read_live reads it", code="format")
        if asked_id not in (None, header.id):
            raise SpecError(f"{log.path} is the chain {header.id}, not {asked_id}", code="other_chain")
        _check_seal(log.path, header, wanted)
        self._mend(header)
        return header

    def _mend(self, header: Header) -> None:
        """Finish a last line that lacks only its line feed; cut off one that is torn."""
        rest = self._log.tail()
        if not rest:
            return
        try:
            read_line(rest, sealed=header.sealed)
        except SpecError:
            offset = self._log.last_line_feed()
            self._log.cut(offset)
            self.repaired = f"the last line was torn; {len(rest)} bytes from byte {offset} on were cut off"
        else:
            self._log.append(b"\n")

    def _resumed(self) -> Links:
        """Return the end of the hash chain as it stands in the file."""
        for line in self._lines_backwards():
            try:
                found = read_line(line, sealed=True)
            except SpecError:
                continue  # the reader reports it
            value = read_hash(found.head if isinstance(found, Closing) else found[1].hash if found[1] else "")
            if value is not None:
                return Links(self.header.id, number=value[0], last=value[1])
        return Links(self.header.id)

    def _lines_backwards(self) -> Iterator[bytes]:
        recent = self._log.lines_from_end()
        yield from recent
        # every line near the end is damaged: look at all of them
        yield from self._log.start(self._log.size_bytes).split(b"\n")[: -len(recent) - 1 or None][::-1]


def _check_seal(path: Path, header: Header, wanted: Header) -> None:
    if wanted.sealed and not header.sealed:
        raise SpecError(f"{path} is not sealed, and cannot be from here on; start another file", code="seal")
    if header.public_key != wanted.public_key:
        asked = f"signed with {header.public_key}" if header.public_key else "not signed"
        raise SpecError(f"{path} is {asked}; go on with the same signer, or start another file", code="other_key")


def _batches(events: Iterable[Event]) -> Iterator[list[Event]]:
    batch: list[Event] = []
    try:
        for event in events:
            batch.append(event)
            if len(batch) == _BATCH:
                full, batch = batch, []
                yield full
    except Exception:  # the caller's own: what they made before it is written
        if batch:
            yield batch
        raise
    if batch:
        yield batch
