"""Numbers in sentences: counts with the right word, and no power that claims to be certain."""

from __future__ import annotations

import pytest

from crucible import stats
from crucible.stats.wording import show_count, show_power


@pytest.mark.parametrize(("n", "text"), [(0, "0 items"), (1, "1 item"), (2, "2 items")])
def test_one_thing_is_not_several(n: int, text: str) -> None:
    """The singular is for one alone."""
    assert show_count(n, "item", "items") == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.8, "80 %"), (0.99949, "99.95 %"), (0.9995, "> 99.9 %"), (0.99999, "> 99.9 %"), (1.0, "> 99.9 %")],
)
def test_no_power_is_certain(share: float, text: str) -> None:
    """Not even one that is 1 to the last digit of a double."""
    assert show_power(share) == text


def test_planning_does_not_promise_certainty() -> None:
    """A large effect on many items is found in more than 99.9 % of cases, and the sentence says no more."""
    found = stats.power("paired", n=500, effect=1.0)
    assert found.power > 0.99999
    assert "is > 99.9 % (" in found.wording
