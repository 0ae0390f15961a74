"""Whether a chain still is what was sealed: `verify`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from crucible.errors import MissingExtra
from crucible.trace.display import clean
from crucible.trace.event import Event
from crucible.trace.integrity.diagnosis import Break, holds
from crucible.trace.integrity.findings import Fault, Finding, Verification
from crucible.trace.integrity.keys import PublicKey
from crucible.trace.integrity.ledger import Ledger, closing_message, entry_message
from crucible.trace.integrity.links import genesis, read_hash, write_hash

__all__ = ["Sealed", "verify"]


class Sealed(Protocol):
    """What can be verified: a `Chain`."""

    id: str

    @property
    def ledger(self) -> Ledger | None:
        """What was sealed."""
        ...

    def __iter__(self) -> Iterator[Event]: ...


def verify(chain: Sealed, *, public_key: PublicKey | str | None = None, head: str | None = None) -> Verification:
    """Compare a chain with its ledger, and name the first event that is not what was sealed.

    It never raises, whatever the ledger holds.

    Args:
        chain: Sealed before; one that is not is a finding.
        public_key: The key that you expect. None takes the one that the ledger names, which shows only that somebody
            signed; with a key, events that no signature covers are a finding.
        head: A `Ledger.head` that was noted before. The chain may have grown since, but must lead through it: this
            shows that it was neither rewritten nor cut off, also without signatures.
    """
    events = list(chain)
    ledger = chain.ledger
    if ledger is None:
        finding = Finding("unsealed", "the chain carries no ledger that can be read; seal it to verify it later")
        return Verification(chain.id, len(events), (finding,))
    findings: list[Finding] = []
    if ledger.chain_id != chain.id:
        message = f"the ledger was made for the chain {clean(ledger.chain_id)!r}, not for {clean(chain.id)!r}"
        findings.append(Finding("chain", message))
    first = _first_break(events, ledger)
    findings += [first] if first else _ending(events, ledger)
    if head is not None:
        findings += _noted(head, ledger)
    is_asked = public_key is not None
    key = public_key.text if isinstance(public_key, PublicKey) else public_key
    signatures, signed_by = _signatures(events, ledger, key)
    findings += signatures
    closing = ledger.closing
    return Verification(
        chain.id,
        len(events),
        tuple(findings),
        head=ledger.head,
        signed_by=None if findings else signed_by,
        is_key_known=is_asked and signed_by is not None and not findings,
        is_closed=closing is not None and closing.count == len(events),
    )


def _first_break(events: Sequence[Event], ledger: Ledger) -> Finding | None:
    entries = ledger.entries
    previous = genesis(ledger.chain_id)
    trail = [previous, previous]
    for place in range(max(len(events), len(entries))):
        if place >= min(len(events), len(entries)) or not holds(previous, place + 1, events[place], entries[place]):
            return Break(events, entries, place, trail=trail, closing=ledger.closing).finding()
        known = read_hash(entries[place].hash)
        trail = [previous, known[1] if known else previous]
        previous = trail[-1]
    return None


def _ending(events: Sequence[Event], ledger: Ledger) -> list[Finding]:
    """Compare the closing record with entries that fit the events."""
    closing, count = ledger.closing, len(events)
    if closing is None:
        return []
    found = read_hash(closing.head)
    if found is None or found[0] != closing.count:
        return [Finding("ledger", "the closing record was altered: count and head do not fit each other")]
    if closing.count > count:
        gone = closing.count - count
        what = f"event {closing.count} was dropped" if gone == 1 else f"the last {gone} events were dropped"
        return [Finding("dropped", f"{what}: the closing record counts {closing.count}, here are {count}", count)]
    if _head_at(ledger, closing.count) != closing.head:
        return [
            Finding("ledger", f"the closing record's head is not the hash of event {closing.count}: one was rewritten")
        ]
    if closing.count < count and ledger.public_key is None:
        event = events[closing.count]
        message = f"event {closing.count + 1} of {count} ({clean(event.id)}) was inserted after the chain was closed"
        return [Finding("inserted", message, closing.count, event.id, event.decision)]
    return []


def _head_at(ledger: Ledger, count: int) -> str:
    return ledger.entries[count - 1].hash if count else write_hash(0, genesis(ledger.chain_id))


def _noted(head: str, ledger: Ledger) -> list[Finding]:
    found = read_hash(head.strip())
    if found is None:
        return [Finding("head", f"{clean(head)!r} is no head; expected a number, a colon and 64 hex digits")]
    count = found[0]
    if count > len(ledger.entries):
        message = f"the chain had {count} events when the head was noted, now its ledger has {len(ledger.entries)}"
        return [Finding("dropped", message, len(ledger.entries))]
    if _head_at(ledger, count) != head.strip():
        return [Finding("head", f"the head that was noted is not the hash of event {count}: the ledger was rewritten")]
    return []


def _signatures(events: Sequence[Event], ledger: Ledger, expected: str | None) -> tuple[list[Finding], str | None]:
    """Check every signature, and that they cover the last event; return the key where all hold."""
    closing = ledger.closing
    signed = [entry.signature for entry in ledger.entries if entry.signature is not None]
    if closing is not None and closing.signature is not None:
        signed.append(closing.signature)
    if ledger.public_key is None and expected is None and not signed:
        return [], None
    key = _key(ledger, expected)
    if isinstance(key, Finding):
        return [key], None
    try:
        finding = _unsound(events, ledger, key.checker())
    except MissingExtra as error:
        finding = Finding("key", f"the signatures cannot be checked: {error}")
    return ([], key.text) if finding is None else ([finding], None)


def _key(ledger: Ledger, expected: str | None) -> PublicKey | Finding:
    """Return the key to check with, or why there is none."""
    named = ledger.public_key
    if expected is not None and named not in (None, expected):
        return Finding("key", f"the ledger is signed with {clean(named or '')}, expected {clean(expected)}")
    text = expected or named
    if text is None:
        return Finding("key", "the ledger has signatures but names no key; give the key that you expect")
    key = PublicKey(text)
    if key.raw() is None:
        return Finding("key", f"{clean(text)!r} is no key; expected ed25519: and 44 characters of base64")
    return key


def _unsound(events: Sequence[Event], ledger: Ledger, is_good: Callable[[bytes, str], bool]) -> Finding | None:
    """Return the first signature that is wrong, or the first event that none covers."""
    covered = 0
    for place, entry in enumerate(ledger.entries):
        if entry.signature is not None:
            if not is_good(entry_message(entry.hash), entry.signature):
                return _at(events, place, "signature", "has a signature that is not the key's")
            covered = place + 1
    closing = ledger.closing
    if closing is not None and closing.signature is not None:
        if not is_good(closing_message(ledger.chain_id, closing.count, closing.head), closing.signature):
            return Finding("signature", "the closing record has a signature that is not the key's")
        covered = max(covered, closing.count)
        if not ledger.entries:
            return None
    if covered == 0 or covered < len(ledger.entries):
        return _at(events, covered, "unsigned", "and all that follow are covered by no signature")
    return None


def _at(events: Sequence[Event], place: int, fault: Fault, what: str) -> Finding:
    if place >= len(events):
        return Finding(fault, f"entry {place + 1} {what}", place)
    event = events[place]
    message = f"event {place + 1} of {len(events)} ({clean(event.id)}: {clean(str(event.decision))!r}) {what}"
    return Finding(fault, message, place, event.id, event.decision)
