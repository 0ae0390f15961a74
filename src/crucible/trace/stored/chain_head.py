"""A chain without its events, as the store keeps it, and back; with what sealed it.

The ledger's entries lie beside the events that they are of. Where they are of others (a chain that was altered after it
was sealed), the whole ledger lies with the chain, so that `verify` finds what it would have found before.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, cast

import msgspec

from crucible.errors import CrucibleError, StoreError
from crucible.store.codec import decode, encode, storable
from crucible.store.happened import TraceRow
from crucible.store.records import StoredChain
from crucible.store.run_rows import moment_text
from crucible.trace.chain import Chain
from crucible.trace.integrity.ledger import Entry, Ledger
from crucible.trace.queries.values import nearest
from crucible.trace.reading import read_timestamp
from crucible.trace.stored.chain_row import event_of, exact_json, is_storable, read_exact_json, row_of

__all__ = ["chain_of", "head_of", "rows_of"]


def head_of(chain: Chain, run_id: str | None) -> StoredChain:
    """Return what the store keeps of a chain itself.

    Args:
        chain: The chain.
        run_id: The run that it is of.
    """
    extra: dict[str, Any] = dict(chain.extra)
    texts = {"id": chain.id, "name": chain.name, "description": chain.description}
    stored = {name: None if value is None else storable(value) for name, value in texts.items()}
    extra |= {name: value for name, value in texts.items() if stored[name] != value}
    metadata = nearest(chain.metadata)
    if not is_storable(metadata):
        extra["metadata"] = metadata
    return StoredChain(
        id=0,
        chain_id=storable(chain.id),
        run_id=run_id,
        name=storable(chain.name),
        description=stored["description"],
        created_at=moment_text(chain.created_at),
        updated_at=moment_text(chain.updated_at),
        event_count=len(chain),
        metadata_json=encode(metadata),
        extra_json=exact_json(extra) if extra else None,
        integrity_json=_integrity(chain),
        archived_at=None,
    )


def rows_of(chain: Chain) -> Generator[TraceRow]:
    """Yield the rows of a chain's events, each with its hash and signature."""
    ledger = chain.ledger
    entries = ledger.entries if ledger is not None and _is_beside(chain, ledger) else ()
    for event, entry in zip(chain, entries, strict=False):
        yield row_of(event, entry.hash, entry.signature)
    for event in chain.since(len(entries)):
        yield row_of(event)


def chain_of(head: StoredChain, rows: Sequence[TraceRow]) -> Chain:
    """Return a chain as it was stored.

    Raises:
        StoreError: Something is damaged; it is named.
    """
    try:
        exact = read_exact_json(head.extra_json) if head.extra_json else {}
        exact.setdefault("metadata", decode(head.metadata_json))
        times = {name: read_timestamp(getattr(head, name)) for name in ("created_at", "updated_at")}
        if None in times.values():
            raise ValueError("a time cannot be read")
        document = {"id": head.chain_id, "name": head.name, "description": head.description, **times, **exact}
        chain = Chain.from_dict({**document, "events": []})
        chain.extend(event_of(row) for row in rows)
        chain.updated_at = cast("Any", times["updated_at"])
        _attach_ledger(chain, head, rows)
    except StoreError as error:
        raise StoreError(f"the chain {head.chain_id} cannot be read: {error}") from error
    except (msgspec.DecodeError, ValueError, TypeError, CrucibleError, ExceptionGroup, RecursionError) as error:
        raise StoreError(
            f"the chain {head.chain_id} is damaged in the store ({error}); restore a copy of the store, or delete the "
            "chain"
        ) from error
    return chain


def _is_beside(chain: Chain, ledger: Ledger) -> bool:
    """Return whether each entry is of the event in its place, and fits its columns."""
    entries = ledger.entries
    return len(entries) <= len(chain) and all(
        entry.event_id == event.id
        and storable(entry.hash + (entry.signature or "")) == entry.hash + (entry.signature or "")
        for event, entry in zip(chain, entries, strict=False)
    )


def _integrity(chain: Chain) -> str | None:
    ledger = chain.ledger
    if ledger is None:
        return None
    return exact_json(ledger.heading() if _is_beside(chain, ledger) else ledger.to_dict())


def _attach_ledger(chain: Chain, head: StoredChain, rows: Sequence[TraceRow]) -> None:
    if head.integrity_json is None:
        return
    data = read_exact_json(head.integrity_json)
    beside = [Entry(event.id, row[-2], row[-1]) for event, row in zip(chain, rows, strict=True) if row[-2] is not None]
    chain._ledger = Ledger.read(data, None if "entries" in data else beside)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as `Chain.from_dict` does
