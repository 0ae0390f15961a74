"""Futures of a session, and the queue of one worker thread that keeps its requests in order.

The worker runs each request in the submitter's context, so events keep their run. After a failure nothing else is
executed: later requests would build on weights that never came to be. A request whose code (a loss) asks its own
session for anything would wait for itself; that is an error at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from crucible.backends.records import SessionStatus
from crucible.errors import BackendError, BackendTimeout

__all__ = ["RequestQueue", "SessionFuture", "asks_itself", "is_inside", "within"]

T = TypeVar("T")
_owners: contextvars.ContextVar[tuple[object, ...]] = contextvars.ContextVar("crucible_requests_of", default=())


@contextlib.contextmanager
def within(owner: object) -> Generator[None]:
    """Mark what runs in a block, and in contexts copied there, as part of a request of `owner`."""
    token = _owners.set((*_owners.get(), owner))
    try:
        yield
    finally:
        _owners.reset(token)


def is_inside(owner: object) -> bool:
    """Say whether this code is part of a request of `owner`, on whatever thread it runs."""
    return any(each is owner for each in _owners.get())


class SessionFuture(Generic[T]):
    """The coming answer of one request: wait with `result()` or `await` it.

    Args:
        inner: The future that the worker fulfils.
        request: Name of the request, for messages.
        backend: Name of the backend, for messages.
        owner: Whose requests must not wait for it, since they come before it.
    """

    def __init__(self, inner: Future[T], *, request: str, backend: str, owner: object = None) -> None:
        self._inner = inner
        self._request = request
        self._backend = backend
        self._owner = owner

    def result(self, timeout: float | None = None) -> T:
        """Return the answer, waiting for it if need be.

        Args:
            timeout: Most seconds to wait; None waits as long as it takes. The request goes on after a timeout.

        Raises:
            BackendTimeout: No answer came in time.
            BackendError: This request or one before it failed, or whatever else the request raised; or a request
                waits for one that comes after it in the same session, which would be forever.
        """
        self._check_order()
        try:
            return self._inner.result(timeout)
        except TimeoutError as error:
            if self._inner.done():  # the request itself raised a TimeoutError, or its answer came just now
                return self._inner.result()
            raise BackendTimeout(
                f"{self._request} has no answer after {timeout} s; it is still running", backend=self._backend
            ) from error

    def done(self) -> bool:
        """Say whether the answer, or the failure, is there."""
        return self._inner.done()

    def __await__(self) -> Generator[Any, None, T]:
        self._check_order()
        # a waiter of its own: a cancelled task must not take the request out of the order
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()

        def wake(_: Future[T]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed, so nobody waits any more
                loop.call_soon_threadsafe(_wake, waiter)

        self._inner.add_done_callback(wake)
        yield from waiter
        return self._inner.result()

    def _check_order(self) -> None:
        if not self._inner.done() and is_inside(self._owner):
            raise BackendError(
                f"{self._request} comes after the request that waits for it; a loss must not wait for its own session",
                backend=self._backend,
            )


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def asks_itself(request: str, backend: str) -> BackendError:
    """Return the error for a loss that asks its own session for something."""
    return BackendError(
        f"{request} was called from inside a loss of the same session, which would wait for itself for ever; a loss "
        "must not call its own session: compute what it needs before, or take another session",
        backend=backend,
    )


class RequestQueue:
    """Executes requests one after another on a thread of its own.

    It keeps the session's status: `initializing` until `is_ready` is called, then that of the request being carried
    out, `ready` between requests, `failed` after one that failed, `completed` when it was closed without.

    Args:
        name: Name of the thread.
        backend: Name of the backend, for messages.
    """

    def __init__(self, name: str, *, backend: str) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._backend = backend
        self._failure: tuple[str, BaseException] | None = None
        self._closed = False
        self._lock = threading.Lock()
        self._status: SessionStatus = "initializing"

    @property
    def status(self) -> SessionStatus:
        """What it does now."""
        return self._status

    @property
    def failure(self) -> BaseException | None:
        """What the first request that failed raised."""
        return None if self._failure is None else self._failure[1]

    def is_ready(self) -> None:
        """Say that the weights are there."""
        self._status = "ready"

    def submit(self, request: str, call: Callable[[], T], *, status: SessionStatus = "training") -> SessionFuture[T]:
        """Queue `call` and return the future of its result.

        Args:
            request: Its name, for messages.
            call: What is carried out, once all requests before it are.
            status: The session's status meanwhile.

        Raises:
            BackendError: The queue is closed, or a request's own code asks for another one.
        """
        if is_inside(self):
            raise asks_itself(request, self._backend)
        context = contextvars.copy_context()
        with self._lock:
            if self._closed:
                raise BackendError(f"{request}: this session is closed; start a new one", backend=self._backend)
            inner = self._executor.submit(context.run, self._run, request, call, status)
        return SessionFuture(inner, request=request, backend=self._backend, owner=self)

    def _run(self, request: str, call: Callable[[], T], status: SessionStatus) -> T:
        if self._failure is not None:
            failed, cause = self._failure
            raise BackendError(
                f"{request} was not executed because {failed} failed before it ({type(cause).__name__}: {cause}); "
                "start a new session and load the last checkpoint",
                backend=self._backend,
            ) from cause
        self._status = status
        try:
            with within(self):
                answer = call()
        except BaseException as error:
            self._failure = (request, error)
            self._status = "failed"
            raise
        self._status = "ready"
        return answer

    def close(self) -> bool:
        """Wait for what was submitted, then stop the thread; closing twice is fine.

        Returns:
            Whether it was open until now.

        Raises:
            BackendError: A request closes its own session.
        """
        if is_inside(self):
            raise asks_itself("close", self._backend)
        with self._lock:
            was_open, self._closed = not self._closed, True
        self._executor.shutdown(wait=True)
        if self._status != "failed":
            self._status = "completed"
        return was_open
