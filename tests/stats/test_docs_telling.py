"""The page on showing results: its snippets run and print what it shows."""

from __future__ import annotations

from collections.abc import Callable

from crucible.stats.readers import read_file


def test_the_page_prints_what_it_shows(follow_guide: Callable[..., int]) -> None:
    """Every snippet in order, in an empty folder; the log that it writes is one that `crucible compare` reads."""
    assert follow_guide("telling.md") == 7
    (condition,) = read_file("capitals.eval").conditions
    assert (condition.counts.scored, condition.counts.failed) == (1, 1)
