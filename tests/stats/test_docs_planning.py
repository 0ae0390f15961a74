"""The guide to planning, looking early and margins prints what it says."""

from __future__ import annotations

from collections.abc import Callable


def test_the_guide_prints_what_it_shows(follow_guide: Callable[..., int]) -> None:
    """Every block runs, in order, and what each prints is on the page."""
    assert follow_guide("planning.md") == 11
