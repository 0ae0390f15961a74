"""The command `crucible telemetry export`: events, or the points of series, as a file for other programs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crucible.cli.access import JsonOption, StoreOption, reading_store
from crucible.cli.failure import handled
from crucible.cli.tables import relative
from crucible.cli.telemetry_source import RecordingArgument, recorded
from crucible.cli.telemetry_words import fields_of, moment_ns, print_data
from crucible.errors import SpecError
from crucible.ir import did_you_mean

if TYPE_CHECKING:
    from crucible.telemetry import Anonymizer

__all__ = ["KEY_VARIABLE", "telemetry_export"]

KEY_VARIABLE = "CRUCIBLE_ANONYMIZE_KEY"
"""The environment variable with the key of `--anonymize hash`; a key never stands on a command line."""

_MODES = ("drop", "hash")


@handled
def telemetry_export(
    recording: RecordingArgument,
    format: Annotated[  # noqa: A002  # the option's name
        str | None,
        typer.Option(help="csv, jsonl or parquet; default: what the file ends in, else csv.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write to this file; default: a new one in exports/.", show_default=False),
    ] = None,
    points: Annotated[bool, typer.Option("--points", help="The points of all series instead of events.")] = False,
    name: Annotated[
        list[str] | None,
        typer.Option(help="Only events of this name, or prefix.*; repeatable.", show_default=False),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Not before this moment: 2026-11-21T09:30, or 2h ago as 2h.", show_default=False),
    ] = None,
    until: Annotated[str | None, typer.Option(help="Before this moment.", show_default=False)] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=VALUE", help="Only events that say so, such as model=small; repeatable.", show_default=False
        ),
    ] = None,
    anonymize: Annotated[
        str | None,
        typer.Option(
            metavar="drop|hash",
            help=f"Leave users and sessions out, or hash them with the key in ${KEY_VARIABLE} or --key-file.",
            show_default=False,
        ),
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(help="File with the key of --anonymize hash.", show_default=False)
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write events, or the points of all series, to a file that is whole or absent; print where it is."""
    asked = _asked(name, since, until, where)
    if points and asked:
        raise SpecError(
            f"--{next(iter(asked)).removesuffix('_ns').replace('names', 'name')} chooses events, and --points writes "
            "the points of all series; leave one of them out"
        )
    anonymizer = _anonymizer(anonymize, key_file)
    with reading_store(store) as opened:
        found = recorded(opened, recording)
        made = found.export(format, output, points=points, anonymizer=anonymizer, **asked)
    if as_json:
        print_data({**_data(made), "what": "points" if points else "events"})
        return
    what = "points" if points else "events"
    typer.echo(relative(made.path))
    typer.echo(f"{made.rows:,} {what}, {len(made.columns)} columns, {made.format}", err=True)


def _asked(names: list[str] | None, since: str | None, until: str | None, where: list[str] | None) -> dict[str, Any]:
    """Return which events, as `EventQuery` takes it; nothing that was not asked for."""
    asked: dict[str, Any] = {}
    if names:
        asked["names"] = tuple(names)
    if since is not None:
        asked["since_ns"] = moment_ns(since, "--since")
    if until is not None:
        asked["until_ns"] = moment_ns(until, "--until")
    if where:
        asked["where"] = fields_of(where)
    return asked


def _data(made: Any) -> dict[str, Any]:
    return {"path": str(made.path), "format": made.format, "rows": made.rows, "columns": list(made.columns)}


def _anonymizer(mode: str | None, key_file: Path | None) -> Anonymizer | None:
    """Return what hides users and sessions.

    Raises:
        SpecError: The mode is unknown, or a key is missing, empty, unreadable or of no use.
    """
    from crucible.telemetry import Anonymizer

    if mode != "hash" and key_file is not None:
        raise SpecError("--key-file is the key of --anonymize hash; ask for that, or leave the file out")
    if mode is None:
        return None
    if mode not in _MODES:
        raise SpecError(f'--anonymize must be drop or hash, got "{mode}"{did_you_mean(mode, _MODES)}')
    if mode != "hash":
        return Anonymizer("drop")
    key = os.environ.get(KEY_VARIABLE, "").encode() if key_file is None else _read(key_file)
    if not key:
        where = f"${KEY_VARIABLE} is not set" if key_file is None else f"{key_file} is empty"
        raise SpecError(
            f"--anonymize hash needs a secret key, or everybody could guess who was there: {where}; "
            f"set ${KEY_VARIABLE}, or name a file with --key-file"
        )
    return Anonymizer("hash", key=key)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes().strip()
    except OSError as error:
        raise SpecError(f"--key-file {file} cannot be read ({error.strerror or error}); check the path") from error
