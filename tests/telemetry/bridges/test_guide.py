"""The page about OpenTelemetry and Prometheus, followed as a reader would."""

from __future__ import annotations

from collections.abc import Callable


def test_the_page_does_what_it_says(follow_guide: Callable[..., int]) -> None:
    """Every block runs, and prints what stands below it."""
    assert follow_guide("telemetry-bridges.md") == 7
