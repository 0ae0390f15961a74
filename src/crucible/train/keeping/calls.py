"""Calls to a place that may not answer: several at once, with an end where nothing moves, and foreign errors told.

Each runs on a thread of its own that dies with the process, so that a server that hangs holds up nobody for longer
than the limit.
"""

from __future__ import annotations

import errno
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from crucible.errors import Cancelled, CrucibleError, StoreError, StoreUnavailable
from crucible.pipeline import check_cancelled

__all__ = ["Progress", "run_all"]

T = TypeVar("T")
_POLL_S: Final = 0.05
_UNREACHABLE: Final = (
    "EndpointConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ConnectionClosedError",
    "HTTPClientError",
    "ProxyConnectionError",
    "FSTimeoutError",
    "ClientPayloadError",
    "ResponseParserError",
    "IncompleteRead",
)
_CREDENTIALS: Final = ("NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError", "ProfileNotFound")
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Progress:
    """When something last moved, and whether it is still wanted; shared by the calls of one `run_all`."""

    def __init__(self) -> None:
        self.last = time.monotonic()
        self._wanted = True

    def moved(self) -> None:
        """Say that something moved.

        Raises:
            Cancelled: Nobody waits for it any more.
        """
        if not self._wanted:
            raise Cancelled("nobody waits for this transfer any more")
        self.last = time.monotonic()

    def give_up(self) -> None:
        """Let the calls end at their next move."""
        self._wanted = False


def run_all(
    calls: Sequence[Callable[[Progress], T]], *, where: str, doing: str, idle_s: float, workers: int = 4
) -> list[T]:
    """Carry out calls, several at once, and return what they return, in their order; the first failure ends all.

    Args:
        calls: Each is given the common progress, to say when something moved.
        where: The place, for messages.
        doing: What is tried, for messages, such as `list its checkpoints`.
        idle_s: The longest time in which nothing moves.
        workers: How many at once.

    Raises:
        StoreUnavailable: Nothing moved for `idle_s`, or the place cannot be reached.
        StoreError: It refused: no such bucket, no permission, a full disk.
        Cancelled: The run was asked to stop.
    """
    progress = Progress()
    left = deque(range(len(calls)))
    found: dict[int, T] = {}
    failures: list[Exception] = []
    changed = threading.Condition()

    def work() -> None:
        while True:
            with changed:
                if failures or not left:
                    return
                number = left.popleft()
            try:
                result = calls[number](progress)
            except Exception as error:  # noqa: BLE001  # it is raised by the thread that waits
                with changed:
                    failures.append(error)
                    changed.notify_all()
                return
            with changed:
                found[number] = result
                progress.last = time.monotonic()
                changed.notify_all()

    for _ in range(min(workers, len(calls))):
        threading.Thread(target=work, name="crucible-checkpoints", daemon=True).start()
    try:
        with changed:
            while len(found) < len(calls) and not failures:
                changed.wait(_POLL_S)
                check_cancelled()
                if time.monotonic() - progress.last > idle_s:
                    raise StoreUnavailable(
                        f"{where} did not answer for {idle_s:g} s while trying to {doing}; check the address and the "
                        "network, then try again"
                    )
    finally:
        progress.give_up()
    if failures:
        raise _told(failures[0], where, doing) from failures[0]
    return [found[number] for number in range(len(calls))]


def _told(error: Exception, where: str, doing: str) -> CrucibleError:
    """Return a foreign error as one of ours."""
    if isinstance(error, CrucibleError):
        return error
    chain = _chain(error)
    names = {kind.__name__ for each in chain for kind in type(each).__mro__}
    text = " ".join(str(error).split()) or type(error).__name__
    if names & set(_UNREACHABLE) or isinstance(error, (ConnectionError, TimeoutError)):
        return StoreUnavailable(
            f"{where} cannot be reached to {doing} ({type(error).__name__}: {text}); check the address and the "
            "network, then try again"
        )
    advice = f"{type(error).__name__}: {text}"
    if names & set(_CREDENTIALS):
        advice = f"no credentials: {text}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    elif isinstance(error, PermissionError):
        advice = f"no permission: {text}; check the credentials and the bucket's policy"
    elif any(isinstance(each, OSError) and each.errno in _FULL for each in chain):
        advice = f"{text}; free space, or choose another folder"
    elif "bucket does not exist" in text.lower() or "NoSuchBucket" in text:
        advice = "there is no such bucket; make it, or check its name"
    return StoreError(f"{where}: could not {doing} ({advice})")


def _chain(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain
