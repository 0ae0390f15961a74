"""Targets of evaluations: figures by name, direction, distance, and what a missed target asks for."""

from __future__ import annotations

import pytest

from crucible.data.classification import classify
from crucible.data.quality import Measured, assess, direction_of, known_figures, measured
from crucible.data.summary import summarise
from crucible.ir import Failed, Interval, Scored

NEAR = Interval(0.82, 0.93, 0.95, "Wilson score")
FAR = Interval(0.20, 0.30, 0.95, "Wilson score")


@pytest.mark.parametrize(
    ("metric", "direction"),
    [
        ("brier", "min"),
        ("brier_score", "min"),
        ("ece", "min"),
        ("calibration_error", "min"),
        ("latency", "min"),
        ("latency_p95_ms", "min"),
        ("mean_latency_s", "min"),
        ("duration_ns", "min"),
        ("cost", "min"),
        ("cost_total_usd", "min"),
        ("kl", "min"),
        ("reverse_kl", "min"),
        ("validation_loss", "min"),
        ("cost_reduction", "max"),
        ("recall", "max"),
        ("piece", "max"),
        ("f1", "max"),
        ("entailment_rate", "max"),
        ("brier_rate", "min"),
        ("failure_rate", "min"),
        ("learning_rate", "max"),
        ("broadcost", "max"),
    ],
)
def test_the_direction_is_told_by_whole_words(metric: str, direction: str) -> None:
    """At the end of the name, a unit or a percentile behind it or not."""
    assert direction_of(metric) == direction


def test_a_mean_goes_by_three_names() -> None:
    """So that the targets of the field's papers can be written as they are."""
    found = measured({"entailment": summarise([Scored(0.5), Scored(1.0), Failed("x")])})
    assert found["entailment"] == found["mean_entailment"] == found["entailment_rate"]
    assert found["entailment"].value == 0.75
    assert found["entailment"].interval is not None


def test_figures_of_classes_go_by_theirs() -> None:
    """Means over classes plainly and as macro, of all answers together as micro; a scorer's name wins."""
    classes = classify([("a", "a"), ("a", "b"), ("b", "b")])
    found = measured({"f1": summarise([Scored(0.1), Scored(0.3)])}, classes)
    assert found["precision"] == found["macro_precision"]
    assert found["micro_precision"].value == found["accuracy"].value == pytest.approx(2 / 3)
    assert found["f1"].value == pytest.approx(0.2)
    assert found["macro_f1"].value == classes.macro.f1
    assert set(known_figures(["f1"], classes=True)) <= found.keys()


def test_a_missed_target_asks_for_something() -> None:
    """By how much, in which direction, from where; the furthest first, and what nothing measured before all."""
    report = assess(
        {"citation_accuracy": 0.95, "ece": 0.05, "f1": 0.5, "recall": 0.9},
        {"citation_accuracy": Measured(0.25, FAR), "ece": 0.20, "f1": 0.6},
    )
    assert report.recommendations == (
        "Measure recall: it is to be at least 0.9, and nothing measured it.",
        "Lower ece by 0.15: it is 0.2 and is to be at most 0.05.",
        "Raise citation_accuracy by 0.7: it is 0.25 and is to be at least 0.95.",
    )
    assert report.summary == "1/4 quality targets met"


def test_a_target_within_the_interval_is_said_to_be() -> None:
    """More items may decide it otherwise, where it is missed; met ones say only that they are not clear."""
    missed, met, clear = assess(
        {"a": 0.90, "b": 0.85, "c": 0.50},
        {"a": Measured(0.88, NEAR), "b": Measured(0.88, NEAR), "c": Measured(0.88, NEAR)},
    ).assessments
    assert missed.recommendation == (
        "Raise a by 0.02: it is 0.88 and is to be at least 0.9; the 95% interval, 0.82 to 0.93, holds the target, so "
        "more items may show that it is met already."
    )
    assert (met.recommendation, met.is_clear) == (None, False)
    assert clear.is_clear is True
    assert assess({"a": 0.5}, {"a": 0.4}).assessments[0].is_clear is None


def test_what_is_no_number_is_not_said_to_be_unmeasured() -> None:
    """NaN misses any target; why it is NaN is what there is to find out."""
    (found,) = assess({"final_loss": 1.0}, {"final_loss": float("nan")}).assessments
    assert (found.passed, found.delta) == (False, None)
    assert found.recommendation == "Find out why final_loss is no number (NaN): it is to be at most 1."
