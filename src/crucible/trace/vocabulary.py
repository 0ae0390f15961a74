"""The open registry of event types: name, category, meaning, aliases.

The types of the predecessor are here, with what it lacked (failures, plain decisions). A type that is not here still
loads and is kept as written; only `Event.validate` remarks on it. Whatever needs the list of types reads it here.
"""

from __future__ import annotations

import difflib
import re
import threading
from collections.abc import Iterable

import msgspec

from crucible.errors import SpecError

__all__ = ["EventType", "canonical_type", "event_type", "event_types", "register_event_type", "unknown_type_message"]


class EventType(msgspec.Struct, frozen=True):
    """What the registry knows of a type of event.

    Args:
        name: Lower case with underscores, such as `hypothesis_formed`.
        category: Group, such as `reasoning` or `training`.
        meaning: When to use it, in one sentence.
        is_decision: Whether an event of this type is a decision point even when it lists no alternatives.
        aliases: Other spellings of the name.
    """

    name: str
    category: str
    meaning: str
    is_decision: bool = False
    aliases: tuple[str, ...] = ()


_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_lock = threading.Lock()
_types: dict[str, EventType] = {}  # replaced whole on change, so that readers need no lock
_canonical: dict[str, str] = {}  # alias -> name


def register_event_type(
    name: str, *, category: str, meaning: str, is_decision: bool = False, aliases: Iterable[str] = ()
) -> EventType:
    """Add a type; registering the same again changes nothing.

    Args:
        name: Lower case letters, digits and underscores, starting with a letter.
        category: Group; a new word makes a new group.
        meaning: When to use it, in one sentence.
        is_decision: Whether events of this type count as decision points.
        aliases: Other spellings, which `Event.new` turns into `name`.

    Raises:
        SpecError: A name is malformed, or already stands for something else.
    """
    entry = EventType(name, category, meaning, is_decision, tuple(aliases))
    global _types, _canonical  # noqa: PLW0603  # copy on write: readers need no lock
    with _lock:
        if _types.get(name) == entry:
            return entry
        for word in (name, *entry.aliases):
            if not _NAME.match(word):
                raise SpecError(f"event type {word!r} must be lower case letters, digits and underscores", code="name")
            if word in _types or word in _canonical:
                raise SpecError(f"event type {word!r} is already registered; choose another name", code="duplicate")
        _types = {**_types, name: entry}
        _canonical = {**_canonical, **dict.fromkeys(entry.aliases, name)}
    return entry


def event_type(name: str) -> EventType | None:
    """Return what is known of a type, by name or alias; None for an unknown one."""
    return _types.get(_canonical.get(name, name))


def event_types(category: str | None = None) -> tuple[EventType, ...]:
    """Return the registered types in order of registration, of one category or all."""
    return tuple(entry for entry in _types.values() if category is None or entry.category == category)


def canonical_type(name: str) -> str:
    """Return the name that an alias stands for; any other word comes back unchanged."""
    return _canonical.get(name, name)


def unknown_type_message(name: str) -> str:
    """Say that a type is unknown, which one may have been meant, and what to do."""
    close = difflib.get_close_matches(name, [*_types, *_canonical], n=1)
    hint = f'; did you mean "{canonical_type(close[0])}"?' if close else ""
    return f"unknown event type {name!r}{hint or '; register it with register_event_type'}"


def _register_all(category: str, **meanings: str) -> None:
    for name, meaning in meanings.items():
        register_event_type(name, category=category, meaning=meaning)


register_event_type(
    "hypothesis_formed", category="reasoning", meaning="An approach was chosen or assumed.", is_decision=True
)
register_event_type("alternative_rejected", category="reasoning", meaning="An option was ruled out.", is_decision=True)
_register_all(
    "reasoning",
    constraint_evaluated="A requirement was checked.",
    pattern_applied="A known pattern was used.",
    ambiguity_flagged="Something is not specified and had to be assumed.",
    confidence_updated="Confidence in an earlier decision changed.",
    alternative_considered="An option was weighed, without a verdict yet.",
)
register_event_type(
    "decision_made", category="reasoning", meaning="A choice between alternatives was made.", is_decision=True
)
_register_all(
    "training",
    training_started="A training run began.",
    training_completed="A training run ended as planned.",
    training_failed="A training run ended with an error.",
    epoch_started="A pass over the data began.",
    epoch_completed="A pass over the data ended.",
    batch_processed="One batch was trained on.",
)
_register_all(
    "metrics",
    loss_computed="A loss was computed.",
    metric_recorded="A metric was measured.",
    gradient_computed="Gradients were computed.",
)
_register_all(
    "checkpoint",
    checkpoint_saved="Weights were saved.",
    checkpoint_loaded="Weights were restored.",
)
register_event_type(
    "early_stopped", category="checkpoint", meaning="Training was ended before its last step.", is_decision=True
)
_register_all(
    "deployment",
    deployment_started="A deployment began.",
    model_loaded="A model was loaded for inference.",
    inference_completed="A model answered.",
    deployment_completed="A deployment ended as planned.",
)
_register_all(
    "feedback",
    reward_received="A reward arrived.",
    policy_updated="A policy was changed.",
    experience_sampled="Past experience was drawn for learning.",
)
register_event_type("stage_started", category="stage", meaning="A stage or a pipeline began.", aliases=("stage_start",))
register_event_type(
    "stage_completed",
    category="stage",
    meaning="A stage or a pipeline ended as planned.",
    aliases=("stage_complete",),
)
_register_all("stage", stage_failed="A stage or a pipeline ended with an error.")
