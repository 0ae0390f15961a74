"""The page on models: its snippets run and print what it shows."""

from __future__ import annotations

from collections.abc import Callable


def test_snippets_print_what_the_page_shows(follow_guide: Callable[..., int]) -> None:
    """In order, in one namespace, in an empty folder."""
    assert follow_guide("models.md") == 9
