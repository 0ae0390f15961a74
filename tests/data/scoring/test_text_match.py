from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.data import Item, Normalisation, exact_match
from crucible.ir import Scored

EVERY = [Normalisation(strip=s, collapse=c, casefold=f) for s in (0, 1) for c in (0, 1) for f in (0, 1)]  # type: ignore[arg-type]


@given(st.text(max_size=40), st.sampled_from(EVERY))
def test_normalising_twice_changes_nothing(text: str, normalise: Normalisation) -> None:
    """Under every choice of what may differ."""
    assert normalise(normalise(text)) == normalise(text)


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S"]), max_size=8), st.sampled_from(EVERY[:4:2]))
def test_only_the_encoding_is_forgiven_where_case_counts(text: str, normalise: Normalisation) -> None:
    """Signs, accents and letters of any script are kept."""
    assert normalise(text) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("é", "è"),
        ("é", "e"),
        ("日", "旦"),
        ("日本", "日木"),
        ("a , b", "a b"),
        ("42abc", "42"),
        ("3.5", "35"),
        ("-5", "5"),
    ],
)
def test_the_loosest_normalisation_tells_signs_apart(one: str, two: str) -> None:
    """The predecessor's took these for equal (spec/reliability.md 3.5-2)."""
    item = Item("i", "q", one)
    assert exact_match(item, two, normalise=Normalisation(collapse=True, casefold=True)) == Scored(0.0)


def test_spaces_around_a_comma_count_only_as_spaces() -> None:
    """The predecessor's left double spaces behind (spec/reliability.md 3.5-2)."""
    assert exact_match(Item("i", "q", "a , b"), "a  ,  b", normalise=Normalisation(collapse=True)) == Scored(1.0)
