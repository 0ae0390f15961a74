"""The border: every error of the Tinker SDK becomes one of ours here, and only here.

The SDK's classes are known by name, so this module imports neither the SDK nor httpx and reads the errors of SDK 0.24
and 0.38 alike; a test lists the classes of the installed SDK and fails on one that has no line here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from crucible.backends.tinker.settings import BACKEND, TinkerSettings
from crucible.errors import BackendError, BackendTimeout, BadResponse, RateLimited

__all__ = ["HANDLED", "TROUBLE", "Kind", "Trouble", "mapped", "of_trouble"]

TROUBLE: Final = "crucible_trouble"
"""Name of the response extension that carries a `Trouble` through the SDK."""

Kind = Literal["rate limit", "billing", "timeout", "connection", "server"]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why an HTTP request was given up.

    Args:
        kind: What went wrong last.
        reason: One line in the server's or the network's words.
        attempts: How often the request was sent, at least 1.
        retry_after_s: Seconds that the server asked to wait, if it did.
    """

    kind: Kind
    reason: str
    attempts: int
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class _Rule:
    kind: type[BackendError]
    is_retryable: bool
    advice: str


_BUG: Final = "this is a fault of the SDK or of how it is used here; please report it"
HANDLED: Final[dict[str, _Rule]] = {
    "APIResponseValidationError": _Rule(
        BadResponse, is_retryable=False, advice="the server does not speak this SDK's protocol"
    ),
    "APITimeoutError": _Rule(BackendTimeout, is_retryable=True, advice="try again, or raise the option timeout"),
    "APIConnectionError": _Rule(BackendError, is_retryable=True, advice="is the service running and reachable?"),
    "BadRequestError": _Rule(BackendError, is_retryable=False, advice="the service refused the request"),
    "AuthenticationError": _Rule(BackendError, is_retryable=False, advice="the service does not accept the API key"),
    "BillingError": _Rule(BackendError, is_retryable=False, advice="the account cannot pay for it; see its billing"),
    "PermissionDeniedError": _Rule(BackendError, is_retryable=False, advice="the API key may not do this"),
    "NotFoundError": _Rule(BackendError, is_retryable=False, advice="the service has no such thing"),
    "ConflictError": _Rule(BackendError, is_retryable=True, advice="something else is being done to it; try again"),
    "UnprocessableEntityError": _Rule(
        BackendError, is_retryable=False, advice="the service understands the request and refuses it"
    ),
    "RateLimitError": _Rule(RateLimited, is_retryable=True, advice="send fewer requests, or wait"),
    "InternalServerError": _Rule(BackendError, is_retryable=True, advice="the service failed; try again later"),
    "APIStatusError": _Rule(BackendError, is_retryable=False, advice="the service refused the request"),
    "APIError": _Rule(BackendError, is_retryable=False, advice="the service failed"),
    "RequestFailedError": _Rule(BackendError, is_retryable=False, advice="the service could not carry it out"),
    "RetryableException": _Rule(
        BackendError, is_retryable=True, advice="the service lost the request before answering it"
    ),
    "SidecarError": _Rule(BackendError, is_retryable=True, advice="the SDK's subprocess failed; try again"),
    "StreamAlreadyConsumed": _Rule(BackendError, is_retryable=False, advice=_BUG),
    "MissingStreamClassError": _Rule(BackendError, is_retryable=False, advice=_BUG),
    "_AuthFlowError": _Rule(BackendError, is_retryable=False, advice="the API key could not be used"),
    "TinkerError": _Rule(BackendError, is_retryable=False, advice="the SDK refused"),
    "TinkerCliError": _Rule(BackendError, is_retryable=False, advice="the SDK's command line refused"),
    "AuthApiError": _Rule(BackendError, is_retryable=False, advice="the service does not accept the API key"),
    # below: what the SDK lets through or raises of the standard library, pydantic and httpx
    "ValidationError": _Rule(BadResponse, is_retryable=False, advice="the answer is not of the agreed form"),
    "DecodeError": _Rule(BadResponse, is_retryable=False, advice="the answer is not of the agreed form"),
    "JSONDecodeError": _Rule(BadResponse, is_retryable=False, advice="the answer is no JSON"),
    "AssertionError": _Rule(BadResponse, is_retryable=False, advice="the answer is not of the agreed form"),
    "KeyError": _Rule(BadResponse, is_retryable=False, advice="the answer lacks a field"),
    "ValueError": _Rule(BadResponse, is_retryable=False, advice="the answer cannot be used"),
    "TimeoutError": _Rule(BackendTimeout, is_retryable=True, advice="try again, or raise the option timeout"),
    "HTTPError": _Rule(BackendError, is_retryable=True, advice="is the service running and reachable?"),
    "RuntimeError": _Rule(BackendError, is_retryable=False, advice="the SDK refused"),
}
"""What each class of the SDK becomes, by its name; a class that is not here is looked up by its base classes."""

