"""What a run found is printed as far as its shape is known; a stage may measure whatever it likes under any name."""

from __future__ import annotations

import io
from types import MappingProxyType
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from crucible.cli.findings import print_findings

INTERVAL = {"low": 0.61, "high": 0.73, "level": 0.9, "method": "wilson"}
SCORE = {"mean": 0.67, "attempted": 9, "scored": 8, "failed": 1, "skipped": 0, "interval": INTERVAL}
CONTRAST = {
    "contrast": "tuned vs base",
    "wording": "it got better",
    "verdict": "difference",
    "n": 8,
    "difference": 0.25,
    "interval": INTERVAL,
    "effect": {"name": "cohens_dz", "value": 0.5},
    "p": 0.0321,
    "p_adjusted": 0.0642,
}
BENCH = {
    "alpha": 0.05,
    "correction": "holm",
    "metrics": ["accuracy"],
    "contrasts": [CONTRAST],
    "no_data": None,
    "not_tested": "too few",
    "omnibus": [{"wording": "all alike"}],
}
WORDS = (
    "mean",
    "attempted",
    "interval",
    "low",
    "level",
    "contrasts",
    "alpha",
    "p",
    "n",
    "wording",
    "effect",
    "synthetic",
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def printed(metrics: Any) -> str:
    """Return what is printed."""
    console = Console(file=io.StringIO(), width=160)
    print_findings(console, metrics)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_what_is_known_is_printed() -> None:
    """Scores with their interval's level, contrasts with effect and p, what was not tested, and synthetic data."""
    text = printed(
        MappingProxyType({"data": {"synthetic": True}, "evaluate.tuned": {"accuracy": SCORE}, "bench": BENCH})
    )
    for words in ("SYNTHETIC", "90 % interval", "[0.61, 0.73]", "tuned vs base", "dz 0.50", "0.0642", "p holm"):
        assert words in text
    for words in ("○ too few", "· all alike", "● it got better"):
        assert words in text


def test_what_is_not_known_leaves_the_rest() -> None:
    """A score or a contrast of another shape is passed over; those beside it are printed."""
    metrics = {
        "data": 3,
        "evaluate.accuracy": 0.9,
        "evaluate.own": {"mine": 1, "accuracy": SCORE, "half": {"mean": 1}},
        "bench": {**BENCH, "contrasts": [1, {**CONTRAST, "p": 7}, CONTRAST]},
    }
    text = printed(metrics)
    assert text.count("own") == 1
    assert text.count("it got better") == 1
    assert printed({"bench": 1, "data": [1], "evaluate.x": None}) == ""


def _swap(value: Any, path: tuple[int, ...], new: Any) -> Any:
    """Return a copy of nested data in which one place, found by numbers, holds something else."""
    if not path or not isinstance(value, (dict, list)) or not value:
        return new
    if isinstance(value, list):
        at = path[0] % len(value)
        return [_swap(each, path[1:], new) if i == at else each for i, each in enumerate(value)]
    at = path[0] % len(value)
    return {key: _swap(each, path[1:], new) if i == at else each for i, (key, each) in enumerate(value.items())}


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), max_size=5), ANYTHING)
def test_nothing_that_a_stage_measures_breaks_the_printing(path: list[int], new: Any) -> None:
    """Whatever stands in any place of the known shapes, something is printed and nothing is raised."""
    known = {"data": {"synthetic": True}, "evaluate.m": {"accuracy": SCORE}, "bench": BENCH}
    changed = _swap(known, tuple(path), new)
    printed(changed if isinstance(changed, dict) else {"data": changed, "bench": changed, "evaluate.m": changed})
