"""Laying chains together, such as those that the workers of a distributed run wrote: `merge`.

The clocks of workers disagree; what an event hangs and rests on does not. So by default an event comes after its parent
and its dependencies, and time decides only between events that no link orders.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from crucible.errors import SpecError, SpecErrors
from crucible.ir import did_you_mean
from crucible.trace.chain import Chain
from crucible.trace.event import Event
from crucible.trace.merging.causal_order import in_causal_order
from crucible.trace.plain import plain

__all__ = ["By", "merge"]

By = Literal["causal", "time", "append"]

_ORDERS = ("causal", "time", "append")
_ORIGIN = ("worker", "rank")
_NAMED = 100  # conflicting ids, cycles and chains that are named one by one
_SHOWN = 8  # ids of a cycle in the metadata


def merge(chains: Iterable[Chain], *, name: str | None = None, by: By = "causal") -> Chain:
    """Return one chain of the events of several; theirs stay as they are.

    An event that several chains hold is taken once. Events that say no `worker` and `rank` in their metadata get those
    of their chain's metadata; of one that several chains hold, the first in the order of worker and rank.

    Metadata: of a key that chains disagree on, the last chain's value stands; but `worker` and `rank` then belong to no
    chain of all and are left out. `merged` lists the chains, the values that disagree, and the cycles of links, whose
    events are in the order of time among themselves. Keys of files that no version knows stay with their chains.

    By cause or time, the order of the chains does not matter. Merging step by step gives the same events as at once,
    and in the same order, but for events of the same time, rank and worker.

    Args:
        chains: Any number; none make an empty chain.
        name: Name of the new chain; None: the chains' names.
        by: `causal`: an event comes after its parent and what it depends on, otherwise by time. `time`: by time alone.
            `append`: chain after chain. Equal times: by rank and worker, then by place in the
            chain, then by the chain's id, then by the event's.

    Raises:
        SpecErrors: An id stands for different events; which of them a link means could not be told.
        SpecError: `by` is unknown.
    """
    if by not in _ORDERS:
        hint = did_you_mean(str(by), _ORDERS)
        raise SpecError(f"by is {by!r}, expected one of {', '.join(_ORDERS)}{hint or ''}", code="by")
    listed = list(chains)
    found = _Found(listed)
    ordered = found.events if by == "append" else found.by_time()
    knots: list[list[Event]] = []
    if by == "causal":
        ordered, knots = in_causal_order(ordered)
    merged = Chain(
        _name(listed) if name is None else name,
        description=_agreed([chain.description for chain in listed]),
        metadata=_metadata(listed, knots),
        created_at=min((chain.created_at for chain in listed), default=None),
    )
    merged.extend(ordered)
    merged.updated_at = max((chain.updated_at for chain in listed), default=merged.created_at)
    return merged


class _Found:
    """The distinct events of all chains, in order of coming, with their workers and ranks.

    Args:
        chains: The chains.

    Raises:
        SpecErrors: An id stands for different events.
    """

    def __init__(self, chains: Sequence[Chain]) -> None:
        self.events: list[Event] = []
        self._chains = chains
        self._from: list[int] = []  # the chain that each came from
        self._places: list[int] = []  # and its place there
        self._place_of: dict[str, int] = {}
        self._conflicts: dict[str, SpecError] = {}
        for number, chain in enumerate(chains):
            self._take(number, chain)
        if self._conflicts:
            raise SpecErrors("the same id stands for different events", _bounded(list(self._conflicts.values())))

    def _take(self, number: int, chain: Chain) -> None:
        origin = _origin(chain.metadata)
        for place, event in enumerate(chain):
            full = _with_origin(event, origin) if origin else event
            at = self._place_of.setdefault(event.id, len(self.events))
            if at == len(self.events):
                self.events.append(full)
                self._from.append(number)
                self._places.append(place)
            elif not _same(self.events[at], full):
                message = f"event {event.id} of chain {chain.name!r} differs from another event with this id"
                self._conflicts.setdefault(
                    event.id, SpecError(message, path=f"chains[{number}].events[{place}]", code="conflict")
                )
            elif self._tie(full, number, place) < self._tie(self.events[at], self._from[at], self._places[at]):
                self.events[at], self._from[at], self._places[at] = full, number, place

    def _tie(self, event: Event, number: int, place: int) -> tuple[Any, ...]:
        """Return what sorts events of the same time."""
        rank, worker = event.metadata.get("rank"), event.metadata.get("worker")
        return (*_sortable(rank), *_sortable(worker), place, self._chains[number].id, event.id)

    def by_time(self) -> list[Event]:
        """Return the events by time; only those of equal times are looked at twice."""
        events = self.events
        times = [event.timestamp for event in events]
        order = sorted(range(len(events)), key=times.__getitem__)
        start = 0
        for end in range(1, len(order) + 1):
            if end == len(order) or times[order[end]] != times[order[start]]:
                if end - start > 1:
                    ties = {at: self._tie(events[at], self._from[at], self._places[at]) for at in order[start:end]}
                    order[start:end] = sorted(ties, key=ties.__getitem__)
                start = end
        return [events[at] for at in order]


def _bounded(problems: list[SpecError]) -> list[SpecError]:
    left_out = len(problems) - _NAMED
    return [*problems[:_NAMED], SpecError(f"and {left_out} more", code="conflict")] if left_out > 0 else problems


def _origin(metadata: dict[str, Any]) -> dict[str, Any]:
    return {name: metadata[name] for name in _ORIGIN if metadata.get(name) is not None}


def _with_origin(event: Event, origin: dict[str, Any]) -> Event:
    """Return an event with the worker and rank of its chain, unless it names another itself."""
    own = event.metadata
    missing = {name: value for name, value in origin.items() if own.get(name) is None}
    if not missing or any(name not in missing and own[name] != value for name, value in origin.items()):
        return event
    return msgspec.structs.replace(event, metadata={**own, **missing})


def _sortable(value: Any) -> tuple[int, Any]:
    """Return what sorts numbers, then words, then anything else, then what was not said."""
    if value is None:
        return 3, ""
    if isinstance(value, int | float) and value == value:  # noqa: PLR0124  # NaN has no order
        return 0, value
    return (1, value) if isinstance(value, str) else (2, repr(plain(value)))


def _same(one: Event, other: Event) -> bool:
    """Return whether two events with one id are the same, but for the worker and rank that were filled in."""
    return one is other or one == other or _content(one) == _content(other)


def _content(event: Event) -> Any:
    content = event.to_dict()
    content["metadata"] = {name: value for name, value in event.metadata.items() if name not in _ORIGIN}
    return plain(content)


def _name(chains: Sequence[Chain]) -> str:
    names = list(dict.fromkeys(chain.name for chain in chains))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{' + '.join(names[:3])}{more}" or "Merged"


def _agreed(values: Sequence[str | None]) -> str | None:
    """Return the one value that was given, if only one was."""
    given = {value for value in values if value is not None}
    return given.pop() if len(given) == 1 else None


def _metadata(chains: Sequence[Chain], knots: Sequence[Sequence[Event]]) -> dict[str, Any]:
    """Return the chains' metadata, the last one's winning, and under `merged` what that would lose."""
    metadata: dict[str, Any] = {}
    values: dict[str, list[Any]] = {}
    for chain in chains:
        for key, value in chain.metadata.items():
            if key != "merged":
                metadata[key] = value
                values.setdefault(key, []).append(value)
    conflicts = {key: distinct for key, each in values.items() if len(distinct := _distinct(each)) > 1}
    for key in _ORIGIN:
        if key in conflicts or len(values.get(key, ())) < len(chains):
            metadata.pop(key, None)
    merged = {"chains": [_about(chain) for chain in chains], "conflicts": conflicts, "cycles": _told(knots)}
    return {**metadata, "merged": {name: value for name, value in merged.items() if value}} if chains else {}


def _about(chain: Chain) -> dict[str, Any]:
    """Return which chain it was, and what it was merged of itself."""
    merged = {"merged": chain.metadata["merged"]} if "merged" in chain.metadata else {}
    return {"id": chain.id, "name": chain.name, **_origin(chain.metadata), **merged}


def _distinct(values: Sequence[Any]) -> list[Any]:
    distinct: list[Any] = []
    seen: set[str] = set()
    for value in values:
        words = repr(value)
        if words not in seen:
            seen.add(words)
            distinct.append(value)
    return distinct


def _told(knots: Sequence[Sequence[Event]]) -> list[dict[str, Any]]:
    named = [{"events": len(knot), "ids": [event.id for event in knot[:_SHOWN]]} for knot in knots[:_NAMED]]
    left_out = len(knots) - len(named)
    return [*named, {"cycles_left_out": left_out}] if left_out else named
