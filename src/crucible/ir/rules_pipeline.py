"""Rules of the pipeline: entries that need each other, fallbacks, retries."""

from __future__ import annotations

import builtins
import functools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from crucible import errors
from crucible.ir.experiment import Experiment, RetryPolicy, StageDef
from crucible.ir.issue import Issue
from crucible.ir.rules import error, rule, warning
from crucible.ir.wording_text import did_you_mean, listed, nearest, show

__all__ = ["entries", "error_names", "fallback_and_on_error", "waits"]


@rule(StageDef)
def fallback_and_on_error(stage: StageDef) -> Iterable[Issue]:
    """A fallback is there if and only if it is asked for."""
    fallback = stage.fallback
    if stage.on_error == "fallback":
        if fallback is None:
            message = "fallback is required when on_error is fallback: name the stage to run instead"
            return (error("fallback", "missing", message),)
        return tuple(_of_fallback(fallback))
    if fallback is not None:
        message = (
            f"fallback has no effect while on_error is {stage.on_error}; set on_error to fallback, or leave it out"
        )
        return (error("fallback", "no_effect", message),)
    return ()


def _of_fallback(fallback: StageDef) -> Iterator[Issue]:
    """A fallback stands in the place of its stage, so it has no place of its own."""
    for name in ("id", "needs"):
        if getattr(fallback, name) is not None:
            yield error(f"fallback.{name}", "no_effect", f"{name} has no effect in a fallback; leave it out")
    if not fallback.enabled:
        yield error(
            "fallback.enabled", "no_effect", "enabled must be true in a fallback, got false; leave the fallback out"
        )


@rule(RetryPolicy)
def waits(policy: RetryPolicy) -> Iterable[Issue]:
    """The longest wait is no shorter than the first."""
    if policy.wait_max_s >= policy.wait_initial_s:
        return ()
    message = f"wait_max_s must be at least wait_initial_s ({policy.wait_initial_s:g}), got {policy.wait_max_s:g}"
    return (error("wait_max_s", "range", message),)


@rule(RetryPolicy)
def error_names(policy: RetryPolicy) -> Iterable[Issue]:
    """A name that is nearly that of an error is a slip; a stranger's error may have any name."""
    for place, name in enumerate(policy.errors or ()):
        if name not in _error_names() and (near := nearest(name, frozenset(_errors()))):
            label = f"errors[{place}]"
            message = f'{label} is no error that is known here, got {show(name)}; did you mean "{_errors()[near]}"?'
            yield warning(label, "unknown_word", message)


@functools.cache
def _errors() -> dict[str, str]:
    """Return the names of the errors of Crucible and of Python, by their small letters."""
    found = [*vars(errors).values(), *vars(builtins).values()]
    names = [value.__name__ for value in found if isinstance(value, type) and issubclass(value, Exception)]
    return {name.lower(): name for name in names}


@functools.cache
def _error_names() -> frozenset[str]:
    return frozenset(_errors().values())


@rule(Experiment)
def entries(experiment: Experiment) -> Iterable[Issue]:
    """Ids are unique, and `needs` name one earlier entry each."""
    pipeline = experiment.pipeline
    ids: list[str] = [stage.id for stage in pipeline if stage.id is not None]
    if len(set(ids)) < len(ids):
        yield from _repeated(pipeline)
    if all(stage.needs is None for stage in pipeline):
        return
    names = [stage.id or stage.name for stage in pipeline]
    counts, first = Counter(names), {name: place for place, name in reversed(list(enumerate(names)))}
    for index, stage in enumerate(pipeline):
        for place, name in enumerate(stage.needs or ()):
            if counts[name] == 1 and first[name] < index:
                continue
            yield error(f"pipeline[{index}].needs[{place}]", "needs", _unmet(names, index, name))


def _repeated(pipeline: Sequence[StageDef]) -> Iterator[Issue]:
    counts = Counter(stage.id for stage in pipeline if stage.id is not None)
    seen: dict[str, int] = {}
    for index, stage in enumerate(pipeline):
        if stage.id is not None and counts[stage.id] > 1 and (first := seen.setdefault(stage.id, index)) != index:
            message = f"id must be unique in the pipeline, got {show(stage.id)}, which is that of pipeline[{first}]"
            yield error(f"pipeline[{index}].id", "duplicate", message)


def _unmet(names: Sequence[str], index: int, name: str) -> str:
    """Return why an entry cannot need another; the runner says the same of a pipeline that nobody validated."""
    places = [place for place, other in enumerate(names) if other == name]
    if not places:
        hint = did_you_mean(name, names[:index])
        return f"no entry is called {show(name)}{hint}; before this one there are: {listed(names[:index])}"
    if len(places) > 1:
        return f"{len(places)} entries are called {show(name)}; give them ids and name one of these"
    if places[0] == index:
        return "an entry cannot need itself"
    return f"{show(name)} comes later in the pipeline; put it before this entry" if places[0] > index else ""
