"""`crucible compare` on its own: the same command, without the import of the store and the runner that others need."""

from __future__ import annotations

import os
import sys

import typer

from crucible.cli.compare import compare

__all__ = ["app", "run_compare"]

app = typer.Typer(name="crucible", pretty_exceptions_enable=False, add_completion=False)
app.command("compare")(compare)


@app.callback()
def options() -> None:
    """Compare files of results."""


def run_compare() -> None:
    """Run `crucible compare …`; `--debug` may stand anywhere."""
    if "--debug" in sys.argv[1:]:
        os.environ["CRUCIBLE_DEBUG"] = "1"
        sys.argv = [argument for argument in sys.argv if argument != "--debug"]
    app()
