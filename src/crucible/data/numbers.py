"""The number that an answer comes to: `1,000`, `$18`, `18.`, `1/2`, `-3.50`, `1.5e3` are read as people write them.

Numbers are compared exactly, as fractions: 3.0 is 3, 3.14 is not 314, and -5 is not 5. What is no number by itself is
not read as one: the 4 of `GPT-4`, the 2 of `Step 2`, the 9 of `16-9`, `42abc`, `12:30`, `2024-01-15`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Literal

import msgspec

from crucible.data.final_answer import answered_part, declared_answers
from crucible.data.plain_numbers import plain_numbers
from crucible.data.units import UNITS
from crucible.errors import DataError

__all__ = ["NumberFormat", "Quantity", "final_number", "only_quantity", "read_quantity"]

_MAX_DIGITS = 64
"""A longer run of digits is babble, not a number."""
_SPAN, _TAIL = 1000, 10_000
"""Characters that are read from where the answer is declared to be; from the end, where it is not."""

_CURRENCY = r"(?:US\$|[$€£¥₹])"
_SIGN = r"[-−–]"
_GLUE = r"[.,:'/×*÷+^−–-]"
"""What ties two numbers to one thing that is neither of them, such as a date or a calculation."""

_LABEL = re.compile(
    r"\b(?:step|question|problem|part|case|figure|fig|table|equation|eq|chapter|section|phase|item|example|version)\s+#?$",
    re.IGNORECASE,
)
_OPERATOR_AFTER = re.compile(rf"(?:[ \t]*[×*÷+/][ \t]*|[ \t]+[-−x][ \t]+){_CURRENCY}?[.0-9]")
_OPERATOR_BEFORE = re.compile(r"[0-9)%°][ \t]*(?:[×*÷+/][ \t]*|(?<=[ \t])[-−x][ \t]+)$")
_ITEM = re.compile(r"^[ \t]*([0-9]{1,3})[.)][ \t]+(?=\S)", re.MULTILINE)
_RANGE = re.compile(r"\b(?:between|from)\s+$", re.IGNORECASE)
_TO = re.compile(r"\s+(?:and|to)\s+")
_WORDS = re.compile(r"\\(?:text|mathrm|mathbf|textbf|textit|mbox)\s*\{[^{}]*\}(?:\^\{?[0-9]\}?)?")
_RIGHT_SIDE = re.compile(r"(?<![<>!:])=([^=]*[0-9][^=]*)$")
_ALGEBRA = re.compile(
    r"[<>≤≥≠+*×÷√±|!]|\\(?:[dtc]?frac|binom|ge|geq|le|leq|ne|neq|gt|lt|pm|div|pi|ln|log|sin|cos|tan)(?![A-Za-z])"
    r"|(?<![A-Za-z\\])[A-Za-z](?![A-Za-z])"
)
"""What makes another thing of a number in a box: relations, operators, functions, and letters that stand alone."""
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_LIST_BETWEEN = re.compile(r"[\s,;&()\[\]{}$.]*(?:\band\b|\bor\b)?[\s,;&()\[\]{}$.]*")


class NumberFormat(msgspec.Struct, frozen=True):
    """How numbers are written, and what of them counts.

    Args:
        decimal: The decimal sign, `.` or `,`.
        thousands: What may stand between groups of three digits; `""`: nothing may.
        percent: What `50%` is: `number` 50, `fraction` 1/2, or `either`: each of both.
        units: `ignore`: 5 km is 5 m and 5. `same`: two units that differ are not equal; a unit that is not said, or
            not in `crucible.data.units`, is no difference. Nothing is converted.

    Raises:
        DataError: The signs are not two different ones of those that are known.
    """

    decimal: Literal[".", ","] = "."
    thousands: Literal[",", ".", " ", "'", ""] = ","
    percent: Literal["number", "fraction", "either"] = "either"
    units: Literal["ignore", "same"] = "ignore"

    def __post_init__(self) -> None:
        words = {
            "decimal": (".", ","),
            "thousands": (",", ".", " ", "'", ""),
            "percent": ("number", "fraction", "either"),
            "units": ("ignore", "same"),
        }
        for field, known in words.items():
            if (given := getattr(self, field)) not in known:
                raise DataError(f"{field} of a NumberFormat is one of {', '.join(map(repr, known))}, got {given!r}")
        if self.decimal == self.thousands:
            raise DataError(f'"{self.decimal}" cannot be both the decimal sign and the sign between thousands')


_AS_IN_ENGLISH = NumberFormat()


class Quantity(msgspec.Struct, frozen=True):
    """A number as it was written.

    Args:
        value: The number before the percent sign or unit.
        is_percent: A percent sign follows.
        unit: The unit's name where it is one of `crucible.data.units` or a currency sign; else empty.
    """

    value: Fraction
    is_percent: bool = False
    unit: str = ""

    def readings(self, percent: str) -> tuple[Fraction, ...]:
        """Return the numbers that this can mean; see `NumberFormat.percent`."""
        if not self.is_percent:
            return (self.value,)
        both = (self.value, self.value / 100)
        return {"number": both[:1], "fraction": both[1:]}.get(percent, both)

    def same_as(self, other: Quantity, form: NumberFormat = _AS_IN_ENGLISH) -> bool:
        """Tell whether two quantities are one under the rules of a format."""
        if form.units == "same" and self.unit and other.unit and self.unit != other.unit:
            return False
        if self.is_percent and other.is_percent:
            return self.value == other.value
        return not set(self.readings(form.percent)).isdisjoint(other.readings(form.percent))


def final_number(text: str) -> Fraction | None:
    """Return the number that an answer comes to, or None if it has none; see `read_quantity`."""
    found = read_quantity(text)
    return None if found is None else found.value


def read_quantity(text: str, form: NumberFormat = _AS_IN_ENGLISH) -> Quantity | None:
    r"""Return the number that an answer comes to, or None if it has none.

    It is the first number where the text says that its answer is (after the first `####`, in the last `\boxed{…}`,
    after the last `answer is`), else the last number of the text. A box without a number, and several numbers where
    one is expected (`1, 2, 3`, `between 1 and 3`), are no number; nor is what a box says with a number in it
    (`\boxed{x > 2}`, `\boxed{2 \pi}`). What the text goes on to ask itself (`Question: …`), what it marks as reasoning
    (`<think>`) and the numbers of a numbered list do not count.

    Source:
        The `strict-match` and `flexible-extract` filters of EleutherAI's lm-evaluation-harness for GSM8K.
    """
    text = answered_part(text)
    for how, said in declared_answers(text):
        declared = said if len(said) <= _SPAN else said[:_SPAN].rpartition(" ")[0]
        if how == "boxed":
            return _in_box(declared, form)
        span = plain_numbers(declared)
        found = list(_read(span, form))
        if _is_list(span, found) or _is_range(span, found):
            return None
        if found:
            return found[0][0]
    plain = plain_numbers(_without_item_numbers(text if len(text) <= _TAIL else text[-_TAIL:].partition(" ")[2]))
    found = list(_read(plain, form))
    return None if not found or _is_list(plain, found) else found[-1][0]


def only_quantity(text: str, form: NumberFormat = _AS_IN_ENGLISH) -> Quantity | None:
    """Return the number that the whole text is, signs around it such as `$` and a final dot aside; else None."""
    plain = plain_numbers(text)
    found = list(_read(plain, form))
    if len(found) != 1:
        return None
    quantity, start, end = found[0]
    return quantity if not (plain[:start] + plain[end:]).strip(" \t\n$.") else None


def _in_box(declared: str, form: NumberFormat) -> Quantity | None:
    """Return the one number that a box is: what is behind its last `=`, words and units aside."""
    side = _RIGHT_SIDE.search(declared)
    declared = side[1] if side else declared
    plain = plain_numbers(_WORDS.sub(" ", declared))
    found = list(_read(plain, form))
    if not found:
        plain = plain_numbers(declared)
        found = list(_read(plain, form))
    if len(found) != 1:
        return None
    quantity, start, end = found[0]
    return None if _ALGEBRA.search(plain[:start] + " " + plain[end:]) else quantity


def _without_item_numbers(text: str) -> str:
    """Return a text without the numbers of a numbered list; a single one, `18. That is all`, is none."""
    seen = {int(number) for number in _ITEM.findall(text)}
    labels = {number for number in seen if not seen.isdisjoint((number - 1, number + 1))}
    return _ITEM.sub(lambda match: "" if int(match[1]) in labels else match[0], text) if labels else text


def _is_range(text: str, found: list[tuple[Quantity, int, int]]) -> bool:
    """Tell whether the first two numbers of a text are the ends of a range: `between 1 and 3`."""
    if len(found) < 2:
        return False
    (_, low, low_end), (_, high, _) = found[:2]
    return bool(_RANGE.search(text, 0, low) and _TO.fullmatch(text, low_end, high))


def _is_list(text: str, found: list[tuple[Quantity, int, int]]) -> bool:
    """Tell whether a text is nothing but several numbers."""
    if len(found) < 2:
        return False
    ends = [0, *(end for _, _, end in found)]
    starts = [*(start for _, start, _ in found), len(text)]
    return all(_LIST_BETWEEN.fullmatch(text, end, start) for end, start in zip(ends, starts, strict=True))


def _read(text: str, form: NumberFormat) -> Iterator[tuple[Quantity, int, int]]:
    """Yield every number that stands by itself, with its place."""
    for match in _pattern(form).finditer(text):
        start, end = match.span()
        before = text[max(0, start - 24) : start]
        if _LABEL.search(before) or _OPERATOR_BEFORE.search(before) or _OPERATOR_AFTER.match(text, match.end("number")):
            continue
        value = _value(match, form)
        if value is not None:
            unit = UNITS.get(match["unit"] or "") or (match["currency"] or "")[-1:]
            yield Quantity(value, match["percent"] is not None, unit), start, end


def _value(match: re.Match[str], form: NumberFormat) -> Fraction | None:
    body = match["body"]
    if form.thousands:
        body = body.replace(form.thousands, "")
    body = body.replace(form.decimal, ".")
    denominator, whole = match["denominator"], match["whole"]
    if max(map(len, (body, denominator or "", whole or ""))) > _MAX_DIGITS or (denominator and int(denominator) == 0):
        return None
    value = Fraction(body)
    if match["e"] or match["ten"]:
        value *= Fraction(10) ** int((match["e"] or match["ten"]).replace("−", "-"))
    if denominator:
        value /= int(denominator)
    if whole:
        value += int(whole)
    if match["scale"]:
        value *= _SCALES[match["scale"].lower()]
    return -value if match["sign"] or match["inner_sign"] else value


@functools.lru_cache(maxsize=32)
def _pattern(form: NumberFormat) -> re.Pattern[str]:
    point, between = re.escape(form.decimal), re.escape(form.thousands)
    grouped = rf"[0-9]{{1,3}}(?:{between}[0-9]{{3}})+(?![0-9])|" if between else ""
    units = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))
    return re.compile(
        rf"""
        (?<![\w√^])(?<![0-9]{_GLUE})(?<!\w[-−–])         # not the 4 of GPT-4, nor the 9 of 16-9
        (?P<sign>(?<![\w)\]]){_SIGN})?                   # a minus sign, not the one of (16)-9
        (?:(?P<currency>{_CURRENCY})(?P<inner_sign>{_SIGN})?[ ]?)?
        (?P<number>
          (?: (?P<whole>[0-9]{{1,6}})[ ](?=[0-9]+/[0-9]) )?  # 1 1/2
          (?P<body>
              (?:{grouped}[0-9]+)(?:{point}[0-9]+)?      # 1,000 or 1000, and what is behind the decimal sign
            | (?<!\w){point}[0-9]+                       # .5
          )
          (?: [eE](?P<e>[+-]?[0-9]{{1,3}})               # 1e3
            | [ ]?[×x*·][ ]?10\^\{{?(?P<ten>[-−+]?[0-9]{{1,3}})\}}?  # 1.5 x 10^3
          )?
          (?:/(?P<denominator>[0-9]+))?                  # 1/2
        )
        (?![0-9]|{_GLUE}[0-9]|\^|√)
        (?:[ ](?P<scale>(?i:hundred|thousand|million|billion|trillion))\b)?
        (?:[ ]?(?P<percent>%|percent\b|per[ ]cent\b))?
        (?:[ ]?(?P<unit>{units})(?![\w/^]))?
        (?!\w|[/^√]|[ ]?π)
        """,
        re.VERBOSE,
    )
