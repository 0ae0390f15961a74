"""The commands that carry out and check documents; the reading ones live beside it."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from crucible import __version__
from crucible.cli import reading
from crucible.cli.access import JsonOption, StoreOption, find_run
from crucible.cli.checkpoints import checkpoints as checkpoint_commands
from crucible.cli.compare import compare
from crucible.cli.console import console as make_console
from crucible.cli.failure import handled
from crucible.cli.following import Again, conclude, follow
from crucible.cli.models import models as model_commands
from crucible.cli.run_query import runs_gc, runs_list
from crucible.cli.runs import runs_diff, runs_files, runs_show
from crucible.cli.tables import hint
from crucible.cli.telemetry import telemetry as telemetry_commands
from crucible.cli.timeline import runs_timeline
from crucible.cli.traces import trace as trace_commands
from crucible.errors import SpecError
from crucible.ir import Experiment, Issue, Model
from crucible.pipeline import Registry, new_run_id

if TYPE_CHECKING:
    from crucible.assembly import ResumeOptions

__all__ = ["app", "run_app"]

app = typer.Typer(
    name="crucible",
    help="Reliable ML experiments: train, evaluate, test the difference, and know why.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
runs = typer.Typer(help="Runs that the store keeps.", no_args_is_help=True)
for name, command in {
    "list": runs_list,
    "show": runs_show,
    "diff": runs_diff,
    "timeline": runs_timeline,
    "files": runs_files,
    "gc": runs_gc,
}.items():
    runs.command(name)(command)
app.add_typer(runs, name="runs")
app.add_typer(trace_commands, name="trace")
app.add_typer(telemetry_commands, name="telemetry")
app.add_typer(checkpoint_commands, name="checkpoints")
app.add_typer(model_commands, name="models")
app.command("compare")(compare)
app.command("schema")(reading.schema)
app.command("stages")(reading.stages)

FileArgument = Annotated[Path, typer.Argument(help="Experiment document: .yaml, .yml or .json.", show_default=False)]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Set a value first, such as training_config.seed=3; repeatable."),
]
AllowImportOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-import",
        metavar="PACKAGE",
        help="Allow stages of the document to name code of this package (`module:`); repeatable.",
    ),
]
ParallelOption = Annotated[
    int | None,
    typer.Option("--max-parallel", min=1, help="How many branches run at once; default: 16.", show_default=False),
]
TraceOption = Annotated[bool, typer.Option("--trace/--no-trace", help="Keep why things were done.")]
SealOption = Annotated[
    bool, typer.Option("--seal", help="Hash each event of the trace with those before it; see `trace verify`.")
]
SignOption = Annotated[
    Path | None,
    typer.Option("--sign-with", metavar="KEY", help="Sign the trace with this private key (PEM).", show_default=False),
]


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
    file: FileArgument,
    overrides: SetOption = None,
    store: StoreOption = None,
    allow_import: AllowImportOption = None,
    trace: TraceOption = True,
    seal: SealOption = False,
    sign_with: SignOption = None,
    max_parallel: ParallelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Carry out an experiment, show it while it happens, and keep everything."""
    settings = _settings(store, allow_import, max_parallel, trace=trace)
    settings |= _sealing(seal=seal, sign_with=sign_with)
    parts = [part for override in overrides or () for part in ("--set", override)]
    command = ["crucible", "run", str(file), *parts]
    _run_document(file, list(overrides or []), settings, as_json=as_json, command=command)


def _settings(
    store: str | None, allow_import: list[str] | None, max_parallel: int | None, *, trace: bool
) -> ResumeOptions:
    settings: ResumeOptions = {"store": store, "allow_imports": allow_import or [], "trace": trace}
    if max_parallel is not None:
        settings["max_parallel"] = max_parallel
    return settings


def _sealing(*, seal: bool, sign_with: Path | None) -> ResumeOptions:
    settings: ResumeOptions = {}
    if seal:
        settings["seal"] = True
    if sign_with is not None:
        settings["sign_with"] = sign_with
    return settings


@app.command()
@handled
def demo(
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Seed of data, order and initial weights.")] = 0,
    store: StoreOption = None,
) -> None:
    """Run the quickstart: tune a tiny model on synthetic support tickets and test whether it got better."""
    with resources.as_file(_quickstart()) as file:
        overrides = [f"training_config.seed={seed}"]
        command = ["crucible", "demo", "--seed", str(seed)]
        _run_document(file, overrides, {"store": store}, as_json=False, command=command)


