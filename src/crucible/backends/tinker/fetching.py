# pyright: reportMissingTypeStubs=false
"""Fetching what a service signed an address for: whole, within a limit, or not at all.

The address comes from the service, so it is followed by http and https only (never to a file of this machine), no
redirect is followed, and no key is sent along.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final

from crucible.backends.tinker.settings import BACKEND, TinkerSettings
from crucible.errors import BackendError, BackendTimeout, BadResponse, require

if TYPE_CHECKING:
    import httpx

__all__ = ["fetch"]

_PIECE_TIMEOUT_S: Final = 60.0


def fetch(url: str, name: str, settings: TinkerSettings, *, limit_bytes: int) -> bytes:
    """Return the content at an address.

    Args:
        url: The address.
        name: What lies there, for messages: an address that is signed is as good as a password.
        settings: Patience: `timeout_s` for all attempts, `max_retries`.
        limit_bytes: Most bytes.

    Raises:
        BadResponse: It is too large, elsewhere, or no address to fetch from.
        BackendError: It could not be fetched whole.
    """
    httpx = require("httpx", extra="tinker")
    if not url.startswith(("https://", "http://")):
        raise BadResponse(f"the service gave no web address for {name}", backend=BACKEND)
    end = time.monotonic() + settings.timeout_s
    attempts = 0
    while True:
        attempts += 1
        try:
            return _once(httpx, url, name, limit_bytes, end)
        except httpx.InvalidURL as error:
            raise BadResponse(f"the service gave no web address for {name}", backend=BACKEND) from error
        except httpx.RequestError as error:  # a torn body or one that cannot be decompressed, too
            failure: Exception = error
            reason = f"{type(error).__name__}: {error}"
        except _Unwell as error:
            failure, reason = error, str(error)
        wait = min(8.0, 0.5 * 2 ** (attempts - 1)) * (0.75 + 0.25 * random.random())  # noqa: S311  no secret
        if attempts > settings.max_retries or time.monotonic() + wait >= end:
            raise BackendError(
                f"{name} could not be downloaded whole after {attempts} attempts: {reason}",
                backend=BACKEND,
                attempts=attempts,
                is_retryable=True,
            ) from failure
        time.sleep(wait)


class _Unwell(Exception):  # noqa: N818  an answer that may be better next time
    pass


def _once(httpx: object, url: str, name: str, limit_bytes: int, end: float) -> bytes:
    from httpx import stream

    del httpx
    wait_s = max(0.001, min(_PIECE_TIMEOUT_S, end - time.monotonic()))
    with stream("GET", url, timeout=wait_s, follow_redirects=False) as response:
        _check(response, name, limit_bytes)
        content = bytearray()
        for piece in response.iter_bytes():
            content += piece
            if len(content) > limit_bytes:
                raise _too_large(name, limit_bytes)
            if time.monotonic() > end:
                raise BackendTimeout(
                    f"{name} is still being downloaded when time is up; raise the option timeout", backend=BACKEND
                )
        return bytes(content)


def _check(response: httpx.Response, name: str, limit_bytes: int) -> None:
    status = response.status_code
    if status == 429 or status >= 500:
        raise _Unwell(f"HTTP {status}")
    if status in (401, 403, 404, 410):
        raise BackendError(f"{name} cannot be downloaded: HTTP {status}; its address may have expired", backend=BACKEND)
    if status != 200:
        raise BadResponse(f"{name} cannot be downloaded: HTTP {status}", backend=BACKEND)
    length = response.headers.get("content-length", "")
    if length.isdigit() and int(length) > limit_bytes:
        raise _too_large(name, limit_bytes)


def _too_large(name: str, limit_bytes: int) -> BadResponse:
    return BadResponse(
        f"{name} is larger than the limit of {limit_bytes} bytes; nothing was kept; raise the option "
        "max_download_bytes if it is to be trusted",
        backend=BACKEND,
    )
