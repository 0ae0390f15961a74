"""What nothing here carries out, of any value of the document, by name: `refusals_of`.

Of an experiment its stages and its backend decide; of any other value the table of `knobs` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from crucible.assembly.knobs import Fate, fate_of, is_refused_whole
from crucible.assembly.knobs_walk import ANY, Knob, words_of
from crucible.assembly.refusals_processes import process_problems
from crucible.assembly.refusals_unread import asked_of, backend_problems, is_off, told_of, unread_problems
from crucible.errors import SpecError
from crucible.ir import Experiment, Model, StatsConfig
from crucible.pipeline import Registry, pipeline_problems

__all__ = ["refusals_of"]


def refusals_of(value: Model, registry: Registry | None = None) -> list[SpecError]:
    """Return what a value asks for and nothing in this version carries out, each by its path; empty if nothing.

    Args:
        value: An experiment, or any other value of the document, such as a `DeploymentConfig`.
        registry: Where the stages of an experiment are found; None: the installed ones.
    """
    if isinstance(value, Experiment):
        registry = registry or Registry()
        found = [
            *backend_problems(value.backend),
            *process_problems(value),
            *pipeline_problems(value, registry),
            *unread_problems(value, registry),
        ]
        stats = value.reliability and value.reliability.stats
        more = _without_tests(stats, "reliability.stats") if stats else ()
        return found + [each for each in more if each.path not in {problem.path for problem in found}]
    return list(_of_value(value, ""))


def _of_value(value: Model, path: str) -> Iterator[SpecError]:
    kind = type(value)
    if is_off(value):
        return
    if is_refused_whole(kind):
        asked = asked_of(value)
        if asked or not _may_be_empty(kind):
            why = fate_of(Knob(kind.__name__, "*", ANY)).by
            message = f"{why}; {kind.__name__} is not carried out{told_of(value, asked)}"
            yield SpecError(message, path=path, code="refused")
        return
    if isinstance(value, StatsConfig):
        yield from _without_tests(value, path)
    for name, field in kind.model_fields.items():
        key = field.alias or name
        yield from _of_field(value, name, Knob(kind.__name__, key, ANY), f"{path}.{key}" if path else key)


def _without_tests(stats: StatsConfig, path: str) -> Iterator[SpecError]:
    """Refuse an empty list of tests, which names none and would be read as the rule that chooses one."""
    if not stats.tests:
        message = "must name at least one test, or be left out"
        yield SpecError(message, path=f"{path}.tests" if path else "tests", code="refused")


def _of_field(value: Model, name: str, knob: Knob, path: str) -> Iterator[SpecError]:
    field, held = type(value).model_fields[name], getattr(value, name)
    if held is None or name == "extra":
        return
    known = words_of(field)
    for place, item in _items(held):
        where = path if place is None else f"{path}[{place}]"
        word = str(item).lower() if isinstance(item, bool) else item
        fate = _fate(knob, word if isinstance(word, str) and word in known else ANY)
        is_said = isinstance(item, (str, bool)) if known else field.is_required() or name in asked_of(value)
        if fate.kind == "refused" and is_said and not is_off(item):
            named = f"{word} " if known else ""
            yield SpecError(f"{named}is not carried out: {fate.by}", path=where, code="refused")
        elif isinstance(item, Model):
            yield from _of_value(item, where)


def _fate(knob: Knob, word: str) -> Fate:
    return fate_of(knob._replace(word=word))


def _items(held: Any) -> Sequence[tuple[int | None, Any]]:
    """Return what a field holds, with its place in the list if it is one."""
    if isinstance(held, tuple):
        return list(enumerate(cast("tuple[Any, ...]", held)))
    return [(None, held)]


def _may_be_empty(kind: type[Model]) -> bool:
    """Tell whether a value of a refused type can ask for nothing: one of its words says so."""
    fields = kind.model_fields.items()
    knobs = (Knob(kind.__name__, name, word) for name, field in fields for word in words_of(field))
    return any(fate_of(knob).kind == "executed" for knob in knobs)
