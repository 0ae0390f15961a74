"""Sealing a chain, and taking up one that was sealed before."""

from __future__ import annotations

from crucible.errors import SpecError
from crucible.trace.integrity.keys import Signer
from crucible.trace.integrity.ledger import Ledger
from crucible.trace.integrity.verification import Sealed, verify

__all__ = ["sealed"]


def sealed(chain: Sealed, signer: Signer | None) -> Ledger:
    """Return a chain's ledger, made now if it has none, with `signer` at hand.

    Raises:
        SpecError: An event has no canonical form, or there is a ledger that does not verify, or it is another key's.
    """
    ledger = chain.ledger
    if ledger is None:
        return Ledger.of(chain.id, chain, signer)
    if signer is not None:
        # what came while the signer was away is unsigned, and about to be signed; anything else must hold
        faults = [finding for finding in verify(chain).findings if finding.fault != "unsigned"]
        if faults:
            raise SpecError(f"{faults[0].message}; what does not verify is not signed", code=faults[0].fault)
        ledger.sign_with(signer)
    return ledger
