"""What the page shows before, and without, JavaScript: heading, counts, faults of the links, the first events."""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from crucible.trace.chain import Chain
from crucible.trace.display import clean, duration
from crucible.trace.event import Event
from crucible.trace.plain import plain
from crucible.trace.reading import read_timestamp
from crucible.trace.vocabulary import EventType, canonical_type, title_of

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
    if title != clean(chain.name):
        parts.append(f'<p class="quiet" dir="auto">{_text(chain.name)}</p>')
    if chain.description:
        parts += [f'<p class="lead" dir="auto">{_text(line)}</p>' for line in chain.description.splitlines() if line]
    facts = [
        ("Chain", f"<code>{_text(chain.id)}</code>"),
        ("Created", _moment(chain.created_at)),
        ("Updated", _moment(chain.updated_at)),
        ("Events", f"{len(chain):,}"),
    ]
    parts.append(
        f'<dl class="facts">{"".join(f"<div><dt>{name}</dt><dd>{words}</dd></div>" for name, words in facts)}</dl>'
    )
    if chain.metadata:
        known = json.dumps(plain(chain.metadata), ensure_ascii=False, indent=2)
        lines = "\n".join(_kept_indent(line) for line in known.splitlines())
        parts.append(f"<details><summary>Metadata of the chain</summary><pre>{lines}</pre></details>")
    return "\n".join(parts)


def statistics(chain: Chain, types: Sequence[EventType]) -> str:
    """Return the tiles: counts, mean confidence, duration, types, and whether the links hold.

    Args:
        chain: What to count.
        types: The types that occur, in the order of their classes in the style sheet.
    """
    numbers = chain.statistics()
    mean = numbers.avg_confidence
    stated = f"stated by {numbers.events_with_confidence:,} of {numbers.total_events:,}"
    moments = [event.timestamp for event in chain]
    span = f"from {_moment(min(moments))}" if moments else "no events"
    tiles = [
        ("Events", f"{numbers.total_events:,}", f"{len(types)} {'type' if len(types) == 1 else 'types'}"),
        ("Decisions", f"{len(chain.decision_points()):,}", "chose, or weighed alternatives"),
        ("Mean confidence", "not stated" if mean is None else f"{mean:.2f}", stated),
        ("Duration", duration(numbers.duration_s * 1e9) if moments else "none", span),
    ]
    drawn = "".join(
        f'<div class="tile"><dt>{name}</dt><dd><strong>{words}</strong> <span>{note}</span></dd></div>'
        for name, words, note in tiles
    )
    parts = f'<dl class="tiles">{drawn}</dl>{_by_type(chain, types)}{_faults(chain)}'
    return f'<section aria-label="In numbers">{parts}</section>'


def _by_type(chain: Chain, types: Sequence[EventType]) -> str:
    counts = Counter(canonical_type(event.type) for event in chain)
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


def _faults(chain: Chain) -> str:
    problems = chain.validate_relationships()
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


def plain_list(chain: Chain) -> str:
    """Return the first events as a plain list, for readers without JavaScript."""
    listed = [event for event, _ in zip(chain, range(_LISTED_EVENTS), strict=False)]
    if not listed:
        return "<p>This chain has no events.</p>"
    head = (
        f"The first {len(listed):,} of {len(chain):,} events"
        if len(chain) > len(listed)
        else f"All {len(chain):,} events"
    )
    items = "\n".join(f"<li>{''.join(_lines(event))}</li>" for event in listed)
    return f"<h2>{head}</h2>\n<ol>\n{items}\n</ol>"


def _lines(event: Event) -> Iterator[str]:
    confidence = "not stated" if event.confidence is None else clean(str(plain(event.confidence)))
    happened = f"{_text(event.type)}, {_moment(event.timestamp)}"
    yield f'<p><strong dir="auto">{_text(event.decision)}</strong> ({happened})</p>'
    yield f'<p dir="auto">{_text(event.reasoning)}</p>'
    if event.alternatives:
        yield f'<p dir="auto">Instead of: {_text(" | ".join(str(word) for word in event.alternatives))}</p>'
    yield f"<p>Confidence: {_text(confidence)}</p>"


def _text(value: Any) -> str:
    return html.escape(clean(value if isinstance(value, str) else str(plain(value))))


def _shortened(text: str, length: int) -> str:
    line = clean(text[: length * 2])
    return html.escape(line if len(line) <= length else f"{line[: length - 1]}…")


def _kept_indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" "))] + _text(line)


def _moment(moment: datetime) -> str:
    shown = read_timestamp(moment) or moment
    return f'<time datetime="{shown.isoformat()}">{shown:%Y-%m-%d %H:%M:%S} UTC</time>'
