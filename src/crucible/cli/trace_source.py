"""Finding the chain that a command is about: of a run, of the store, or in a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crucible.cli.access import reading_store
from crucible.errors import SpecError, StoreError

if TYPE_CHECKING:
    from crucible.store import Store
    from crucible.trace import Chain

__all__ = ["ChainArgument", "chain_of"]

ChainArgument = Annotated[
    str,
    typer.Argument(
        metavar="CHAIN",
        help="Run id or chain id, or the unique beginning of one; or a file, .json or .jsonl.",
        show_default=False,
    ),
]

_SUFFIXES = (".json", ".jsonl")


def chain_of(source: str, store: str | None) -> Chain:
    """Return the chain that a person names.

    What is damaged in a live file is said on stderr, and the rest is taken.

    Args:
        source: A file, else the beginning of a run's id, else of a chain's.
        store: Where runs and chains are kept; None: the usual place.

    Raises:
        SpecError: There is no such chain, or several.
        SpecErrors: The file is not a chain.
        StoreError: The file cannot be read.
    """
    path = Path(source)
    if source.endswith(_SUFFIXES) or path.is_file():
        return _in_file(path)
    with reading_store(store) as opened:
        return _stored(opened, source)


def _in_file(path: Path) -> Chain:
    from crucible.trace import Chain, read_live

    if path.suffix != ".jsonl":
        return Chain.load(path)
    read = read_live(path)
    for problem in read.problems:
        typer.echo(f"warning: {problem.message}", err=True)
    return read.chain


def _stored(store: Store, source: str) -> Chain:
    from crucible.assembly import stored_chain
    from crucible.trace import TraceStore

    try:
        run = store.runs.run(source)
    except StoreError as no_run:
        try:
            return TraceStore(store).load(source)
        except StoreError as no_chain:
            raise SpecError(f"neither a run nor a chain begins like this: {no_run}; {no_chain}") from no_chain
    chain = stored_chain(store, run.run_id)
    if chain is None:
        raise SpecError(f"run {run.run_id} left no trace: it ended before its first stage did, or ran with --no-trace")
    return chain
