"""What a verification says: `Finding`s, in a `Verification`."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from crucible.trace.display import clean

__all__ = ["Fault", "Finding", "Verification"]

Fault = Literal[
    "altered", "dropped", "inserted", "reordered", "ledger", "chain", "head", "signature", "unsigned", "key", "unsealed"
]
"""What was done:

- `altered`, `dropped`, `inserted`, `reordered`: to an event;
- `ledger`: to an entry, or to the closing record;
- `chain`: the ledger is another chain's;
- `head`: the head that was noted is not in the ledger, so all was rewritten;
- `signature`: one is wrong; `unsigned`: one is missing; `key`: it is another key's, or cannot be checked;
- `unsealed`: there is no ledger.
"""


class Finding(msgspec.Struct, frozen=True):
    """One thing that does not hold.

    Args:
        fault: What was done.
        message: The whole thing in a sentence, safe to print.
        place: Of the event in the chain, counted from 0 (a dropped one's is where it stood); None for the whole chain.
        event_id: The event; None where only a gap is left of it.
        decision: What the event says it decided; None where it is gone.
    """

    fault: Fault
    message: str
    place: int | None = None
    event_id: str | None = None
    decision: str | None = None


class Verification(msgspec.Struct, frozen=True):
    """Whether a chain is what was sealed.

    Args:
        chain_id: The chain.
        event_count: How many events it holds.
        findings: What does not hold, the first tampered event first; empty if all holds.
        head: The hash of the last entry, to note elsewhere; empty for a chain without a ledger.
        signed_by: The key whose signatures hold for every event; None where the ledger is unsigned or not covered.
        is_key_known: Whether the caller named the key. If not, the signatures show that *somebody* sealed the chain:
            whoever rewrites a file can sign it with a key of their own.
        is_closed: Whether a closing record counts the events. If not, the newest may have been cut off unseen.
    """

    chain_id: str
    event_count: int
    findings: tuple[Finding, ...] = ()
    head: str = ""
    signed_by: str | None = None
    is_key_known: bool = False
    is_closed: bool = False

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def first(self) -> Finding | None:
        """The first finding; None if nothing was found."""
        return self.findings[0] if self.findings else None

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values, with `ok`."""
        return {"ok": self.ok, **msgspec.to_builtins(self)}

    def to_text(self) -> str:
        """Return the outcome in sentences, one a line, safe to print."""
        if self.findings:
            return "\n".join(finding.message for finding in self.findings)
        lines = [f"all {self.event_count} events are as they were sealed; head {self.head}"]
        if self.signed_by is None:
            lines.append("unsigned: somebody who rewrote every hash would not be noticed; compare the head, or sign")
        elif not self.is_key_known:
            lines.append(f"signed with {clean(self.signed_by)}, which nobody vouched for here: give the key you expect")
        else:
            lines.append(f"signed with {clean(self.signed_by)}")
        if not self.is_closed:
            lines.append("not closed: newer events may have been cut off unseen")
        return "\n".join(lines)
