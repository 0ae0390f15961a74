"""Events of learning from feedback: rewards, policies, experience, judgements, drift, retraining."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from crucible.trace.event import Event, EventFields
from crucible.trace.training.making import event_of, given, mapping, number, text, whole

__all__ = [
    "drift_detected",
    "experience_sampled",
    "feedback_received",
    "policy_updated",
    "retraining_triggered",
    "reward_received",
]


def reward_received(
    reward: float, *, step: int | None = None, episode: int | None = None, **fields: Unpack[EventFields]
) -> Event:
    """Make a `reward_received`.

    Args:
        reward: The reward; NaN and infinities are kept as words.
        step: The step in its episode.
        episode: The episode.
        **fields: Any other field of `Event`.
    """
    value = number("reward", reward)
    computed = {"reward": value, **given(whole, step=step, episode=episode)}
    return event_of("reward_received", f"Reward: {value}", "Reward signal received", computed, fields)


def policy_updated(
    reasoning: str,
    *,
    learning_rate: float | None = None,
    gradient_norm: float | None = None,
    **fields: Unpack[EventFields],
) -> Event:
    """Make a `policy_updated`.

    Args:
        reasoning: Why.
        learning_rate: The step size.
        gradient_norm: Norm of the gradient.
        **fields: Any other field of `Event`.
    """
    computed = given(number, learning_rate=learning_rate, gradient_norm=gradient_norm)
    return event_of("policy_updated", "Policy updated", reasoning, computed, fields)


def experience_sampled(
    count: int,
    *,
    strategy: str | None = None,
    buffer_size: int | None = None,
    step: int | None = None,
    **fields: Unpack[EventFields],
) -> Event:
    """Make an `experience_sampled`.

    Args:
        count: How many experiences were drawn.
        strategy: How, such as `uniform` or `prioritized`.
        buffer_size: Out of how many.
        step: The step for which they were drawn.
        **fields: Any other field of `Event`.
    """
    count = whole("count", count)
    computed = {"count": count, **given(text, strategy=strategy), **given(whole, buffer_size=buffer_size, step=step)}
    words = f"Experience sampled: {count}"
    return event_of("experience_sampled", words, "Past experience drawn for learning", computed, fields)


def feedback_received(
    decision: str,
    reasoning: str,
    *,
    source: str | None = None,
    rating: float | None = None,
    item: str | None = None,
    **fields: Unpack[EventFields],
) -> Event:
    """Make a `feedback_received`.

    Args:
        decision: The judgement.
        reasoning: Why, in the judge's words.
        source: Who judged.
        rating: The judgement as a number.
        item: What was judged.
        **fields: Any other field of `Event`.
    """
    computed = given(text, source=source, item=item) | given(number, rating=rating)
    return event_of("feedback_received", decision, reasoning, computed, fields)


def drift_detected(
    metric: str,
    reasoning: str,
    *,
    score: float | None = None,
    threshold: float | None = None,
    **fields: Unpack[EventFields],
) -> Event:
    """Make a `drift_detected`.

    Args:
        metric: What moved.
        reasoning: The evidence.
        score: How far it moved.
        threshold: How far it may move.
        **fields: Any other field of `Event`.
    """
    metric = text("metric", metric)
    computed = {"metric": metric, **given(number, score=score, threshold=threshold)}
    return event_of("drift_detected", f"Drift detected in {metric}", reasoning, computed, fields)


def retraining_triggered(
    reasoning: str,
    *,
    model_name: str | None = None,
    metrics: Mapping[str, Any] | None = None,
    **fields: Unpack[EventFields],
) -> Event:
    """Make a `retraining_triggered`.

    Args:
        reasoning: Why.
        model_name: The model to train again.
        metrics: What was measured that led to it.
        **fields: Any other field of `Event`.
    """
    computed = given(text, model_name=model_name) | given(mapping, metrics=metrics)
    return event_of("retraining_triggered", "Retraining triggered", reasoning, computed, fields)
