"""What models are asked: requests, ensembles, hedging, deployments, tools, explanations, attacks."""

from __future__ import annotations

from crucible.events.registry.entry import EventInfo
from crucible.events.registry.forms import span_events

__all__ = ["EVENTS"]

_MODEL = {"model": "name of the model"}
_SERVED = {"model_name": "name of the deployed model", "model_version": "its version"}

EVENTS: tuple[EventInfo, ...] = (
    *span_events(
        "req_llm.request",
        "llm",
        ("LLM request started.", "LLM request completed.", "LLM request failed with exception."),
        "backends",
        measures={"prompts": "1", "prompt_tokens": "1", "completion_tokens": "1"},
        metadata={**_MODEL, "backend": "what answers, such as local"},
    ),
    *span_events(
        "ensemble.prediction",
        "ensemble",
        ("Ensemble prediction started.", "Ensemble prediction completed.", "Ensemble prediction failed."),
        "planned",
        measures={"models": "1", "succeeded": "1", "failed": "1"},
        also_failing=("models", "succeeded", "failed"),
        metadata={"strategy": "how answers become one, such as majority"},
    ),
    EventInfo(
        "ensemble.vote.completed",
        "ensemble",
        "Ensemble voting completed.",
        "planned",
        {"votes": "1", "agreement": "1", "confidence": "1", "duration_ns": "ns"},
        metadata={
            "strategy": "how the votes were counted",
            "answer": "the answer that won",
            "votes_by_answer": "votes by answer",
            "alternatives": "the answers that did not win",
        },
    ),
    *span_events(
        "hedging.request",
        "hedging",
        ("Hedging request started.", "Hedging request completed.", "Hedging request failed."),
        "planned",
        measures={"requests": "1", "duplicates": "1"},
        also_failing=("requests", "duplicates"),
        metadata=_MODEL,
        ending={"winner": "which of the requests was answered first"},
    ),
    EventInfo(
        "hedging.request.duplicated",
        "hedging",
        "Request duplicated for hedging, `duration_ns` after the first one was sent.",
        "planned",
        {"attempt": "1", "duration_ns": "ns"},
        metadata=_MODEL,
    ),
    *span_events(
        "crucible_deployment.inference",
        "deployment",
        ("Inference request started.", "Inference request completed.", "Inference request failed."),
        "planned",
        measures={"input_size": "1", "output_size": "1"},
        metadata={**_SERVED, "batch_size": "requests that were answered together"},
    ),
    EventInfo(
        "crucible_deployment.health_check.completed",
        "deployment",
        "Health check of a deployment completed.",
        "planned",
        {"duration_ns": "ns", "latency_p50_ms": "ms", "latency_p99_ms": "ms", "error_rate": "1"},
        metadata={**_SERVED, "status": "healthy, degraded or unhealthy"},
    ),
    EventInfo(
        "crucible_deployment.model.loaded",
        "deployment",
        "Model loaded for deployment.",
        "planned",
        {"duration_ns": "ns", "size_bytes": "B"},
        metadata=_SERVED,
    ),
    EventInfo(
        "crucible_deployment.model.unloaded",
        "deployment",
        "Model of a deployment unloaded.",
        "planned",
        {"duration_ns": "ns"},
        metadata=_SERVED,
    ),
    *span_events(
        "altar.tool",
        "tools",
        ("Tool invocation started.", "Tool invocation completed.", "Tool invocation failed."),
        "external",
        metadata={"tool": "name of the tool"},
    ),
    EventInfo(
        "crucible_xai.explanation.generated",
        "xai",
        "Explanation of a prediction generated.",
        "external",
        {"duration_ns": "ns"},
        metadata={**_MODEL, "method": "how it was explained, such as lime"},
    ),
    EventInfo(
        "crucible_adversary.attack.executed",
        "adversary",
        "Attack on a model executed.",
        "external",
        {"duration_ns": "ns"},
        metadata={**_MODEL, "attack": "kind of the attack", "success": "whether it changed the model's answer"},
    ),
)
