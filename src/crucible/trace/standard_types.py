"""The event types that the registry starts with, and the colours of their categories. Data only.

The 26 types of the predecessor, with its colours for the six of reasoning, and what it lacked: plain decisions,
failures, and the rest of deployment, feedback, reliability and distributed training.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["COLORS", "STANDARD", "UNKNOWN_COLORS", "Standard"]


class Standard(NamedTuple):
    """A type before it is registered; the fields are those of `EventType`, None: the category's."""

    category: str
    code: str
    name: str
    meaning: str
    is_decision: bool = False
    aliases: tuple[str, ...] = ()
    color: str | None = None
    fill: str | None = None


UNKNOWN_COLORS = ("#546e7a", "#eceff1")

COLORS: Mapping[str, tuple[str, str]] = {
    "reasoning": ("#37474f", "#eceff1"),
    "training": ("#00695c", "#e0f2f1"),
    "metrics": ("#4527a0", "#ede7f6"),
    "checkpoint": ("#5d4037", "#efebe9"),
    "deployment": ("#283593", "#e8eaf6"),
    "feedback": ("#ad1457", "#fce4ec"),
    "stage": ("#455a64", "#eceff1"),
    "reliability": ("#006064", "#e0f7fa"),
    "distributed": ("#33691e", "#f1f8e9"),
    "data": ("#4e342e", "#fbe9e7"),
}
"""Colour of lines and text, and of surfaces, by category."""

_RED, _PINK = "#b71c1c", "#ffebee"  # failures, whatever their category

STANDARD = (
    Standard(
        "reasoning",
        "HYP",
        "hypothesis_formed",
        "An approach was chosen or assumed.",
        is_decision=True,
        color="#2e7d32",
        fill="#e8f5e9",
    ),
    Standard(
        "reasoning",
        "REJ",
        "alternative_rejected",
        "An option was ruled out.",
        is_decision=True,
        color="#c62828",
        fill="#ffebee",
    ),
    Standard("reasoning", "CON", "constraint_evaluated", "A requirement was checked.", color="#b84300", fill="#fff3e0"),
    Standard("reasoning", "PAT", "pattern_applied", "A known pattern was used.", color="#1565c0", fill="#e3f2fd"),
    Standard(
        "reasoning",
        "AMB",
        "ambiguity_flagged",
        "Something is not specified and had to be assumed.",
        color="#8a5a00",
        fill="#fff9c4",
    ),
    Standard(
        "reasoning",
        "UPD",
        "confidence_updated",
        "Confidence in an earlier decision changed.",
        color="#6a1b9a",
        fill="#f3e5f5",
    ),
    Standard("reasoning", "ALT", "alternative_considered", "An option was weighed, without a verdict yet."),
    Standard("reasoning", "DEC", "decision_made", "A choice between alternatives was made.", is_decision=True),
    Standard("training", "TRS", "training_started", "A training run began."),
    Standard("training", "TRC", "training_completed", "A training run ended as planned."),
    Standard("training", "TRF", "training_failed", "A training run ended with an error.", color=_RED, fill=_PINK),
    Standard("training", "EPS", "epoch_started", "A pass over the data began."),
    Standard("training", "EPC", "epoch_completed", "A pass over the data ended."),
    Standard("training", "BAT", "batch_processed", "One batch was trained on."),
    Standard("training", "HPT", "hyperparameter_tuned", "A hyperparameter was set or changed.", is_decision=True),
    Standard("metrics", "LOS", "loss_computed", "A loss was computed."),
    Standard("metrics", "MET", "metric_recorded", "A metric was measured."),
    Standard("metrics", "GRA", "gradient_computed", "Gradients were computed."),
    Standard("metrics", "VAL", "validation_run", "A model was measured on held-out data."),
    Standard("checkpoint", "CKS", "checkpoint_saved", "Weights were saved."),
    Standard("checkpoint", "CKL", "checkpoint_loaded", "Weights were restored."),
    Standard("checkpoint", "ESP", "early_stopped", "Training was ended before its last step.", is_decision=True),
    Standard("checkpoint", "MSV", "model_saved", "A finished model was saved or registered."),
    Standard("deployment", "DPS", "deployment_started", "A deployment began."),
    Standard("deployment", "MLD", "model_loaded", "A model was loaded for inference."),
    Standard("deployment", "INF", "inference_completed", "A model answered."),
    Standard("deployment", "DPC", "deployment_completed", "A deployment ended as planned."),
    Standard("deployment", "DPF", "deployment_failed", "A deployment ended with an error.", color=_RED, fill=_PINK),
    Standard(
        "deployment",
        "RBK",
        "deployment_rolled_back",
        "A deployment was taken back.",
        is_decision=True,
        aliases=("deployment_rollback",),
    ),
    Standard("deployment", "SRV", "serving_started", "A model began to answer requests."),
    Standard("deployment", "CAN", "canary_promoted", "A trial deployment became the main one.", is_decision=True),
    Standard(
        "deployment",
        "ABT",
        "ab_test_result",
        "A comparison of two deployments ended.",
        is_decision=True,
        aliases=("a_b_test_result",),
    ),
    Standard("feedback", "REW", "reward_received", "A reward arrived."),
    Standard("feedback", "POL", "policy_updated", "A policy was changed."),
    Standard("feedback", "EXP", "experience_sampled", "Past experience was drawn for learning."),
    Standard("feedback", "FBK", "feedback_received", "A person or a program judged an answer."),
    Standard("feedback", "DRF", "drift_detected", "Data or answers moved away from what they were."),
    Standard("feedback", "RET", "retraining_triggered", "It was decided to train again.", is_decision=True),
    Standard("stage", "STS", "stage_started", "A stage or a pipeline began.", aliases=("stage_start",)),
    Standard("stage", "STC", "stage_completed", "A stage or a pipeline ended as planned.", aliases=("stage_complete",)),
    Standard("stage", "STR", "stage_retried", "An attempt at a stage failed, and another follows."),
    Standard("stage", "STF", "stage_failed", "A stage or a pipeline ended with an error.", color=_RED, fill=_PINK),
    Standard("reliability", "VOT", "vote_completed", "Several models' answers became one.", is_decision=True),
    Standard("reliability", "HDG", "request_hedged", "A second request was sent because the first was slow."),
    Standard("reliability", "REQ", "request_completed", "A request was answered."),
    Standard("reliability", "RQF", "request_failed", "A request was not answered.", color=_RED, fill=_PINK),
    Standard("data", "DAT", "data_selected", "It was settled which items are used.", is_decision=True),
    Standard("data", "OVL", "data_overlap", "Items of one split turned up in another."),
    Standard("distributed", "AGG", "gradients_aggregated", "Gradients of several workers were summed."),
    Standard("distributed", "BAR", "barrier_reached", "A worker waited for the others."),
)
