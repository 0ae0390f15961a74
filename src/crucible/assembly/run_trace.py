"""The causal trace of one run: collected, sealed if that is wanted, and as rows for the store."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from crucible.errors import SpecError, StoreError
from crucible.ir.files import atomic_write
from crucible.store import Store, TraceRow, encode
from crucible.trace import Chain, Collector, Ledger, Signer, TraceStore, verify
from crucible.trace.narration import was_begun
from crucible.trace.stored.chain_row import exact_json, row_of

__all__ = ["PASSWORD", "RunTrace", "TraceTerms", "stored_chain"]


PASSWORD = "CRUCIBLE_SIGNING_PASSWORD"  # noqa: S105  # a name
"""Environment variable with the password of the key that signs traces, if it has one."""


def stored_chain(store: Store, run_id: str) -> Chain | None:
    """Return the causal chain that a store keeps of a run; None if it keeps none.

    Other chains may have been saved for the run; the run's own has an id that is made of the run's, or, of runs of
    earlier versions, begins with the pipeline.

    Raises:
        StoreError: The store cannot be read.
    """
    found = store.traces.load(run_id)
    traces = TraceStore(store)
    if _own_id(run_id) in {chain.chain_id for chain in found}:
        return traces.load(_own_id(run_id))
    chains = (traces.load(chain.chain_id) for chain in found)
    return next((chain for chain in chains if was_begun(chain)), None)


def _own_id(run_id: str) -> str:
    return hashlib.sha256(f"crucible run {run_id}".encode()).hexdigest()[:32]


class TraceTerms(msgspec.Struct, frozen=True):
    """What is wanted of a run's trace.

    Args:
        is_kept: Whether there is one at all.
        is_sealed: Whether its events are hashed, each with those before it.
        signer: Signs where the chain ends, whenever it is written whole.
    """

    is_kept: bool = True
    is_sealed: bool = False
    signer: Signer | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> TraceTerms:
        """Return what a caller's options say.

        Raises:
            StoreError: The key of `sign_with` cannot be read.
            SpecError: It is no key that can sign, its password is wrong, or nothing is kept that could be sealed.
            MissingExtra: There is one, and `cryptography` is not installed.
        """
        key, is_kept = options.get("sign_with"), options.get("trace", True)
        is_sealed = options.get("seal", False) or key is not None
        if is_sealed and not is_kept:
            raise SpecError(
                "a trace that is not kept cannot be sealed; leave out either --no-trace or --seal", code="seal"
            )
        signer = None if key is None else Signer.from_file(key, os.environ.get(PASSWORD))
        return cls(is_kept, is_sealed, signer)

    def apply(self, chain: Chain) -> None:
        """Seal a chain if that is wanted; one that was sealed before goes on being so, if it is what was sealed.

        Raises:
            SpecError: It was sealed before and does not verify, or it was signed and the key is missing or another.
        """
        if chain.ledger is not None:
            self._take_up(chain, chain.ledger)
        if self.is_sealed:
            chain.seal(self.signer)

    def _take_up(self, chain: Chain, ledger: Ledger) -> None:
        found = verify(chain).findings
        # what came in the moment before a crash may lack its signature, and is about to get it
        finding = next((each for each in found if each.fault != "unsigned" or self.signer is None), None)
        if finding is not None:
            raise SpecError(
                f"the trace of this run is not what was sealed: {finding.message}; it is not gone on with. Look at it "
                "with `crucible trace verify`, or go on with --no-trace",
                code=finding.fault,
            )
        if ledger.public_key is not None and self.signer is None:
            raise SpecError(
                f"the trace of this run is signed with {ledger.public_key}; give the key again (--sign-with), or go on "
                "with --no-trace",
                code="unsigned",
            )


class RunTrace:
    """Collects the trace of a run, going on with that of an earlier attempt, and hands it to the store.

    Args:
        store: Where it is kept.
        run_id: The run.
        name: The chain's name, such as the experiment's id.
        terms: Whether it is sealed.
    """

    def __init__(self, store: Store, run_id: str, name: str, terms: TraceTerms) -> None:
        self._store = store
        self._run_id = run_id
        self._name = name
        chain = stored_chain(store, run_id)
        if chain is None:  # an empty one is there, and may be sealed
            chain = Chain(name or run_id, id=_own_id(run_id))
        terms.apply(chain)
        self._collector = Collector(run_id, name, chain=chain)
        self._place = len(self.chain)  # of the next event to be handed over
        self._unsaved: list[TraceRow] = []

    @property
    def chain(self) -> Chain:
        """The chain as it stands."""
        return self._collector.chain

    def start(self) -> None:
        """Begin to listen; the ledger of a sealed chain is kept from here on, should the process die.

        Raises:
            StoreError: It could not be kept.
        """
        if self.chain.ledger is not None:
            TraceStore(self._store).save(self.chain, run_id=self._run_id)
        self._collector.start()

    def stop(self) -> None:
        """Stop listening."""
        self._collector.stop()

    def fresh(self) -> list[TraceRow]:
        """Return what is not kept yet, also what an earlier call could not write; see `kept`."""
        ledger = self.chain.ledger
        for event in self._collector.drain():
            entry = None if ledger is None else ledger.entries[self._place]
            self._unsaved.append(row_of(event) if entry is None else row_of(event, entry.hash, entry.signature))
            self._place += 1
        return self._unsaved

    def vouched(self) -> str | None:
        """Return what vouches for all that `fresh` returned, as the store keeps it; None for a chain without a seal."""
        ledger = self.chain.ledger
        return None if ledger is None else exact_json(ledger.heading(self._place))  # other threads may add meanwhile

    def kept(self) -> None:
        """Take it that what `fresh` returned is in the store."""
        self._unsaved = []

    def finish(self, workspace: Path) -> None:
        """Keep what is left, and leave the whole chain in the run's folder as `trace.json`.

        Raises:
            StoreError: It could not be written.
        """
        fresh = self.fresh()
        self._store.traces.save_rows(self._run_id, self.chain.id, self._name, fresh, integrity_json=self.vouched())
        self.kept()
        if self.chain.ledger is not None:
            TraceStore(self._store).save(self.chain, run_id=self._run_id)  # with the record that closes the ledger
        # `Chain.save`, without its search for what JSON cannot carry: a collector takes in nothing of the kind
        whole = encode(self.chain.to_dict()).encode()
        atomic_write(workspace / "trace.json", msgspec.json.format(whole, indent=2) + b"\n")

    def check(self) -> None:
        """Make sure that nothing was missed.

        Raises:
            StoreError: Some events could not be taken in.
        """
        if missed := self._collector.missed:
            raise StoreError(
                f"the trace of run {self._run_id} misses {missed} events that could not be taken in; "
                "please report this with the run's `crucible runs show`"
            )
