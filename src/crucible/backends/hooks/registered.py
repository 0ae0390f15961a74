"""The hooks of one session, in the order of their registration, and what each found before a step."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, cast, runtime_checkable

import msgspec

from crucible.backends.hooks.distribution import GradientDistribution, distribution
from crucible.backends.hooks.flow import GradientFlow, flow
from crucible.backends.hooks.gradients import Gradients
from crucible.backends.hooks.health import GradientHealth, health
from crucible.backends.hooks.norm import GradientNorms, norm
from crucible.backends.hooks.numbers import finite
from crucible.errors import BackendError, Cancelled, SpecError, TrainError
from crucible.ir import did_you_mean

__all__ = [
    "BUILT_IN",
    "GradientHook",
    "GradientHooks",
    "HookReport",
    "HookResult",
    "ShowsGradients",
    "attach",
    "metrics_of",
]

HookResult = GradientNorms | GradientDistribution | GradientFlow | GradientHealth
"""What the hooks that come with Crucible return."""

GradientHook = Callable[[Gradients], HookResult | Mapping[str, float] | None]
"""A hook of your own: looks at a copy of the gradient and returns nothing, numbers by name, or such a result."""

BUILT_IN: Final[Mapping[str, Callable[[Gradients], HookResult]]] = {
    "norm": norm,
    "distribution": distribution,
    "flow": flow,
    "health": health,
}
"""The hooks that a configuration may name."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class HookReport(msgspec.Struct, frozen=True):
    """What a hook found before one step.

    Attributes:
        name: The hook's.
        is_built_in: It is one of Crucible's own.
        numbers: Finite numbers by name.
        details: What belongs to single layers, as plain JSON values; empty of a hook that returned numbers.
        duration_ns: How long it took, the copy that it was given included.
    """

    name: str
    is_built_in: bool
    numbers: dict[str, float]
    details: dict[str, Any]
    duration_ns: int


@runtime_checkable
class ShowsGradients(Protocol):
    """A session that has the gradient in this process, and lets hooks look at it."""

    def add_gradient_hook(self, name: str, hook: GradientHook | None = None) -> None:
        """Run a hook before every later optimiser step; one of Crucible's own by its name alone."""
        ...


class GradientHooks:
    """Hooks in the order of their registration.

    Args:
        names: Of Crucible's own hooks.

    Raises:
        SpecError: A name is unknown.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._hooks: dict[str, GradientHook] = {}
        for name in names:
            self.add(name)

    def __len__(self) -> int:
        return len(self._hooks)

    def add(self, name: str, hook: GradientHook | None = None) -> None:
        """Register a hook behind those that there are; one of a name that is there takes its place.

        Args:
            name: What its results are called: letters, digits, `.`, `_` and `-`.
            hook: The function; None: Crucible's own of this name.

        Raises:
            SpecError: The name is unknown, one of Crucible's, or no name; or the hook cannot be called.
        """
        if hook is None:
            if name not in BUILT_IN:
                known = ", ".join(BUILT_IN)
                message = (
                    f"there is no hook {name!r}{did_you_mean(name, BUILT_IN)}; known: {known}, or (name, function)"
                )
                raise SpecError(message, path="gradient_hooks", code="choice")
        elif name in BUILT_IN or not _NAME.fullmatch(name):
            message = (
                f"a hook of your own needs a name of letters, digits, '.', '_' and '-' that is none of Crucible's "
                f"({', '.join(BUILT_IN)}), got {name!r}"
            )
            raise SpecError(message, path="gradient_hooks", code="name")
        elif not callable(hook):
            message = f"the hook {name!r} must be a function of the gradients, got {type(hook).__name__}"
            raise SpecError(message, path="gradient_hooks", code="type")
        self._hooks = {**self._hooks, name: BUILT_IN[name] if hook is None else hook}  # a step may be reading the old

    def run(self, gradients: Gradients) -> Iterator[HookReport]:
        """Let every hook look, in order, and yield what it found.

        One of the caller's own gets a copy, so that it cannot change the step.

        Raises:
            TrainError: A hook raised, or returned what is neither numbers nor nothing; its name and the step are in
                the message. What stops a run, such as `Cancelled`, goes through.
        """
        for name, hook in self._hooks.items():
            yield self._report(name, hook, gradients)

    def _report(self, name: str, hook: GradientHook, gradients: Gradients) -> HookReport:
        started = time.monotonic_ns()
        is_built_in = hook is BUILT_IN.get(name)
        try:
            found: Any = hook(gradients if is_built_in else gradients.copied())
            details: dict[str, Any] = {}
            if isinstance(found, HookResult):  # one that a caller made up may hold anything
                details, found = found.details(), found.numbers()
        except Cancelled:
            raise
        except Exception as error:
            raise _failed(name, gradients.step, f"{type(error).__name__}: {error}") from error
        numbers = _numbers(name, found, gradients.step)
        return HookReport(name, is_built_in, numbers, details, time.monotonic_ns() - started)


def attach(session: object, hooks: Iterable[str | tuple[str, GradientHook]], *, backend: str = "this backend") -> None:
    """Register hooks with a session, in order.

    Args:
        session: One of a backend that computes gradients in this process.
        hooks: Names of Crucible's own, or (name, function).
        backend: Its name, for the message.

    Raises:
        BackendError: The session does not show gradients, as that of a remote service.
        SpecError: A hook is unknown, or its name is one of Crucible's or no name.
    """
    wanted: list[Any] = list(hooks)
    if wanted and not isinstance(session, ShowsGradients):
        raise BackendError(
            f"gradient_hooks: gradients are not visible on {backend}, whose service computes them and keeps them; "
            "leave the hooks out, or train with the backend local",
            backend=backend,
        )
    for hook in wanted:
        pair = cast("Sequence[Any]", (hook, None) if isinstance(hook, str) else hook)
        if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[0], str):
            message = f"a hook is a name, or a pair (name, function), got {hook!r:.80}"
            raise SpecError(message, path="gradient_hooks", code="type")
        cast("ShowsGradients", session).add_gradient_hook(*pair)


def _numbers(name: str, found: Any, step: int) -> dict[str, float]:
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise _failed(name, step, f"it returned {type(found).__name__} where numbers by name, or None, were expected")
    numbers: dict[str, float] = {}
    for key, value in cast("Mapping[Any, Any]", found).items():
        try:
            number = finite(float(value))
        except (TypeError, ValueError, OverflowError, RuntimeError) as error:  # RuntimeError: a tensor of several
            raise _failed(name, step, f"it returned {key!r}: {value!r:.80}, which is no number") from error
        if number is not None:
            numbers[str(key)] = number
    return numbers


def metrics_of(reports: Iterable[HookReport]) -> dict[str, float]:
    """Return all numbers of a step's hooks as metrics of the step: `gradient/<hook>/<number>`."""
    return {f"gradient/{report.name}/{key}": value for report in reports for key, value in report.numbers.items()}


def _failed(name: str, step: int, why: str) -> TrainError:
    message = f'the gradient hook "{name}" failed at step {step}, so the step was not taken: {why}'
    return TrainError(message, step=step)
