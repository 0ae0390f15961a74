"""What the page shows before, and without, JavaScript: heading, counts, faults of the links, the first events."""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec

from crucible.trace.chain import Chain
from crucible.trace.display import clean, duration
from crucible.trace.event import Event
from crucible.trace.plain import plain
from crucible.trace.reading import read_timestamp
from crucible.trace.relationships import find_problems
from crucible.trace.statistics import Statistics, summarize
from crucible.trace.viewer.readable import is_stated, words
from crucible.trace.vocabulary import EventType, canonical_type, look_of, title_of

__all__ = ["header", "plain_list", "statistics"]

_LISTED_EVENTS = 100
_LISTED_PROBLEMS = 50
_LISTED_TYPES = 40
_PROBLEM_LETTERS = 400  # a cycle names every event in it


def header(chain: Chain, title: str) -> str:
    """Return the heading, the description and what identifies the chain.

    Args:
        chain: Whose page it is.
        title: The heading, one clean line.
    """
    parts = ['<p class="kicker">Causal trace</p>', f'<h1 dir="auto">{_text(title)}</h1>']
    if title != clean(words(chain.name)):
        parts.append(f'<p class="quiet" dir="auto">{_text(chain.name)}</p>')
    if chain.description:
        parts += [
            f'<p class="lead" dir="auto">{_text(line)}</p>' for line in words(chain.description).splitlines() if line
        ]
    facts = [
        ("Chain", f"<code>{_text(chain.id)}</code>"),
        ("Created", _moment(chain.created_at)),
        ("Updated", _moment(chain.updated_at)),
        ("Events", f"{len(chain):,}"),
    ]
    parts.append(
        f'<dl class="facts">{"".join(f"<div><dt>{name}</dt><dd>{told}</dd></div>" for name, told in facts)}</dl>'
    )
    parts += _folded("Metadata of the chain", chain.metadata)
    parts += _folded("Other keys of the chain", chain.extra)
    return "\n".join(parts)


def _folded(summary: str, values: Mapping[str, Any]) -> list[str]:
    if not values:
        return []
    known = json.dumps(plain(values), ensure_ascii=False, indent=2)
    lines = "\n".join(_kept_indent(line) for line in known.splitlines())
    return [f"<details><summary>{summary}</summary><pre>{lines}</pre></details>"]


def statistics(events: Sequence[Event], types: Sequence[EventType]) -> str:
    """Return the tiles: counts, mean confidence, duration, types, and whether the links hold.

    Args:
        events: What to count, in chain order, each as `readable` returns it.
        types: The types that occur, in the order of their classes in the style sheet.
    """
    numbers = _counted(events)
    mean = numbers.avg_confidence
    stated = f"stated by {numbers.events_with_confidence:,} of {numbers.total_events:,}"
    moments = [event.timestamp for event in events]
    span = f"from {_moment(min(moments))}" if moments else "no events"
    tiles = [
        ("Events", f"{numbers.total_events:,}", f"{len(types)} {'type' if len(types) == 1 else 'types'}"),
        ("Decisions", f"{sum(map(_decides, events)):,}", "chose, or weighed alternatives"),
        ("Mean confidence", "not stated" if mean is None else f"{mean:.2f}", stated),
        ("Duration", duration(numbers.duration_s * 1e9) if moments else "none", span),
    ]
    drawn = "".join(
        f'<div class="tile"><dt>{name}</dt><dd><strong>{told}</strong> <span>{note}</span></dd></div>'
        for name, told, note in tiles
    )
    parts = f'<dl class="tiles">{drawn}</dl>{_by_type(events, types)}{_faults(events)}'
    return f'<section aria-label="In numbers">{parts}</section>'


def _counted(events: Iterable[Event]) -> Statistics:
    """Return the statistics; a confidence that is no finite number counts as not stated."""
    replace = msgspec.structs.replace
    return summarize(event if is_stated(event.confidence) else replace(event, confidence=None) for event in events)


def _decides(event: Event) -> bool:
    return bool(event.alternatives) or look_of(event.type).is_decision


def _by_type(events: Iterable[Event], types: Sequence[EventType]) -> str:
    counts = Counter(canonical_type(event.type) for event in events)
    order = sorted(enumerate(types), key=lambda entry: -counts[entry[1].name])
    items = "".join(_kind(entry, place, counts[entry.name]) for place, entry in order[:_LISTED_TYPES])
    if len(order) > _LISTED_TYPES:
        items += f"<li>and {len(order) - _LISTED_TYPES:,} more, all of them among the filters</li>"
    return f'<ul class="kinds" aria-label="Events by type">{items}</ul>' if items else ""


def _kind(entry: EventType, place: int, count: int) -> str:
    """Return a link that shows the events of one type."""
    address = quote(entry.name.encode("utf-8", "replace"), safe="")
    badge = f'<span class="badge t{place}" aria-hidden="true">{entry.code}</span>'
    title = _shortened(title_of(entry.name), 60) or "(no type)"
    return f'<li><a href="#type={address}">{badge} {title} <b>{count:,}</b></a></li>'


def _faults(events: Iterable[Event]) -> str:
    problems = find_problems(events)
    if not problems:
        return ""
    items = "".join(
        f"<li>{_shortened(problem.message, _PROBLEM_LETTERS)}</li>" for problem in problems[:_LISTED_PROBLEMS]
    )
    rest = len(problems) - _LISTED_PROBLEMS
    more = f"<li>… and {rest:,} more: Chain.validate_relationships lists them all</li>" if rest > 0 else ""
    count = "1 fault" if len(problems) == 1 else f"{len(problems):,} faults"
    summary = f"<summary>{count} in the links between events</summary>"
    return f'<details class="faults">{summary}<ul>{items}{more}</ul></details>'


def plain_list(events: Sequence[Event]) -> str:
    """Return the first events as a plain list, for readers without JavaScript; each as `readable` returns it."""
    listed = events[:_LISTED_EVENTS]
    if not listed:
        return "<p>This chain has no events.</p>"
    head = (
        f"The first {len(listed):,} of {len(events):,} events"
        if len(events) > len(listed)
        else f"All {len(events):,} events"
    )
    items = "\n".join(f"<li>{''.join(_lines(event))}</li>" for event in listed)
    return f"<h2>{head}</h2>\n<ol>\n{items}\n</ol>"


def _lines(event: Event) -> Iterator[str]:
    confidence = "not stated" if event.confidence is None else clean(str(plain(event.confidence)))
    happened = f"{_text(event.type)}, {_moment(event.timestamp)}"
    yield f'<p><strong dir="auto">{_text(event.decision)}</strong> ({happened})</p>'
    yield f'<p dir="auto">{_text(event.reasoning)}</p>'
    if event.alternatives:
        yield f'<p dir="auto">Instead of: {_text(" | ".join(event.alternatives))}</p>'
    yield f"<p>Confidence: {_text(confidence)}</p>"


def _text(value: Any) -> str:
    return html.escape(clean(words(value)))


def _shortened(text: str, length: int) -> str:
    line = clean(text[: length * 2])
    return html.escape(line if len(line) <= length else f"{line[: length - 1]}…")


def _kept_indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" "))] + _text(line)


def _moment(moment: datetime) -> str:
    shown = read_timestamp(moment) or moment
    return f'<time datetime="{shown.isoformat()}">{shown:%Y-%m-%d %H:%M:%S} UTC</time>'
