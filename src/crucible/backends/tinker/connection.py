# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# (the SDK is reached through `require`, so that it is optional)
"""One connection to a Tinker service, shared by a backend's sessions and samplers.

The only module that touches a private part of the SDK: its clients are given our HTTP client (`PatientClient`), which
SDK 0.24 takes as an argument and SDK 0.38 does not. Every wait ends after `timeout_s` at the latest.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import threading
import weakref
from collections.abc import Callable, Generator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from typing import TYPE_CHECKING, Any

from crucible.backends.tinker.errors import mapped
from crucible.backends.tinker.settings import BACKEND, TinkerSettings
from crucible.errors import BackendError, BackendTimeout, CrucibleError, MissingExtra, require

if TYPE_CHECKING:
    from crucible.backends.tinker.patience import PatientClient

__all__ = ["Connection", "check_sdk", "require_sdk"]

_FINISH_WAIT_S = 3.0
_SUPPORTED = "install tinker>=0.24.1,<0.39"


def check_sdk() -> None:
    """Check that the SDK is there, without the seconds and the memory that importing it takes.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        found = importlib.util.find_spec("tinker")
    except (ImportError, ValueError):
        found = None
    if found is None or found.origin is None:  # without one: any folder called tinker, such as one of the user's
        raise MissingExtra("tinker", feature="the tinker backend")


def require_sdk() -> Any:
    """Return the SDK's module.

    Raises:
        MissingExtra: It is not installed.
    """
    return require("tinker", extra="tinker", feature="the tinker backend")


