"""Which entry of a pipeline waits for which: everything before it, or what its `needs` name.

Entries are named by their `id`, or by their stage's name. Only earlier entries can be needed, so there are no cycles.
Where ways meet, what each entry changed is folded in pipeline order; two parallel entries may not change the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from crucible.errors import ContractError, SpecError, SpecErrors
from crucible.ir import StageDef, did_you_mean
from crucible.pipeline.context import Context
from crucible.pipeline.records import ContextDelta

__all__ = ["Changes", "Places", "Ways", "ancestors", "dependencies", "needs_problems"]


def dependencies(pipeline: Sequence[StageDef]) -> list[Collection[int]]:
    """Return, for each entry, the entries that it waits for directly.

    One without `needs` waits for everything before it: the last one like it, which did the same, and all since then.

    Raises:
        SpecErrors: An entry needs one that is unknown, later, itself or ambiguous; every problem at once.
    """
    if problems := needs_problems(pipeline):
        raise SpecErrors("pipeline", problems)
    places = _places(pipeline)
    direct: list[Collection[int]] = []
    last = 0
    for index, definition in enumerate(pipeline):
        if definition.needs is None:
            direct.append(range(last, index))
            last = index
        else:
            direct.append(frozenset(places[name][0] for name in definition.needs))
    return direct


class Places(NamedTuple):
    """A set of places in a pipeline: a few numbers, however many places there are without a gap from the first on.

    Args:
        floor: All places below it are in the set; it is not.
        above: Which ones above it are, too: bit `n` stands for `floor + n`.
    """

    floor: int = 0
    above: int = 0

    def plus(self, place: int) -> Places:
        """Return the set with one more place."""
        return self if place < self.floor else _places_of(self.floor, self.above | 1 << place - self.floor)

    def __or__(self, other: Places) -> Places:
        """Return the places of both sets."""
        low, high = sorted((self, other))
        return _places_of(high.floor, high.above | low.above >> high.floor - low.floor)

    def __contains__(self, place: object) -> bool:
        return isinstance(place, int) and (place < self.floor or bool(self.above >> place - self.floor & 1))

    def since(self, first: int) -> Iterator[int]:
        """Yield the places of the set from one place on, in order."""
        yield from range(first, self.floor)
        rest = self.above
        while rest:
            bit = (rest & -rest).bit_length() - 1
            if self.floor + bit >= first:
                yield self.floor + bit
            rest &= rest - 1


def _places_of(floor: int, above: int) -> Places:
    filled = (~above & above + 1).bit_length() - 1  # the ones at its lower end
    return Places(floor + filled, above >> filled)


def ancestors(direct: Sequence[Collection[int]]) -> list[Places]:
    """Return, for each entry, all entries that come before it on some way.

    Args:
        direct: What each entry waits for, as `dependencies` returns it.
    """
    found: list[Places] = []
    for index, needed in enumerate(direct):
        above = Places()
        if isinstance(needed, range):
            above = Places(index)  # all before it
        else:
            for place in needed:
                above |= found[place].plus(place)
        found.append(above)
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class Changes:
    """What one entry changed in the context that it was given."""

    delta: ContextDelta
    resources: Mapping[str, Any]
    completed: tuple[str, ...]

    @classmethod
    def between(cls, before: Context, after: Context) -> Changes:
        """Return what changed from one context to the other."""
        return cls(
            delta=after.delta_since(before),
            resources=after.resources.changed_since(before.resources),
            completed=after.completed_stages[len(before.completed_stages) :],
        )

    def names(self) -> Iterator[str]:
        """Yield what was set, such as `metrics.score`."""
        slots = {
            "metrics": self.delta.metrics,
            "artifacts": self.delta.artifacts,
            "assigns": self.delta.assigns,
            "resources": self.resources,
        }
        for slot, values in slots.items():
            for key in values:
                yield f"{slot}.{key}"

    def applied(self, context: Context) -> Context:
        """Return a context with these changes."""
        context = context.restored(self.delta)
        for name, value in self.resources.items():
            context = context.put_resource(name, value)
        for name in self.completed:
            context = context.mark_stage_complete(name)
        return context


class Ways:
    """The contexts along the ways of a graph: what each entry is given, and what is there at the end.

    Args:
        start: The context of the run's start.
        direct: What each entry waits for, as `dependencies` returns it.
    """

    def __init__(self, start: Context, direct: Sequence[Collection[int]]) -> None:
        self._above = ancestors(direct)
        self._changes: dict[int, Changes] = {}
        self._done = Places()
        self._after: dict[Places, Context] = {Places(): start}  # by the entries whose changes it has

    def before(self, place: int) -> Context:
        """Return what an entry is given: what the entries on its own ways have added, in pipeline order.

        Raises:
            ContractError: Two of them that ran in parallel set the same thing.
        """
        return self._fold(self._above[place])

    def keep(self, place: int, before: Context, after: Context) -> None:
        """Keep what an entry changed."""
        self._changes[place] = Changes.between(before, after)
        self._done = self._done.plus(place)
        self._after[self._above[place].plus(place)] = after

    def end(self) -> Context:
        """Return what all entries that are done have added, in pipeline order.

        Raises:
            ContractError: Two of them that ran in parallel set the same thing.
        """
        return self._fold(self._done)

    def _fold(self, places: Places) -> Context:
        known = self._after.get(places)
        if known is not None:
            return known  # one way alone, or put together before
        first = self._shared(places)
        context = self._after[Places(first)]
        set_by: dict[str, int] = {}
        for place in places.since(first):
            for name in self._changes[place].names():
                other = set_by.setdefault(name, place)
                if other != place and other not in self._above[place]:
                    raise ContractError(
                        f"pipeline[{other}] and pipeline[{place}] ran in parallel and both set {name}, so one would be "
                        "lost; give it two names, or let one of them need the other"
                    )
                set_by[name] = place
            context = self._changes[place].applied(context)
        self._after[places] = context
        return context

    def _shared(self, places: Places) -> int:
        """Return the place up to which a context is known that all later ones of the set build on."""
        first, looked = places.floor, places.since(places.floor)
        while True:
            lowest = min((self._above[place].floor for place in looked), default=first)
            if lowest >= first:
                if Places(first) in self._after:
                    return first
                lowest = first - 1
            looked, first = iter(range(lowest, first)), lowest


def needs_problems(pipeline: Sequence[StageDef]) -> list[SpecError]:
    """Return what is wrong with the `needs` of a pipeline, each with its path."""
    problems: list[SpecError] = []
    named = _places(pipeline)
    for index, definition in enumerate(pipeline):
        for place, name in enumerate(definition.needs or ()):
            message = _problem(pipeline, index, name, named.get(name, []))
            if message:
                problems.append(SpecError(message, path=f"pipeline[{index}].needs[{place}]", code="needs"))
    return problems


def _problem(pipeline: Sequence[StageDef], index: int, name: str, places: Sequence[int]) -> str:
    if len(places) > 1:
        return f'{len(places)} entries are called "{name}"; give them ids and name one of these'
    if places:
        here = "an entry cannot need itself" if places[0] == index else ""
        return f'"{name}" comes later in the pipeline; put it before this entry' if places[0] > index else here
    known = [_name(definition) for definition in pipeline[:index]]
    listed = ", ".join(known) or "none"
    return f'no entry is called "{name}"{did_you_mean(name, known)}; before this one there are: {listed}'


def _places(pipeline: Sequence[StageDef]) -> dict[str, list[int]]:
    """Return where the entries of each name stand."""
    found: dict[str, list[int]] = {}
    for index, definition in enumerate(pipeline):
        found.setdefault(_name(definition), []).append(index)
    return found


def _name(definition: StageDef) -> str:
    return definition.id or definition.name
