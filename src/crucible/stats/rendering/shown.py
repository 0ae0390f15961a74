"""Values as the cells of a table show them: never rounded into something that they are not."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard, cast

from crucible.stats.rendering.telling import ABSENT
from crucible.stats.rendering.words import UNSIGNED_EFFECTS, effect_title, verdict_title
from crucible.stats.wording import decimals_for, show_number, show_p, show_percent

__all__ = [
    "is_effect",
    "is_interval",
    "is_plain",
    "number",
    "on_one_scale",
    "show_effect",
    "show_estimate",
    "show_probability",
    "show_span",
    "show_value",
]

Fields = Mapping[str, Any]
_MINUS = "\N{MINUS SIGN}"


def is_interval(value: object) -> TypeGuard[Fields]:
    """Tell whether a value is an interval in its JSON form."""
    return _has(value, "low", "high", "level")


def is_effect(value: object) -> TypeGuard[Fields]:
    """Tell whether a value is a size of effect in its JSON form."""
    return _has(value, "name", "value", "interval")


def is_plain(value: object) -> bool:
    """Tell whether a value fits in one cell: nothing, a number, a word, an interval, an effect."""
    return value is None or isinstance(value, str | bool | int | float) or is_interval(value) or is_effect(value)


def _has(value: object, *names: str) -> bool:
    return isinstance(value, Mapping) and all(name in cast("Fields", value) for name in names)


def number(value: float | None) -> str:
    """Return a number to four significant digits; whole numbers keep all of theirs."""
    if value is None:
        return ABSENT
    if math.isfinite(value) and float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}".replace("-", _MINUS)
    return f"{value:.4g}".replace("-", _MINUS)


def on_one_scale(*values: float, signed: bool = True) -> list[str]:
    """Return numbers of one scale with the same decimals, as many as the largest of them needs."""
    digits = decimals_for(*values)
    return [show_number(value, digits, signed=signed).replace("-", _MINUS) for value in values]


def show_span(interval: Fields | None, *, with_level: bool = True) -> str:
    """Return an interval such as `0.1 to 0.3 (95 %)`."""
    if interval is None:
        return ABSENT
    text = f"{number(interval['low'])} to {number(interval['high'])}"
    return f"{text} ({show_percent(interval['level'])})" if with_level else text


def show_estimate(
    value: float | None, interval: Fields | None, *, with_level: bool = False, signed: bool = True
) -> str:
    """Return an estimate with its interval: `+0.33 (+0.09 to +0.55)`."""
    if value is None:
        return ABSENT
    if interval is None:
        return on_one_scale(value, signed=signed)[0]
    middle, low, high = on_one_scale(value, interval["low"], interval["high"], signed=signed)
    level = f"{show_percent(interval['level'])}: " if with_level else ""
    return f"{middle} ({level}{low} to {high})"


def show_effect(effect: Fields | None, *, with_level: bool = False) -> str:
    """Return a size of effect by name, with its interval where it has one."""
    if effect is None:
        return ABSENT
    signed = effect["name"] not in UNSIGNED_EFFECTS
    shown = show_estimate(effect["value"], effect["interval"], with_level=with_level, signed=signed)
    return f"{effect_title(effect['name'])} {shown}"


def show_probability(p: float | None, alpha: float | None = None) -> str:
    """Return a p-value as a column of them shows it, on its side of `alpha`."""
    if p is None:
        return ABSENT
    if not 0.0 <= p <= 1.0:  # shown as it came, since it is no probability
        return number(p)
    return show_p(p, alpha).removeprefix("p ").removeprefix("= ")


def show_value(name: str, value: Any, fields: Fields) -> str:
    """Return any value of a field in words.

    Args:
        name: Of the field: a name that starts with `p` followed by nothing or `_` is a p-value.
        value: JSON data.
        fields: The fields beside it, where a p-value finds the alpha that it is compared with.
    """
    if value is None or value == "":
        return ABSENT
    if isinstance(value, int | float):
        return _show_number(name, value, fields)
    if isinstance(value, str):
        return verdict_title(value) if name in ("verdict", "decision") else value
    return _show_nested(value)


def _show_number(name: str, value: float, fields: Fields) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    is_p = name == "p" or name.startswith("p_")
    return show_probability(value, fields.get("alpha")) if is_p else number(value)


def _show_nested(value: Any) -> str:
    if is_interval(value):
        return show_span(value)
    if is_effect(value):
        return show_effect(value, with_level=True)
    if isinstance(value, Mapping):
        inner = cast("Fields", value)
        if all(map(is_plain, inner.values())):
            return ", ".join(f"{key.replace('_', ' ')} {show_value(key, one, inner)}" for key, one in inner.items())
    elif isinstance(value, Sequence) and all(map(is_plain, cast("Sequence[Any]", value))):
        return "; ".join(show_value("", one, {}) for one in cast("Sequence[Any]", value)) or "none"
    return json.dumps(value, ensure_ascii=False)