class Connection:
    """A session on the service, opened when it is first needed and finished when nobody uses it any more.

    Args:
        settings: Where and with what patience.
    """

    def __init__(self, settings: TinkerSettings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._service: Any = None
        self._http: PatientClient | None = None
        self._closed: Future[None] = Future()  # a future, so that whoever waits for an answer hears of it
        self._finalizer: weakref.finalize[..., Connection] | None = None

    def __repr__(self) -> str:
        return f"Connection({self.settings.place!r})"

    @property
    def http_retries(self) -> int:
        """How often an HTTP request was sent again so far."""
        return 0 if self._http is None else self._http.retries

    def call(self, request: str, make: Callable[[Any], Any]) -> Any:
        """Return the answer to one call of the SDK.

        Args:
            request: What is asked for, for messages.
            make: Given the SDK's `ServiceClient`, makes the call; it may block, or return a future of the SDK.

        Raises:
            BackendError: The service refused, failed, or cannot be reached.
            BackendTimeout: No answer came within `timeout_s`.
        """
        started: Future[Any] = Future()
        started.set_running_or_notify_cancel()  # so that an answer that comes too late still has where to go

        def work() -> None:
            try:
                started.set_result(make(self.service()))
            except BaseException as error:  # noqa: BLE001  handed to the waiting thread
                started.set_exception(error)

        threading.Thread(target=work, name="crucible-tinker-call", daemon=True).start()
        return self.settle(request, self.settle(request, started))

    def settle(self, request: str, pending: Any) -> Any:
        """Return what a future of the SDK comes to, and anything else as it is.

        Raises:
            BackendError: The request failed.
            BackendTimeout: No answer came within `timeout_s`; the request is cancelled.
        """
        if not hasattr(pending, "result"):
            return pending
        future: Any = pending.future() if hasattr(pending, "future") else pending
        with self.border(request):
            patience_s = self.settings.timeout_s
            if isinstance(future, Future):  # SDK 0.24 has some of its own, which tell nobody when they are done
                patience_s = 0.0
                wait((future, self._closed), self.settings.timeout_s, FIRST_COMPLETED)
                if self._closed.done() and not future.done():
                    future.cancel()
                    raise self._no_more()
            try:
                return future.result(patience_s)
            except TimeoutError as error:
                if isinstance(future, Future) and future.done():
                    raise
                if hasattr(future, "cancel"):
                    future.cancel()
                raise self._too_late(request) from error

    @contextlib.contextmanager
    def border(self, request: str) -> Generator[None]:
        """Turn what the SDK raises in a block into our errors; ours pass.

        Args:
            request: What is asked for, for messages.
        """
        try:
            if self._closed.done():
                raise self._no_more()
            yield
        except CrucibleError:
            raise
        except CancelledError as error:
            raise BackendError(f"{request} was cancelled", backend=BACKEND) from error
        except Exception as error:  # the SDK raises whatever its parts do
            raise mapped(error, request, self.settings) from error

    def service(self) -> Any:
        """Return the SDK's `ServiceClient`, opening the session if nobody has yet."""
        with self._lock:
            if self._closed.done():
                raise self._no_more()
            if self._service is None:
                self._open()
            return self._service

    def rest(self) -> Any:
        """Return the SDK's `RestClient` over this connection."""
        module = require("tinker.lib.public_interfaces.rest_client", extra="tinker")  # SDK 0.24 exports it nowhere else
        return module.RestClient(self.service().holder)

    def close(self) -> None:
        """Finish the session on the service; a service that has forgotten it is no error. Closing twice is fine."""
        with self._lock:
            if not self._closed.done():
                self._closed.set_result(None)
            if self._finalizer is not None:
                self._finalizer()

    def _open(self) -> None:
        sdk = require_sdk()
        settings = self.settings
        from crucible.backends.tinker.patience import PatientClient

        if logging.getLogger("hpack").level == logging.NOTSET:
            # at DEBUG it writes headers down, the key among them
            logging.getLogger("hpack").setLevel(logging.INFO)
        http = self._http = PatientClient(settings, timeout=60.0, http2=True, follow_redirects=True)
        where = {"project_id": settings.project_id, "base_url": settings.base_url, "api_key": settings.api_key}
        service = sdk.ServiceClient(**where)
        try:
            holder = _holder_class(http)(**where)
        except BaseException:
            http.shut(_FINISH_WAIT_S)
            raise
        service._session_holder = holder  # noqa: SLF001
        if service.holder is not holder:
            raise BackendError(f"tinker {sdk.__version__} is not supported; {_SUPPORTED}", backend=BACKEND)
        self._service = service
        self._finalizer = weakref.finalize(self, _finish, service, holder, http)

    def _no_more(self) -> BackendError:
        return BackendError("this tinker backend is closed; make a new one", backend=BACKEND)

    def _too_late(self, request: str) -> BackendTimeout:
        last = None if self._http is None else self._http.last_trouble
        said = f"; the last response was {self.settings.hidden(last)}" if last else ""
        return BackendTimeout(
            f"{request} has no answer from {self.settings.place} after {self.settings.timeout_s:g} s{said}; "
            "raise the option timeout to wait longer",
            backend=BACKEND,
            is_retryable=True,
        )


def _holder_class(http: PatientClient) -> type[Any]:
    """Return the SDK's holder of HTTP clients, over one HTTP client of ours."""
    from tinker.lib.internal_client_holder import InternalClientHolder

    ours = {"http_client": http, "max_retries": 0, "_strict_response_validation": True}

    def read(holder: Any) -> dict[str, Any]:
        return holder.__dict__["constructor_kwargs"]

    def write(holder: Any, value: dict[str, Any]) -> None:
        holder.__dict__["constructor_kwargs"] = {**value, **ours}

    return type("PatientHolder", (InternalClientHolder,), {"_constructor_kwargs": property(read, write)})


def _finish(service: Any, holder: Any, http: PatientClient) -> None:
    """Tell the service that the session ends and close the connections, without waiting long or raising."""
    with contextlib.suppress(Exception):  # a service that is gone, or has forgotten the session, need not hear it
        if hasattr(service, "close"):  # SDK 0.38
            future: Future[Any] = service.close("success").future()
            if not http.is_on_its_loop:
                future.result(_FINISH_WAIT_S)
        else:
            holder.close()
    http.shut(_FINISH_WAIT_S)
