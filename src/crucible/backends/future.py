"""Futures of a session, and the queue of one worker thread that keeps its requests in order.

The worker runs each request in the submitter's context, so events keep their run. After a failure nothing else is
executed: later requests would build on weights that never came to be.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from crucible.errors import BackendError, BackendTimeout

__all__ = ["RequestQueue", "SessionFuture"]

T = TypeVar("T")


class SessionFuture(Generic[T]):
    """The coming answer of one request: wait with `result()` or `await` it.

    Args:
        inner: The future that the worker fulfils.
        request: Name of the request, for messages.
        backend: Name of the backend, for messages.
    """

    def __init__(self, inner: Future[T], *, request: str, backend: str) -> None:
        self._inner = inner
        self._request = request
        self._backend = backend

    def result(self, timeout: float | None = None) -> T:
        """Return the answer, waiting for it if need be.

        Args:
            timeout: Most seconds to wait; None waits as long as it takes. The request goes on after a timeout.

        Raises:
            BackendTimeout: No answer came in time.
            BackendError: This request or one before it failed, or whatever else the request raised.
        """
        try:
            return self._inner.result(timeout)
        except TimeoutError as error:
            if self._inner.done():  # the request itself raised a TimeoutError
                raise
            raise BackendTimeout(
                f"{self._request} has no answer after {timeout} s; it is still running", backend=self._backend
            ) from error

    def done(self) -> bool:
        """Say whether the answer, or the failure, is there."""
        return self._inner.done()

    def __await__(self) -> Generator[Any, None, T]:
        # shielded: a cancelled waiter must not take its request out of the order
        return asyncio.shield(asyncio.wrap_future(self._inner)).__await__()


class RequestQueue:
    """Executes requests one after another on a thread of its own.

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

    def submit(self, request: str, call: Callable[[], T]) -> SessionFuture[T]:
        """Queue `call` and return the future of its result.

        Raises:
            BackendError: The queue is closed.
        """
        context = contextvars.copy_context()
        with self._lock:
            if self._closed:
                raise BackendError(f"{request}: this session is closed; start a new one", backend=self._backend)
            inner = self._executor.submit(context.run, self._run, request, call)
        return SessionFuture(inner, request=request, backend=self._backend)

    def _run(self, request: str, call: Callable[[], T]) -> T:
        if self._failure is not None:
            failed, cause = self._failure
            raise BackendError(
                f"{request} was not executed because {failed} failed before it ({type(cause).__name__}: {cause}); "
                "start a new session and load the last checkpoint",
                backend=self._backend,
            ) from cause
        try:
            return call()
        except BaseException as error:
            self._failure = (request, error)
            raise

    def close(self) -> None:
        """Wait for what was submitted, then stop the thread; closing twice is fine."""
        with self._lock:
            self._closed = True
        self._executor.shutdown(wait=True)
