"""How votes, hedged requests and the answers of ensembles read.

Votes, hedges and the ends of ensemble predictions and hedged requests are one event each. Calls of a sampler
(`req_llm.request`), of which one prediction makes many, are summed up on whatever encloses them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from crucible import events
from crucible.trace.narration.decisions import words_of
from crucible.trace.narration.words import Words, facts, in_time, measured, places
from crucible.trace.reading import read_confidence

__all__ = ["FOLLOWED", "SPEAKERS"]

FOLLOWED = frozenset({"ensemble.prediction", "hedging.request"})
"""Spans of which only the end is told; it rests on what was told inside."""


def _voted(event: events.Event) -> Words:
    """Tell that several models' answers became one: which, over what, by how many votes."""
    known = facts(event)
    answer = next((known[key] for key in ("answer", "winner", "decision") if known.get(key) is not None), None)
    tally = known.get("votes_by_answer", known.get("votes"))
    others = [key for key in cast("dict[str, Any]", tally) if key != str(answer)] if isinstance(tally, dict) else None
    votes = known.get("votes")
    parts = [
        f"{known['strategy']}" if known.get("strategy") else "",
        places(votes, "vote") if isinstance(votes, int) else "",
        f"agreement {measured(known['agreement'])}" if known.get("agreement") is not None else "",
    ]
    return Words(
        "vote_completed",
        f"Voted for {answer}" if answer is not None else "Vote completed",
        ", ".join(part for part in parts if part) or "The models' answers were counted",
        known,
        alternatives=words_of(known.get("alternatives", others)),
        confidence=read_confidence(known.get("confidence")),
    )


def _predicted(event: events.Event) -> Words:
    """Tell that an ensemble answered."""
    known = facts(event)
    models = known.get("models")
    count = len(cast("list[Any]", models)) if isinstance(models, list) else models
    of = f" of {places(count, 'model')}" if isinstance(count, int) else ""
    answered = f"{known['succeeded']} answered" if known.get("succeeded") is not None else "Answered"
    return Words("inference_completed", f"Ensemble{of} answered", f"{answered}{in_time(known)}", known)


def _not_predicted(event: events.Event) -> Words:
    """Tell that an ensemble could not answer."""
    known = facts(event)
    return Words("request_failed", "Ensemble did not answer", _error(known), known)


def _duplicated(event: events.Event) -> Words:
    """Tell that a second request was sent because the first was slow."""
    known = facts(event)
    to = f" to {known['model']}" if known.get("model") else ""
    waited = in_time(known)
    reasoning = f"No answer{waited}" if waited else "No answer in time"
    return Words("request_hedged", f"Sent the request{to} once more", reasoning, known)


def _answered(event: events.Event) -> Words:
    """Tell that a request with bounded latency was answered, and by which of those sent."""
    known = facts(event)
    winner = f" by {known['winner']}" if known.get("winner") else ""
    return Words("request_completed", f"Request answered{winner}", f"Answered{in_time(known)}", known)


def _not_answered(event: events.Event) -> Words:
    """Tell that a request with bounded latency was not answered."""
    known = facts(event)
    return Words("request_failed", "Request failed", _error(known), known)


def _error(known: Mapping[str, Any]) -> str:
    error = ": ".join(str(part) for part in (known.get("error_type"), known.get("error")) if part)
    return f"{error or 'An error without a message'}{in_time(known).replace(' in ', ' after ')}"


SPEAKERS = {
    "ensemble.vote.completed": _voted,
    "ensemble.prediction.stop": _predicted,
    "ensemble.prediction.exception": _not_predicted,
    "hedging.request.duplicated": _duplicated,
    "hedging.request.stop": _answered,
    "hedging.request.exception": _not_answered,
}
"""Single events of ensembles and hedging that are told, and what tells them."""
