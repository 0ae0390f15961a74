"""The commands below `crucible trace` that find and show chains: show, list, search.

The others are in `trace_files` and `trace_checks`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.text import Text

from crucible.cli.access import JsonOption, StoreOption, print_json, reading_store
from crucible.cli.console import console as make_console
from crucible.cli.failure import handled
from crucible.cli.tables import table
from crucible.cli.trace_checks import trace_diff, trace_verify
from crucible.cli.trace_files import trace_export, trace_parse, trace_view
from crucible.cli.trace_source import ChainArgument, chain_of
from crucible.errors import SpecError

if TYPE_CHECKING:
    from crucible.trace import Condition, Event, Hit

__all__ = ["trace"]

trace = typer.Typer(help="Why things were done: chains of events with reasons.", no_args_is_help=True)

_RANKED = 1_000  # the most hits that a full-text search ranks

LimitOption = Annotated[int, typer.Option(min=1, max=1_000_000, help="How many.")]


@trace.command("show")
@handled
def trace_show(chain: ChainArgument, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Show a chain as a tree: stages, trainings and decisions, with reasons and alternatives."""
    from crucible.trace import to_text

    found = chain_of(chain, store)
    if as_json:
        print_json(found.to_dict())
    else:
        typer.echo(to_text(found))


@trace.command("list")
@handled
def trace_list(
    limit: LimitOption = 20,
    name: Annotated[str | None, typer.Option(help="Chains whose name contains this.")] = None,
    run: Annotated[str | None, typer.Option(help="Chains of this run alone, by its full id.")] = None,
    archived: Annotated[bool, typer.Option("--archived", help="Those that were archived instead.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the chains that the store keeps, newest first."""
    from crucible.trace import ChainFilter, TraceStore

    with reading_store(store) as opened:
        wanted = ChainFilter(name_contains=name or "", run_id=run, archived=archived)
        found = TraceStore(opened).search(wanted, limit=limit)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    rows = [
        (entry.id[:12], entry.name, entry.run_id or "–", entry.event_count, entry.created_at[:16].replace("T", " "))
        for entry in found
    ]
    columns = ("chain", "name", "run", "events", "created")
    make_console().print(
        table("", columns, rows) if rows else Text("no chain fits" if name or run else "no chains yet")
    )


@trace.command("search")
@handled
def trace_search(
    text: Annotated[
        str | None,
        typer.Argument(help='Words that must all occur: loss, "exact phrase", check*, -not.', show_default=False),
    ] = None,
    chain: Annotated[
        str | None, typer.Option("--in", help="Search this chain alone: run id, chain id or file.", show_default=False)
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(help="""Condition on fields, such as '{"confidence": {"lt": 0.7}}'.""", show_default=False),
    ] = None,
    regex: Annotated[
        bool, typer.Option("--regex", help="TEXT is a regular expression; needs --in.", show_default=False)
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=_RANKED, help="How many.")] = 20,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find events, in all chains of the store or in one: by words, by a regular expression, or by conditions."""
    if text is None and where is None:
        raise SpecError("nothing to search for: give words, or a condition with --where")
    condition = None if where is None else _condition(where)
    if chain is not None:
        _print_events(_found_in(chain, store, text, condition, is_regex=regex)[:limit], as_json=as_json)
        return
    if regex:
        raise SpecError("--regex looks at every event, so it needs one chain: name it with --in")
    from crucible.trace import Condition, TraceStore

    with reading_store(store) as opened:
        traces = TraceStore(opened)
        if text is not None:
            hits = traces.search_all(text, limit=limit if condition is None else _RANKED)
            fitting = [hit for hit in hits if condition is None or condition.matches(hit.event)]
            if condition is not None and len(hits) == _RANKED:
                best = f"only the best {_RANKED:,} events with these words were held against the condition"
                typer.echo(f"warning: {best}; use more words, or --where alone", err=True)
            _print_hits(fitting[:limit], as_json=as_json)
            return
        found = traces.query(condition or Condition.from_dict({}), limit=limit)
    _print_events([entry.event for entry in found], as_json=as_json, chains=[entry.chain_id for entry in found])


def _condition(text: str) -> Condition:
    from crucible.trace import Condition

    try:
        return Condition.from_dict(json.loads(text))
    except ValueError as error:
        if isinstance(error, SpecError):
            raise
        raise SpecError(f'--where must be JSON, such as \'{{"type": "early_stopped"}}\': {error}') from error


def _found_in(
    chain: str, store: str | None, text: str | None, condition: Condition | None, *, is_regex: bool
) -> list[Event]:
    from crucible.trace import search, search_regex

    found = chain_of(chain, store)
    events = list(found)
    if text is not None:
        events = search_regex(found, text) if is_regex else search(found, text)
    if condition is not None:
        events = [event for event in events if condition.matches(event)]
    return events


def _print_events(events: list[Event], *, as_json: bool, chains: list[str] | None = None) -> None:
    from crucible.trace.display import clean

    if as_json:
        given = chains or [None] * len(events)
        print_json(
            [
                {**({} if chain is None else {"chain_id": chain}), **event.to_dict()}
                for chain, event in zip(given, events, strict=True)
            ]
        )
        return
    rows = [
        (
            f"{event.timestamp:%Y-%m-%d %H:%M:%S}",
            event.type,
            _sure(event),
            clean(event.decision),
            clean(event.reasoning),
        )
        for event in events
    ]
    columns = ("when", "type", "sure", "decision", "why")
    if chains:
        columns = ("chain", *columns)
        rows = [(chain[:12], *row) for chain, row in zip(chains, rows, strict=True)]
    make_console().print(table("", columns, rows) if rows else Text("nothing fits"))


def _sure(event: Event) -> str:
    return "–" if event.confidence is None else f"{event.confidence:.2f}"


def _print_hits(hits: list[Hit], *, as_json: bool) -> None:
    from crucible.trace.display import clean

    if as_json:
        print_json([{**msgspec.to_builtins(hit), "event": hit.event.to_dict()} for hit in hits])
        return
    console = make_console()
    if not hits:
        console.print(Text("nothing fits"))
    for hit in hits:
        head = Text(f"{hit.event.type}  ", style="dim")
        of = f"  {clean(hit.chain_name)} · {hit.run_id or hit.chain_id}"
        console.print(head + _marked(hit) + Text(of, style="dim"), soft_wrap=True)


def _marked(hit: Hit) -> Text:
    """Return the decision with the words that were found in bold, and the piece of text where they stand elsewhere."""
    shown = _bold(hit.event.decision, hit.highlights.get("decision", ()))
    if "decision" in hit.highlights:
        return shown
    return shown + Text(" · ", style="dim") + _bold(hit.snippet, hit.snippet_highlights)


def _bold(text: str, spans: Iterable[tuple[int, int]]) -> Text:
    from crucible.trace.display import clean

    made, place = Text(), 0
    for start, end in spans:
        made += Text(_clean_inside(text[place:start])) + Text(clean(text[start:end]), style="bold")
        place = end
    return made + Text(_clean_inside(text[place:]))


def _clean_inside(text: str) -> str:
    """Return a piece of a line, safe to print, with the blanks at its ends."""
    from crucible.trace.display import clean

    return clean(f"|{text}|")[1:-1]


trace.command("diff")(trace_diff)
trace.command("verify")(trace_verify)
trace.command("export")(trace_export)
trace.command("view")(trace_view)
trace.command("parse")(trace_parse)
