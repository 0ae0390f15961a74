"""Where the Tinker service is and how long to wait for it.

The key is read when a backend is made and goes into the header of requests and nowhere else: not into a `repr`, an
event, a document or a message. A key in a document would be stored with the run, so an option `api_key` is refused
and the option `api_key_env` names a variable instead.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import urlsplit

from crucible.errors import BackendError

__all__ = ["API_KEY_ENV", "BACKEND", "BASE_URL_ENV", "PROJECT_ENV", "TinkerSettings", "find_key"]

BACKEND = "tinker"
API_KEY_ENV = "TINKER_API_KEY"
BASE_URL_ENV = "TINKER_BASE_URL"
PROJECT_ENV = "TINKER_PROJECT_ID"
_PREFIXES = ("tml-", "eyJ")  # the SDK takes no other key: an API key, or a JSON web token


@dataclass(frozen=True, slots=True, kw_only=True)
class TinkerSettings:
    """A service, a key, and the patience with both.

    Args:
        api_key: The key; never shown.
        base_url: Address of the service, http or https, without user name and password, which messages would repeat;
            None: the SDK's own, the hosted service.
        timeout_s: Most seconds to wait for one answer, retries and queueing on the server included, above 0.
        max_retries: How often one HTTP request is sent again after a failure that may pass, 0 or more.
        project_id: Project that sessions are filed under; None: the account's default.
        max_download_bytes: Largest checkpoint that is downloaded, at least 1.
        sdk_telemetry: Whether the SDK may report its own events, errors with request headers included, to the service.

    Raises:
        ValueError: A number is out of range or none, or the address is of another form.
    """

    api_key: str = field(repr=False)
    base_url: str | None = None
    timeout_s: float = 600.0
    max_retries: int = 10
    project_id: str | None = None
    max_download_bytes: int = 4 * 2**30
    sdk_telemetry: bool = False

    def __post_init__(self) -> None:
        numbers: dict[str, object] = {
            "timeout": self.timeout_s,
            "max_retries": self.max_retries,
            "max_download_bytes": self.max_download_bytes,
        }
        for name, value in numbers.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"{name} must be a number, got {value!r}")  # noqa: TRY004  one kind for every option
        for name in ("max_retries", "max_download_bytes"):
            if not isinstance(numbers[name], int):
                raise ValueError(f"{name} must be a whole number, got {numbers[name]!r}")  # noqa: TRY004  as above
        if self.base_url is not None:
            _check_address(self.base_url)
        if not 0 < self.timeout_s < float("inf"):
            raise ValueError(f"timeout must be above 0 and finite, in seconds, got {self.timeout_s}")
        if self.max_download_bytes < 1:
            raise ValueError(f"max_download_bytes must be at least 1, got {self.max_download_bytes}")
        if self.max_retries < 0:
            raise ValueError(f"max_retries must be 0 or more, got {self.max_retries}")

    def __reduce__(self) -> NoReturn:
        raise TypeError("TinkerSettings hold a key and are not pickled or copied; make new ones where they are needed")

    @property
    def place(self) -> str:
        """The service's address for messages."""
        return self.base_url or "the hosted Tinker service"

    def hidden(self, text: str) -> str:
        """Return `text` with the key struck out, in case a server or the SDK repeats it."""
        return text.replace(self.api_key, "[api key]")


def find_key(given: str | None, variable: str) -> str:
    """Return the key: the one given, else that of the environment variable.

    Raises:
        BackendError: There is none, or it is of a form that the SDK refuses.
    """
    key = given or os.environ.get(variable, "")
    if not key:
        raise BackendError(
            f"no Tinker API key: set the environment variable {variable}, or make TinkerBackend with a key",
            backend=BACKEND,
        )
    if not (key.isascii() and key.isprintable()) or " " in key:  # a header cannot hold it, and errors would show it
        raise BackendError(
            f"the Tinker API key {'given' if given else f'in {variable}'} holds a line break, a space or another "
            "character that no key has; was it pasted with something around it?",
            backend=BACKEND,
        )
    if not key.startswith(_PREFIXES):
        raise BackendError(
            f"the Tinker API key {'given' if given else f'in {variable}'} has an unknown form: "
            f"a key begins with {' or '.join(_PREFIXES)}",
            backend=BACKEND,
        )
    return key


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise ValueError("base_url must hold no user name or password; it is repeated in messages")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"base_url must be an address such as http://127.0.0.1:8000, got {url[:80]!r}")
