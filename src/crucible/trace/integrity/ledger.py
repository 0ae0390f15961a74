"""What a chain's events were when they were sealed: the `Ledger`.

What a hash chain shows, and what it cannot:

- Without a signature it shows that a file was damaged or edited by hand. Somebody who may write the file can compute
  every hash anew; only a head that was noted elsewhere (`verify(head=…)`) or a signature shows that.
- With a signature, nobody without the private key can alter, drop, reorder or insert what is signed.
- Dropping the newest events is found where a later record counts them: the closing record, or a noted head. A live
  file that was never closed has none, so its last events can be cut off unseen; so can a whole file be put back to an
  older version of itself, which was as good.
- Only events are covered: not the chain's name, description, metadata and times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec

from crucible.errors import SpecError
from crucible.trace.event import Event
from crucible.trace.integrity.keys import Signer
from crucible.trace.integrity.links import Links, read_hash

__all__ = ["ALGORITHM", "Closing", "Entry", "Ledger", "closing_message", "entry_message"]

ALGORITHM = "crucible-sha256-chain/1"


class Entry(msgspec.Struct, frozen=True, gc=False):
    """What the ledger holds of one event.

    Args:
        event_id: The event.
        hash: `number:hex`, the number counted from 1; see `links`.
        signature: Base64, over this hash and so over all before it; None for an entry that a later signature covers.
    """

    event_id: str
    hash: str
    signature: str | None = None


class Closing(msgspec.Struct, frozen=True):
    """The record that says where the chain ended.

    Args:
        count: How many events there were.
        head: The last one's hash.
        signature: Over chain id, count and head; None in a ledger that nobody signs.
    """

    count: int
    head: str
    signature: str | None = None


def entry_message(value: str) -> bytes:
    """Return what is signed of an entry."""
    return b"crucible trace entry 1\0" + value.encode("utf-8", "surrogatepass")


def closing_message(chain_id: str, count: int, head: str) -> bytes:
    """Return what is signed of a closing record."""
    # neither count nor head holds a NUL, and the id comes last: it can be read in one way only
    ending = f"{count}\0{head}\0{chain_id}"
    return b"crucible trace closing 1\0" + ending.encode("utf-8", "surrogatepass")


class Ledger:
    """The hashes of a chain's events, in order.

    Args:
        chain_id: The chain.
        entries: What was sealed before.
        public_key: The text of the key that signs; None where nobody does.
        closing: Where the chain ended.
    """

    __slots__ = ("_closing", "_grown", "_links", "_signer", "chain_id", "entries", "public_key")

    def __init__(
        self,
        chain_id: str,
        entries: Iterable[Entry] = (),
        *,
        public_key: str | None = None,
        closing: Closing | None = None,
    ) -> None:
        self.chain_id = chain_id
        self.entries = list(entries)
        self.public_key = public_key
        self._closing = closing
        self._grown = False
        self._signer: Signer | None = None
        self._links: Links | None = None

    def __len__(self) -> int:
        return len(self.entries)

    def __repr__(self) -> str:
        return f"Ledger({self.chain_id!r}, entries={len(self.entries)}, public_key={self.public_key!r})"

    @classmethod
    def of(cls, chain_id: str, events: Iterable[Event], signer: Signer | None = None) -> Ledger:
        """Seal events.

        Raises:
            SpecError: An event has no canonical form.
        """
        ledger = cls(chain_id)
        ledger._signer = signer
        ledger.public_key = None if signer is None else signer.public_key.text
        ledger._grown = True
        for event in events:
            ledger.append(event)
        return ledger

    @property
    def head(self) -> str:
        """The last event's hash, to note elsewhere; for an empty ledger the hash that the first event will follow."""
        return self.entries[-1].hash if self.entries else Links(self.chain_id).head

    @property
    def closing(self) -> Closing | None:
        """The closing record, signed anew where a signer is at hand and events came; None for a live file left open.

        A signed ledger that grows without its signer keeps the record that it had: what came later is unsigned.
        """
        if self._grown and (self._signer is not None or self.public_key is None):
            self._closing = self._closed_at(len(self.entries))
            self._grown = False
        return self._closing

    def _closed_at(self, count: int) -> Closing:
        head = self.entries[count - 1].hash if count else Links(self.chain_id).head
        signature = None
        if self._signer is not None:
            signature = self._signer.sign(closing_message(self.chain_id, count, head))
        return Closing(count, head, signature)

    def append(self, event: Event) -> None:
        """Seal the next event.

        Raises:
            SpecError: The event has no canonical form, or the ledger's last entry is no hash.
        """
        links = self._links
        if links is None:
            links = self._links = self._resumed()
        self.entries.append(Entry(event.id, links.add(event)))
        self._grown = True

    def _resumed(self) -> Links:
        if not self.entries:
            return Links(self.chain_id)
        last = read_hash(self.entries[-1].hash)
        if last is None:
            raise SpecError(
                "the ledger's last entry is no hash, so nothing can follow it; verify the chain", code="ledger"
            )
        return Links(self.chain_id, number=last[0], last=last[1])

    def sign_with(self, signer: Signer) -> None:
        """Sign the closing record with `signer` from now on.

        Raises:
            SpecError: The ledger was signed with another key.
        """
        if self.public_key not in (None, signer.public_key.text):
            raise SpecError(
                f"the ledger is signed with {self.public_key}, not {signer.public_key}; use that key, or filter the "
                "chain into a new one",
                code="other_key",
            )
        self._signer = signer
        self.public_key = signer.public_key.text
        self._grown = True

    def heading(self, count: int | None = None) -> dict[str, Any]:
        """Return all but the entries, as JSON values: what stores keep once a chain.

        Args:
            count: Close it after so many events, where others were added meanwhile that are not stored yet.
        """
        closing = self.closing if count is None else self._closed_at(count)
        return {
            "algorithm": ALGORITHM,
            "chain_id": self.chain_id,
            "public_key": self.public_key,
            "closing": None if closing is None else msgspec.structs.asdict(closing),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the ledger as JSON values."""
        return {**self.heading(), "entries": [_entry_dict(entry) for entry in self.entries]}

    @classmethod
    def read(cls, data: Any, entries: Iterable[Entry] | None = None) -> Ledger | None:
        """Read what `to_dict` or `heading` returned; None for what this version does not know as a ledger.

        Never raises: what is malformed in a ledger stays in it as an entry that verifies nothing.

        Args:
            data: JSON values.
            entries: What the store kept beside the events; None reads them from `data`.
        """
        if isinstance(data, Ledger):
            return data
        if not isinstance(data, Mapping):
            return None
        fields = cast("Mapping[str, Any]", data)
        if fields.get("algorithm") != ALGORITHM:
            return None
        if entries is None:
            listed = fields.get("entries")
            entries = map(_read_entry, cast("list[Any]", listed)) if isinstance(listed, list) else ()
        return cls(
            _text(fields.get("chain_id")),
            entries,
            public_key=None if fields.get("public_key") is None else _text(fields["public_key"]),
            closing=_read_closing(fields.get("closing")),
        )


def _entry_dict(entry: Entry) -> dict[str, Any]:
    plain = {"event_id": entry.event_id, "hash": entry.hash}
    return plain if entry.signature is None else {**plain, "signature": entry.signature}


def _read_entry(value: Any) -> Entry:
    if not isinstance(value, dict):
        return Entry("", "")
    fields = cast("dict[str, Any]", value)
    signature = fields.get("signature")
    return Entry(
        _text(fields.get("event_id")), _text(fields.get("hash")), None if signature is None else _text(signature)
    )


def _read_closing(value: Any) -> Closing | None:
    if value is None:
        return None
    fields = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    count: Any = fields.get("count")
    signature = fields.get("signature")
    return Closing(
        count if isinstance(count, int) and not isinstance(count, bool) else -1,
        _text(fields.get("head")),
        None if signature is None else _text(signature),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
