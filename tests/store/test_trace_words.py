"""Words are what FTS5's `unicode61` says, and what somebody types is never an error."""

from __future__ import annotations

import sqlite3
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.store.trace_words import SearchTerm, SearchWords, fold


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Learning RATE", [SearchTerm(("learning",)), SearchTerm(("rate",))]),
        ('"learning rate" -loss', [SearchTerm(("learning", "rate")), SearchTerm(("loss",), is_excluded=True)]),
        ("grad* learning-rate", [SearchTerm(("grad",), is_prefix=True), SearchTerm(("learning", "rate"))]),
        ('-"a b" "c d"*', [SearchTerm(("a", "b"), is_excluded=True), SearchTerm(("c", "d"), is_prefix=True)]),
        ('"open end', [SearchTerm(("open", "end"))]),
        ("a a -", [SearchTerm(("a",))]),
        ("µs ΣΊΣΥΦΟΣ İx", [SearchTerm(("μs",)), SearchTerm(("σίσυφοσ",)), SearchTerm(("İx",))]),
        ("", []),
        ('*** -- "" \'', []),
    ],
)
def test_what_is_asked(text: str, terms: list[SearchTerm]) -> None:
    """Words, phrases, beginnings and exclusions, folded; what has no letter is passed over."""
    assert list(SearchWords.parse(text).terms) == terms


def test_only_exclusions_find_nothing() -> None:
    """Both languages say so by an empty query, which is not sent."""
    words = SearchWords.parse("-a")
    assert (words.for_sqlite(), words.for_postgres()) == ("", "")


def test_the_two_languages() -> None:
    """Words are quoted; PostgreSQL gets a phrase as its words, and the rest is decided in Python."""
    words = SearchWords.parse('"b c" d* -e -"f g"')
    assert words.for_sqlite() == '("b c" AND "d" *) NOT ("e" OR "f g")'
    assert words.for_postgres() == "'b' & 'c' & 'd':* & !'e'"


@given(st.text())
def test_folding_keeps_places(text: str) -> None:
    """A folded text is as long as it was, and folding it again changes nothing."""
    assert len(fold(text)) == len(text)
    assert fold(fold(text)) == fold(text)


def test_words_are_those_of_fts5() -> None:
    """Every letter, digit, mark and sign of the basic plane that Unicode 3.2 knew divides or joins as in SQLite."""
    known = unicodedata.ucd_3_2_0
    codes = [code for code in range(1, 0x10000) if known.category(chr(code)) not in ("Cn", "Cs", "Co")]
    database = sqlite3.connect(":memory:")
    database.execute("CREATE VIRTUAL TABLE t USING fts5 (x, tokenize = 'unicode61 remove_diacritics 0')")
    database.execute("CREATE VIRTUAL TABLE v USING fts5vocab (t, instance)")
    rows = [(code, f"a{chr(code)}z") for code in codes]
    database.executemany("INSERT INTO t (rowid, x) VALUES (?, ?)", rows)
    found: dict[int, list[str]] = {}
    for code, term in database.execute("SELECT doc, term FROM v ORDER BY doc, offset"):
        found.setdefault(code, []).append(term)
    database.close()
    differing = {
        code
        for code, text in rows
        if found[code] != [word for term in SearchWords.parse(text).terms for word in term.words]
    }
    assert differing <= {0x1885, 0x1886}  # two Mongolian letters that became marks since
