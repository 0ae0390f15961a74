"""Sessions of backends: an adapter in training, and what is asked of it."""

from __future__ import annotations

from crucible.events.registry.entry import EventInfo
from crucible.events.registry.forms import ERROR, span_events

__all__ = ["EVENTS"]

_ABOUT = {"session": "id of the session", "backend": "name of the backend", "base_model": "what is adapted"}
_LOSS = {**_ABOUT, "loss": "name of the loss, custom for a function without one"}
_DONE = {"step": "1", "duration_ns": "ns"}

EVENTS: tuple[EventInfo, ...] = (
    *span_events(
        "crucible_backends.session",
        "training",
        ("Session opened.", "Session closed after no request failed.", "Session closed after a request failed."),
        "backends",
        measures={"steps": "1", "tokens": "1"},
        also_failing=("steps", "tokens"),
        metadata={**_ABOUT, "rank": "rank of the adapter"},
    ),
    EventInfo(
        "crucible_backends.session.forward_backward.stop",
        "training",
        "Gradient added to the accumulated one.",
        "backends",
        {"data": "1", "tokens": "1", "loss_sum": "1", "duration_ns": "ns"},
        metadata=_LOSS,
    ),
    EventInfo(
        "crucible_backends.session.forward_backward.exception",
        "training",
        "Gradient could not be computed.",
        "backends",
        {"data": "1", "duration_ns": "ns"},
        metadata={**_LOSS, **ERROR},
    ),
    EventInfo(
        "crucible_backends.session.optim_step.stop",
        "training",
        "Optimiser step taken.",
        "backends",
        {"step": "1", "gradient_norm": "1", "duration_ns": "ns"},
        metadata=_ABOUT,
    ),
    EventInfo(
        "crucible_backends.session.optim_step.exception",
        "training",
        "Optimiser step refused, or failed.",
        "backends",
        {"duration_ns": "ns"},
        metadata={**_ABOUT, **ERROR},
    ),
    EventInfo(
        "crucible_backends.gradient.norm",
        "training",
        "Norms of the gradient before an optimiser step.",
        "backends",
        {"total": "1", "largest": "1", "smallest": "1", **_DONE},
        metadata={**_ABOUT, "layers": "norm of each layer, in natural order"},
    ),
    EventInfo(
        "crucible_backends.gradient.distribution",
        "training",
        "Distribution of the gradient's values before an optimiser step.",
        "backends",
        {"mean": "1", "std": "1", "min": "1", "max": "1", "sparsity": "1", **_DONE},
        metadata={**_ABOUT, "layers": "the same of each layer"},
    ),
    EventInfo(
        "crucible_backends.gradient.flow",
        "training",
        "Norms of the layers one behind the other before an optimiser step.",
        "backends",
        {"first_to_last": "1", **_DONE},
        metadata={**_ABOUT, "layers": "name and norm of each layer, in natural order"},
    ),
    EventInfo(
        "crucible_backends.gradient.health",
        "training",
        "Layers whose gradient vanishes, explodes or is no number, before an optimiser step.",
        "backends",
        {"vanishing": "1", "exploding": "1", "not_finite": "1", **_DONE},
        metadata={**_ABOUT, "issues": "layer, kind and norm of each"},
    ),
    EventInfo(
        "crucible_backends.gradient.custom",
        "training",
        "A hook of the caller's own looked at the gradient before an optimiser step.",
        "backends",
        _DONE,
        metadata={**_ABOUT, "hook": "its name", "numbers": "what it returned, by name"},
    ),
    EventInfo(
        "crucible_backends.session.checkpoint_saved",
        "training",
        "Checkpoint written by a session.",
        "backends",
        _DONE,
        metadata={**_ABOUT, "path": "where it lies"},
    ),
    EventInfo(
        "crucible_backends.session.checkpoint_loaded",
        "training",
        "Session went on from a checkpoint.",
        "backends",
        _DONE,
        metadata={**_ABOUT, "path": "where it lies"},
    ),
    EventInfo(
        "crucible_backends.session.sampler_created",
        "training",
        "Sampler made of a session's present weights.",
        "backends",
        _DONE,
        metadata={**_ABOUT, "model": "name of the sampler's model"},
    ),
)
