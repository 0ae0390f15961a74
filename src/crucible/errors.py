"""The one error tree of Crucible.

Every error is also a standard-library error, survives pickling with its attributes, and says what came, what was
expected and what to do. Foreign errors are mapped to these at the border of the room that meets them.

    CrucibleError
    ├── SpecError(ValueError)          one problem in a document: .path .code
    ├── ContractError(RuntimeError)    a stage or a caller broke an agreement of the pipeline
    ├── StageError(RuntimeError)       a stage failed: .run_id .stage
    │   └── StageTimeout(TimeoutError)
    ├── BackendError(RuntimeError)     a model could not answer: .backend .attempts .is_retryable
    │   ├── RateLimited            .retry_after_s
    │   ├── BackendTimeout
    │   └── BadResponse
    ├── TrainError(RuntimeError)       training cannot go on: .step
    │   ├── NonFiniteLoss
    │   └── CheckpointError
    ├── PromotionRefused(RuntimeError) a model did not pass a gate: .gates
    ├── DataError(ValueError)          a dataset is missing, empty or unusable
    ├── StatsError(ValueError)         the sample cannot answer the question
    │   ├── TooFewSamples
    │   └── DegenerateSample
    ├── StoreError(OSError)            a record could not be saved or read: never ignored
    │   └── StoreUnavailable           the database server cannot be reached now
    ├── MissingExtra(ImportError)      .extra; the message holds the exact pip command
    └── Cancelled(RuntimeError)        somebody asked the run to stop

`SpecErrors` is an `ExceptionGroup` of `SpecError`: all problems of a document at once. There are two
warnings: `UnknownKeyWarning`, a document that was read leniently had keys that nobody here knows, and
`UnpricedModelWarning`, a model answered whose price nobody gave.
"""

# ruff: noqa: N818  # the design names them after what happened, as `TimeoutError`'s elders are not
from __future__ import annotations

import importlib
from collections.abc import Sequence
from types import ModuleType
from typing import Any

__all__ = [
    "BackendError",
    "BackendTimeout",
    "BadResponse",
    "Cancelled",
    "CheckpointError",
    "ContractError",
    "CrucibleError",
    "DataError",
    "DegenerateSample",
    "MissingExtra",
    "NonFiniteLoss",
    "PromotionRefused",
    "RateLimited",
    "SpecError",
    "SpecErrors",
    "StageError",
    "StageTimeout",
    "StatsError",
    "StoreError",
    "StoreUnavailable",
    "TooFewSamples",
    "TrainError",
    "UnknownKeyWarning",
    "UnpricedModelWarning",
    "require",
]


