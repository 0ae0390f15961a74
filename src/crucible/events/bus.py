"""Emitting: plain events, and decisions with their reasons.

A handler that raises is counted and stays attached; it never breaks the emitter. Nobody listening costs one attribute
test.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from crucible.events.board import EMPTY, board, tell
from crucible.events.scope import current_frame

__all__ = ["decision", "emit"]


def emit(name: str, measurements: Mapping[str, Any] | None = None, metadata: Mapping[str, Any] | None = None) -> None:
    """Tell whoever listens that something happened.

    Nothing is checked and nothing is raised: what is no mapping reaches the handlers as it is.

    Args:
        name: Dotted name from the registry; an alias is told as the name that it stands for.
        measurements: Numbers, with their unit in the key where it is not obvious.
        metadata: Words and structures.
    """
    table = board.table
    if table is None:
        return
    try:
        route = table.routes[name]
    except (KeyError, TypeError):
        route = table.route(name)
    if route.listeners:
        frame = current_frame.get()
        tell(
            route,
            EMPTY if measurements is None else measurements,
            EMPTY if metadata is None else metadata,
            frame.known or frame.scope(),
        )


def decision(
    what: str,
    why: str,
    *,
    alternatives: Iterable[str] = (),
    confidence: float | None = None,
    type: str = "decision_made",  # noqa: A002  # the trace's own word for it
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Say that a decision was taken, why, and over what; the trace keeps it.

    Args:
        what: The decision, such as `kept the checkpoint at step 80`.
        why: The reason, such as `lowest validation loss (0.41)`.
        alternatives: What was not chosen.
        confidence: From 0 to 1; None where nobody measured one.
        type: An event type of the trace's registry.
        metadata: Anything else worth keeping.
    """
    emit(
        "crucible_trace.decision.made",
        {},
        {
            **(metadata or EMPTY),
            "decision": what,
            "reasoning": why,
            "alternatives": list(alternatives),
            "confidence": confidence,
            "type": type,
        },
    )
