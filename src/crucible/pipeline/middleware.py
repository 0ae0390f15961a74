"""Plain objects around every attempt at a stage: `before`, `after`, `on_error`, each of them optional.

`before` is called in order, the others in reverse. What raises in `before` or `after` fails the stage. The first
`on_error` that answers decides what happens next; where none does, the document's `retry` and `on_error` do.
"""

from __future__ import annotations

import dataclasses
import inspect
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import msgspec

from crucible.errors import BackendError, ContractError, MissingExtra, SpecError, SpecErrors, StageTimeout
from crucible.ir import RetryPolicy
from crucible.pipeline.context import Context

__all__ = ["Again", "Hooks", "Logging", "Middleware", "Retry", "StageCall", "Timing", "Verdict", "worth_retrying"]

_HOPELESS = (SpecError, SpecErrors, ContractError, MissingExtra)  # another attempt meets the same mistake


class StageCall(msgspec.Struct, frozen=True):
    """One attempt at one stage.

    Args:
        index: Place in the pipeline, from 0.
        name: The stage's name.
        attempt: From 1 in this process.
        context: What the stage is given.
        options: What it is told.
    """

    index: int
    name: str
    attempt: int
    context: Context
    options: Any


class Again(msgspec.Struct, frozen=True):
    """The verdict that a stage is tried again.

    Args:
        after_s: Seconds to wait before.
    """

    after_s: float = 0.0


Verdict = Again | Literal["halt", "skip", "continue", "fallback"]


class Middleware:
    """A convenient base: every method is there and does nothing."""

    def before(self, call: StageCall) -> None:
        """Look at an attempt that is about to start; an error fails the stage."""

    def after(self, call: StageCall, context: Context, duration_ns: int) -> None:
        """Look at an attempt that succeeded; an error fails the stage."""

    def on_error(self, call: StageCall, error: Exception) -> Verdict | None:  # noqa: ARG002  # for subclasses
        """Look at an attempt that failed, and say what is done now; None leaves it to others."""
        return None


@dataclasses.dataclass(frozen=True, slots=True)
class Hooks:
    """The methods of several middleware objects, each kind in the order in which it is called."""

    before: tuple[Callable[..., None], ...]
    after: tuple[Callable[..., None], ...]
    on_error: tuple[Callable[..., Verdict | None], ...]

    @classmethod
    def of(cls, middleware: Sequence[object]) -> Hooks:
        """Return the methods of these objects.

        Raises:
            ContractError: An object has none of them, or one is `async`, which nobody would await.
        """
        for each in middleware:
            found = [method for name in ("before", "after", "on_error") if (method := getattr(each, name, None))]
            if not found or any(map(inspect.iscoroutinefunction, found)):
                raise ContractError(
                    f"{type(each).__name__} is no middleware: it needs before, after or on_error as plain methods"
                )

        def named(name: str) -> list[Any]:
            return [method for each in middleware if (method := getattr(each, name, None))]

        return cls(tuple(named("before")), tuple(reversed(named("after"))), tuple(reversed(named("on_error"))))


class Timing(Middleware):
    """Keeps how long each successful attempt took: `durations_ns` by stage name, in order."""

    def __init__(self) -> None:
        self.durations_ns: dict[str, list[int]] = {}

    def after(self, call: StageCall, context: Context, duration_ns: int) -> None:  # noqa: ARG002  # the protocol
        """Keep the duration."""
        self.durations_ns.setdefault(call.name, []).append(duration_ns)


class Logging(Middleware):
    """Writes one line to a log as each attempt starts and ends.

    Args:
        logger: Where to; None: the logger `crucible.pipeline`.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger("crucible.pipeline")

    def before(self, call: StageCall) -> None:
        """Log the start."""
        self._logger.info("Running stage %s (pipeline[%d], attempt %d)", call.name, call.index, call.attempt)

    def after(self, call: StageCall, context: Context, duration_ns: int) -> None:  # noqa: ARG002  # the protocol
        """Log the end."""
        self._logger.info("Completed stage %s in %.3f s", call.name, duration_ns / 1e9)

    def on_error(self, call: StageCall, error: Exception) -> Verdict | None:
        """Log the failure."""
        self._logger.warning("Stage %s failed: %s: %s", call.name, type(error).__name__, error)
        return None


class Retry(Middleware):
    """Tries a failed stage again, as a policy says; a document's own `retry` works through this.

    Args:
        policy: How often, after how long, for which errors.
    """

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy

    def on_error(self, call: StageCall, error: Exception) -> Verdict | None:
        """Ask for another attempt while there are some left and the error is worth one."""
        if call.attempt >= self._policy.attempts or not worth_retrying(error, self._policy.errors):
            return None
        return Again(_wait_s(self._policy, call.attempt))


def worth_retrying(error: Exception, names: Iterable[str] | None) -> bool:
    """Return whether another attempt can help.

    Args:
        error: What was raised.
        names: Class names of errors that are worth it; None: all but mistakes in the document and final refusals.
    """
    if isinstance(error, StageTimeout) and not error.is_stopped:
        return False  # two attempts at the same time would write over each other
    if names is not None:
        kinds = {kind.__name__ for kind in type(error).__mro__}
        return not kinds.isdisjoint(names)
    return not isinstance(error, _HOPELESS) and (not isinstance(error, BackendError) or error.is_retryable)


def _wait_s(policy: RetryPolicy, attempt: int) -> float:
    """Return the seconds before the next attempt: doubled each time, with jitter, from tenacity."""
    import tenacity

    state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
    state.attempt_number = attempt
    waits = tenacity.wait_exponential(multiplier=policy.wait_initial_s, max=policy.wait_max_s)
    waits += tenacity.wait_random(0, min(policy.wait_initial_s, 1.0))  # those who failed together come back apart
    return min(waits(state), policy.wait_max_s)
