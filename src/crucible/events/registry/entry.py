"""What the registry knows of an event, and what it accepts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from crucible.errors import SpecError

__all__ = ["ROOMS", "UNITS", "EventInfo", "check"]

ROOMS = frozenset({
    "ir", "events", "pipeline", "stats", "store", "text", "resilience", "telemetry", "trace", "backends", "data",
    "train", "hedging", "ensemble", "report", "assembly", "harness", "serve", "ui", "cli",
})  # fmt: skip
"""The rooms of Crucible that may emit, those that are not built yet, too."""

UNITS: Mapping[str, str] = {
    "1": "a count, a ratio, a score: what has no unit",
    "ns": "nanoseconds",
    "ms": "milliseconds",
    "s": "seconds",
    "nat": "nats: natural logarithm, per token",
    "USD": "US dollars",
    "B": "bytes",
    "1/s": "so many a second",
}
"""The units of measurements, and what each means; there are no others."""

_SUFFIXES = {"_ns": "ns", "_ms": "ms", "_s": "s", "_usd": "USD", "_bytes": "B", "_per_s": "1/s", "_per_second": "1/s"}
_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_WORD = re.compile(r"[a-z][a-z0-9_]*")


class EventInfo(msgspec.Struct, frozen=True):
    """What the registry knows of an event.

    Args:
        name: Dotted name.
        category: Group, such as `training`.
        description: What happened, in one sentence.
        emitted_by: The room of Crucible that emits it, `external` for others' programs, or `planned`.
        measurements: Unit by measurement, of `UNITS`; a measurement may be left out where it is not known.
        aliases: Other names for the same event, which Crucible understands but does not emit.
        metadata: What the agreed keys of the metadata mean, one line each; others may be there, too.
    """

    name: str
    category: str
    description: str
    emitted_by: str
    measurements: Mapping[str, str] = {}
    aliases: tuple[str, ...] = ()
    metadata: Mapping[str, str] = {}


def check(info: EventInfo) -> None:
    """Refuse an entry that does not say what an entry says.

    Raises:
        SpecError: The first problem; `path` is the field.
    """
    for path, message in _problems(info):
        raise SpecError(f"event {info.name!r}: {message}", path=path, code="event")


def _problems(info: EventInfo) -> Iterator[tuple[str, str]]:
    for path, name in (("name", info.name), *(("aliases", alias) for alias in info.aliases)):
        if not _NAME.fullmatch(name):
            form = 'a dotted name of small letters, digits and "_", such as my_lab.probe.read'
            yield path, f"expected {form}, got {name!r}"
    if len({info.name, *info.aliases}) <= len(info.aliases):
        yield "aliases", "a name is there twice"
    if not _WORD.fullmatch(info.category):
        yield "category", f"expected one word of small letters, such as training, got {info.category!r}"
    if not info.description.strip():
        yield "description", "expected a sentence that says what happened, got nothing"
    if info.emitted_by not in ROOMS and info.emitted_by not in ("external", "planned"):
        yield "emitted_by", f"expected external, planned or a room of Crucible, got {info.emitted_by!r}"
    yield from _wrong_fields(info)


def _wrong_fields(info: EventInfo) -> Iterator[tuple[str, str]]:
    for key, unit in info.measurements.items():
        path = f"measurements.{key}"
        if unit not in UNITS:
            yield path, f"expected one of the units {', '.join(UNITS)}, got {unit!r}"
        elif (meant := _meant(key)) is not None and unit != meant:
            yield path, f"its name says {meant}, and its unit is {unit}"
    for key, line in info.metadata.items():
        if not line.strip() or "\n" in line:
            yield f"metadata.{key}", "expected one line that says what it means"


def _meant(key: str) -> str | None:
    """Return the unit that the name of a measurement states; None for a name without one."""
    found = [suffix for suffix in _SUFFIXES if key.endswith(suffix)]
    return _SUFFIXES[max(found, key=len)] if found else None
