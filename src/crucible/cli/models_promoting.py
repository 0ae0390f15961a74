"""The commands below `crucible models` that move versions: promote, past gates, and roll back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

import msgspec
import typer
from rich.text import Text

from crucible.cli.access import JsonOption, StoreOption
from crucible.cli.console import console as make_console
from crucible.cli.failure import RUN_FAILED, handled
from crucible.cli.models_views import (
    ByOption,
    ModelArgument,
    ReferenceArgument,
    WhyOption,
    print_gates,
    reading_models,
    the_version,
)
from crucible.cli.telemetry_words import print_data
from crucible.errors import PromotionRefused, SpecError
from crucible.store.models import check_move

if TYPE_CHECKING:
    from crucible.train import NonInferiority

__all__ = ["models_promote", "models_rollback"]


@handled
def models_promote(
    reference: ReferenceArgument,
    why: WhyOption,
    to: Annotated[str, typer.Option("--to", help="staging, production, archived or development.")] = "production",
    gate: Annotated[
        list[str] | None,
        typer.Option("--gate", metavar="CONDITION", help="What it must measure, such as exact_match>=0.8; repeatable."),
    ] = None,
    no_worse: Annotated[
        list[str] | None,
        typer.Option(
            "--no-worse",
            metavar="METRIC:MARGIN[:min|max]",
            help="Shown to be no worse than production by this margin, item by item; repeatable.",
        ),
    ] = None,
    alpha: Annotated[float, typer.Option("--alpha", help="Error rate of each one-sided test of --no-worse.")] = 0.05,
    failures: Annotated[
        str, typer.Option("--failures", help="Items that failed, in --no-worse: abort, exclude or zero.")
    ] = "abort",
    force: Annotated[bool, typer.Option("--force", help="Do it although a gate is not passed; recorded so.")] = False,
    keep_current: Annotated[
        bool, typer.Option("--keep-current", help="Leave what is in production there, beside it.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how the gates come out.")] = False,
    by: ByOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move a version to another stage, if it passes its gates. Exit code 1 if it does not."""
    from crucible.train import Gates

    gates = Gates.of(gate or (), [_no_worse(text, alpha, failures) for text in no_worse or ()])
    with reading_models(store) as registry:
        version = the_version(registry, reference)
        if dry_run:
            check_move(version, to)
            report = registry.judge(version.reference, gates)
            _told_gates({"reference": version.reference, "passes": report.passed}, report.to_list(), as_json=as_json)
            raise typer.Exit(0 if report.passed else RUN_FAILED)
        try:
            done = registry.promote(
                version.reference, to, why=why, gates=gates, force=force, keep_current=keep_current, by=by
            )
        except PromotionRefused as refused:
            _told_gates({"reference": version.reference, "promoted": False, "to": to}, refused.gates, as_json=as_json)
            raise
    if as_json:
        print_data({"promoted": True, **msgspec.to_builtins(done)})
        return
    print_gates(make_console(), done.report.to_list())
    replaced = f"; archived {', '.join(done.replaced)}" if done.replaced else ""
    forced = ", FORCED past its gates" if done.forced else "" if done.report.results else ", no gate was asked for"
    typer.echo(f"{done.version.reference}: {done.from_stage} → {done.to_stage}{forced}{replaced}")


@handled
def models_rollback(
    name: ModelArgument, why: WhyOption, by: ByOption = None, store: StoreOption = None, as_json: JsonOption = False
) -> None:
    """Bring back the version that was in production before; the present one is archived."""
    with reading_models(store) as registry:
        done = registry.rollback(name, why=why, by=by)
    if as_json:
        print_data(msgspec.to_builtins(done))
    else:
        replaced = f"; archived {', '.join(done.replaced)}" if done.replaced else ""
        typer.echo(f"{done.version.reference}: back in production{replaced}")


def _told_gates(facts: dict[str, Any], gates: Any, *, as_json: bool) -> None:
    if as_json:
        print_data({**facts, "gates": list(gates)})
        return
    print_gates(make_console(), list(gates))
    if "passes" in facts:
        said = "passes its gates" if facts["passes"] else "does not pass its gates"
        make_console().print(Text(f"{facts['reference']} {said if gates else 'was asked for no gate'}"))


def _no_worse(text: str, alpha: float, failures: str) -> NonInferiority:
    from crucible.train import NonInferiority
    from crucible.train.registry import direction_for

    metric, _, rest = text.partition(":")
    margin, _, direction = rest.partition(":")
    try:
        width = float(margin)
    except ValueError:
        raise SpecError(
            f"--no-worse must be METRIC:MARGIN, such as exact_match:0.05, with :min or :max where the name of the "
            f'metric does not say which side is better; got "{text}"'
        ) from None
    chosen = direction_for(metric, direction or None)
    return NonInferiority(metric=metric, margin=width, alpha=alpha, failures=cast("Any", failures), direction=chosen)
