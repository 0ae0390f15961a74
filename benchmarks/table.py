"""Figures of several processes as one, and as Markdown."""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence

from benchmarks.clock import RATE, Figure
from benchmarks.side import Answer
from benchmarks.topic import Topic


def merged(answers: Sequence[Answer]) -> dict[str, Figure]:
    """Return the figures by name: the median of the processes' medians, with the range of those medians.

    A figure of one process keeps the range of its own repeats.
    """
    found: dict[str, list[Figure]] = {}
    for answer in answers:
        for figure in answer.figures:
            found.setdefault(figure.name, []).append(figure)
    return {name: figures[0] if len(figures) == 1 else _median(figures) for name, figures in found.items()}


def _median(figures: Sequence[Figure]) -> Figure:
    medians = [figure.median for figure in figures]
    colds = [figure.cold_ms for figure in figures if figure.cold_ms is not None]
    return dataclasses.replace(
        figures[0],
        median=statistics.median(medians),
        low=min(medians),
        high=max(medians),
        repeats=sum(figure.repeats for figure in figures),
        cold_ms=statistics.median(colds) if colds else None,
    )


def section(topic: Topic, sides: Mapping[str, Sequence[Answer]], skipped: Mapping[str, str]) -> str:
    """Return a topic's tables.

    Args:
        topic: The topic.
        sides: Answers of all processes, by peer; Crucible's own under the empty name.
        skipped: Why a peer was not measured, by peer.
    """
    ours = merged(sides.get("", ()))
    lines = [f"### {topic.name}: {topic.summary.rstrip('.')}", *(["", *_own(ours)] if ours else [])]
    for name, references in topic.against.items():
        chosen = {peer: merged(answers)[name] for peer, answers in sides.items() if peer and name in merged(answers)}
        if chosen:
            lines += ["", *_beside(name, chosen, [ours[key] for key in references if key in ours])]
    failed = {
        side or "Crucible": answer.failure for side, answers in sides.items() for answer in answers if answer.failure
    }
    lines += [f"\n{side}: not measured: {why}" for side, why in skipped.items()]
    lines += [f"\n{side}: stopped early: {why}" for side, why in failed.items()]
    return "\n".join(lines) + "\n"


def _own(ours: Mapping[str, Figure]) -> list[str]:
    lines = ["| Crucible | median | range | repeats |", "| --- | --- | --- | --- |"]
    for figure in ours.values():
        name = f"{figure.name} ({figure.note})" if figure.note else figure.name
        cold = f"; cold start {number(figure.cold_ms)} ms" if figure.cold_ms is not None else ""
        lines.append(f"| {name}{cold} | {quantity(figure)} | {spread(figure)} | {figure.repeats} |")
    return lines


def _beside(name: str, chosen: Mapping[str, Figure], references: Sequence[Figure]) -> list[str]:
    titles = ["median", "range", "cold start", *(_divided(reference) for reference in references)]
    lines = [f"| {name} | {' | '.join(titles)} | what it is |", "| --- " * (len(titles) + 2) + "|"]
    for peer, figure in chosen.items():
        cells = [quantity(figure), spread(figure)]
        cells.append("" if figure.cold_ms is None else f"{number(figure.cold_ms)} ms")
        cells += [number(_times(figure, reference)) for reference in references]
        lines.append(f"| {peer} {figure.version} | {' | '.join(cells)} | {figure.note.replace('|', '/')} |")
    return lines


def _divided(reference: Figure) -> str:
    return f"Crucible: {reference.name} ÷ it" if reference.unit == RATE else f"÷ Crucible: {reference.name}"


def _times(figure: Figure, reference: Figure) -> float:
    """Return how many times better Crucible is: a duration or a size divided by ours, ours divided by a rate."""
    return reference.median / figure.median if reference.unit == RATE else figure.median / reference.median


def quantity(figure: Figure) -> str:
    """Return the median with its unit."""
    return f"{number(figure.median)} {figure.unit}".rstrip()


def spread(figure: Figure) -> str:
    """Return the range of a figure; nothing for a count."""
    return "" if figure.low == figure.high else f"{number(figure.low)}–{number(figure.high)}"


def number(value: float) -> str:
    """Return a number with two or three digits that mean something."""
    if value == int(value) and abs(value) < 1e15:
        return f"{value:,.0f}"
    size = abs(value)
    if size < 0.1:
        return f"{value:.2g}"
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:,.{digits}f}"
