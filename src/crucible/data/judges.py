"""Judges of your own that scorers by name ask: one of entailment, one that embeds texts.

A document can name the scorers `entailment` and `semantic_similarity`, but no code: the judge is set by the program
that runs it, or comes from an installed package, an entry point of the group `crucible.judges` called `entailment` or
`similarity`. None comes with Crucible, and without one these scorers are an error.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Final, Literal, cast

from crucible.data.scoring.entailment import Entailer
from crucible.data.scoring.similarity import Embedder
from crucible.errors import DataError

__all__ = ["embedder", "entailer", "missing_judge", "use_embedder", "use_entailer"]

Kind = Literal["entailment", "similarity"]

_GROUP: Final = "crucible.judges"
_WAYS: Final = {"entailment": "use_entailer(fn)", "similarity": "use_embedder(fn)"}
_set: dict[Kind, object] = {}


def use_entailer(judge: Entailer | None) -> None:
    """Let the scorers of this process ask a judge of entailment; None takes it away."""
    _use("entailment", judge)


def use_embedder(judge: Embedder | None) -> None:
    """Let the scorers of this process embed texts by a function; None takes it away."""
    _use("similarity", judge)


def entailer() -> Entailer:
    """Return the judge of entailment.

    Raises:
        DataError: There is none, several are installed, or what is there cannot be called.
    """
    return cast("Entailer", _judge("entailment"))


def embedder() -> Embedder:
    """Return what embeds texts.

    Raises:
        DataError: There is none, several are installed, or what is there cannot be called.
    """
    return cast("Embedder", _judge("similarity"))


def missing_judge(kind: Kind) -> str | None:
    """Return why there is no judge of a kind, and what to do; None where there is one. Loads nothing."""
    if kind in _set:
        return None
    points = entry_points(group=_GROUP, name=kind)
    if len(points) == 1:
        return None
    how = f"call crucible.data.judges.{_WAYS[kind]} before the run"
    if points:
        return f"{len(points)} installed packages offer a judge of {kind}; {how} to say which"
    return (
        f"needs a judge of {kind} of your own, and there is none: {how}, or install a package with an entry point "
        f"{kind} in the group {_GROUP}; none comes with Crucible"
    )


def _use(kind: Kind, judge: object) -> None:
    if judge is None:
        _set.pop(kind, None)
    elif callable(judge):
        _set[kind] = judge
    else:
        raise DataError(f"a judge of {kind} is a function, got {type(judge).__name__}")


def _judge(kind: Kind) -> object:
    if kind in _set:
        return _set[kind]
    problem = missing_judge(kind)
    if problem is not None:
        raise DataError(f"the scorer {problem}" if problem.startswith("needs") else problem)
    (point,) = entry_points(group=_GROUP, name=kind)
    try:
        judge = point.load()
    except Exception as error:  # a stranger's package may raise anything as it is imported
        message = f"the judge of {kind} of {point.value} cannot be loaded: {type(error).__name__}: {error}"
        raise DataError(message) from error
    if not callable(judge):
        raise DataError(f"the judge of {kind}, {point.value}, is no function but {type(judge).__name__}")
    return judge
