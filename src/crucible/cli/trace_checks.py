"""The commands below `crucible trace` that compare and check chains: diff, verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crucible.cli.access import JsonOption, StoreOption, print_json
from crucible.cli.failure import RUN_FAILED, handled
from crucible.cli.tables import relative
from crucible.cli.trace_source import ChainArgument, chain_of
from crucible.errors import SpecError, StoreError

__all__ = ["trace_diff", "trace_verify"]

_SHOWN = 200  # events of each kind of difference; `--html` and `--json` have them all


@handled
def trace_diff(
    a: ChainArgument,
    b: ChainArgument,
    by: Annotated[str, typer.Option(help="How events are matched: auto, id, position or content.")] = "auto",
    everything: Annotated[
        bool, typer.Option("--all", help="Count what no two runs have in common, too: durations, run ids, paths.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option(help="Write both chains side by side to this file.", show_default=False)
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how the reasoning of two runs differs: what is new, gone, reworded, reordered, more or less sure."""
    from crucible.ir.files import atomic_write
    from crucible.trace import RUN_NOISE, DiffOptions, diff

    options = DiffOptions(match_by=by, ignore=() if everything else RUN_NOISE)  # type: ignore[arg-type]  # checked there
    found = diff(chain_of(a, store), chain_of(b, store), options)
    if html is not None:
        atomic_write(html, found.to_html())
    if as_json:
        print_json(found.to_dict())
        return
    typer.echo(found.to_text(limit=_SHOWN))
    if html is not None:
        typer.echo(f"side by side: {relative(html)}")


@handled
def trace_verify(
    chain: ChainArgument,
    key: Annotated[
        Path | None,
        typer.Option(
            help="The public key that must have signed it: a file of `PublicKey.save`, or PEM.", show_default=False
        ),
    ] = None,
    head: Annotated[
        str | None,
        typer.Option(help="A head that was noted before; the chain must lead through it.", show_default=False),
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a sealed chain; name the first event that was altered, dropped, inserted or moved, and exit with 1 then.

    What cannot be read at all is exit code 2.
    """
    from crucible.trace import PublicKey, verify

    try:
        expected = None if key is None else PublicKey.from_file(key)
        found = verify(chain_of(chain, store), public_key=expected, head=head)
    except StoreError as error:  # exit code 1 is for what was tampered with
        raise SpecError(str(error)) from error
    if as_json:
        print_json(found.to_dict())
    else:
        typer.echo(found.to_text())
    if not found.ok:
        raise typer.Exit(RUN_FAILED)
