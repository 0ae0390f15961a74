"""TensorBoard's `Event` messages, decoded as far as scalars need it.

Protocol buffers say the number and the kind of each field, so what is not known is stepped over. A message that breaks
off or contradicts itself is a `ValueError`.

Source:
    tensorflow/core/util/event.proto, framework/summary.proto and framework/tensor.proto: the numbers of the fields.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

__all__ = ["EventMessage", "SummaryValue", "fields", "read_event", "tensor_number"]

_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_double = struct.Struct("<d").unpack_from
_float = struct.Struct("<f").unpack_from
_OTHERS = {4: "graphs", 6: "log messages", 8: "run metadata", 9: "meta graphs"}
_VALUE_KINDS = {3: "histograms", 4: "images", 5: "histograms", 6: "audio"}
_SESSION_START = 1


class SummaryValue(NamedTuple):
    """One value of a summary.

    Args:
        tag: Its tag.
        number: What it holds, if that is one number.
        plugin: The plugin that its metadata names; empty if none.
        kind: What it holds otherwise, such as `images`; `tensors` for a tensor that is not one number.
        is_simple: Whether the number is a `simple_value`, which is always a scalar.
    """

    tag: str
    number: float | None
    plugin: str
    kind: str
    is_simple: bool


class EventMessage(NamedTuple):
    """One event.

    Args:
        wall_time_s: Seconds since 1970.
        step: Its step.
        values: The values of its summary.
        other: What it holds instead, such as `graphs`; empty if nothing.
        is_restart: Whether a session starts here: what was logged at this step and later is void.
    """

    wall_time_s: float
    step: int
    values: list[SummaryValue]
    other: str
    is_restart: bool


def read_event(data: bytes) -> EventMessage:
    """Return the event of a record.

    Raises:
        ValueError: It is none.
    """
    wall_time_s, step, other, is_restart = 0.0, 0, "", False
    values: list[SummaryValue] = []
    for number, kind, value in fields(data):
        if number == 1 and kind == _EIGHT:
            wall_time_s = _double(value)[0]
        elif number == 2 and kind == _VARINT:
            step = _signed(value)
        elif number == 5 and kind == _BYTES:
            values += [_value(inner) for own, form, inner in fields(value) if own == 1 and form == _BYTES]
        elif number == 7 and kind == _BYTES:
            is_restart = any(own == 1 and inner == _SESSION_START for own, _, inner in fields(value))
        elif number in _OTHERS:
            other = _OTHERS[number]
    return EventMessage(wall_time_s, step, values, other, is_restart)


def fields(data: bytes) -> Iterator[tuple[int, int, Any]]:
    """Yield number, kind and value of each field: an int for kind 0, bytes for kinds 1, 2 and 5.

    Raises:
        ValueError: The message breaks off, or has a kind that is none.
    """
    place, end = 0, len(data)
    while place < end:
        key = data[place]
        place += 1
        if key > 0x7F:
            key, place = _varint(data, place - 1)
        kind = key & 7
        if kind in (_BYTES, _VARINT):
            if place < end and data[place] < 0x80:
                value: Any = data[place]
                place += 1
            else:
                value, place = _varint(data, place)
            if kind == _BYTES:
                after = place + value
                value = data[place:after]
                place = after
        elif kind in (_FOUR, _EIGHT):
            after = place + (4 if kind == _FOUR else 8)
            value = data[place:after]
            place = after
        else:
            raise ValueError(f"field {key >> 3} is of kind {kind}, which is not taken")
        if place > end or not key >> 3:
            raise ValueError(f"field {key >> 3} breaks off at byte {end}")
        yield key >> 3, kind, value


def _varint(data: bytes, place: int) -> tuple[int, int]:
    found = 0
    for shift in range(0, 70, 7):
        if place >= len(data):
            raise ValueError(f"a number breaks off at byte {place}")
        byte = data[place]
        place += 1
        found |= (byte & 0x7F) << shift
        if byte < 0x80:
            return found & 0xFFFFFFFFFFFFFFFF, place
    raise ValueError(f"a number at byte {place} has more than ten bytes")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _value(data: bytes) -> SummaryValue:
    tag, number, plugin, kind, is_simple = "", None, "", "", False
    for field, form, value in fields(data):
        if field == 1 and form == _BYTES:
            tag = value.decode("utf-8", "backslashreplace")
        elif field == 2 and form == _FOUR:
            number, is_simple = _float(value)[0], True
        elif field == 8 and form == _BYTES:
            number, kind = tensor_number(value), "tensors"
        elif field == 9 and form == _BYTES:
            plugin = _plugin(value)
        elif field in _VALUE_KINDS:
            kind = _VALUE_KINDS[field]
    return SummaryValue(tag, number, plugin, kind, is_simple)


def _plugin(metadata: bytes) -> str:
    for field, form, value in fields(metadata):
        if field == 1 and form == _BYTES:
            for inner, inner_form, name in fields(value):
                if inner == 1 and inner_form == _BYTES:
                    return name.decode("utf-8", "backslashreplace")
    return ""


# By TensorFlow's number of the type: its form in `tensor_content`, and the field that may hold the value instead.
_TYPES = {
    1: ("<f", 5),
    2: ("<d", 6),
    3: ("<i", 7),
    4: ("<B", 7),
    5: ("<h", 7),
    6: ("<b", 7),
    9: ("<q", 10),
    10: ("<?", 11),
    17: ("<H", 7),
    19: ("<e", 13),
    22: ("<I", 16),
    23: ("<Q", 17),
}
_BFLOAT16 = 14


def tensor_number(data: bytes) -> float | None:
    """Return the one number of a tensor without dimensions; None for any other tensor.

    Raises:
        ValueError: The message is damaged.
    """
    kind, content = 0, b""
    held: dict[int, tuple[int, Any]] = {}
    for field, form, value in fields(data):
        if field == 1 and form == _VARINT:
            kind = value
        elif field == 2 and form == _BYTES:
            if any(own == 2 for own, _, _ in fields(value)):  # it has dimensions
                return None
        elif field == 4 and form == _BYTES:
            content = value
        elif field >= 5:
            held[field] = form, value
    if kind == _BFLOAT16:
        bits = content or _first_varint(held.get(13)).to_bytes(8, "little")[:2]
        return struct.unpack("<f", b"\0\0" + bits)[0] if len(bits) == 2 else None
    layout, field = _TYPES.get(kind, ("", 0))
    if not layout:
        return None
    if content:
        return float(struct.unpack(layout, content)[0]) if len(content) == struct.calcsize(layout) else None
    return _held(layout, held.get(field))


def _held(layout: str, found: tuple[int, Any] | None) -> float | None:
    if found is None:
        return 0.0  # protocol buffers leave out a zero
    form, value = found
    if layout in {"<f", "<d"}:
        return struct.unpack(layout, value)[0] if form and len(value) == struct.calcsize(layout) else None
    whole = _first_varint(found)
    if layout == "<e":
        return struct.unpack("<e", (whole & 0xFFFF).to_bytes(2, "little"))[0]
    return float(whole if layout in {"<Q", "<I", "<H", "<B", "<?"} else _signed(whole))


def _first_varint(found: tuple[int, Any] | None) -> int:
    if found is None:
        return 0
    form, value = found
    return value if form == _VARINT else _varint(value, 0)[0]
