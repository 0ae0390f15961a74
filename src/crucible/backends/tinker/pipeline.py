"""Requests under way: sent in the order of submission without waiting for answers, answered in that order.

A service holds requests of one model in order by itself, so the next one travels while the last is computed. After a
failure nothing more is sent, and what was sent behind it fails with the cause, as in every session.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from crucible.backends.future import RequestQueue, SessionFuture, asks_itself, is_inside, within
from crucible.backends.records import SessionStatus
from crucible.backends.tinker.connection import Connection
from crucible.backends.tinker.settings import BACKEND
from crucible.errors import BackendError

__all__ = ["Pipeline", "Request"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """One request of a session.

    Args:
        name: What is asked for.
        send: Makes the calls of the SDK and returns what they returned, futures among it.
        receive: Given that, waits for the answer and makes our record of it.
        status: The session's status meanwhile.
        waits: Whether it is sent only when everything before it is answered, because it reads what that leaves here.
    """

    name: str
    send: Callable[[], Any]
    receive: Callable[[Any], T]
    status: SessionStatus = "training"
    waits: bool = False


class Pipeline:
    """Two threads: one sends, one waits for the answers.

    Args:
        connection: The service; what its SDK raises while sending becomes our errors.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = RequestQueue("crucible-tinker-send", backend=BACKEND)
        self._answers = RequestQueue("crucible-tinker-answer", backend=BACKEND)
        self._failure: BaseException | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._last: SessionFuture[Any] | None = None
        self._answers.is_ready()

    @property
    def status(self) -> SessionStatus:
        """What the request being answered does."""
        return self._answers.status

    @property
    def failure(self) -> BaseException | None:
        """What the first request that failed raised."""
        return self._answers.failure

    def submit(self, request: Request[T]) -> SessionFuture[T]:
        """Queue a request and return the future of its answer.

        Raises:
            BackendError: The session is closed, or a loss of it asks for this.
        """
        if self._is_asked_by_itself:
            raise asks_itself(request.name, BACKEND)

        def guarded() -> Any:
            if request.waits and before is not None:
                with contextlib.suppress(Exception):  # whoever asked for it hears of it
                    before.result()
            if self._failure is not None:  # the answering side says so, with the cause
                raise self._failure
            with self._connection.border(request.name):
                return request.send()

        def answered() -> T:
            try:
                return request.receive(sent.result())
            except BaseException as error:
                self._failure = self._failure or error
                raise

        with self._lock:  # both queues see requests in one order, or none of them
            if self._closed:
                raise BackendError(f"{request.name}: this session is closed; start a new one", backend=BACKEND)
            before = self._last
            sent = self._sending.submit(request.name, guarded)
            self._last = answer = self._answers.submit(request.name, answered, status=request.status)
        return answer

    @contextlib.contextmanager
    def own_code(self) -> Generator[None]:
        """Mark the contexts copied in a block, in which losses run later, as part of a request of this session."""
        with within(self._answers):
            yield

    @property
    def _is_asked_by_itself(self) -> bool:
        return is_inside(self._answers) or is_inside(self._sending)

    def close(self) -> bool:
        """Wait for the answers to what was submitted; closing twice is fine.

        Returns:
            Whether it was open until now.

        Raises:
            BackendError: A loss closes its own session.
        """
        if self._is_asked_by_itself:
            raise asks_itself("close", BACKEND)
        with self._lock:
            self._closed = True
        was_open = self._answers.close()
        self._sending.close()
        return was_open
