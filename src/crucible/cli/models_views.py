"""How models read in a terminal: versions, one version, who came of whom, what was done, how gates came out."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, cast

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from crucible.cli.access import reading_store
from crucible.cli.telemetry_tables import Column, print_table
from crucible.cli.telemetry_words import shown, when, word
from crucible.errors import SpecError, StoreError
from crucible.store.models import LineageStep, ModelChange, ModelFile, StoredModelVersion

if TYPE_CHECKING:
    from crucible.train import ModelRegistry

__all__ = [
    "ByOption",
    "ModelArgument",
    "ReferenceArgument",
    "WhyOption",
    "data_of",
    "print_changes",
    "print_gates",
    "print_lineage",
    "print_version",
    "print_versions",
    "reading_models",
    "the_version",
]

ReferenceArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL[@VERSION]",
        help="Such as triage@1.2.0, triage@production, triage@latest; without @, the highest version.",
        show_default=False,
    ),
]
ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="Name of the model.", show_default=False)]
WhyOption = Annotated[str, typer.Option("--why", help="Why; the audit keeps it.", show_default=False)]
ByOption = Annotated[
    str | None, typer.Option("--by", help="Who; default: the user of this process.", show_default=False)
]

_VERSIONS = (
    Column("version"),
    Column("stage"),
    Column("measured", folds=18),
    Column("tags", folds=10, gives_way=2),
    Column("registered", gives_way=1),
    Column("run", gives_way=3),
    Column(""),
)
_CHANGES = (
    Column("when"),
    Column("version"),
    Column("what"),
    Column("why", folds=16, gives_way=1),
    Column("gates", folds=20, gives_way=3),
    Column("who", folds=24, gives_way=2),
)
_GATES = (Column("gate"), Column("outcome"), Column("measured", folds=24), Column("wanted", folds=20))
_STYLES = {"failed": "red", "passed": "green"}


@contextmanager
def reading_models(store: str | None) -> Generator[ModelRegistry]:
    """Open the registry of a store that is there.

    Raises:
        SpecError: There is none, or it cannot be opened.
    """
    from crucible.train import ModelRegistry

    with reading_store(store) as opened:
        yield ModelRegistry(opened)


def the_version(registry: ModelRegistry, reference: str) -> StoredModelVersion:
    """Return the version that a person named.

    Raises:
        SpecError: There is none.
    """
    try:
        return registry.get(reference)
    except StoreError as error:
        raise SpecError(str(error)) from error


def data_of(version: StoredModelVersion, **more: Any) -> dict[str, Any]:
    """Return a version as JSON data."""
    return {"reference": version.reference, **msgspec.to_builtins(version), **more}


def print_versions(console: Console, found: Sequence[StoredModelVersion]) -> None:
    """Print one line a version."""
    rows = [
        (
            each.reference,
            each.stage,
            _measured(each, most=3),
            ", ".join(each.tags) or "–",
            when(each.created_at),
            word(each.run_id or "–", 30),
            "synthetic" if each.is_synthetic else "",
        )
        for each in found
    ]
    print_table(console, "", _VERSIONS, rows)


def print_version(console: Console, version: StoredModelVersion, files: Sequence[ModelFile]) -> None:
    """Print all that is known of one version."""
    origin = version.origin
    data = origin.get("data")
    lines = {
        "version": version.reference,
        "stage": version.stage,
        "registered": f"{when(version.created_at)} by {version.created_by}",
        "description": version.description or "–",
        "measured": _measured(version),
        "scores": ", ".join(version.scored) or "–",
        "tags": ", ".join(version.tags) or "–",
        "came of": ", ".join(f"{each.model}@{each.version} ({each.relation})" for each in version.parents) or "–",
        "base model": str(origin.get("base_model") or "–"),
        "base digest": str(origin.get("base_digest") or "–"),
        "data": "synthetic" if version.is_synthetic else "–" if data is None else "as recorded",
        "run": version.run_id or "–",
        "files": _files(files) if files else version.artifact_uri or "–",
        "sha256": version.tree_sha256 or "–",
    }
    for name, value in lines.items():
        console.print(Text(f"{name:<12}", style="dim") + Text(word(value, 600)), soft_wrap=True)


def print_changes(console: Console, changes: Sequence[ModelChange]) -> None:
    """Print the audit, one line a change."""
    rows = [
        (when(each.at), each.version, _what(each), word(each.why, 120) or "–", _gates_of(each), word(each.by, 40))
        for each in changes
    ]
    print_table(console, "", _CHANGES, rows)


def print_gates(console: Console, gates: Sequence[Any]) -> None:
    """Print how gates came out: what was measured, what was wanted."""
    rows = [
        (
            word(str(gate["metric"]), 60) + (" (no worse)" if gate["gate"] == "non_inferiority" else ""),
            str(gate["outcome"]).replace("_", " "),
            word(str(gate["measured"]), 300),
            word(str(gate["wanted"]), 300),
        )
        for gate in gates
    ]
    if rows:
        print_table(console, "", _GATES, rows)


def print_lineage(
    console: Console,
    version: StoredModelVersion,
    up: Sequence[LineageStep],
    down: Sequence[LineageStep],
    base_of: dict[str, str],
) -> None:
    """Print what a version came of, down to base models, and what came of it, each step below the one it hangs on."""
    console.print(Text(version.reference, style="bold") + Text(f"  {version.stage}"))
    start = (version.model, version.version)
    console.print(Text("came of", style="dim"))
    if not _branch(console, up, start, base_of) and version.reference not in base_of:
        console.print(Text("  nothing that is registered"))
    console.print(Text("came of it", style="dim"))
    if not _branch(console, down, start, {}):
        console.print(Text("  nothing yet"))


def _branch(console: Console, steps: Sequence[LineageStep], start: tuple[str, str], base_of: dict[str, str]) -> bool:
    """Print steps as a tree, each base model below the version that came of nothing else; say whether there was one."""
    below: dict[tuple[str, str], list[LineageStep]] = {}
    for step in steps:
        below.setdefault(step.via, []).append(step)
    waiting: list[tuple[str, str, int]] = [(*start, 0)]
    lines = {(step.model, step.version): f"{step.relation} {step.model}@{step.version}" for step in steps}
    while waiting:  # no recursion: an import may bring a line of thousands
        model, version, depth = waiting.pop()
        place = (model, version)
        if depth:
            console.print(Text(f"{'  ' * depth}{lines[place]}"), soft_wrap=True)
        near = below.get(place, [])
        waiting += [(step.model, step.version, depth + 1) for step in reversed(near)]
        if not near and (base := base_of.get("@".join(place))) is not None:
            console.print(Text(f"{'  ' * (depth + 1)}base model {word(base, 120)}", style="dim"), soft_wrap=True)
    return bool(steps)


def _measured(version: StoredModelVersion, *, most: int | None = None) -> str:
    """Return measurements, those of evaluations first, then losses; the rest is counted."""
    names = sorted(version.metrics, key=lambda name: (name not in version.scored, "loss" not in name, name))
    told = [f"{word(name, 40)} {shown(version.metrics[name])}" for name in names[:most]]
    return ", ".join(told + ([f"{len(names) - len(told)} more"] if len(told) < len(names) else [])) or "–"


def _files(files: Sequence[ModelFile]) -> str:
    names = ", ".join(file.path for file in files[:8]) + (f" and {len(files) - 8} more" if len(files) > 8 else "")
    return f"{names} ({sum(file.size_bytes for file in files):,} bytes)"


def _what(change: ModelChange) -> str:
    kind = change.kind.replace("_", " ")
    if change.kind == "archived":
        return f"archived from {change.from_stage}"
    way = f" {change.from_stage} → {change.to_stage}" if change.from_stage and change.to_stage else ""
    return f"{kind}{way}{' (forced)' if change.forced else ''}"


def _gates_of(change: ModelChange) -> str:
    gates: Any = change.evidence.get("gates")
    if not isinstance(gates, list) or not gates:
        return "–"
    listed = cast("list[Any]", gates)  # an import may have brought anything
    found = [cast("dict[str, Any]", gate) for gate in listed if isinstance(gate, dict)]
    told = [f"{gate.get('metric')} {str(gate.get('outcome')).replace('_', ' ')}" for gate in found]
    return word(", ".join(told), 200)
