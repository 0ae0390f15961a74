"""Events of training, deployment and feedback, made in one call each.

A factory's `**fields` are all optional fields of `Event`. Arguments that were not given are left out of the metadata,
and confidence is None unless given. Where a key of the caller's `metadata` is also one that the factory computes, the
computed value stands and the caller's is kept under `overridden`.
"""

from crucible.trace.training.checkpoints import checkpoint_loaded, checkpoint_saved, early_stopped, model_saved
from crucible.trace.training.deployment import (
    ab_test_result,
    canary_promoted,
    deployment_completed,
    deployment_failed,
    deployment_rolled_back,
    deployment_started,
    inference_completed,
    model_loaded,
    serving_started,
)
from crucible.trace.training.feedback import (
    drift_detected,
    experience_sampled,
    feedback_received,
    policy_updated,
    retraining_triggered,
    reward_received,
)
from crucible.trace.training.history import from_training_metrics
from crucible.trace.training.lifecycle import (
    batch_processed,
    epoch_completed,
    epoch_started,
    hyperparameter_tuned,
    training_completed,
    training_failed,
    training_started,
)
from crucible.trace.training.metrics import gradient_computed, loss_computed, metric_recorded, validation_run
from crucible.trace.training.stages import (
    barrier_reached,
    gradients_aggregated,
    stage_completed,
    stage_failed,
    stage_started,
)

__all__ = [
    "ab_test_result",
    "barrier_reached",
    "batch_processed",
    "canary_promoted",
    "checkpoint_loaded",
    "checkpoint_saved",
    "deployment_completed",
    "deployment_failed",
    "deployment_rolled_back",
    "deployment_started",
    "drift_detected",
    "early_stopped",
    "epoch_completed",
    "epoch_started",
    "experience_sampled",
    "feedback_received",
    "from_training_metrics",
    "gradient_computed",
    "gradients_aggregated",
    "hyperparameter_tuned",
    "inference_completed",
    "loss_computed",
    "metric_recorded",
    "model_loaded",
    "model_saved",
    "policy_updated",
    "retraining_triggered",
    "reward_received",
    "serving_started",
    "stage_completed",
    "stage_failed",
    "stage_started",
    "training_completed",
    "training_failed",
    "training_started",
    "validation_run",
]
