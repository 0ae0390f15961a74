"""A chain as Markdown, for reports: `to_markdown`.

The sections are those of the predecessor's export, with the links, stage and metadata that it left out. Text from
events is escaped, so a decision that quotes Markdown or HTML reads as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from crucible.trace.chain import Chain
from crucible.trace.display import clean, duration
from crucible.trace.event import Event, format_timestamp
from crucible.trace.plain import plain

__all__ = ["to_markdown"]

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&$])")
_LINE_START = re.compile(r"^(\d*)([-+=:.)])")  # what would begin a list, a rule or a definition
_BACKTICKS = re.compile(r"`+")


def to_markdown(chain: Chain, *, level: int = 1) -> str:
    """Return the chain as Markdown, ending with a newline.

    Args:
        chain: What to write.
        level: Level of the chain's heading, from 1 to 4; its events stand two levels deeper.
    """
    numbers = chain.statistics()
    mean = numbers.avg_confidence
    stated = f"{numbers.events_with_confidence} of {numbers.total_events} events"
    confidence = "not stated" if mean is None else f"{mean:.2f} (over {stated})"
    blocks = [f"{'#' * level} {_escaped(chain.name) or '(no name)'}"]
    if chain.description:
        blocks.append(_escaped(chain.description))
    blocks.append(
        "\n".join(
            [
                f"- **Chain ID:** {_code(chain.id)}",
                f"- **Created:** {format_timestamp(chain.created_at)}",
                f"- **Updated:** {format_timestamp(chain.updated_at)}",
                f"- **Total Events:** {numbers.total_events}",
                f"- **Average Confidence:** {confidence}",
                f"- **Duration:** {duration(numbers.duration_s * 1e9)}",
            ]
        )
    )
    blocks.append(f"{'#' * (level + 1)} Events")
    if not len(chain):
        blocks.append("No events.")
    for number, event in enumerate(chain, start=1):
        blocks += _event(event, number, level + 2, chain)
    return "\n\n".join(blocks) + "\n"


def _event(event: Event, number: int, level: int, chain: Chain) -> Iterator[str]:
    yield f"{'#' * level} {number}. {_escaped(event.type.replace('_', ' ').title())}"
    yield f"**Decision:** {_escaped(event.decision)}"
    yield f"**Reasoning:** {_escaped(event.reasoning)}"
    if event.alternatives:
        yield "**Alternatives:**\n\n" + "\n".join(f"- {_escaped(word)}" for word in event.alternatives)
    facts = [f"**{label}:** {text}" for label, text in _facts(event, chain)]
    yield "\\\n".join(facts)
    if event.metadata:
        yield _fenced(msgspec.json.format(msgspec.json.encode(plain(event.metadata)), indent=2).decode())


def _facts(event: Event, chain: Chain) -> Iterator[tuple[str, str]]:
    yield "Confidence", "not stated" if event.confidence is None else f"{event.confidence:.2f}"
    for label, value in (
        ("Code Section", event.code_section),
        ("Spec Reference", event.spec_reference),
        ("Stage", event.stage_id),
        ("Experiment", event.experiment_id),
    ):
        if value:
            yield label, _escaped(value)
    if event.parent_id is not None:
        yield "Part of", _reference(event.parent_id, chain)
    if event.depends_on:
        yield "Rests on", "; ".join(_reference(name, chain) for name in event.depends_on)
    yield "Timestamp", format_timestamp(event.timestamp)


def _reference(event_id: str, chain: Chain) -> str:
    event = chain.get(event_id)
    return _escaped(event.decision) if event else f"{_code(event_id)} (not in this chain)"


def _escaped(text: str) -> str:
    return _LINE_START.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", clean(text)))


def _code(text: str) -> str:
    return f"`{clean(text).replace('`', chr(0x2019))}`"


def _fenced(text: str) -> str:
    longest = max((len(run) for run in _BACKTICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}json\n{text}\n{fence}"
