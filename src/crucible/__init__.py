"""Reliable ML experiments: load a document, run it, and know whether a difference is real and why.

    import crucible

    experiment = crucible.load("experiment.yaml")
    run = crucible.run(experiment).raise_for_status()

Importing this package is cheap; each room is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crucible import (
        backends,
        data,
        errors,
        events,
        ir,
        pipeline,
        report,
        stats,
        store,
        telemetry,
        text,
        trace,
        train,
    )
    from crucible.assembly import load, resume, run

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "backends",
    "data",
    "errors",
    "events",
    "ir",
    "load",
    "pipeline",
    "report",
    "resume",
    "run",
    "stats",
    "store",
    "telemetry",
    "text",
    "trace",
    "train",
]

_FUNCTIONS = {"load", "resume", "run"}


def __getattr__(name: str) -> Any:
    if name in _FUNCTIONS:
        return getattr(importlib.import_module("crucible.assembly"), name)
    if name in __all__:
        return importlib.import_module(f"crucible.{name}")
    raise AttributeError(f"module 'crucible' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
