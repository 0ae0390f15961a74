"""Attaching and detaching handlers."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, cast

from crucible.errors import ContractError
from crucible.events import failures
from crucible.events.board import Listener, board, change
from crucible.events.event import Handler

__all__ = ["attach", "attach_many", "attached", "detach"]


def attach(
    handler_id: str,
    names: str | Iterable[str],
    fn: Handler,
    *,
    run_id: str | None = None,
    recording_id: str | None = None,
) -> None:
    """Call `fn` for every event of these names, on the emitter's thread; it must be quick.

    If it raises, the error is counted (`handler_failures`) and the handler stays. It may attach and detach, which holds
    from the next event on, and emit, of which all other handlers are told: what is emitted while it runs, by itself or
    by those it calls, is never told to the handler itself, so that none can go round in circles. What asks the program
    to stop (`KeyboardInterrupt`, `SystemExit`) reaches the emitter, after the other handlers were told.

    Args:
        handler_id: Name of the subscription; attaching the same name again replaces it.
        names: Exact names, aliases of the registry too, `prefix.*`, or `*` for all.
        fn: The handler, an ordinary function.
        run_id: Only events emitted inside the scope of this run; None for all.
        recording_id: Only events of which this telemetry experiment is the innermost; None for all.

    Raises:
        ContractError: A name cannot be one, or the handler cannot be called or is a coroutine function.
    """
    attach_many({handler_id: (names, fn)}, run_id=run_id, recording_id=recording_id)


def attach_many(
    handlers: Mapping[str, tuple[str | Iterable[str], Handler]],
    *,
    run_id: str | None = None,
    recording_id: str | None = None,
) -> None:
    """Attach several handlers at once: all or none, and no event is heard by some of them only.

    Args:
        handlers: Names and handler by the name of the subscription; each as for `attach`.
        run_id: Only events emitted inside the scope of this run; None for all.
        recording_id: Only events of which this telemetry experiment is the innermost; None for all.

    Raises:
        ContractError: As `attach`; nothing is attached then.
    """
    fresh = {
        handler_id: Listener(
            handler_id, _callable(handler_id, fn), _names(handler_id, names), run_id=run_id, recording_id=recording_id
        )
        for handler_id, (names, fn) in handlers.items()
    }
    for handler_id in fresh:
        failures.forget(handler_id)
    change(lambda listeners: listeners.update(fresh))


def detach(handler_id: str) -> bool:
    """Stop calling a handler; returns whether it was attached.

    An event that is being told on another thread at this moment may still reach it.
    """
    gone: Listener | None = None

    def remove(listeners: dict[str, Listener]) -> None:
        nonlocal gone
        gone = listeners.pop(handler_id, None)

    change(remove)
    return gone is not None


def attached() -> tuple[str, ...]:
    """Return the ids of the attached handlers, in order of attaching."""
    table = board.table
    return () if table is None else tuple(table.listeners)


def _names(handler_id: str, names: Any) -> tuple[str, ...]:
    wanted: tuple[Any, ...] = (names,) if isinstance(names, str) else tuple(names)
    for name in wanted:
        if not isinstance(name, str):
            raise ContractError(f"{handler_id} listens to names of events, and {name!r} is no text")
        if "*" in name[:-1] or not name:
            raise ContractError(
                f'{handler_id} cannot listen to "{name}"; give a name, the beginning of names and "*", or "*" for all'
            )
    return wanted


def _callable(handler_id: str, fn: Any) -> Handler:
    if not callable(fn):
        raise ContractError(f"the handler {handler_id} is a {type(fn).__name__}, which cannot be called with an event")
    if inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(getattr(fn, "__call__", None)):  # noqa: B004
        raise ContractError(
            f"the handler {handler_id} is a coroutine function, and emitting does not wait; "
            "let an ordinary function put the event into a queue that a task reads"
        )
    return cast("Handler", fn)
