"""Finding a backend by the name that a document gives it.

Backends register through the entry-point group `crucible.backends`, the local one included: the value is a callable
that takes the options of `backend.options` as keyword arguments and returns a `Backend`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from crucible.backends.protocols import Backend
from crucible.errors import BackendError
from crucible.ir import BackendRef, did_you_mean

__all__ = ["backend_names", "get_backend"]

GROUP = "crucible.backends"


def backend_names() -> tuple[str, ...]:
    """Return the names of the installed backends, sorted."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


def get_backend(ref: BackendRef | str) -> Backend:
    """Return the backend that `ref` names, made with its options.

    Args:
        ref: `experiment.backend`, or just a name such as `"local"`.

    Raises:
        BackendError: No backend has this name, its code cannot be loaded, or it does not take one of the options.
        MissingExtra: The backend needs packages that are not installed.
    """
    wanted = BackendRef(id=ref) if isinstance(ref, str) else ref
    found: dict[str, EntryPoint] = {point.name: point for point in entry_points(group=GROUP)}
    point = found.get(wanted.id)
    if point is None:
        known = ", ".join(sorted(found)) or "none is installed"
        raise BackendError(
            f"unknown backend {wanted.id!r}{did_you_mean(wanted.id, found)}; known: {known}", backend=wanted.id
        )
    try:
        factory = cast("Callable[..., Backend]", point.load())
    except (ImportError, AttributeError) as error:
        raise BackendError(
            f"the backend {wanted.id!r} ({point.value}) cannot be loaded: {error}", backend=wanted.id
        ) from error
    options = wanted.options or {}
    signature = inspect.signature(factory)
    try:
        signature.bind(**options)
    except TypeError as error:
        takes = ", ".join(signature.parameters) or "none"
        raise BackendError(
            f"backend.options of {wanted.id!r}: {error}; it takes: {takes}", backend=wanted.id
        ) from error
    return factory(**options)
