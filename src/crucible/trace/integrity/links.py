"""How one event's hash follows from the last: `Links`, the running end of a hash chain.

`hash = sha256(previous hash || number || sha256(canonical event))`, the number in 8 bytes, big end first, counted from
1. The first previous hash is made of the chain's id, so events cannot be carried over into another chain. Written out,
a hash is `number:hex`: with the number, a reader sees what is missing even where the entries went with the events.
"""

from __future__ import annotations

import hashlib
import re

from crucible.trace.event import Event
from crucible.trace.integrity.canonical import digest

__all__ = ["Links", "following", "genesis", "read_hash", "write_hash"]

_DOMAIN = b"crucible trace ledger 1\0"
_HASH = re.compile(r"(0|[1-9][0-9]{0,17}):([0-9a-f]{64})", re.ASCII)


def genesis(chain_id: str) -> bytes:
    """Return the hash that a chain's first event follows, 32 bytes."""
    return hashlib.sha256(_DOMAIN + chain_id.encode("utf-8", "surrogatepass")).digest()


def following(previous: bytes, number: int, content: bytes) -> bytes:
    """Return the hash of an event, 32 bytes.

    Args:
        previous: The hash of the event before it, or `genesis`.
        number: Its place, counted from 1.
        content: Its `digest`.
    """
    return hashlib.sha256(previous + number.to_bytes(8, "big") + content).digest()


def write_hash(number: int, value: bytes) -> str:
    """Return a hash as ledgers hold it: `17:9f86…`."""
    return f"{number}:{value.hex()}"


def read_hash(text: object) -> tuple[int, bytes] | None:
    """Return number and hash of what `write_hash` wrote; None for anything else."""
    found = _HASH.fullmatch(text) if isinstance(text, str) else None
    return (int(found[1]), bytes.fromhex(found[2])) if found else None


class Links:
    """The end of a hash chain, which is all that adding to it takes.

    Args:
        chain_id: The chain whose events these are.
        number: How many events there are already.
        last: The hash of the last of them; None for a chain without events.
    """

    __slots__ = ("chain_id", "last", "number")

    def __init__(self, chain_id: str, *, number: int = 0, last: bytes | None = None) -> None:
        self.chain_id = chain_id
        self.number = number
        self.last = genesis(chain_id) if last is None else last

    @property
    def head(self) -> str:
        """The hash of the last event, such as `17:9f86…`; without events `0:` and what the first follows."""
        return write_hash(self.number, self.last)

    def add(self, event: Event) -> str:
        """Take in the next event and return its hash.

        Raises:
            SpecError: The event has no canonical form; nothing was taken in.
        """
        value = following(self.last, self.number + 1, digest(event))
        self.number += 1
        self.last = value
        return write_hash(self.number, value)
