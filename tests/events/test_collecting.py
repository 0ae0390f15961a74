"""The testing switch."""

from __future__ import annotations

import asyncio
import threading

from crucible import events


def test_blocks_in_each_other_have_lists_of_their_own() -> None:
    """Each hears what it asked for while it lasts, and the list stays."""
    with events.collect() as everything:
        events.emit("a.b")
        with events.collect(["a.*", "x"]) as some:
            events.emit("a.c")
            events.emit("b.c")
        events.emit("a.d")
    events.emit("a.e")
    assert everything.names() == ["a.b", "a.c", "b.c", "a.d"]
    assert some.names() == ["a.c"]
    assert events.attached() == ()


def test_events_are_kept_as_they_were() -> None:
    """An emitter that goes on using its mapping does not change what was collected."""
    words = {"n": 1}
    with events.collect() as found:
        for number in range(3):
            words["n"] = number
            events.emit("lab.n", words)
    assert [event.measurements["n"] for event in found] == [0, 1, 2]
    assert found.counts() == {"lab.n": 3}


def test_threads_and_tasks_are_heard() -> None:
    """What other threads and tasks emit is in the list, and a recording tells apart those that run at a time."""

    def work(name: str) -> None:
        with events.scope(recording_id=name), events.collect(recording_id=name) as mine:
            for _ in range(100):
                events.emit("lab.n", metadata={"name": name})
        kept[name] = {event.metadata["name"] for event in mine}

    async def tasks() -> None:
        await asyncio.gather(*(asyncio.to_thread(work, name) for name in ("c", "d")))

    kept: dict[str, set[str]] = {}
    with events.collect() as everything:
        threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        asyncio.run(tasks())
    assert kept == {name: {name} for name in "abcd"}
    assert len(everything) == 400


def test_a_block_that_fails_stops_collecting() -> None:
    """An error passes through, and nothing is left attached."""
    try:
        with events.collect() as found:
            events.emit("a.b")
            raise KeyError
    except KeyError:
        pass
    assert found.names() == ["a.b"]
    assert events.attached() == ()