_OTHER: Final = _Rule(BackendError, is_retryable=False, advice="the SDK failed")


def mapped(error: BaseException, request: str, settings: TinkerSettings) -> BackendError:
    """Return our error for one that the SDK raised; the caller raises it `from` the original.

    The key is taken out of what the original and its causes say, which a traceback shows, and out of every HTTP request
    that they still hold.

    Args:
        error: What the SDK raised.
        request: What was asked for, for the message.
        settings: Of the connection: its address, and the key that no message may hold.
    """
    for link in _chain(error):
        _forget_key(link, settings)
    for link in _chain(error):
        if (trouble := _trouble_of(link)) is not None:
            return of_trouble(trouble, request, settings)
    source = next((link for link in _chain(error) if _is_the_sdks(link)), error)
    rule = _rule(source)
    text = " ".join(settings.hidden(str(source)).split())[:500]
    message = f"{request} failed at {settings.place}: {rule.advice} ({type(source).__name__}: {text})"
    if issubclass(rule.kind, RateLimited):
        return RateLimited(message, backend=BACKEND, retry_after_s=_seconds(source))
    category = getattr(getattr(source, "category", None), "value", "")
    return rule.kind(message, backend=BACKEND, is_retryable=rule.is_retryable or category == "server")


def of_trouble(trouble: Trouble, request: str, settings: TinkerSettings) -> BackendError:
    """Return our error for an HTTP request that was given up."""
    times = f"{trouble.attempts} attempt{'s' if trouble.attempts != 1 else ''}"
    message = f"{request} failed at {settings.place} after {times}: {settings.hidden(trouble.reason)}"
    if trouble.kind == "rate limit":
        wait = "" if trouble.retry_after_s is None else f"; it asks to wait {trouble.retry_after_s:g} s"
        return RateLimited(
            message + wait, backend=BACKEND, attempts=trouble.attempts, retry_after_s=trouble.retry_after_s
        )
    if trouble.kind == "billing":
        return BackendError(f"{message}; see the account's billing", backend=BACKEND, attempts=trouble.attempts)
    if trouble.kind == "timeout":
        return BackendTimeout(
            f"{message}; raise the option timeout to wait longer",
            backend=BACKEND,
            attempts=trouble.attempts,
            is_retryable=True,
        )
    return BackendError(message, backend=BACKEND, attempts=trouble.attempts, is_retryable=True)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what caused it, outermost first."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _is_the_sdks(error: BaseException) -> bool:
    return any(base.__name__ in {"TinkerError", "RetryableException"} for base in type(error).__mro__)


def _rule(error: BaseException) -> _Rule:
    return next((HANDLED[base.__name__] for base in type(error).__mro__ if base.__name__ in HANDLED), _OTHER)


def _trouble_of(error: BaseException) -> Trouble | None:
    response: Any = getattr(error, "response", None)
    return None if response is None else response.extensions.get(TROUBLE)


def _seconds(error: BaseException) -> float | None:
    response: Any = getattr(error, "response", None)
    value = None if response is None else response.headers.get("retry-after")
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def _forget_key(error: BaseException, settings: TinkerSettings) -> None:
    if settings.api_key in str(error) + repr(error.args):  # a server repeated it
        error.args = tuple(settings.hidden(each) if isinstance(each, str) else each for each in error.args)
    for name in ("message", "body"):
        said: Any = getattr(error, name, None)
        if said is not None and settings.api_key in str(said):
            setattr(error, name, settings.hidden(str(said)))
    for holder in (error, getattr(error, "response", None)):
        try:
            request: Any = getattr(holder, "request", None)
        except RuntimeError:  # httpx: this response has no request
            continue
        if request is not None:
            request.headers.pop("x-api-key", None)
