"""The number that an answer comes to: `1,000`, `$18`, `18.`, `1/2`, `-3.50`, `50%` are read as people write them.

Numbers are compared exactly, as fractions: 3.0 is 3, 3.14 is not 314, and -5 is not 5.
"""

from __future__ import annotations

import re
from fractions import Fraction

__all__ = ["final_number", "numbers_in"]

_MAX_DIGITS = 64
"""A longer run of digits is babble, not a number."""

_NUMBER = re.compile(
    r"""
    (?:(?<![\w)\].])(?P<sign>[-−]))?                 # a minus sign, not the one of 16-9
    (?:[$€£][-−]?)?                                  # $18, $-18
    (?P<body>
        (?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+) # 1,000 or 1000
        (?:\.[0-9]+)?                                # 18. is 18
      | (?<!\w)\.[0-9]+                              # .5
    )
    (?P<exponent>[eE][+-]?[0-9]{1,3}(?![\w.]))?      # 1e3
    (?:/(?P<denominator>[0-9]+)(?![0-9./]))?         # 1/2
    """,
    re.VERBOSE,
)
_MARKER = re.compile(r"####\s*(?=[$€£]?[-−]?[$€£]?[.0-9])")


def numbers_in(text: str) -> list[Fraction]:
    """Return the numbers of a text, in order; a percentage counts as the number before the sign."""
    return [value for match in _NUMBER.finditer(text) if (value := _value(match)) is not None]


def final_number(text: str) -> Fraction | None:
    """Return the number that an answer comes to, or None if it has none.

    It is the number right after the first `####`, else the last number of the text.

    Source:
        The `strict-match` and `flexible-extract` filters of EleutherAI's lm-evaluation-harness for GSM8K.
    """
    marker = _MARKER.search(text)
    if marker is not None:
        match = _NUMBER.match(text, marker.end())
        return None if match is None else _value(match)
    found = numbers_in(text)
    return found[-1] if found else None


def _value(match: re.Match[str]) -> Fraction | None:
    body = match["body"].replace(",", "")
    denominator = match["denominator"]
    if max(len(body), len(denominator or "")) > _MAX_DIGITS or (denominator and int(denominator) == 0):
        return None
    value = Fraction(body + (match["exponent"] or ""))
    if denominator:
        value /= int(denominator)
    is_negative = "-" in (head := match[0][: match.start("body") - match.start()]) or "−" in head
    return -value if is_negative else value