def _rebuild(kind: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class CrucibleError(Exception):
    """Any error that Crucible raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, dict(self.__dict__))


class SpecError(CrucibleError, ValueError):
    """One problem in an experiment document.

    Args:
        message: What came, what was expected, what to do; without the path.
        path: Where, such as `pipeline[2].options.rank`; empty for the whole document.
        code: A stable word for programs, such as `type`, `unknown_key`, `missing`.
    """

    def __init__(self, message: str, *, path: str = "", code: str = "invalid") -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.code = code

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class SpecErrors(ExceptionGroup[SpecError]):
    """Every problem of one document, in document order.

    Args:
        message: What was being read, such as the file's name.
        errors: One `SpecError` a problem, at least one.
    """

    def derive(self, excs: Sequence[SpecError], /) -> SpecErrors:  # pyright: ignore[reportIncompatibleMethodOverride]  # an ExceptionGroup of one type derives the same
        """Return the same kind of group over `excs`, so that `except*` keeps the type."""
        return SpecErrors(self.message, list(excs))

    @property
    def errors(self) -> tuple[SpecError, ...]:
        """The problems, in document order."""
        return self.exceptions  # type: ignore[return-value]

    def __str__(self) -> str:
        count = len(self.exceptions)
        lines = [f"{self.message}: {count} problem{'s' if count != 1 else ''}"]
        lines += [f"  {error}" for error in self.exceptions]
        return "\n".join(lines)


class ContractError(CrucibleError, RuntimeError):
    """A stage or a caller broke an agreement of the pipeline, such as asking for a resource nobody provides."""


class StageError(CrucibleError, RuntimeError):
    """A stage of a run failed; the cause is chained.

    Args:
        message: What failed.
        run_id: The run.
        stage: The stage's name with its place, such as `pipeline[2] supervised_train`.
    """

    def __init__(self, message: str, *, run_id: str = "", stage: str = "") -> None:
        super().__init__(message)
        self.run_id = run_id
        self.stage = stage


class StageTimeout(StageError, TimeoutError):
    """A stage took longer than its `timeout_s`.

    Args:
        message: Which stage, and its limit.
        run_id: The run.
        stage: The stage's name with its place.
        is_stopped: Whether it has stopped; one that still runs is never tried again.
    """

    __new__ = TimeoutError.__new__  # unpickling asks the class; that of `RuntimeError` would refuse

    def __init__(self, message: str, *, run_id: str = "", stage: str = "", is_stopped: bool = True) -> None:
        super().__init__(message, run_id=run_id, stage=stage)
        self.is_stopped = is_stopped


class BackendError(CrucibleError, RuntimeError):
    """A model could not be reached, loaded or asked.

    Args:
        message: What failed and what to do.
        backend: The backend's name, such as `local`.
        attempts: How often it was tried, at least 1.
        is_retryable: Whether trying again can help.
    """

    def __init__(self, message: str, *, backend: str = "", attempts: int = 1, is_retryable: bool = False) -> None:
        super().__init__(message)
        self.backend = backend
        self.attempts = attempts
        self.is_retryable = is_retryable


class RateLimited(BackendError):
    """The service asked for fewer requests.

    Args:
        message: What failed and what to do.
        backend: The backend's name.
        attempts: How often it was tried, at least 1.
        is_retryable: Whether trying again can help.
        retry_after_s: Seconds that the service asked to wait; None if it did not say.
    """

    def __init__(
        self,
        message: str,
        *,
        backend: str = "",
        attempts: int = 1,
        is_retryable: bool = True,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, backend=backend, attempts=attempts, is_retryable=is_retryable)
        self.retry_after_s = retry_after_s


class BackendTimeout(BackendError):
    """No answer came in time."""


class BadResponse(BackendError):
    """An answer came that is not of the agreed form."""


class TrainError(CrucibleError, RuntimeError):
    """Training cannot go on.

    Args:
        message: What failed.
        step: The optimiser step at which it failed, counted from 1; None before the first.
    """

    def __init__(self, message: str, *, step: int | None = None) -> None:
        super().__init__(message)
        self.step = step


class NonFiniteLoss(TrainError):
    """The loss became NaN or infinite."""


class CheckpointError(TrainError):
    """A checkpoint is missing, torn or altered."""


class PromotionRefused(CrucibleError, RuntimeError):
    """A version of a model did not pass a gate of its promotion; the message says what was measured and wanted.

    Args:
        message: Which version, which stage, and every gate that it did not pass.
        gates: Every gate as JSON data: what it looked at, what was measured, what was wanted, how it came out.
    """

    def __init__(self, message: str, *, gates: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(message)
        self.gates = tuple(gates)


class DataError(CrucibleError, ValueError):
    """A dataset is missing, empty, or holds an item that cannot be used."""


class StatsError(CrucibleError, ValueError):
    """The sample cannot answer the question."""


class TooFewSamples(StatsError):
    """There are fewer observations than the method needs."""


class DegenerateSample(StatsError):
    """The observations do not vary, or are not numbers, where the method needs it."""


class StoreError(CrucibleError, OSError):
    """A record could not be saved or read; the message names the file and what to do."""


class StoreUnavailable(StoreError):
    """The database server cannot be reached now, or went away in the middle; trying again later may help."""


class MissingExtra(CrucibleError, ImportError):
    """A feature needs packages of an optional extra.

    Args:
        extra: The extra's name, such as `train`.
        feature: What needs it, for the message.
    """

    def __init__(self, extra: str, *, feature: str = "this") -> None:
        super().__init__(f"{feature} needs the extra '{extra}': pip install 'crucible-ml[{extra}]'")
        self.extra = extra


class Cancelled(CrucibleError, RuntimeError):
    """Somebody asked the run to stop."""


class UnpricedModelWarning(UserWarning):
    """A model answered that the price table does not name: what it cost stays unknown."""


class UnknownKeyWarning(UserWarning):
    """A document that was read leniently holds what this version does not know; the message names each path."""


def require(module: str, *, extra: str, feature: str = "") -> ModuleType:
    """Import a module of an optional extra.

    Args:
        module: Dotted module name, such as `scipy.stats`.
        extra: The extra that installs it.
        feature: What needs it, for the message; the module's name if empty.

    Raises:
        MissingExtra: The module, or something that it needs, is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtra(extra, feature=feature or module) from error
