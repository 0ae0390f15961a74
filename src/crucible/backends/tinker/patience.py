# pyright: reportMissingTypeStubs=false
"""The HTTP client under the SDK: it decides what is sent again, how often, and when to give up.

The SDK alone retries a broken server for five minutes, in places at once and without end, and waits an hour for an
unpaid bill. So no failure that may pass reaches it: this client waits as `Retry-After` asks, else ever longer, and when
patience ends it answers with a status that the SDK never retries, the reason attached (`errors.Trouble`).
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import math
import random
import threading
import time
from typing import Any, Final

import httpx

from crucible.backends.tinker.errors import TROUBLE, Kind, Trouble
from crucible.backends.tinker.settings import TinkerSettings

__all__ = ["PatientClient", "retry_after_s"]

GIVEN_UP: Final = 424
"""Status of an answer that was made here: "failed dependency", which no layer of the SDK retries."""

_POLL: Final = "/api/v1/retrieve_future"
_TELEMETRY: Final = "/api/v1/telemetry"
_ONCE: Final = ("/api/v1/session_heartbeat", "/api/v1/cancel_future")  # the SDK sends these again by itself
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 8.0


class PatientClient(httpx.AsyncClient):
    """An httpx client with one policy of retries for everything that the SDK sends.

    Args:
        settings: Patience, and whether the SDK's telemetry may leave.
        options: As httpx takes them.
    """

    def __init__(self, settings: TinkerSettings, **options: Any) -> None:
        super().__init__(**options)
        self._settings = settings
        self._lock = threading.Lock()
        self._retries = 0
        self._last: str | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def shut(self, wait_s: float) -> None:
        """Close the connections on the event loop that they belong to, waiting `wait_s` seconds at most."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        closing = asyncio.run_coroutine_threadsafe(self.aclose(), loop)
        if not self.is_on_its_loop:
            with contextlib.suppress(Exception):
                closing.result(wait_s)

    @property
    def is_on_its_loop(self) -> bool:
        """Whether this thread runs the event loop that the connections belong to, so that it must not wait for it."""
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False

    @property
    def retries(self) -> int:
        """How often anything was sent again so far."""
        with self._lock:
            return self._retries

    @property
    def last_trouble(self) -> str | None:
        """What the server or the network last said instead of an answer; None when the last answer was one."""
        with self._lock:
            return self._last

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:  # type: ignore[override]
        """Return the answer, or after the last failed attempt a response of status 424 that says why."""
        self._loop = asyncio.get_running_loop()
        path = request.url.path
        if path.endswith(_TELEMETRY) and not self._settings.sdk_telemetry:
            return httpx.Response(200, json={"status": "accepted"}, request=request)
        if path.endswith(_ONCE):
            return await super().send(request, **options)
        end = time.monotonic() + self._settings.timeout_s
        attempts = 0
        while True:
            attempts += 1
            trouble = await self._attempt(request, options, attempts, end)
            if isinstance(trouble, httpx.Response):
                is_gone = request.method == "DELETE" and attempts > 1 and trouble.status_code == 404
                return httpx.Response(200, json={}, request=request) if is_gone else trouble  # an attempt before did it
            wait = _wait_s(trouble)
            out_of_time = time.monotonic() + wait >= end
            if trouble.kind in {"billing", "timeout"} or attempts > self._settings.max_retries or out_of_time:
                return _given_up(request, trouble)
            with self._lock:
                self._retries += 1
            await asyncio.sleep(wait)

    async def _attempt(
        self, request: httpx.Request, options: dict[str, Any], attempts: int, end: float
    ) -> httpx.Response | Trouble:
        """Send once: an answer for the SDK, or what went wrong and may pass."""
        try:
            async with asyncio.timeout(end - time.monotonic()):
                response = await super().send(request, **options)
        except TimeoutError:
            return self._note(Trouble("timeout", f"no response within {self._settings.timeout_s:g} s", attempts))
        except httpx.TransportError as error:
            reason = self._settings.hidden(f"{type(error).__name__}: {error}".removesuffix(": "))
            return self._note(Trouble("connection", reason, attempts))
        kind = _kind(request, response)
        if kind is None:
            self._note(None if response.is_success else self._said(response))
            return response
        return self._note(Trouble(kind, self._said(response), attempts, retry_after_s(response.headers)))

    def _note(self, trouble: Any) -> Any:
        with self._lock:
            self._last = trouble.reason if isinstance(trouble, Trouble) else trouble
        return trouble

    def _said(self, response: httpx.Response) -> str:
        """Return a response in one line; the key goes before the line is cut, for half a key would stay."""
        text = " ".join(self._settings.hidden(response.text).split())[:200]
        return f"HTTP {response.status_code}{f' {text}' if text else ''}"


def retry_after_s(headers: httpx.Headers) -> float | None:
    """Return how many seconds the server asks to wait, from `retry-after-ms` or `retry-after` (seconds or a date)."""
    try:
        asked = _asked_s(headers)
    except (ValueError, OverflowError, TypeError):  # a date that no calendar has
        return None
    return asked if asked is not None and math.isfinite(asked) else None


def _asked_s(headers: httpx.Headers) -> float | None:
    try:
        if (milliseconds := headers.get("retry-after-ms")) is not None:
            return max(0.0, float(milliseconds) / 1000)
    except ValueError:
        pass
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        parsed = email.utils.parsedate_tz(value)
        return None if parsed is None else max(0.0, email.utils.mktime_tz(parsed) - time.time())


def _kind(request: httpx.Request, response: httpx.Response) -> Kind | None:
    """Return what went wrong if it may pass or must not be waited for; None: the SDK may have the response."""
    status = response.status_code
    if status == 402:
        return "billing"
    if status == 408 and request.url.path.endswith(_POLL):
        return None  # not finished yet: the SDK asks again at once
    if response.headers.get("x-should-retry") == "false":
        return None
    if status == 429:
        return "rate limit"
    empty_400 = status == 400 and not response.content  # a proxy's, not the service's
    return "server" if status in {408, 409} or status >= 500 or empty_400 else None


def _wait_s(trouble: Trouble) -> float:
    longest = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(trouble.attempts - 1, 10))
    own = longest * (0.75 + 0.25 * random.random())  # noqa: S311  spreads clients apart, keeps no secret
    return own if trouble.retry_after_s is None else trouble.retry_after_s


def _given_up(request: httpx.Request, trouble: Trouble) -> httpx.Response:
    return httpx.Response(
        GIVEN_UP,
        headers={"x-should-retry": "false"},
        json={"error": trouble.reason},
        request=request,
        extensions={TROUBLE: trouble},
    )
