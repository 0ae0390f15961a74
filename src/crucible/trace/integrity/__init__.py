"""Integrity: which event of a sealed chain was altered, dropped, inserted or moved, and who vouches for it.

What a hash chain can show and what it cannot is said in `ledger`.
"""

from crucible.trace.integrity.findings import Fault, Finding, Verification
from crucible.trace.integrity.keys import PublicKey, Signer
from crucible.trace.integrity.ledger import Closing, Entry, Ledger
from crucible.trace.integrity.verification import verify

__all__ = ["Closing", "Entry", "Fault", "Finding", "Ledger", "PublicKey", "Signer", "Verification", "verify"]
