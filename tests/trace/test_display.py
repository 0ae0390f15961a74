"""Text that is safe and pleasant to print."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.trace.display import clean, duration, offset, width, wrap


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  two\n lines\tand more ", "two lines and more"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("bell\x07 del\x7f csi\x9b1m", "bell\\x07 del\\x7f csi\\x9b1m"),
        ("abc\u202edcba", "abc\\u202edcba"),
        ("a\u2066b\ufeff\u200b", "a\\u2066b\\ufeff\\u200b"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("Zürich 東京 🚀 👩\u200d🔬", "Zürich 東京 🚀 👩\u200d🔬"),
        ("", ""),
    ],
)
def test_clean(text: str, expected: str) -> None:
    """What could move the cursor, colour the screen or turn the reading direction is shown, not sent."""
    assert clean(text) == expected


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("東京", 4), ("e\u0301", 1), ("👩\u200d🔬", 4), ("", 0)])
def test_width(text: str, columns: int) -> None:
    """Wide characters take two columns, combining ones none."""
    assert width(text) == columns


def test_wrap() -> None:
    """Lines break at spaces, and inside what is longer than a line."""
    assert wrap("one two three", 7) == ["one two", "three"]
    assert wrap("a abcdefgh i", 4) == ["a", "abcd", "efgh", "i"]
    assert wrap("東京都", 4) == ["東京", "都"]
    assert wrap("", 4) == [""]


@settings(deadline=None)
@given(st.text(), st.integers(2, 40))
def test_wrap_loses_nothing(text: str, columns: int) -> None:
    """Every character is kept, and no line is wider than asked for."""
    line = clean(text)
    lines = wrap(line, columns)
    assert "".join(lines).replace(" ", "") == line.replace(" ", "")
    assert all(width(entry) <= columns for entry in lines)
    assert "".join(lines).isprintable() or "\u200d" in line or "\u200c" in line


@pytest.mark.parametrize(
    ("nanoseconds", "expected"),
    [
        (0, "0 µs"),
        (480_000, "480 µs"),
        (999_600, "1 ms"),
        (120e6, "120 ms"),
        (999.6e6, "1.00 s"),
        (1.234e9, "1.23 s"),
        (9.996e9, "10.0 s"),
        (99.96e9, "1 min 40 s"),
        (185e9, "3 min 05 s"),
        (3599.7e9, "1 h 00 min"),
        (7530e9, "2 h 05 min"),
    ],
)
def test_duration(nanoseconds: float, expected: str) -> None:
    """Durations have about three digits and carry over at the limits."""
    assert duration(nanoseconds) == expected


@pytest.mark.parametrize(
    ("seconds", "longest", "expected"),
    [
        (0.0074, 0.5, "+7 ms"),
        (1.5, 20, "+1.50 s"),
        (65, 200, "+1:05"),
        (3725, 4000, "+1:02:05"),
        (90_061, 90_061, "+25:01:01"),
    ],
)
def test_offset(seconds: float, longest: float, expected: str) -> None:
    """Offsets of one chain share a form, chosen by the longest."""
    assert offset(seconds, longest=longest) == expected
