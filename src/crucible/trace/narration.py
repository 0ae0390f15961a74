"""How the events of the bus read as events of a trace: type, decision, reasoning, metadata.

Only words are chosen here, from what an event carries; what it does not carry is left out, never guessed. Who encloses
whom is the collector's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from crucible import events
from crucible.trace.plain import plain
from crucible.trace.reading import read_confidence

__all__ = ["SPANS", "SPEAKERS", "Words", "ending", "opening"]

SPANS: Mapping[str, str] = {
    "crucible_framework.pipeline": "stage",
    "crucible_framework.stage": "stage",
    "crucible_train.training": "training",
}
"""Spans of which both ends are told, with the stem of their types (`stage_started`, `stage_completed`, …)."""

_STOPPED_ON_REQUEST = frozenset({"Cancelled", "CancelledError", "KeyboardInterrupt"})


class Words(msgspec.Struct, frozen=True):
    """What a trace event will say.

    Args:
        type: Its type.
        decision: What happened.
        reasoning: Why, or on what evidence.
        metadata: JSON values.
        alternatives: What was not chosen.
        confidence: From 0 to 1; None where nobody said.
        code_section: The code that it concerns.
        spec_reference: The requirement that it concerns.
    """

    type: str
    decision: str
    reasoning: str
    metadata: dict[str, Any]
    alternatives: tuple[str, ...] = ()
    confidence: float | None = None
    code_section: str | None = None
    spec_reference: str | None = None


def _facts(event: events.Event) -> dict[str, Any]:
    """Return what an event carries, as JSON values."""
    return plain({**event.metadata, **event.measurements})


def opening(span: str, event: events.Event, *, resumed: bool, of_stages: int | None) -> Words:
    """Tell that a span of `SPANS` opened.

    Args:
        span: Its name, without `.start`.
        event: The event that opened it.
        resumed: Whether an earlier attempt left events in the chain.
        of_stages: How many stages the pipeline has, if known.
    """
    known = _facts(event)
    subject = _subject(span, event, known)
    if span == "crucible_framework.pipeline":
        verb = "resumed" if resumed else "started"
        reasoning = "Goes on from an earlier attempt of this run" if resumed else _stages(known)
        return Words("stage_started", f"{subject} {verb}", reasoning, known)
    if span == "crucible_framework.stage":
        place = known.get("stage_index", event.scope.stage_index)
        return Words("stage_started", f"{subject} started", f"{_place(place, of_stages)} in the pipeline", known)
    return Words("training_started", f"{subject} started", _training_plan(known), known)


def ending(span: str, event: events.Event, summary: Mapping[str, Any], *, cause: str | None) -> Words:
    """Tell that a span of `SPANS` closed.

    Args:
        span: Its name, without `.stop` or `.exception`.
        event: The event that closed it.
        summary: What was summed up meanwhile; goes into the metadata.
        cause: What failed inside, if that is already told.
    """
    known = {**_facts(event), **summary}
    subject = _subject(span, event, known)
    stem = SPANS[span]
    if event.name.endswith(".stop"):
        reasoning = _training_outcome(known) if stem == "training" else "No error was raised"
        return Words(f"{stem}_completed", f"{subject} completed", reasoning, known)
    if known.get("error_type") in _STOPPED_ON_REQUEST:
        return Words(f"{stem}_failed", f"{subject} cancelled", "Somebody asked the run to stop", known)
    kind = known.get("error_type")
    error = ": ".join(str(part) for part in (kind, known.get("error")) if part) or "An error without a message"
    return Words(f"{stem}_failed", f"{subject} failed", cause or error, known)


def _subject(span: str, event: events.Event, known: Mapping[str, Any]) -> str:
    if span == "crucible_framework.pipeline":
        return "Pipeline"
    if span == "crucible_framework.stage":
        return f"Stage {known.get('stage') or event.scope.stage or '(unnamed)'}"
    return f"Training of {known['model']}" if known.get("model") else "Training"


def _stages(known: Mapping[str, Any]) -> str:
    count = known.get("stages")
    return f"{count} stage{'' if count == 1 else 's'} to run" if isinstance(count, int) else "Stages to run"


def _place(index: Any, of_stages: int | None) -> str:
    if not isinstance(index, int):
        return "Next"
    return f"{index + 1} of {of_stages}" if of_stages is not None else f"Number {index + 1}"


def _training_plan(known: Mapping[str, Any]) -> str:
    parts = [
        f"base model {known['base_model']}" if known.get("base_model") else "",
        f"rank {known['rank']}" if known.get("rank") is not None else "",
        f"{known['total_steps']} steps" if known.get("total_steps") is not None else "",
    ]
    return ", ".join(part for part in parts if part) or "Asked for by the stage"


def _training_outcome(known: Mapping[str, Any]) -> str:
    batches: Mapping[str, Any] = known.get("batches") or {}
    first = known.get("initial_loss", batches.get("first_loss"))
    last = known.get("final_loss", batches.get("last_loss"))
    steps = known.get("steps", batches.get("count"))
    loss = f"Loss {_number(first)} to {_number(last)}" if first is not None and last is not None else "Ended"
    return f"{loss} in {steps} steps" if steps is not None else loss


def _epoch_completed(event: events.Event) -> Words:
    """Tell that a pass over the data ended."""
    known = _facts(event)
    name = f"Epoch {known['epoch']}" if known.get("epoch") is not None else "Epoch"
    loss = f"Loss {_number(known['loss'])}" if known.get("loss") is not None else "Every item was seen"
    steps = f", {known['steps']} steps" if known.get("steps") is not None else ""
    return Words("epoch_completed", f"{name} completed", f"{loss}{steps}", known)


def _checkpoint_saved(event: events.Event) -> Words:
    """Tell that weights were saved."""
    known = _facts(event)
    at = f" at step {known['step']}" if known.get("step") is not None else ""
    model = f" of {known['model']}" if known.get("model") else ""
    return Words("checkpoint_saved", f"Checkpoint{model} saved{at}", "Resumable from here", known)


def _evaluated(event: events.Event) -> Words:
    """Tell that an evaluation ended."""
    known = _facts(event)
    items = known.get("items", known.get("total_items"))
    reasoning = f"{items} items attempted" if items is not None else "Items attempted"
    return Words("metric_recorded", f"Evaluated {known.get('model') or 'the model'}", reasoning, known)


def _base_built(event: events.Event) -> Words:
    """Tell that a base model was built on this machine, which happens once."""
    known = _facts(event)
    steps = f"{known['steps']} steps" if known.get("steps") is not None else "A few steps"
    text = " on synthetic text" if known.get("synthetic") else ""
    loss = f", loss {_number(known['loss'])}" if known.get("loss") is not None else ""
    name = known.get("base_model") or "the base model"
    return Words(
        "model_loaded", f"Built {name} and kept it in the cache", f"{steps} of pre-training{text}{loss}", known
    )


def _decided(event: events.Event) -> Words:
    """Tell a decision in the words of who took it (`events.decision`)."""
    known = _facts(event)
    return Words(
        type=str(known.pop("type", None) or "decision_made"),
        decision=str(known.pop("decision", None) or "(not said)"),
        reasoning=str(known.pop("reasoning", None) or "(no reason given)"),
        alternatives=_list_of_words(known.pop("alternatives", None)),
        confidence=read_confidence(known.pop("confidence", None)),
        code_section=_optional(known.pop("code_section", None)),
        spec_reference=_optional(known.pop("spec_reference", None)),
        metadata=known,
    )


def _list_of_words(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(str(word) for word in cast("list[Any]", value)) if isinstance(value, list) else (str(value),)


def _optional(value: Any) -> str | None:
    return None if value is None else str(value)


def _number(value: Any) -> str:
    """Return a measurement in four significant digits, a word as it is."""
    return f"{value:#.4g}".removesuffix(".") if isinstance(value, int | float) else str(value)


SPEAKERS = {
    "crucible_train.epoch.stop": _epoch_completed,
    "crucible_train.checkpoint.saved": _checkpoint_saved,
    "crucible_train.base_build.stop": _base_built,
    "crucible_data.evaluation.stop": _evaluated,
    "crucible_trace.decision.made": _decided,
    "causal_trace.decision.made": _decided,
}
"""Single events that are told, and what tells them."""
