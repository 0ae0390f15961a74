"""The text that Prometheus reads: families of samples, in its own format or in OpenMetrics.

Knows names, escapes and suffixes, and nothing of what is measured.

Source:
    Prometheus exposition formats, text format 0.0.4; OpenMetrics 1.0.0.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

import msgspec

from crucible.telemetry.bridges.attributes import words

__all__ = ["MEDIA_TYPES", "Families", "Kind", "TextFormat", "metric_name"]

TextFormat: TypeAlias = Literal["prometheus", "openmetrics"]
Kind: TypeAlias = Literal["counter", "gauge", "summary"]

MEDIA_TYPES: Mapping[TextFormat, str] = {
    "prometheus": "text/plain; version=0.0.4; charset=utf-8",
    "openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
}

_NOT_OF_A_NAME = re.compile(r"[^a-zA-Z0-9_:]+")
_NOT_OF_A_LABEL = re.compile(r"[^a-zA-Z0-9_]+")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_KEPT = {"_count": "_number", "_sum": "_amount", "_total": "_overall"} | {
    ending: f"{ending}_value" for ending in ("_bucket", "_created", "_info")
}  # OpenMetrics keeps these endings for itself

_Labels = tuple[tuple[str, str], ...]


class _Family(msgspec.Struct):
    name: str  # as it was given, without its unit
    kind: Kind
    description: str
    unit: str
    samples: dict[tuple[str, _Labels], float]


class Families:
    """What is measured, by name; the order of adding is the order in the text.

    Of names that become the same legal one, the first in the order of the alphabet keeps it, one that was legal before
    all others; the rest get a number. So they are called alike on every page that has the same names.
    """

    def __init__(self) -> None:
        self._families: dict[tuple[str, str], _Family] = {}  # by name and unit

    def add(
        self,
        name: str,
        kind: Kind,
        value: float,
        labels: Mapping[str, object],
        *,
        description: str,
        unit: str = "",
        suffix: str = "",
        own: Mapping[str, object] | None = None,
    ) -> None:
        """Add a sample; the same sample again replaces the first.

        Args:
            name: Of the family, without its unit and without `_total`.
            kind: What it is; a name that is of another kind already gets the new kind's name behind it.
            value: NaN and infinities too.
            labels: The caller's labels; where `own` has the same name, they get `exported_` before it, as Prometheus
                itself does.
            description: One line about the family; the first one counts.
            unit: In the plural, such as `seconds`; it becomes the end of the name.
            suffix: `_sum` or `_count` of a summary.
            own: Labels that the family itself has, such as `quantile`.
        """
        while (known := self._families.get((name, unit))) is not None and known.kind != kind:
            name = f"{name}_{kind}"
        family = self._families.setdefault((name, unit), _Family(name, kind, description, unit, {}))
        family.samples[suffix, _merged(labels, own or {})] = value

    def text(self, format: TextFormat = "prometheus") -> str:  # noqa: A002  # the word that everybody uses
        """Return the whole page, ending in a newline.

        Args:
            format: `prometheus` is text format 0.0.4, `openmetrics` is OpenMetrics 1.0.0; see `MEDIA_TYPES`. The
                latter knows negative values in gauges only, no counter that is NaN and no summary of half an
                observation: they are left out there.
        """
        is_open = format == "openmetrics"
        names = self._names()
        lines = [line for key, family in self._families.items() for line in _lines(names[key], family, is_open=is_open)]
        return "".join(f"{line}\n" for line in ([*lines, "# EOF"] if is_open else lines))

    def _names(self) -> dict[tuple[str, str], str]:
        """Return a legal name for each family, no two of them alike."""
        taken: dict[str, tuple[str, str]] = {}
        for key, each in sorted(self._families.items(), key=lambda item: _by_legality(_full(*item[0]), item[0])):
            count, full = 1, _full(each.name, each.unit)
            while full in taken:
                count += 1
                full = _full(f"{each.name}_{count}", each.unit)
            taken[full] = key
        return {key: full for full, key in taken.items()}


def metric_name(text: str) -> str:
    """Return the nearest name that a metric may have, with another ending for those that OpenMetrics keeps.

    What ASCII has besides letters, digits, `_` and `:` becomes `_`; any other character becomes its number: `_u00e9_`.
    """
    name = re.sub(r"_{2,}", "_", _NOT_OF_A_NAME.sub("_", _numbered(text))).strip("_") or "unnamed"
    for kept, ending in _KEPT.items():
        if name.endswith(kept):
            name = name.removesuffix(kept) + ending
    return f"_{name}" if name[0].isdigit() else name


def _full(name: str, unit: str) -> str:
    return metric_name(f"{name}_{unit}" if unit else name)


def _by_legality(legal: str, given: tuple[str, str]) -> tuple[bool, tuple[str, str]]:
    return legal != "_".join(filter(None, given)), given


def _merged(labels: Mapping[str, object], own: Mapping[str, object]) -> _Labels:
    """Return all labels under legal names, no two of them alike: of the caller's, one that was legal keeps its name."""
    mine = {_label_name(name): words(value) for name, value in own.items()}
    names: dict[str, str] = {}
    taken = set(mine)
    given = [words(name) for name in labels]
    for name in sorted(given, key=lambda name: _by_legality(_label_name(name), (name, ""))):
        legal = _label_name(name)
        first = f"exported_{legal}" if legal in mine else legal
        names[name] = next(each for each in _numbered_from(first) if each not in taken)
        taken.add(names[name])
    merged = {names[name]: words(value) for name, value in zip(given, labels.values(), strict=True)}
    return tuple((merged | mine).items())


def _label_name(text: str) -> str:
    legal = _NOT_OF_A_LABEL.sub("_", _numbered(text))
    name = legal.lstrip("_") or "unnamed"  # what begins with __ is Prometheus's own
    return f"_{name}" if name[0].isdigit() else name


def _numbered(text: str) -> str:
    """Return a text in which each character that ASCII lacks is its number, such as `_u00e9_`."""
    return text if text.isascii() else _NOT_ASCII.sub(lambda found: f"_u{ord(found[0]):04x}_", text)


def _numbered_from(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}_{count}" for count in itertools.count(2))


def _lines(name: str, family: _Family, *, is_open: bool) -> Iterator[str]:
    is_counter = family.kind == "counter"
    samples = {
        key: value
        for key, value in family.samples.items()
        if not is_open or _is_open_metric(family.kind, key[0], value)
    }
    if not samples:
        return
    full = f"{name}_total" if is_counter else name
    shown = name if is_open else full
    text = _escaped(family.description) if is_open else _escaped_line(family.description)
    yield f"# HELP {shown} {text}"
    yield f"# TYPE {shown} {family.kind}"
    if is_open and family.unit:
        yield f"# UNIT {shown} {family.unit}"
    for (suffix, labels), value in samples.items():
        inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
        yield f"{full}{suffix}{f'{{{inside}}}' if inside else ''} {_value(value)}"


def _is_open_metric(kind: Kind, suffix: str, value: float) -> bool:
    """Return whether OpenMetrics allows a value: none below 0 but in a gauge, no count that is NaN or broken."""
    if kind == "gauge":
        return True
    if suffix == "_count" and not value.is_integer():  # NaN and infinities are no integers either
        return False
    return value >= 0 or (not suffix and kind == "summary" and math.isnan(value))


def _escaped(text: str) -> str:
    return _escaped_line(text).replace('"', '\\"')


def _escaped_line(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _value(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
