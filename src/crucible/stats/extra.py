"""The border to the optional numerical packages: what is missing becomes `MissingExtra`.

Every public function that computes wears `needs_stats`, so the modules of this room import without numpy and scipy.
"""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from crucible.errors import MissingExtra
from crucible.stats.parameters import takes_numbers

__all__ = ["needs_stats", "versions"]

P = ParamSpec("P")
R = TypeVar("R")
_PACKAGES = ("numpy", "scipy", "statsmodels")


def needs_stats(function: Callable[P, R]) -> Callable[P, R]:
    """Make `function` raise `MissingExtra` where numpy, scipy or statsmodels is not installed.

    What comes for its parameters that are numbers is checked first; see `parameters`.
    """
    checked = takes_numbers(function)

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return checked(*args, **kwargs)
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] in _PACKAGES:
                raise MissingExtra("stats", feature=f"crucible.stats.{function.__name__}") from error
            raise

    return wrapper


@functools.cache
def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def versions(*further: str) -> dict[str, str]:
    """Return the versions of the packages that a result depends on, by package.

    Args:
        further: Packages beside numpy and scipy.
    """
    return {package: _version(package) for package in ("crucible-ml", "numpy", "scipy", *further)}
