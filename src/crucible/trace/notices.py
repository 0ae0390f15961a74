"""What the trace tells the bus: an event was made, a chain was made, saved or loaded.

Whoever makes an event or a chain calls these; reading events from a file makes none. They cost one look at the bus
where nobody listens. The predecessor's names (`causal_trace.*`) are aliases in the registry, and are not emitted.
"""

from __future__ import annotations

from collections.abc import Sized
from typing import Any, Protocol

from crucible import events

__all__ = ["chain_created", "chain_loaded", "chain_saved", "event_created", "live_chain_saved"]


class _Event(Protocol):
    """The part of a trace event that is told; `trace.event` cannot be imported here, for it imports this."""

    @property
    def id(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def decision(self) -> str: ...
    @property
    def confidence(self) -> float | None: ...
    @property
    def stage_id(self) -> str | None: ...
    @property
    def experiment_id(self) -> str | None: ...


class _Named(Protocol):
    """The part of a live chain that is told."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...


class _Chain(_Named, Sized, Protocol):
    """The part of a chain that is told."""


def event_created(event: _Event) -> None:
    """Tell that an event was made: `crucible_trace.event.created`."""
    if events.attached():
        events.emit(
            "crucible_trace.event.created",
            None,
            {
                "event_id": event.id,
                "event_type": event.type,
                "decision": event.decision,
                "confidence": event.confidence,
                "stage_id": event.stage_id,
                "experiment_id": event.experiment_id,
            },
        )


def chain_created(chain: _Chain) -> None:
    """Tell that a chain was made: `crucible_trace.chain.created`."""
    _tell("created", chain, {})


def chain_saved(chain: _Chain, **about: Any) -> None:
    """Tell that a chain is safe where it was saved: `crucible_trace.chain.saved`.

    Args:
        chain: The chain.
        **about: More to tell, such as `path`.
    """
    _tell("saved", chain, about)


def live_chain_saved(chain: _Named, **about: Any) -> None:
    """Tell that a live chain was closed: `crucible_trace.chain.saved`, without a count, which nobody kept.

    Args:
        chain: The live chain.
        **about: More to tell, such as `path`.
    """
    if events.attached():
        words = {**about, "chain_id": chain.id, "chain_name": chain.name}
        events.emit("crucible_trace.chain.saved", None, words)


def chain_loaded(chain: _Chain, **about: Any) -> None:
    """Tell that a chain was loaded, whole: `crucible_trace.chain.loaded`.

    Args:
        chain: The chain.
        **about: More to tell, such as `path`.
    """
    _tell("loaded", chain, about)


def _tell(what: str, chain: _Chain, about: dict[str, Any]) -> None:
    if events.attached():
        words = {**about, "chain_id": chain.id, "chain_name": chain.name}
        events.emit(f"crucible_trace.chain.{what}", {"event_count": len(chain)}, words)
