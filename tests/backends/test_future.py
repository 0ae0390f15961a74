"""Futures and the request queue: order, waiting, failure, scope, closing."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import time
from collections.abc import Callable

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


# --- order ---


def test_many_threads_submit_in_one_order(queue: RequestQueue) -> None:
    """Eight threads submit at once: what is carried out comes in the order in which it was submitted."""
    submitted: list[tuple[int, int]] = []
    carried_out: list[tuple[int, int]] = []
    lock, start = threading.Lock(), threading.Barrier(8)

    def submit(thread: int) -> None:
        start.wait(5)
        for number in range(25):
            with lock:  # so that the test knows the order, too
                submitted.append((thread, number))
                queue.submit("request", lambda mark=(thread, number): carried_out.append(mark))

    threads = [threading.Thread(target=submit, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    queue.close()
    assert carried_out == submitted
    assert len(carried_out) == 200


def test_many_tasks_submit_in_one_order_whoever_is_cancelled(queue: RequestQueue) -> None:
    """Eight tasks wait for their requests, every second one is cancelled meanwhile: all are carried out, in order."""
    gate, carried_out = threading.Event(), []

    async def ask(task: int) -> list[int]:
        futures = [queue.submit("request", lambda n=n: (carried_out.append((task, n)), n)[1]) for n in range(5)]
        return [await future for future in futures]

    async def main() -> list[object]:
        queue.submit("gate", lambda: gate.wait(5))
        tasks = [asyncio.create_task(ask(task)) for task in range(8)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        gate.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = asyncio.run(main())
    queue.close()
    assert carried_out == [(task, number) for task in range(8) for number in range(5)]
    assert answers[1::2] == [[0, 1, 2, 3, 4]] * 4
    assert all(isinstance(answer, asyncio.CancelledError) for answer in answers[::2])


def test_an_event_loop_may_end_before_its_request(queue: RequestQueue, caplog: pytest.LogCaptureFixture) -> None:
    """A task that was cancelled with its loop leaves nothing behind that complains when the request is done."""
    gate = threading.Event()

    async def main() -> None:
        waiter = asyncio.ensure_future(_wait(queue.submit("slow", lambda: gate.wait(5))))
        await asyncio.sleep(0)
        waiter.cancel()

    asyncio.run(main())
    gate.set()
    queue.close()
    assert not caplog.records


# --- mistakes of a request ---


def test_a_request_must_not_wait_for_one_behind_it(queue: RequestQueue) -> None:
    """That would be forever, so it is an error that says so; waiting for an answer that is there is fine."""
    before = queue.submit("before", lambda: 1)
    assert queue.submit("waits", lambda: before.result() + 1).result(5) == 2
    later, submitted = [], threading.Event()
    bad = queue.submit("custom", lambda: (submitted.wait(5), later[0].result()))
    later.append(queue.submit("forward", lambda: 1))
    submitted.set()
    with pytest.raises(BackendError, match="forward comes after the request that waits for it"):
        bad.result(5)


async def _awaits_one(queue: RequestQueue) -> int:
    return await queue.submit("forward", lambda: 1)


async def _asks_on_a_thread(queue: RequestQueue) -> int:
    return await asyncio.to_thread(lambda: queue.submit("forward", lambda: 1).result())


@pytest.mark.parametrize(
    "ask",
    [
        lambda queue: queue.submit("forward", lambda: 1),
        lambda queue: asyncio.run(_awaits_one(queue)),
        lambda queue: asyncio.run(_asks_on_a_thread(queue)),
    ],
)
def test_a_request_must_not_ask_its_own_session(queue: RequestQueue, ask: Callable[[RequestQueue], object]) -> None:
    """Waited for or not, from the same thread, an event loop of its own, or a thread that has its context."""
    with pytest.raises(BackendError, match="forward was called from inside a loss of the same session"):
        queue.submit("custom", lambda: ask(queue)).result(5)


def test_a_request_may_ask_another_session(queue: RequestQueue) -> None:
    """Such as a frozen one for reference; but not one that asks back."""
    other = RequestQueue("other", backend="local")
    assert queue.submit("custom", lambda: other.submit("forward", lambda: 2).result() + 1).result(5) == 3
    back = queue.submit("custom", lambda: other.submit("custom", lambda: queue.submit("forward", fail)).result())
    with pytest.raises(BackendError, match="forward was called from inside a loss of the same session"):
        back.result(5)
    other.close()


def test_a_new_thread_may_have_the_identity_of_the_one_that_ended(queue: RequestQueue) -> None:
    """Systems give identities out again: closing once more from such a thread is no request that closes its own."""
    queue.submit("forward", threading.get_ident).result(5)
    queue.close()
    errors: list[BackendError] = []

    def close() -> None:
        try:
            queue.close()
        except BackendError as error:
            errors.append(error)

    for _ in range(3):
        thread = threading.Thread(target=close)
        thread.start()
        thread.join()
    assert errors == []


def test_a_request_must_not_close_its_own_session(queue: RequestQueue) -> None:
    """It would wait for itself."""
    with pytest.raises(BackendError, match="close was called from inside a loss of the same session"):
        queue.submit("custom", queue.close).result(5)
    queue.close()


# --- status ---


def test_the_status_is_what_is_being_done(queue: RequestQueue) -> None:
    """Initializing until it is ready; what the request at work is; ready between; completed when it was closed."""
    assert queue.status == "initializing"
    queue.is_ready()
    assert queue.status == "ready"
    seen = [queue.submit("a", lambda: queue.status, status=status) for status in ("evaluating", "training")]
    assert [each.result() for each in seen] == ["evaluating", "training"]
    assert queue.status == "ready"
    queue.close()
    assert queue.status == "completed"


def test_the_status_is_failed_from_the_first_failure_on(queue: RequestQueue) -> None:
    """Closing does not make it a success."""
    with pytest.raises(ValueError, match="no such thing"):
        queue.submit("forward", fail).result()
    assert queue.status == "failed"
    assert isinstance(queue.failure, ValueError)
    queue.close()
    assert queue.status == "failed"


# --- nobody closes it ---


def test_a_queue_that_nobody_holds_ends_its_thread() -> None:
    """What was submitted is carried out first."""
    done = threading.Event()
    queue = RequestQueue("crucible-forgotten", backend="local")
    queue.submit("work", done.set)
    del queue
    assert done.wait(5)
    for _ in range(100):
        gc.collect()
        if not any(thread.name.startswith("crucible-forgotten") for thread in threading.enumerate()):
            return
        time.sleep(0.02)
    raise AssertionError("the thread is still there")


def test_the_interpreter_ends_though_nobody_closes() -> None:
    """With the requests that were submitted carried out, and no word on standard error."""
    program = (
        "import time\n"
        "from crucible.backends.future import RequestQueue\n"
        "queue = RequestQueue('left-open', backend='local')\n"
        "queue.submit('first', lambda: time.sleep(0.05))\n"
        "queue.submit('last', lambda: print('done', flush=True))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert (done.stdout, done.stderr) == ("done\n", "")
