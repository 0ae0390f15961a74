"""Futures of a session, and the queue of one worker thread that keeps its requests in order.

The worker runs each request in the submitter's context, so events keep their run. After a failure nothing else is
executed: later requests would build on weights that never came to be.
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

__all__ = ["RequestQueue", "SessionFuture"]

T = TypeVar("T")


class SessionFuture(Generic[T]):
    """The coming answer of one request: wait with `result()` or `await` it.

    Args:
        inner: The future that the worker fulfils.
        request: Name of the request, for messages.
        backend: Name of the backend, for messages.
        worker: Gives the identity of the thread that carries out a request now, which must not wait for it.
    """

    def __init__(
        self, inner: Future[T], *, request: str, backend: str, worker: Callable[[], int | None] | None = None
    ) -> None:
        self._inner = inner
        self._request = request
        self._backend = backend
        self._worker = worker

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
        if self._worker is not None and not self._inner.done() and self._worker() == threading.get_ident():
            raise BackendError(
                f"{self._request} comes after the request that waits for it; a loss must not wait for its own session",
                backend=self._backend,
            )


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


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
        self._worker: int | None = None

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
            BackendError: The queue is closed.
        """
        context = contextvars.copy_context()
        with self._lock:
            if self._closed:
                raise BackendError(f"{request}: this session is closed; start a new one", backend=self._backend)
            inner = self._executor.submit(context.run, self._run, request, call, status)
        return SessionFuture(inner, request=request, backend=self._backend, worker=lambda: self._worker)

    def _run(self, request: str, call: Callable[[], T], status: SessionStatus) -> T:
        if self._failure is not None:
            failed, cause = self._failure
            raise BackendError(
                f"{request} was not executed because {failed} failed before it ({type(cause).__name__}: {cause}); "
                "start a new session and load the last checkpoint",
                backend=self._backend,
            ) from cause
        self._worker = threading.get_ident()
        self._status = status
        try:
            answer = call()
        except BaseException as error:
            self._failure = (request, error)
            self._status = "failed"
            raise
        finally:
            self._worker = None  # another thread may get the identity of one that has ended
        self._status = "ready"
        return answer

    def close(self) -> bool:
        """Wait for what was submitted, then stop the thread; closing twice is fine.

        Returns:
            Whether it was open until now.

        Raises:
            BackendError: A request closes its own session.
        """
        if self._worker == threading.get_ident():
            raise BackendError("a loss must not close its own session", backend=self._backend)
        with self._lock:
            was_open, self._closed = not self._closed, True
        self._executor.shutdown(wait=True)
        if self._status != "failed":
            self._status = "completed"
        return was_open
