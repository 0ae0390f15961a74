"""How decisions read: in the words of who took them."""

from __future__ import annotations

from typing import Any, cast

from crucible import events
from crucible.trace.narration.words import Words, facts
from crucible.trace.reading import read_confidence

__all__ = ["SPEAKERS", "words_of"]


def _decided(event: events.Event) -> Words:
    """Tell a decision in the words of who took it (`events.decision`)."""
    known = facts(event)
    return Words(
        type=str(known.pop("type", None) or "decision_made"),
        decision=str(known.pop("decision", None) or "(not said)"),
        reasoning=str(known.pop("reasoning", None) or "(no reason given)"),
        alternatives=words_of(known.pop("alternatives", None)),
        confidence=read_confidence(known.pop("confidence", None)),
        code_section=_optional(known.pop("code_section", None)),
        spec_reference=_optional(known.pop("spec_reference", None)),
        metadata=known,
    )


def words_of(value: Any) -> tuple[str, ...]:
    """Return a list of words, a single one as a list of itself, None as none."""
    if value is None:
        return ()
    return tuple(str(word) for word in cast("list[Any]", value)) if isinstance(value, list) else (str(value),)


def _optional(value: Any) -> str | None:
    return None if value is None else str(value)


SPEAKERS = {"crucible_trace.decision.made": _decided, "causal_trace.decision.made": _decided}
"""The event of a decision, and the predecessor's name for it."""
