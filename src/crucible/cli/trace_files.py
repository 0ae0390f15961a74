"""The commands below `crucible trace` that turn chains into files and text into chains: export, view, parse."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crucible.cli.access import JsonOption, StoreOption, print_json
from crucible.cli.failure import RUN_FAILED, handled
from crucible.cli.tables import relative
from crucible.cli.trace_source import ChainArgument, chain_of
from crucible.errors import SpecError, StoreError
from crucible.ir import did_you_mean
from crucible.ir.files import atomic_write

if TYPE_CHECKING:
    from crucible.trace import Chain

__all__ = ["FORMATS", "trace_export", "trace_parse", "trace_view"]

_DIAGRAMS = ("flowchart", "sequence", "timeline", "graph")
_TABLES = ("table-csv", "table-jsonl", "table-parquet")
FORMATS = ("json", "markdown", "csv", "tags", "html", "otel", *_DIAGRAMS, *_TABLES)
"""What `crucible trace export --format` takes; the four diagrams are Mermaid, the tables one row an epoch."""

OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write to this file; default: print.", show_default=False)
]


@handled
def trace_export(
    chain: ChainArgument,
    format: Annotated[str, typer.Option(help=f"{', '.join(FORMATS)}.")] = "json",  # noqa: A002  # the option's name
    output: OutputOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a chain, or write it to a file, in another form; --json says where, or holds the text."""
    if format not in FORMATS:
        raise SpecError(f"--format must be one of {', '.join(FORMATS)}, got {format!r}{did_you_mean(format, FORMATS)}")
    found = chain_of(chain, store)
    if format in _TABLES:
        _say(_export_table(found, format.removeprefix("table-"), output), as_json=as_json)
        return
    text = _writers()[format](found)
    if output is not None:
        _say(atomic_write(output, text if text.endswith("\n") else f"{text}\n"), as_json=as_json)
    elif as_json:
        print_json({"format": format, "text": text})
    else:
        typer.echo(text, nl=not text.endswith("\n"))


def _say(path: Path, *, as_json: bool) -> None:
    """Print where something was written."""
    if as_json:
        print_json({"path": str(path)})
    else:
        typer.echo(relative(path))


def _writers() -> dict[str, Callable[[Chain], str]]:
    from crucible import trace

    return {
        "json": trace.to_json,
        "markdown": trace.to_markdown,
        "csv": trace.to_csv,
        "tags": trace.to_tags,
        "html": trace.to_html,
        "otel": _otel,
        **{kind: partial(trace.to_mermaid, kind=kind) for kind in _DIAGRAMS},
    }


def _otel(chain: Chain) -> str:
    from crucible.trace import otel_spans

    return json.dumps([json.loads(span.to_json(indent=None)) for span in otel_spans(chain)], indent=2)


def _export_table(chain: Chain, format: str, output: Path | None) -> Path:  # noqa: A002  # the option's name
    from crucible.trace import save_training_table

    if output is None:
        raise SpecError("a table goes to a file: name it with --output")
    return save_training_table(chain, output, format=format)


@handled
def trace_view(
    chain: ChainArgument,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the page here and open nothing.", show_default=False)
    ] = None,
    theme: Annotated[str, typer.Option(help="auto, light or dark.")] = "auto",
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open a chain in the browser: one page with filters, timeline, graph and loss curves, no server."""
    from crucible.trace import ViewerOptions, open_in_browser, save_html

    options = ViewerOptions(theme=theme)  # type: ignore[arg-type]  # checked there
    found = chain_of(chain, store)
    _say(open_in_browser(found, options) if output is None else save_html(found, output, options), as_json=as_json)


@handled
def trace_parse(
    file: Annotated[str, typer.Argument(help="What a model answered; - reads stdin.", show_default=False)],
    name: Annotated[
        str | None, typer.Option(help="Name of the chain; default: the file's.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the chain here, as JSON.", show_default=False)
    ] = None,
    code: Annotated[Path | None, typer.Option(help="Write the code of the answer here.", show_default=False)] = None,
    save: Annotated[bool, typer.Option("--save", help="Keep the chain in the store.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read the events out of a model's answer; what was not understood is said on stderr. Exit 1 if there are none."""
    from crucible.trace import extract_code, parse_to_chain, to_text, validate_events

    text = _read(file)
    for issue in validate_events(text):
        typer.echo(f"{issue.severity}: line {issue.line}, column {issue.column}: {issue.message}", err=True)
    chain = parse_to_chain(text, name or ("stdin" if file == "-" else Path(file).stem))
    if output is not None:
        chain.save(output)
    if code is not None:
        atomic_write(code, extract_code(text))
    if save:
        _save(chain, store)
    if as_json:
        print_json(chain.to_dict())
    else:
        typer.echo(to_text(chain))
    if not len(chain):
        raise typer.Exit(RUN_FAILED)


def _read(file: str) -> str:
    if file == "-":
        return sys.stdin.buffer.read().decode("utf-8", "replace")
    try:
        return Path(file).read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise StoreError(f"{file} cannot be read ({error.strerror or error}); check the path") from error


def _save(chain: Chain, store: str | None) -> None:
    from crucible.store import open_store
    from crucible.trace import TraceStore

    with open_store(store) as opened:
        TraceStore(opened).save(chain)
    typer.echo(f"kept as chain {chain.id}", err=True)
