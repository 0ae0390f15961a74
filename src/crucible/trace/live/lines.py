"""The lines of a live chain: a header, events, and in a sealed one the closing record.

An event's line holds the 14 keys of `Event.to_dict` and, in a sealed chain, `seal` with its hash and signature.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

import msgspec

from crucible.errors import SpecError
from crucible.trace.event import Event, format_timestamp, read_event
from crucible.trace.integrity.ledger import Closing, Entry
from crucible.trace.layout import Row, event_of
from crucible.trace.reading import read_timestamp

__all__ = ["FORMAT", "OPENING", "Header", "closing_line", "read_header", "read_line", "sealed_line"]

FORMAT = "crucible-live-trace/1"
OPENING = b'{"format":"crucible-live-trace/'
"""How every header begins: what else a file may hold, it is not ours to touch."""


class Header(msgspec.Struct, frozen=True):
    """The first line.

    Args:
        id: The chain's.
        name: The chain's.
        created_at: Aware.
        description: The chain's.
        metadata: The chain's.
        sealed: Whether each event's line has a seal.
        public_key: The text of the key that signs; None where nobody does.
    """

    id: str
    name: str
    created_at: datetime
    description: str | None = None
    metadata: dict[str, Any] = {}
    sealed: bool = False
    public_key: str | None = None

    def line(self) -> bytes:
        """Return the header as its line.

        Raises:
            SpecError: The metadata hold what JSON cannot carry.
        """
        values = msgspec.structs.asdict(self) | {"created_at": format_timestamp(self.created_at)}
        try:
            return msgspec.json.encode({"format": FORMAT, **values}) + b"\n"
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise SpecError(
                f"the chain's name or metadata cannot be written as JSON ({error})", code="not_json"
            ) from None


def read_header(line: bytes) -> Header | None:
    """Return the header of a line; None if it is none, or of a version to come."""
    try:
        fields = msgspec.json.decode(line)
        created_at = read_timestamp(fields["created_at"])
        if fields["format"] != FORMAT or created_at is None:
            return None
        return msgspec.convert({**fields, "created_at": created_at}, Header)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


class _Seal(msgspec.Struct, frozen=True, gc=False):
    hash: str
    signature: str | None = None


class _SealedRow(Row, gc=False, forbid_unknown_fields=True):
    seal: _Seal


_row = msgspec.json.Decoder(Row).decode
_sealed_row = msgspec.json.Decoder(_SealedRow).decode


def sealed_line(text: bytes, entry: Entry) -> bytes:
    """Return an event's JSON text with its seal, as a line."""
    # base64 and hex need no escaping
    signature = f',"signature":"{entry.signature}"' if entry.signature else ""
    return b'%b,"seal":{"hash":"%b"%b}}\n' % (text[:-1], entry.hash.encode(), signature.encode())


def closing_line(closing: Closing) -> bytes:
    """Return the closing record as its line."""
    return msgspec.json.encode({"closing": closing}) + b"\n"


def read_line(line: bytes, *, sealed: bool) -> tuple[Event, Entry | None] | Closing:
    """Return what a line holds.

    Args:
        line: Without its line feed.
        sealed: Whether the header says so.

    Raises:
        SpecError: It holds none of these; the message says why.
    """
    try:
        if not sealed:
            return event_of(_row(line)), None
        row = _sealed_row(line)
        return event_of(row), Entry(row.id, row.seal.hash, row.seal.signature)
    except (ValueError, RecursionError):
        return _read_tolerantly(line, sealed=sealed)


def _read_tolerantly(line: bytes, *, sealed: bool) -> tuple[Event, Entry | None] | Closing:
    try:
        value = msgspec.json.decode(line)
    except (ValueError, RecursionError) as error:
        raise SpecError(f"is not JSON ({error})", code="syntax") from None
    seal: Any = None
    if sealed and isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        if fields.keys() == {"closing"}:
            return _read_closing(fields["closing"])
        seal = fields.pop("seal", None)
    problems: list[SpecError] = []
    event = read_event(value, "", problems)
    if problems:
        raise SpecError("; ".join(str(problem) for problem in problems), code="event")
    if not sealed:
        return event, None
    try:
        read = msgspec.convert(seal, _Seal)
    except msgspec.ValidationError:
        read = _Seal("")  # an entry that verifies nothing
    return event, Entry(event.id, read.hash, read.signature)


def _read_closing(value: Any) -> Closing:
    try:
        return msgspec.convert(value, Closing)
    except msgspec.ValidationError as error:
        raise SpecError(f"is a damaged closing record ({error})", code="closing") from None
