"""Names and steps of logged metrics: a name is checked once, and a metric that is given no step counts its own."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

from crucible.errors import ContractError, SpecError
from crucible.telemetry.series import as_number

__all__ = ["Steps", "metric_number"]

_LONGEST_NAME = 250
_MOST = 2**63


class Steps:
    """The metrics of one recording in this process.

    Args:
        after_last: Returns the step after the last one that is recorded of a metric, 0 if there is none.
        counts: Whether a step may be left out: not where another process may count the same ones.
    """

    def __init__(self, after_last: Callable[[str], int], *, counts: bool) -> None:
        self.names: set[str] = set()
        self.is_counting = False
        self._after_last = after_last
        self._counts = counts
        self._process = os.getpid()
        self._next: dict[str, int] = {}
        self._lock = threading.Lock()

    def check(self, name: Any, *, is_new: bool = False) -> None:
        """Remember a name that was not logged before.

        Args:
            name: The name.
            is_new: Whether nothing of it can be recorded: its counting begins at 0.

        Raises:
            SpecError: It cannot be a metric's.
        """
        if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
            raise SpecError(
                f"a metric's name has 1 to {_LONGEST_NAME} printable characters, such as train/loss; got {name!r:.80}"
            )
        self.names.add(name)
        if is_new and self._counts:
            with self._lock:
                self._next.setdefault(name, 0)

    def of(self, name: str, step: Any) -> int:
        """Return a step that is not simply an integer: any other whole number, or the next one.

        Raises:
            SpecError: It is no whole number.
            ContractError: There is none, and steps are not counted here.
        """
        if step is not None:
            number = as_number(step)
            whole = int(step) if number is not None and number.is_integer() else None
            if whole is None or not -_MOST <= whole < _MOST:
                raise SpecError(f"the step of a metric is a whole number of 64 bits, got {_shown(step)}")
            return whole
        if not self._counts or os.getpid() != self._process:
            raise ContractError(
                f'give a step for "{name}": in an experiment that was joined, or in a forked process, another process '
                "may count the same ones"
            )
        self.is_counting = True
        with self._lock:
            known = self._next.get(name)
        first = self._after_last(name) if known is None else 0
        with self._lock:
            step = max(first, self._next.get(name, 0))
            self._next[name] = step + 1
        return step

    def note(self, name: str, step: int) -> None:
        """Take it that a step was given to a metric that may count its own."""
        with self._lock:
            if step >= self._next.get(name, step + 1):
                self._next[name] = step + 1


def metric_number(name: str, value: Any) -> float:
    """Return the value of a metric as a float.

    Raises:
        SpecError: It is no number.
    """
    number = as_number(value)
    if number is None:
        raise SpecError(f'the metric "{name}" takes a number, got {type(value).__name__} {_shown(value)}')
    return number


def _shown(value: Any) -> str:
    try:
        return f"{value!r:.80}"
    except Exception:  # noqa: BLE001  # a value that cannot be shown is no number either
        return "that cannot be shown"
