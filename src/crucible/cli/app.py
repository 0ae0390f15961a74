"""The commands that carry out and check documents; the reading ones live beside it."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from crucible import __version__
from crucible.cli import reading
from crucible.cli.console import console as make_console
from crucible.cli.failure import INTERRUPTED, RUN_FAILED, complain, deaf_to_interrupts, handled
from crucible.cli.progress import RunProgress
from crucible.cli.tables import hint, print_findings, print_places
from crucible.errors import Cancelled, SpecError, StageError
from crucible.ir import Experiment
from crucible.pipeline import RunResult, new_run_id

__all__ = ["app", "run_app"]

app = typer.Typer(
    name="crucible",
    help="Reliable ML experiments: train, evaluate, test the difference, and know why.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(reading.runs, name="runs")
app.add_typer(reading.trace, name="trace")
app.command("schema")(reading.schema)
app.command("stages")(reading.stages)

FileArgument = Annotated[Path, typer.Argument(help="Experiment document: .yaml, .yml or .json.", show_default=False)]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Set a value first, such as training_config.seed=3; repeatable."),
]
StoreOption = Annotated[
    str | None,
    typer.Option("--store", help="Folder or database URL; default: $CRUCIBLE_STORE, or .crucible here."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Reliable ML experiments: train, evaluate, test the difference, and know why."""
    if debug:
        os.environ["CRUCIBLE_DEBUG"] = "1"


@app.command()
@handled
def run(
    file: FileArgument, overrides: SetOption = None, store: StoreOption = None, as_json: JsonOption = False
) -> None:
    """Carry out an experiment, show it while it happens, and keep everything."""
    _run_document(file, list(overrides or []), store, as_json=as_json, command=None)


@app.command()
@handled
def demo(
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Seed of data, order and initial weights.")] = 0,
    store: StoreOption = None,
) -> None:
    """Run the quickstart: tune a tiny model on synthetic support tickets and test whether it got better."""
    with resources.as_file(_quickstart()) as file:
        overrides = [f"training_config.seed={seed}"]
        command = shlex.join(["crucible", "demo", "--seed", str(seed)])
        _run_document(file, overrides, store, as_json=False, command=command)


def _quickstart() -> Any:
    """The example as the wheel carries it; in a checkout, the file itself."""
    packaged = resources.files("crucible") / "_examples" / "quickstart.yaml"
    if packaged.is_file():
        return packaged
    checkout = Path(__file__).parents[3] / "examples" / "quickstart.yaml"
    if checkout.is_file():
        return checkout
    raise SpecError("examples/quickstart.yaml is not part of this installation; install crucible-ml again")


def _run_document(file: Path, overrides: list[str], store: str | None, *, as_json: bool, command: str | None) -> None:
    from crucible import assembly

    experiment = assembly.load(file, overrides)
    run_id = new_run_id()
    if command is None:
        settings = [part for override in overrides for part in ("--set", override)]
        command = shlex.join(["crucible", "run", str(file), *settings])
    console = make_console(stderr=as_json)
    _introduce(console, experiment, run_id)
    result = _follow(
        console,
        run_id,
        store,
        lambda: assembly.run(experiment, store=store, run_id=run_id, source=str(file), command=command),
    )
    _conclude(console, result, store, as_json=as_json)


@app.command()
@handled
def resume(
    run_id: Annotated[str, typer.Argument(help="Run id, or the unique beginning of one.", show_default=False)],
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on with a run that failed, was cancelled or died; completed stages are not run again."""
    from crucible import assembly

    found = reading.find_run(run_id, store)
    whole = found.run_id
    if found.status == "completed":
        see = hint("runs show", whole, store)
        raise SpecError(f"run {whole} is complete, so there is nothing to go on with; see: {see}")
    console = make_console(stderr=as_json)
    console.print(Text(f"resuming {whole}"))
    result = _follow(console, whole, store, lambda: assembly.resume(whole, store=store))
    _conclude(console, result, store, as_json=as_json)


@app.command()
@handled
def validate(file: FileArgument, overrides: SetOption = None, as_json: JsonOption = False) -> None:
    """Check a document, stage options included, and report every problem with its path."""
    from crucible import assembly
    from crucible.errors import SpecErrors
    from crucible.ir import content_hash

    try:
        experiment = assembly.load(file, list(overrides or []))
    except SpecErrors as errors:
        if not as_json:
            raise
        problems = [{"path": error.path, "code": error.code, "message": error.message} for error in errors.errors]
        typer.echo(json.dumps({"file": str(file), "valid": False, "problems": problems}, indent=2))
        raise typer.Exit(2) from None
    if as_json:
        found: dict[str, Any] = {
            "file": str(file),
            "valid": True,
            "problems": [],
            "content_hash": content_hash(experiment),
        }
        typer.echo(json.dumps(found, indent=2))
    else:
        stages = " → ".join(definition.name for definition in experiment.pipeline if definition.enabled)
        typer.echo(f"{file} is valid: {experiment.id}, {stages}")


@app.command()
@handled
def version(as_json: JsonOption = False) -> None:
    """Print the version."""
    if as_json:
        typer.echo(json.dumps({"crucible": __version__, "python": platform.python_version()}))
    else:
        typer.echo(f"crucible {__version__} (Python {platform.python_version()})")


def _introduce(console: Console, experiment: Experiment, run_id: str) -> None:
    config = experiment.training_config
    seed = f", seed {config.seed}" if config and config.seed is not None else ""
    console.print(Text(f"{experiment.id}", style="bold") + Text(f"  run {run_id}{seed}"))
    if experiment.description:
        console.print(Text(experiment.description.strip(), style="dim"))


def _follow(console: Console, run_id: str, store: str | None, work: Callable[[], RunResult]) -> RunResult:
    try:
        with RunProgress(console, run_id):
            return work()
    except (KeyboardInterrupt, Cancelled):
        deaf_to_interrupts()
        complain(f"run {run_id} was cancelled; what is done is kept. Go on with: {hint('resume', run_id, store)}")
        raise typer.Exit(INTERRUPTED) from None


def _conclude(console: Console, result: RunResult, store: str | None, *, as_json: bool) -> None:
    print_findings(console, result.context.metrics)
    print_places(console, result, store)
    if as_json:
        typer.echo(json.dumps(reading.result_data(result), indent=2))
    if result.failure is None:
        return
    try:
        result.raise_for_status()
    except StageError as error:
        what = str(error).rstrip()
        end = "" if what.endswith((".", "!", "?")) else "."
        again = hint("resume", result.run_id, store)
        advice = f"If the document is at fault, correct it and run it again; else go on with: {again}"
        complain(f"{what}{end} {advice}", error)
    raise typer.Exit(RUN_FAILED)


def run_app() -> None:
    """Run the command line; `--debug` may stand anywhere."""
    if "--debug" in sys.argv[1:]:
        os.environ["CRUCIBLE_DEBUG"] = "1"
        sys.argv = [argument for argument in sys.argv if argument != "--debug"]
    app()
