"""A run that the command line carries out: shown while it happens, then what came of it and what can be typed next."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.text import Text

from crucible.cli.access import result_data
from crucible.cli.failure import INTERRUPTED, RUN_FAILED, complain, deaf_to_interrupts
from crucible.cli.findings import print_findings
from crucible.cli.progress import RunProgress
from crucible.cli.tables import hint, print_places
from crucible.errors import Cancelled, StageError, StoreError
from crucible.pipeline import RunResult
from crucible.store import open_store

if TYPE_CHECKING:
    from crucible.assembly import ResumeOptions

__all__ = ["Again", "conclude", "follow"]


@dataclasses.dataclass(frozen=True)
class Again:
    """What goes on with a run.

    Args:
        run_id: The run.
        settings: What it was started or resumed with.
    """

    run_id: str
    settings: ResumeOptions

    @property
    def store(self) -> str | None:
        """The store as `--store` named it."""
        where = self.settings.get("store")
        return None if where is None else str(where)

    @property
    def command(self) -> str:
        """The command, as it can be typed."""
        from crucible.assembly.options import flags_of

        settings: ResumeOptions = {**self.settings, "store": None}  # `hint` names it, as it was typed
        return hint("resume", self.run_id, self.store, flags_of(settings))

    def is_kept(self) -> bool:
        """Return whether the store has the run, so that there is something to go on with."""
        try:
            with open_store(self.store, create=False) as store:
                return store.runs.run(self.run_id).run_id == self.run_id
        except StoreError:
            return False


def follow(console: Console, again: Again, work: Callable[[], RunResult]) -> RunResult:
    """Show a run while it happens.

    Args:
        console: Where to.
        again: The run.
        work: Carries it out.

    Raises:
        typer.Exit: The run was stopped, which is never a success: by an interruption, or because a stage ended the
            process.
    """
    try:
        with RunProgress(console, again.run_id):
            return work()
    except (KeyboardInterrupt, Cancelled, asyncio.CancelledError):
        deaf_to_interrupts()
        _complain_stopped(again, "was cancelled")
        raise typer.Exit(INTERRUPTED) from None
    except SystemExit as ended:
        _complain_stopped(again, f"was cancelled: a stage asked the process to exit ({ended.code!r})")
        raise typer.Exit(RUN_FAILED) from None


def _complain_stopped(again: Again, what: str) -> None:
    kept = f"what is done is kept. Go on with: {again.command}" if again.is_kept() else "nothing was done yet"
    complain(f"run {again.run_id} {what}; {kept}")


def conclude(console: Console, result: RunResult, again: Again, *, as_json: bool) -> None:
    """Say what a run found, where it lies and, if it failed, why and what to do.

    Args:
        console: Where to.
        result: How the run ended.
        again: The run.
        as_json: Print the result as JSON on stdout, too.

    Raises:
        typer.Exit: The run did not complete.
    """
    print_findings(console, result.context.metrics)
    for record in result.passed_over:
        what = f"{record.error.type}: {record.error.message}" if record.error else ""
        words = f"went on without pipeline[{record.index}] {record.name} ({record.reason}): {what}"
        console.print(Text(words, style="yellow"), soft_wrap=True)
    print_places(console, result, again.store)
    if as_json:
        typer.echo(json.dumps(result_data(result), indent=2))
    if result.failure is None and result.status == "completed":
        return
    try:
        result.raise_for_status()
    except StageError as error:
        what = str(error).rstrip()
        end = "" if what.endswith((".", "!", "?")) else "."
        advice = f"If the document is at fault, correct it and run it again; else go on with: {again.command}"
        complain(f"{what}{end} {advice}", error)
    raise typer.Exit(INTERRUPTED if result.status == "cancelled" else RUN_FAILED)
