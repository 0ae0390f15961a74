"""The border: no error of the SDK passes it as it is."""

from __future__ import annotations

import importlib
import inspect
import pickle
from pathlib import Path
from typing import Any

import httpx
import pytest
import tinker
from tinker import _exceptions as sdk

from crucible.backends.tinker.errors import HANDLED, TROUBLE, Trouble, mapped
from crucible.backends.tinker.settings import TinkerSettings
from crucible.errors import BackendError, BackendTimeout, BadResponse, RateLimited

KEY = "tml-secret-key"
SETTINGS = TinkerSettings(api_key=KEY, base_url="http://127.0.0.1:9")


def sdk_errors() -> list[type[BaseException]]:
    """Return every exception class that any module of the SDK defines, warnings and its own tests left out."""
    found: set[type[BaseException]] = set()
    root = Path(tinker.__file__).parent
    for path in sorted(root.rglob("*.py")):  # not pkgutil: some folders of the SDK have no __init__.py
        name = ".".join(("tinker", *path.relative_to(root).with_suffix("").parts)).removesuffix(".__init__")
        if name.endswith(("_test", "__main__")):
            continue
        for _, each in inspect.getmembers(importlib.import_module(name), inspect.isclass):
            is_own = each.__module__.split(".")[0] == "tinker"
            if is_own and issubclass(each, BaseException) and not issubclass(each, Warning):
                found.add(each)
    return sorted(found, key=lambda each: each.__name__)


def request() -> httpx.Request:
    """Return a request that carries the key."""
    return httpx.Request("POST", "http://127.0.0.1:9/api/v1/x", headers={"X-API-Key": KEY})


def status_error(kind: type[sdk.APIStatusError], status: int, **headers: str) -> sdk.APIStatusError:
    """Return an error as the SDK makes it of a response."""
    response = httpx.Response(status, headers=headers, request=request())
    return kind(f"Error code: {status} with {KEY}", response=response, body=None)


@pytest.mark.filterwarnings("ignore")  # of modules that nobody else imports
def test_every_error_of_the_sdk_has_a_line() -> None:
    """A new version's new class fails here until somebody has decided what it becomes."""
    found = sdk_errors()
    assert len(found) >= 22
    assert [each.__name__ for each in found if each.__name__ not in HANDLED] == []


@pytest.mark.parametrize(
    ("error", "kind", "is_retryable"),
    [
        (status_error(sdk.BadRequestError, 400), BackendError, False),
        (status_error(sdk.AuthenticationError, 401), BackendError, False),
        (status_error(sdk.BillingError, 402), BackendError, False),
        (status_error(sdk.PermissionDeniedError, 403), BackendError, False),
        (status_error(sdk.NotFoundError, 404), BackendError, False),
        (status_error(sdk.ConflictError, 409), BackendError, True),
        (status_error(sdk.UnprocessableEntityError, 422), BackendError, False),
        (status_error(sdk.RateLimitError, 429, **{"retry-after": "3"}), RateLimited, True),
        (status_error(sdk.InternalServerError, 503), BackendError, True),
        (status_error(sdk.APIStatusError, 418), BackendError, False),
        (sdk.APIConnectionError(request=request()), BackendError, True),
        (sdk.APITimeoutError(request=request()), BackendTimeout, True),
        (sdk.APIResponseValidationError(httpx.Response(200, request=request()), None), BadResponse, False),
        (sdk.RequestFailedError("no", "id", tinker.types.RequestErrorCategory.Server), BackendError, True),
        (sdk.RequestFailedError("no", "id", tinker.types.RequestErrorCategory.User), BackendError, False),
        (sdk.TinkerError("no"), BackendError, False),
        (importlib.import_module("tinker.lib.retryable_exception").RetryableException("gone"), BackendError, True),
        (ValueError("Proto deserialization failed"), BadResponse, False),
        (KeyError("loss:sum"), BadResponse, False),
        (TimeoutError("late"), BackendTimeout, True),
        (httpx.RemoteProtocolError("torn"), BackendError, True),
        (MemoryError("anything else"), BackendError, False),
    ],
)
def test_what_each_becomes(error: BaseException, kind: type[BackendError], is_retryable: bool) -> None:
    """Class, whether to try again, the backend's name and the request; never the key."""
    ours = mapped(error, "optim_step", SETTINGS)
    assert type(ours) is kind
    assert (ours.is_retryable, ours.backend) == (is_retryable, "tinker")
    assert str(ours).startswith("optim_step failed at http://127.0.0.1:9")
    assert KEY not in str(ours)


def test_a_wrapped_error_is_read_at_its_source() -> None:
    """The SDK hides an HTTP error in a ValueError while it waits for an answer; the HTTP error decides."""
    outer = ValueError("Error retrieving result")
    outer.__cause__ = status_error(sdk.NotFoundError, 404)
    assert "NotFoundError" in str(mapped(outer, "forward", SETTINGS))


def test_no_error_keeps_the_key() -> None:
    """It is taken out of the HTTP request that the SDK's error holds, which a debugger would show."""
    error = status_error(sdk.AuthenticationError, 401)
    assert error.request.headers["x-api-key"] == KEY
    mapped(error, "forward", SETTINGS)
    assert "x-api-key" not in error.request.headers
    assert "x-api-key" not in error.response.request.headers


@pytest.mark.parametrize(
    ("trouble", "kind", "says"),
    [
        (
            Trouble("rate limit", "HTTP 429", 4, 2.5),
            RateLimited,
            "after 4 attempts: HTTP 429; it asks to wait 2.5 s",
        ),
        (Trouble("billing", "HTTP 402", 1), BackendError, "see the account's billing"),
        (Trouble("timeout", "no response within 5 s", 1), BackendTimeout, "raise the option timeout"),
        (Trouble("connection", "ConnectError: refused", 3), BackendError, "after 3 attempts: ConnectError"),
        (Trouble("server", f"HTTP 500 {KEY}", 1), BackendError, r"after 1 attempt: HTTP 500 \[api key\]"),
    ],
)
def test_what_a_request_that_was_given_up_becomes(trouble: Trouble, kind: type[BackendError], says: str) -> None:
    """With how often it was tried, and what the server asked for."""
    response = httpx.Response(424, request=request(), extensions={TROUBLE: trouble})
    ours = mapped(sdk.APIStatusError("x", response=response, body=None), "forward", SETTINGS)
    assert type(ours) is kind
    assert ours.attempts == trouble.attempts
    with pytest.raises(kind, match=says):
        raise ours


def test_the_rate_limit_is_a_crucible_error_that_pickles() -> None:
    """With the seconds that the service asked to wait."""
    error: Any = pickle.loads(pickle.dumps(RateLimited("too many", backend="tinker", attempts=2, retry_after_s=1.5)))
    assert isinstance(error, RateLimited)
    assert (error.retry_after_s, error.attempts, error.backend, error.is_retryable) == (1.5, 2, "tinker", True)
