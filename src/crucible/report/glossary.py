"""What the words of a report mean, for a reader who is no statistician: those that stand in it, and no others."""

from __future__ import annotations

from typing import Literal

from crucible.report.results import Results

__all__ = ["ABSENT_NOTE", "SYNTHETIC_NOTE", "terms"]

_Part = Literal["scores", "differences", "training"]

SYNTHETIC_NOTE = (
    "The items of this experiment were made by a seeded generator, not collected from the world. The scores say how "
    "well the models do on that generator; they say nothing about real data."
)

ABSENT_NOTE = "A dash (—) means that the run did not record the value."

_TERMS: tuple[tuple[_Part, str, str], ...] = (
    (
        "scores",
        "Attempted, scored, failed, skipped",
        "Every item that was tried is scored or failed; an item left out on purpose is skipped. A failed item is not a "
        "wrong answer: a wrong answer is scored 0, a failed item has no score.",
    ),
    (
        "scores",
        "Interval",
        "A range that, made the same way in repeated experiments, would hold the true value as often as its level "
        "says (95 times in 100 for a 95% interval). It covers the chance of which items were drawn, nothing else.",
    ),
    (
        "differences",
        "p",
        "How often a difference at least this large would come up if there were no true difference. It is not the "
        "probability that there is none.",
    ),
    (
        "differences",
        "Adjusted p",
        "p corrected for testing several contrasts at once. Where there is one, it is the value that decides.",
    ),
    (
        "differences",
        "No difference found",
        "The data do not rule out a difference of zero. That is not proof of equality: the interval says which "
        "differences remain possible.",
    ),
    (
        "differences",
        "Points",
        "Percentage points: from 40% to 50% is +10 points.",
    ),
    (
        "differences",
        "Effect",
        "The size of the difference on a standard scale, which does not grow with the number of items.",
    ),
    (
        "training",
        "Loss",
        "Mean negative log-likelihood per answer token, in nats (natural logarithm); lower is better. Validation loss "
        "is the same on items held out from training.",
    ),
    (
        "training",
        "Kept checkpoint",
        "The step whose weights were handed on to the evaluation.",
    ),
)


def terms(results: Results) -> list[tuple[str, str]]:
    """Return the words that this report uses, each with its meaning."""
    used: set[_Part] = set()
    is_tested = bool(results.contrasts or results.group_tests)
    if results.evaluations or is_tested:
        used.add("scores")
    if is_tested:
        used.add("differences")
    if results.training:
        used.add("training")
    return [(term, meaning) for part, term, meaning in _TERMS if part in used]
