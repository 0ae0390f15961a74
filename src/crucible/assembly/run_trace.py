"""The causal trace of one run: collected, sealed if that is wanted, and as rows for the store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from crucible.errors import StoreError
from crucible.ir.files import atomic_write
from crucible.store import Store, TraceRow, encode
from crucible.trace import Chain, Collector, Signer, TraceStore
from crucible.trace.stored.chain_row import row_of

__all__ = ["RunTrace", "TraceTerms", "stored_chain"]


def stored_chain(store: Store, run_id: str) -> Chain | None:
    """Return the causal chain that a store keeps of a run; None if it keeps none.

    Raises:
        StoreError: The store cannot be read.
    """
    chains = store.traces.load(run_id)
    if not chains:
        return None
    return TraceStore(store).load(chains[0].chain_id)


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
            SpecError: It is no key that can sign.
            MissingExtra: There is one, and `cryptography` is not installed.
        """
        key = options.get("sign_with")
        signer = None if key is None else Signer.from_file(key)
        return cls(options.get("trace", True), options.get("seal", False) or signer is not None, signer)

    def apply(self, chain: Chain) -> None:
        """Seal a chain if that is wanted; one that was sealed before goes on being so."""
        if self.is_sealed:
            chain.seal(self.signer)


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
        self._collector = Collector(run_id, name, chain=stored_chain(store, run_id))
        terms.apply(self.chain)
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

    def kept(self) -> None:
        """Take it that what `fresh` returned is in the store."""
        self._unsaved = []

    def finish(self, workspace: Path) -> None:
        """Keep what is left, and leave the whole chain in the run's folder as `trace.json`.

        Raises:
            StoreError: It could not be written.
        """
        self._store.traces.save_rows(self._run_id, self.chain.id, self._name, self.fresh())
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
