"""Events of models in use: deployments, serving, inference, trial deployments."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Unpack

from crucible.trace.event import Event, EventFields
from crucible.trace.training.making import event_of, given, mapping, number, path, text, whole

__all__ = [
    "ab_test_result",
    "canary_promoted",
    "deployment_completed",
    "deployment_failed",
    "deployment_rolled_back",
    "deployment_started",
    "inference_completed",
    "model_loaded",
    "serving_started",
]


def deployment_started(
    model_path: str | os.PathLike[str],
    *,
    environment: str | None = None,
    version: str | None = None,
    **fields: Unpack[EventFields],
) -> Event:
    """Make a `deployment_started`.

    Args:
        model_path: The model.
        environment: Where to, such as `staging`.
        version: Its version.
        **fields: Any other field of `Event`.
    """
    model = path("model_path", model_path)
    computed = {"model_path": model, **given(text, environment=environment, version=version)}
    words = f"Deployment started for {model}"
    return event_of("deployment_started", words, "Model deployment initiated", computed, fields)


def model_loaded(
    model_path: str | os.PathLike[str], *, load_time_ms: float | None = None, **fields: Unpack[EventFields]
) -> Event:
    """Make a `model_loaded`.

    Args:
        model_path: The model.
        load_time_ms: How long it took, in milliseconds.
        **fields: Any other field of `Event`.
    """
    model = path("model_path", model_path)
    computed = {"model_path": model, **given(number, load_time_ms=load_time_ms)}
    return event_of("model_loaded", f"Model loaded from {model}", "Model loaded for inference", computed, fields)


def inference_completed(
    result: Mapping[str, Any],
    *,
    latency_ms: float | None = None,
    batch_size: int | None = None,
    **fields: Unpack[EventFields],
) -> Event:
    """Make an `inference_completed`.

    Args:
        result: What came out.
        latency_ms: How long it took, in milliseconds.
        batch_size: How many inputs were answered at once.
        **fields: Any other field of `Event`.
    """
    about = given(number, latency_ms=latency_ms) | given(whole, batch_size=batch_size)
    computed = {"result": mapping("result", result), **about}
    return event_of("inference_completed", "Inference completed", "Model inference finished", computed, fields)


def serving_started(
    model_path: str | os.PathLike[str],
    *,
    endpoint: str | None = None,
    version: str | None = None,
    **fields: Unpack[EventFields],
) -> Event:
    """Make a `serving_started`.

    Args:
        model_path: The model.
        endpoint: Where it answers.
        version: Its version.
        **fields: Any other field of `Event`.
    """
    model = path("model_path", model_path)
    computed = {"model_path": model, **given(text, endpoint=endpoint, version=version)}
    return event_of("serving_started", f"Serving started for {model}", "Model answers requests", computed, fields)


def deployment_completed(
    model_path: str | os.PathLike[str],
    *,
    environment: str | None = None,
    version: str | None = None,
    endpoint: str | None = None,
    **fields: Unpack[EventFields],
) -> Event:
    """Make a `deployment_completed`.

    Args:
        model_path: The model.
        environment: Where to, such as `staging`.
        version: Its version.
        endpoint: Where it answers.
        **fields: Any other field of `Event`.
    """
    model = path("model_path", model_path)
    computed = {"model_path": model, **given(text, environment=environment, version=version, endpoint=endpoint)}
    words = f"Deployment completed for {model}"
    return event_of("deployment_completed", words, "Model deployment finished", computed, fields)


def deployment_failed(
    model_path: str | os.PathLike[str],
    reasoning: str,
    *,
    environment: str | None = None,
    version: str | None = None,
    error_type: str | None = None,
    error: str | None = None,
    **fields: Unpack[EventFields],
) -> Event:
    """Make a `deployment_failed`.

    Args:
        model_path: The model.
        reasoning: Why it failed.
        environment: Where to, such as `staging`.
        version: Its version.
        error_type: Name of the error's class.
        error: The error's message.
        **fields: Any other field of `Event`.
    """
    model = path("model_path", model_path)
    about = given(text, environment=environment, version=version, error_type=error_type, error=error)
    words = f"Deployment failed for {model}"
    return event_of("deployment_failed", words, reasoning, {"model_path": model, **about}, fields)


def deployment_rolled_back(
    model_path: str | os.PathLike[str],
    reasoning: str,
    *,
    environment: str | None = None,
    from_version: str | None = None,
    to_version: str | None = None,
    **fields: Unpack[EventFields],
) -> Event:
    """Make a `deployment_rolled_back`.

    Args:
        model_path: The model.
        reasoning: Why it was taken back.
        environment: Where, such as `production`.
        from_version: The version taken back.
        to_version: The version that answers again.
        **fields: Any other field of `Event`.
    """
    model = path("model_path", model_path)
    about = given(text, environment=environment, from_version=from_version, to_version=to_version)
    words = f"Deployment rolled back for {model}"
    return event_of("deployment_rolled_back", words, reasoning, {"model_path": model, **about}, fields)


def canary_promoted(
    model_path: str | os.PathLike[str],
    reasoning: str,
    *,
    version: str | None = None,
    traffic_frac: float | None = None,
    metrics: Mapping[str, Any] | None = None,
    **fields: Unpack[EventFields],
) -> Event:
    """Make a `canary_promoted`.

    Args:
        model_path: The model.
        reasoning: Why it became the main one.
        version: Its version.
        traffic_frac: The share of requests that it had as a trial, from 0 to 1.
        metrics: What was measured with it.
        **fields: Any other field of `Event`.
    """
    model = path("model_path", model_path)
    about = {**given(text, version=version), **given(number, traffic_frac=traffic_frac)}
    computed = {"model_path": model, **about, **given(mapping, metrics=metrics)}
    return event_of("canary_promoted", f"Canary promoted: {model}", reasoning, computed, fields)


def ab_test_result(
    decision: str,
    reasoning: str,
    *,
    winner: str | None = None,
    metrics: Mapping[str, Any] | None = None,
    p_value: float | None = None,
    **fields: Unpack[EventFields],
) -> Event:
    """Make an `ab_test_result`.

    Args:
        decision: What follows from the comparison.
        reasoning: The evidence.
        winner: Which deployment was better, if one was.
        metrics: What was measured with each.
        p_value: Of the test that compared them.
        **fields: Any other field of `Event`.
    """
    computed = {**given(text, winner=winner), **given(mapping, metrics=metrics), **given(number, p_value=p_value)}
    return event_of("ab_test_result", decision, reasoning, computed, fields)
