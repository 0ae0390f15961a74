"""The registered events, by name and by alias."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from crucible.errors import SpecError
from crucible.events.registry.entry import EventInfo, check

__all__ = [
    "aliases",
    "canonical_name",
    "event_info",
    "events_by_category",
    "events_of",
    "on_change",
    "register",
    "standard_events",
    "unregister",
]

_registry: dict[str, EventInfo] = {}
_names: dict[str, str] = {}  # by alias
_watchers: list[Callable[[], None]] = []
_lock = threading.RLock()


def register(*infos: EventInfo) -> None:
    """Add events; several at once are all added, or none.

    An entry that is there already, and says the same, may be registered again.

    Raises:
        SpecError: An entry is not well formed, or its name or an alias stands for another event already; `path` says
            which field.
    """
    with _lock:
        events, names = dict(_registry), dict(_names)
        for info in infos:
            check(info)
            _refuse_clash(info, events, names)
            events[info.name] = info
            names.update(dict.fromkeys(info.aliases, info.name))
        _replace(events, names)


def unregister(name: str) -> bool:
    """Remove an event that was registered; returns whether it was there. Handlers go on hearing it by its name."""
    with _lock:
        events = {known: info for known, info in _registry.items() if known != name}
        found = len(events) < len(_registry)
        _replace(events, {alias: known for alias, known in _names.items() if known != name})
    return found


def _replace(events: dict[str, EventInfo], names: dict[str, str]) -> None:
    global _registry, _names  # copy on write: readers need no lock
    _registry, _names = events, names
    for changed in _watchers:
        changed()


def _refuse_clash(info: EventInfo, events: Mapping[str, EventInfo], names: Mapping[str, str]) -> None:
    known = events.get(info.name)
    if known is not None and known != info:
        raise SpecError(
            f"event {info.name!r} is registered already, by {known.emitted_by}: {known.description}; take another name",
            path="name",
            code="event",
        )
    if info.name in names:
        raise SpecError(
            f"{info.name!r} is an alias of {names[info.name]!r}; take another name", path="name", code="event"
        )
    for alias in info.aliases:
        other = alias if alias in events else names.get(alias, info.name)
        if other != info.name:
            says = "is an event of its own" if other == alias else f"is an alias of {other!r}"
            raise SpecError(
                f"event {info.name!r}: its alias {alias!r} {says}; take another", path="aliases", code="event"
            )


def on_change(watcher: Callable[[], None]) -> None:
    """Call a function after every change, for as long as the process lives."""
    _watchers.append(watcher)


def canonical_name(name: str) -> str:
    """Return the name that an alias stands for; any other name comes back unchanged."""
    return _names.get(name, name)


def aliases() -> Mapping[str, str]:
    """Return the names that stand for others, and those they stand for."""
    return dict(_names)


def event_info(name: str) -> EventInfo | None:
    """Return what is known of an event, by name or alias; None for a name that is not registered."""
    return _registry.get(canonical_name(name))


def standard_events() -> tuple[str, ...]:
    """Return all registered names, aliases left out, in order of registration."""
    return tuple(_registry)


def events_by_category() -> dict[str, tuple[str, ...]]:
    """Return the registered names by category, both in order of registration."""
    result: dict[str, list[str]] = {}
    for info in _registry.values():
        result.setdefault(info.category, []).append(info.name)
    return {category: tuple(names) for category, names in result.items()}


def events_of(category: str) -> tuple[str, ...]:
    """Return the registered names of a category, in order of registration; none for one that nobody uses."""
    return tuple(info.name for info in _registry.values() if info.category == category)
