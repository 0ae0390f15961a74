"""What the words of a report mean, for a reader who is no statistician. Text only."""

from __future__ import annotations

__all__ = ["ABSENT_NOTE", "SYNTHETIC_NOTE", "TERMS"]

SYNTHETIC_NOTE = (
    "The items of this experiment were made by a seeded generator, not collected from the world. The scores say how "
    "well the models do on that generator; they say nothing about real data."
)

ABSENT_NOTE = "A dash (—) means that the run did not record the value."

TERMS: tuple[tuple[str, str], ...] = (
    (
        "Attempted, scored, failed, skipped",
        "Every item that was tried is scored or failed; an item left out on purpose is skipped. A failed item is not a "
        "wrong answer: a wrong answer is scored 0, a failed item has no score.",
    ),
    (
        "Interval",
        "A range that, made the same way in repeated experiments, would hold the true value as often as its level "
        "says (95 times in 100 for a 95% interval). It covers the chance of which items were drawn, nothing else.",
    ),
    (
        "p",
        "How often a difference at least this large would come up if there were no true difference. It is not the "
        "probability that there is none.",
    ),
    (
        "Adjusted p",
        "p corrected for testing several contrasts at once. Where there is one, it is the value that decides.",
    ),
    (
        "No difference found",
        "The data do not rule out a difference of zero. That is not proof of equality: the interval says which "
        "differences remain possible.",
    ),
    (
        "Points",
        "Percentage points: from 40% to 50% is +10 points.",
    ),
    (
        "Effect",
        "The size of the difference on a standard scale, which does not grow with the number of items.",
    ),
    (
        "Loss",
        "Mean negative log-likelihood per answer token, in nats (natural logarithm); lower is better. Validation loss "
        "is the same on items held out from training.",
    ),
    (
        "Kept checkpoint",
        "The step whose weights were handed on to the evaluation.",
    ),
)