def _quickstart() -> Any:
    """The example as the wheel carries it; in a checkout, the file itself."""
    packaged = resources.files("crucible") / "_examples" / "quickstart.yaml"
    if packaged.is_file():
        return packaged
    checkout = Path(__file__).parents[3] / "examples" / "quickstart.yaml"
    if checkout.is_file():
        return checkout
    raise SpecError("examples/quickstart.yaml is not part of this installation; install crucible-ml again")


def _run_document(
    file: Path, overrides: list[str], settings: ResumeOptions, *, as_json: bool, command: list[str]
) -> None:
    from crucible import assembly
    from crucible.assembly.options import flags_of

    allowed = list(settings.get("allow_imports", ()))
    experiment = assembly.load(file, overrides, registry=Registry(allow_imports=allowed))
    again = Again(new_run_id(), settings)
    whole = shlex.join([*command, *flags_of(settings)])
    console = make_console(stderr=as_json)
    _introduce(console, experiment, again.run_id)
    result = follow(
        console,
        again,
        lambda: assembly.run(experiment, run_id=again.run_id, source=str(file), command=whole, **settings),
    )
    conclude(console, result, again, as_json=as_json)


@app.command()
@handled
def resume(
    run_id: Annotated[str, typer.Argument(help="Run id, or the unique beginning of one.", show_default=False)],
    store: StoreOption = None,
    allow_import: AllowImportOption = None,
    trace: TraceOption = True,
    seal: SealOption = False,
    sign_with: SignOption = None,
    max_parallel: ParallelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on with a run that failed, was cancelled or died; completed stages are not run again."""
    from crucible import assembly

    found = find_run(run_id, store)
    whole = found.run_id
    if found.status == "completed":
        see = hint("runs show", whole, store)
        raise SpecError(f"run {whole} is complete, so there is nothing to go on with; see: {see}")
    console = make_console(stderr=as_json)
    console.print(Text(f"resuming {whole}"))
    settings = _settings(store, allow_import, max_parallel, trace=trace)
    settings |= _sealing(seal=seal, sign_with=sign_with)
    again = Again(whole, settings)
    result = follow(console, again, lambda: assembly.resume(whole, **settings))
    conclude(console, result, again, as_json=as_json)


@app.command()
@handled
def validate(
    file: FileArgument,
    overrides: SetOption = None,
    allow_import: AllowImportOption = None,
    kind: Annotated[
        str, typer.Option("--type", help="What the file holds: any type of `crucible schema`.")
    ] = "Experiment",
    as_json: JsonOption = False,
) -> None:
    """Check a document, stage options included, and report every problem with its path."""
    from crucible import assembly
    from crucible.errors import SpecErrors
    from crucible.ir import content_hash

    registry = Registry(allow_imports=allow_import or [])
    checked = assembly.check(file, list(overrides or []), registry=registry, kind=kind)
    if as_json:
        found: dict[str, Any] = {
            "file": str(file),
            "valid": checked.value is not None,
            "problems": [_problem(each) for each in checked.problems],
            "warnings": [_problem(each) for each in checked.warnings],
            **({"content_hash": content_hash(checked.value)} if checked.value is not None else {}),
        }
        typer.echo(json.dumps(found, indent=2))
    else:
        for each in checked.warnings:
            typer.echo(f"warning: {each.path}: {each.message}", err=True)
        if checked.value is None:
            raise SpecErrors(str(file), checked.problems)
        typer.echo(f"{file} is valid: {_content(checked.value)}")
    if checked.value is None:
        raise typer.Exit(2)


def _problem(found: SpecError | Issue) -> dict[str, str]:
    return {"path": found.path, "code": found.code, "message": found.message}


def _content(value: Model) -> str:
    if not isinstance(value, Experiment):
        return type(value).__name__
    return f"{value.id}, {' → '.join(stage.name for stage in value.pipeline if stage.enabled)}"


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


def run_app() -> None:
    """Run the command line; `--debug` may stand anywhere."""
    if "--debug" in sys.argv[1:]:
        os.environ["CRUCIBLE_DEBUG"] = "1"
        sys.argv = [argument for argument in sys.argv if argument != "--debug"]
    app()
