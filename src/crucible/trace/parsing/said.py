"""What one event tag says of each field, from its child tags and its attributes.

Tags come before attributes, the first before the second; whatever is no field goes to the metadata.
"""

from __future__ import annotations

from typing import NamedTuple

from crucible.trace.parsing.attributes import Attribute
from crucible.trace.parsing.entities import read_text
from crucible.trace.parsing.field_names import field_of, near
from crucible.trace.parsing.gathering import Gathering
from crucible.trace.parsing.issue import Reports, shown
from crucible.trace.parsing.outline import EventFrame, Field, Outline
from crucible.trace.parsing.values import Element, is_nothing, squeezed, worded

__all__ = ["Said", "Saying"]

_SUGGESTIONS = 20  # looking for what a word may mean takes long, and a text may hold 100,000 of them
_SEVERAL = frozenset({"alternatives", "alternative", "depends_on", "metadata"})  # given twice, both are kept


class Saying(NamedTuple):
    """What stands in one tag or attribute.

    Args:
        raw: Markup.
        offset: Where the tag or the attribute begins.
    """

    raw: str
    offset: int


class Said:
    """All that one event says.

    Args:
        outline: The text.
        event: The event.
        types: The registered types by their squeezed names, among which a bare attribute may be.
    """

    def __init__(self, outline: Outline, event: EventFrame, types: dict[str, str]) -> None:
        self.event = event
        self.metadata = Gathering()
        self._sayings: dict[str, list[Saying]] = {}
        self._unknown: list[tuple[str, int]] = []
        for field in event.fields:
            self._add_field(field, outline.raw(field.pieces))
        for attribute in event.attributes:
            if attribute.value is not None:
                self._add(field_of(attribute.name) or "", attribute.name, attribute.value, attribute.offset)
            elif squeezed(attribute.name) in types:
                self._add("type", attribute.name, attribute.name, attribute.offset)
            else:
                self.keep(attribute.name, None, attribute.offset)
        for wrapper in event.wrappers:
            for attribute in wrapper.attributes:
                self.keep(f"{wrapper.written}.{attribute.name}", attribute.value, attribute.offset)
        if not self.has("code_section") and self.has("code"):
            self._sayings["code_section"] = self._sayings.pop("code")
        self.loose = outline.raw(event.loose)

    def _add_field(self, field: Field, raw: str) -> None:
        """Take in a tag: what it holds, or the attribute that stands for that; of metadata, all attributes."""
        if field.name == "metadata":
            for attribute in field.attributes:
                value = attribute.value
                self.metadata.add(attribute.name, True if value is None else read_text(value))
            if not raw.strip() and field.attributes:
                return
            others: list[Attribute] = []
        else:
            raw, others = worded(Element(field.name, raw, field.attributes))
        self._add(field.name, field.written, raw, field.start)
        for attribute in others:
            self.keep(f"{field.written}.{attribute.name}", attribute.value, attribute.offset)

    def keep(self, name: str, raw: str | None, offset: int) -> None:
        """Put into the metadata what is no field.

        Args:
            name: Its key.
            raw: Markup; None for an attribute without a value.
            offset: Where it stands.
        """
        self._unknown.append((name, offset))
        self.metadata.add(name, True if raw is None else read_text(raw))

    def _add(self, name: str, written: str, raw: str, offset: int) -> None:
        if name:
            self._sayings.setdefault(name, []).append(Saying(raw, offset))
        else:
            self.keep(written, raw, offset)

    def has(self, name: str) -> bool:
        """Return whether a field is given, be it empty."""
        return name in self._sayings

    def all(self, name: str) -> list[Saying]:
        """Return all that is said of a field, an empty saying being none."""
        return [saying for saying in self._sayings.get(name, ()) if saying.raw.strip()]

    def text(self, name: str) -> str:
        """Return the first text that a field is given; "" if there is none."""
        sayings = self.all(name)
        return read_text(sayings[0].raw) if sayings else ""

    def optional(self, name: str) -> str | None:
        """Return the first text that a field is given; None if there is none or it says `none`, `null` or `n/a`."""
        sayings = self.all(name)
        return None if not sayings or is_nothing(sayings[0].raw) else read_text(sayings[0].raw) or None

    def offset(self, name: str) -> int:
        """Return where a field is given; where the event begins if it is not."""
        sayings = self.all(name) or self._sayings.get(name)
        return sayings[0].offset if sayings else self.event.start

    def report(self, reports: Reports, hints: dict[str, str]) -> None:
        """Report what is unknown or said twice.

        Args:
            reports: Takes the issues.
            hints: What unknown words may mean, for those looked up so far, across events.
        """
        for name, offset in self._unknown:
            if name not in hints and len(hints) < _SUGGESTIONS and "." not in name:
                close = near(name)
                hints[name] = f"; did you mean {close}?" if close else ""
            message = f"{shown(name)} is no field of an event; it is kept in the metadata{hints.get(name, '')}"
            reports.add("unknown_field", offset, message, self.event)
        for name in [*self._sayings]:
            sayings = self.all(name)
            if name not in _SEVERAL and len({saying.raw.strip() for saying in sayings}) > 1:
                kept = shown(read_text(sayings[0].raw))
                message = f"{name} is given {len(sayings)} times; {kept} is kept"
                reports.add("repeated_field", sayings[1].offset, message, self.event)
