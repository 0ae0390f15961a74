"""How telemetry reads in a terminal: numbers, moments, lengths of time, names that others chose, and JSON of it all."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec

from crucible.cli.access import print_json
from crucible.errors import SpecError

__all__ = ["fields_of", "moment_ns", "percent", "plain", "print_data", "shown", "took", "when", "word"]

_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def shown(value: float | None) -> str:
    """Return a number in four digits or so; a dash for None."""
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value) or value == 0.0:
        return f"{value:g}"
    size = abs(value)
    if size >= 1e7 or size < 1e-4:
        return f"{value:.4g}"
    return f"{value:,.0f}" if size >= 1e4 else f"{value:.4g}"


def percent(share: float) -> str:
    """Return a share such as `97.5 %`; one that is not whole never reads as 0 % or 100 %."""
    text = f"{100 * share:.4g}"
    if (text == "100") != (share == 1.0):
        return "> 99.99 %"
    return "< 0.0001 %" if 0.0 < share < 1e-6 else f"{text} %"


def took(nanoseconds: float | None) -> str:
    """Return a length of time, such as `12.3 s`; a dash for None."""
    from crucible.trace.display import duration

    return "–" if nanoseconds is None else duration(nanoseconds)


def word(text: str, longest: int = 80) -> str:
    """Return a text that others chose as one line that is safe to print, cut to a length."""
    from crucible.trace.display import clean

    line = clean(text)
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def when(moment: str | int | None, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Return a moment in the local time zone.

    Args:
        moment: ISO 8601, or nanoseconds since 1970-01-01 UTC; None is a dash.
        form: As `strftime` takes it.
    """
    if moment is None:
        return "–"
    try:
        if isinstance(moment, str):
            return datetime.fromisoformat(moment).astimezone().strftime(form)
        return (_EPOCH + timedelta(microseconds=moment // 1000)).astimezone().strftime(form)
    except (OverflowError, ValueError):  # beyond the years of the calendar
        return str(moment)


def moment_ns(text: str, option: str) -> int:
    """Return a moment that a person wrote, in nanoseconds since 1970-01-01 UTC.

    Args:
        text: ISO 8601 (local time unless it says otherwise), or how long ago, such as `90s` or `2h`.
        option: Which option it is of, for the message.

    Raises:
        SpecError: It is neither.
    """
    ago = _AGE.fullmatch(text.strip())
    try:
        if ago is not None:
            moment = datetime.now(UTC) - timedelta(seconds=float(ago[1]) * _UNITS[ago[2]])
        else:
            moment = datetime.fromisoformat(text.strip()).astimezone(UTC)
        return (moment - _EPOCH) // timedelta(microseconds=1) * 1_000
    except (ValueError, OverflowError):
        raise SpecError(
            f'{option} must be a moment such as 2026-11-21T09:30, or how long ago, such as 90s, 2h or 1d; got "{text}"'
        ) from None


def fields_of(conditions: list[str] | None, option: str = "--where") -> dict[str, Any]:
    """Return conditions such as `model=small` or `step=5` by field.

    A value that is JSON is that value (a number, true, null, a text in quotes); any other is a text.

    Raises:
        SpecError: One has no `=`.
    """
    found: dict[str, Any] = {}
    for condition in conditions or ():
        name, equals, text = condition.partition("=")
        if not equals or not name.strip():
            raise SpecError(f'{option} must be FIELD=VALUE, such as model=small or success=false; got "{condition}"')
        try:
            found[name.strip()] = msgspec.json.decode(text)
        except msgspec.DecodeError:
            found[name.strip()] = text
    return found


def print_data(value: Any) -> None:
    """Print data for programs; NaN and infinities, which JSON does not know, as texts."""
    print_json(plain(value))


def plain(value: Any) -> Any:
    """Return data that is JSON in every reader: `nan`, `inf` and `-inf` are texts."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case Mapping():
            found = cast("Mapping[Any, Any]", value)
            return {str(key): plain(inner) for key, inner in found.items()}
        case list() | tuple():
            return [plain(inner) for inner in cast("list[Any]", value)]
        case msgspec.Struct():
            return plain(msgspec.structs.asdict(value))
        case _:
            return str(value)
