"""The HTTP client under the SDK: what is sent again, when, and what is not waited for."""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate
from typing import Any

import httpx
import pytest

from crucible.backends.tinker import patience
from crucible.backends.tinker.errors import TROUBLE
from crucible.backends.tinker.patience import PatientClient, retry_after_s
from crucible.backends.tinker.settings import TinkerSettings

POST = "/api/v1/optim_step"
Script = list[Any]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that nobody asked for are short."""
    monkeypatch.setattr(patience, "_FIRST_WAIT_S", 0.001)


def ask(script: Script, path: str = POST, **settings: Any) -> tuple[httpx.Response, list[float], PatientClient]:
    """Return the answer to one request, when each attempt came, and the client.

    The script holds what comes of each attempt: a response, an exception, or a function that makes one; the last one
    stays.
    """
    times: list[float] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        times.append(time.monotonic())
        part = script[min(len(times), len(script)) - 1]
        part = await part() if callable(part) else part
        if isinstance(part, Exception):
            raise part
        return httpx.Response(part) if isinstance(part, int) else part

    async def main() -> tuple[httpx.Response, PatientClient]:
        made = TinkerSettings(**{"api_key": "tml-x", "timeout_s": 5.0, "max_retries": 3, **settings})
        async with PatientClient(made, transport=httpx.MockTransport(answer), base_url="http://x") as client:
            response = await client.send(client.build_request("POST", path, content=b"body"))
            return response, client

    response, client = asyncio.run(main())
    return response, times, client


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_is_sent_again(status: int) -> None:
    """Until it has passed; the SDK sees the answer alone."""
    response, times, client = ask([status, status, 200])
    assert response.status_code == 200
    assert len(times) == 3
    assert (client.retries, client.last_trouble) == (2, None)


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("refused"), httpx.ReadError("reset"), httpx.RemoteProtocolError("torn")]
)
def test_a_broken_connection_is_tried_again(error: Exception) -> None:
    """As what it is: no answer yet."""
    response, times, _ = ask([error, 200])
    assert (response.status_code, len(times)) == (200, 2)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418, 422])
def test_a_refusal_is_not(status: int) -> None:
    """It goes to the SDK as it came."""
    response, times, client = ask([httpx.Response(status, json={"error": "no"}), 200])
    assert (response.status_code, len(times)) == (status, 1)
    assert client.last_trouble == f'HTTP {status} {{"error":"no"}}'


def test_a_server_that_says_not_to_is_not_asked_again() -> None:
    """x-should-retry: false."""
    response, times, _ = ask([httpx.Response(503, headers={"x-should-retry": "false"}), 200])
    assert (response.status_code, len(times)) == (503, 1)


@pytest.mark.parametrize(
    ("part", "kind", "attempts"),
    [
        (500, "server", 4),
        (429, "rate limit", 4),
        (httpx.ConnectError("refused"), "connection", 4),
        (httpx.Response(400), "server", 4),
        (402, "billing", 1),
    ],
)
def test_patience_ends(part: Any, kind: str, attempts: int) -> None:
    """After max_retries with a status that nobody retries and the reason; a bill is not waited for at all."""
    response, times, _ = ask([lambda: made(part)])
    assert (response.status_code, len(times)) == (424, attempts)
    trouble = response.extensions[TROUBLE]
    assert (trouble.kind, trouble.attempts) == (kind, attempts)


async def made(part: Any) -> Any:
    """A fresh response of the same status, for one cannot be sent twice."""
    return httpx.Response(part.status_code) if isinstance(part, httpx.Response) else part


def test_the_time_ends_too() -> None:
    """One attempt without a response is cut off, and a wait beyond the time is not begun."""

    async def never() -> int:
        await asyncio.sleep(30)
        return 200

    begun = time.monotonic()
    response, _, _ = ask([never], timeout_s=0.2)
    assert response.extensions[TROUBLE].kind == "timeout"
    response, times, _ = ask([httpx.Response(429, headers={"retry-after": "60"})], timeout_s=5.0)
    assert (response.extensions[TROUBLE].retry_after_s, len(times)) == (60.0, 1)
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("name", ["retry-after", "retry-after-ms"])
def test_the_wait_is_the_one_asked_for(name: str) -> None:
    """Not the client's own, which would be a millisecond here."""
    value = "0.3" if name == "retry-after" else "300"
    _, times, _ = ask([httpx.Response(503, headers={name: value}), 200])
    assert 0.3 <= times[1] - times[0] < 1.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Mon, 01 Jan 99999999999 00:00:00 GMT"}, None),
        ({"retry-after": formatdate(time.time() - 100, usegmt=True)}, 0.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9.0),
    ],
)
def test_what_the_header_says(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, milliseconds or a date; nonsense is nothing."""
    assert retry_after_s(httpx.Headers(headers)) == seconds


def test_a_date_is_seconds_from_now() -> None:
    """Within the second that a date has."""
    found = retry_after_s(httpx.Headers({"retry-after": formatdate(time.time() + 30, usegmt=True)}))
    assert found is not None
    assert 28 <= found <= 31


def test_a_poll_that_is_not_finished_is_the_sdks() -> None:
    """408 on retrieve_future means "ask again": no failure, and no wait here."""
    response, times, client = ask([408, 200], path="/api/v1/retrieve_future")
    assert (response.status_code, len(times)) == (408, 1)
    assert client.retries == 0


@pytest.mark.parametrize("path", ["/api/v1/session_heartbeat", "/api/v1/cancel_future"])
def test_what_the_sdk_repeats_by_itself_is_sent_once(path: str) -> None:
    """A heartbeat that is late is of no use."""
    response, times, _ = ask([500, 200], path=path)
    assert (response.status_code, len(times)) == (500, 1)


@pytest.mark.parametrize(("allowed", "sent"), [(False, 0), (True, 1)])
def test_the_sdks_telemetry_stays_here(allowed: bool, sent: int) -> None:
    """It is answered as the service would, so that the SDK does not wait for it."""
    response, times, _ = ask([httpx.Response(200, json={})], path="/api/v1/telemetry", sdk_telemetry=allowed)
    assert (response.status_code, len(times)) == (200, sent)


def test_waits_grow_and_stay_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice as long each time, up to eight seconds, with some chance in it."""
    from crucible.backends.tinker.errors import Trouble

    monkeypatch.setattr(patience, "_FIRST_WAIT_S", 0.5)
    waits = [patience._wait_s(Trouble("server", "HTTP 500", attempts)) for attempts in (1, 2, 3, 10, 1000)]
    for wait, longest in zip(waits, (0.5, 1.0, 2.0, 8.0, 8.0), strict=True):
        assert 0.75 * longest <= wait <= longest
