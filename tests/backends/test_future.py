"""Futures and the request queue: order, waiting, failure, scope, closing."""

from __future__ import annotations

import asyncio
import threading

import pytest

from crucible import events
from crucible.backends.future import RequestQueue
from crucible.errors import BackendError, BackendTimeout


@pytest.fixture
def queue() -> RequestQueue:
    """A fresh queue."""
    return RequestQueue("test", backend="local")


def fail() -> None:
    """A request that fails."""
    raise ValueError("no such thing")


def test_requests_run_in_order_on_one_thread(queue: RequestQueue) -> None:
    """Submitting the next before the last has finished keeps the order."""
    gate, seen = threading.Event(), []

    def first() -> str:
        gate.wait(5)
        seen.append(threading.current_thread().name)
        return "first"

    futures = [queue.submit("first", first)]
    futures += [
        queue.submit("next", lambda i=i: (seen.append(threading.current_thread().name), i)[1]) for i in range(5)
    ]
    assert not futures[0].done()
    gate.set()
    assert [future.result() for future in futures] == ["first", 0, 1, 2, 3, 4]
    assert len(set(seen)) == 1
    assert threading.current_thread().name not in seen


def test_a_failure_fails_what_follows_with_the_cause(queue: RequestQueue) -> None:
    """Later requests are not executed, and say what failed before them."""
    ran = []
    bad = queue.submit("forward_backward", fail)
    later = queue.submit("optim_step", lambda: ran.append(1))
    with pytest.raises(ValueError, match="no such thing"):
        bad.result()
    with pytest.raises(BackendError, match="optim_step was not executed because forward_backward failed") as caught:
        later.result()
    assert isinstance(caught.value.__cause__, ValueError)
    assert not ran


def test_waiting_no_longer_than_asked(queue: RequestQueue) -> None:
    """result(timeout) raises BackendTimeout, and the request goes on."""
    gate = threading.Event()
    future = queue.submit("forward", lambda: gate.wait(5))
    with pytest.raises(BackendTimeout, match="forward has no answer after"):
        future.result(timeout=0.01)
    gate.set()
    assert future.result(timeout=5)


def test_a_timeout_inside_the_request_is_its_own(queue: RequestQueue) -> None:
    """A TimeoutError that the request raised is not mistaken for the waiter's."""

    def slow_disk() -> None:
        raise TimeoutError("the disk")

    with pytest.raises(TimeoutError, match="the disk") as caught:
        queue.submit("save_checkpoint", slow_disk).result(timeout=5)
    assert not isinstance(caught.value, BackendTimeout)


async def _awaits(queue: RequestQueue) -> tuple[int, int]:
    gate = threading.Event()
    held = queue.submit("held", lambda: (gate.wait(5), 1)[1])
    waiter = asyncio.ensure_future(_wait(held))
    await asyncio.sleep(0)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    after = queue.submit("after", lambda: 2)
    gate.set()
    return await held, await after


async def _wait(future: object) -> object:
    return await future  # type: ignore[misc]


def test_a_future_can_be_awaited_and_a_cancelled_waiter_harms_nobody(queue: RequestQueue) -> None:
    """Cancelling the task that waits leaves the request in its place in the order."""
    assert asyncio.run(_awaits(queue)) == (1, 2)


def test_requests_keep_the_scope_of_their_submitter(queue: RequestQueue) -> None:
    """What a request emits belongs to the run that submitted it."""
    with events.scope(run_id="r1"):
        future = queue.submit("forward", lambda: events.current_scope().run_id)
    assert future.result() == "r1"


def test_a_closed_queue_finishes_and_refuses(queue: RequestQueue) -> None:
    """close() waits for what was submitted; later requests are refused; closing twice is fine."""
    done = []
    queue.submit("save_checkpoint", lambda: done.append(1))
    queue.close()
    queue.close()
    assert done == [1]
    with pytest.raises(BackendError, match="this session is closed"):
        queue.submit("forward", lambda: None)
