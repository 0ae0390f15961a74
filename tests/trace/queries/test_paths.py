"""Metadata paths."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.errors import SpecError
from crucible.trace.queries.paths import format_keys, lookup, read_keys

METADATA: dict[str, Any] = {"a": {"b": [10, {"c.d": 20}]}, "a.b": 30, "0": 40, "": 50, "x y": 60, 'q"]': 70, "n": None}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("metadata.a.b[0]", 10),
        ("metadata.a.b[-2]", 10),
        ('metadata.a.b[1]["c.d"]', 20),
        ('metadata["a.b"]', 30),
        ("metadata.0", 40),
        ('metadata[""]', 50),
        ("metadata.x y", 60),
        ('metadata["q\\"]"]', 70),
        ("metadata[0]", None),
        ("metadata.a.b[2]", None),
        ("metadata.a.b[-3]", None),
        ("metadata.a.b.c", None),
        ("metadata.a[0]", None),
        ("metadata.n.deeper", None),
        ("metadata.absent", None),
    ],
)
def test_lookup(path: str, expected: object) -> None:
    """A path leads to a value, keys with dots included; where there is none it gives None."""
    assert lookup(METADATA, read_keys(path)) == expected


@pytest.mark.parametrize(
    "path",
    [
        *("metadata.", "metadata..a", "metadata[", "metadata[]", "metadata[a]", 'metadata["a]', 'metadata["\\x"]'),
        *("metadata['a']", "metadata.a]", 'metadata.a"b"', "metadata[99999999999]", "metadata.a[0]b", "metadata.a."),
    ],
)
def test_malformed(path: str) -> None:
    """A path that cannot be read is an error that says from where on."""
    with pytest.raises(SpecError, match="cannot be read from character"):
        read_keys(path)


@given(st.lists(st.text(st.characters(exclude_categories=())) | st.integers(-(10**8), 10**8), min_size=1).map(tuple))
def test_every_key_is_reachable(keys: tuple[str | int, ...]) -> None:
    """Whatever the keys, there is a path for them, which reads back as the same keys."""
    assert read_keys(format_keys(keys)) == keys
