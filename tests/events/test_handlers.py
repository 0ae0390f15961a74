"""Handlers: attaching several at once, and handlers that attach, emit, fail or stop the program themselves."""

from __future__ import annotations

import os
import threading
from enum import StrEnum
from typing import Any

import pytest

from crucible import events
from crucible.errors import ContractError


def test_several_are_attached_at_once() -> None:
    """The first event that one of them hears is the first that all of them hear, while another thread emits."""
    over = threading.Event()

    def emit() -> None:
        number = 0
        while not over.is_set():
            number += 1
            events.emit("lab.probe.read", {"number": number})

    emitter = threading.Thread(target=emit)
    emitter.start()
    first: list[list[int]] = []
    for _ in range(100):
        heard: list[list[int]] = [[], [], []]
        events.attach_many(
            {
                f"h{place}": ("lab.*", lambda event, numbers=numbers: numbers.append(event.measurements["number"]))
                for place, numbers in enumerate(heard)
            }
        )
        while not all(heard):
            over.wait(0.0001)
        first.append([numbers[0] for numbers in heard])
        for place in range(3):
            events.detach(f"h{place}")
    over.set()
    emitter.join()
    assert all(len(set(numbers)) == 1 for numbers in first)


def test_several_are_attached_all_or_none() -> None:
    """One that cannot be a handler leaves the others out, too, and what was attached before as it was."""
    found: list[str] = []
    events.attach("first", "x.y", lambda event: found.append(event.name))
    with pytest.raises(ContractError, match="second"):
        events.attach_many({"first": ("*", print), "second": ("*", None)})  # type: ignore[dict-item]
    events.emit("x.y")
    assert events.attached() == ("first",)
    assert found == ["x.y"]


@pytest.mark.parametrize(
    ("names", "handler", "says"),
    [
        ("a.*.b", print, "cannot listen to"),
        ("", print, "cannot listen to"),
        (["a.b", 7], print, "7 is no text"),
        ("a.b", "print", "a str, which cannot be called"),
    ],
)
def test_what_cannot_be_heard_is_refused(names: Any, handler: Any, says: str) -> None:
    """A pattern that would never hear anything, and what cannot be called, are refused when they are attached."""
    with pytest.raises(ContractError, match=says):
        events.attach("h", names, handler)
    assert events.attached() == ()


def test_coroutine_functions_are_no_handlers() -> None:
    """Nobody would wait for one, so it is refused, as a method of a class, too."""

    async def handler(event: events.Event) -> None: ...

    class Handler:
        async def __call__(self, event: events.Event) -> None: ...

    for fn in (handler, Handler()):
        with pytest.raises(ContractError, match="coroutine function"):
            events.attach("h", "*", fn)  # type: ignore[arg-type]


def test_a_handler_is_not_told_of_what_it_emits() -> None:
    """One that emits what it listens to is called once, others hear both, and the next event reaches it as ever."""
    heard: list[str] = []

    def echo(event: events.Event) -> None:
        heard.append(event.name)
        events.emit("lab.echo", metadata={"of": event.name})

    events.attach("echo", "lab.*", echo)
    with events.collect("lab.*") as others:
        events.emit("lab.first")
        events.emit("lab.second")
    assert heard == ["lab.first", "lab.second"]
    assert sorted(others.names()) == ["lab.echo", "lab.echo", "lab.first", "lab.second"]
    assert events.handler_errors() == {}


def test_handlers_that_emit_to_each_other_come_to_an_end() -> None:
    """Two that answer each other, one of them by a span, are each told once of what they did not begin themselves."""
    heard: list[str] = []

    def ping(event: events.Event) -> None:
        heard.append(f"ping {event.name}")
        events.emit("lab.pong")

    def pong(event: events.Event) -> None:
        heard.append(f"pong {event.name}")
        with events.span("lab.ping"):
            events.emit("lab.pong")

    events.attach_many({"ping": ("lab.ping.*", ping), "pong": ("lab.pong", pong)})
    events.emit("lab.pong")
    assert heard == ["pong lab.pong", "ping lab.ping.start", "ping lab.ping.stop"]


def test_a_handler_that_runs_on_one_thread_hears_another() -> None:
    """While it is told of one event, what other threads emit still reaches it."""
    heard: list[str] = []
    inside, go_on = threading.Event(), threading.Event()

    def handler(event: events.Event) -> None:
        heard.append(event.name)
        if event.name == "lab.slow":
            inside.set()
            assert go_on.wait(10)

    events.attach("h", "lab.*", handler)
    slow = threading.Thread(target=events.emit, args=("lab.slow",))
    slow.start()
    assert inside.wait(10)
    events.emit("lab.quick")
    go_on.set()
    slow.join()
    assert heard == ["lab.slow", "lab.quick"]


def test_attaching_and_detaching_inside_of_a_handler_hold_from_the_next_event_on() -> None:
    """The event that is being told reaches those that were attached when it was emitted."""
    heard: list[str] = []

    def once(event: events.Event) -> None:
        heard.append(f"once {event.name}")
        events.detach("once")
        events.detach("later")
        events.attach("fresh", "lab.*", lambda event: heard.append(f"fresh {event.name}"))

    events.attach("once", "lab.*", once)
    events.attach("later", "lab.*", lambda event: heard.append(f"later {event.name}"))
    events.emit("lab.a")
    events.emit("lab.b")
    assert heard == ["once lab.a", "later lab.a", "fresh lab.b"]


def test_what_handlers_raised_is_kept_in_words() -> None:
    """A person is told the first error and the newest, and of which event; attaching anew forgets them."""

    def bad(event: events.Event) -> None:
        if event.name == "lab.mute":
            raise Mute
        raise ValueError(f"no {event.name}")

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    events.attach("bad", "lab.*", bad)
    for name in ("lab.a", "lab.b", "lab.mute"):
        events.emit(name)
    assert events.handler_errors() == {"bad": 3}
    assert events.handler_failures()["bad"] == events.HandlerFailures(
        3, "ValueError: no lab.a", "lab.a", "Mute: its message could not be made (RuntimeError)", "lab.mute"
    )
    events.detach("bad")
    assert events.handler_errors() == {"bad": 3}
    events.attach("bad", "lab.*", print)
    assert events.handler_errors() == {}


def test_errors_of_many_threads_are_all_counted() -> None:
    """No count is lost where a handler fails on several threads at a time."""

    def bad(event: events.Event) -> None:
        raise ValueError

    def emit() -> None:
        for _ in range(500):
            events.emit("lab.probe.read")

    events.attach("bad", "*", bad)
    threads = [threading.Thread(target=emit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert events.handler_errors() == {"bad": 2000}
    assert events.handler_failures()["bad"].first == "ValueError"


def test_errors_of_handlers_are_kept_within_bounds() -> None:
    """A process that attaches thousands of failing handlers keeps the newest thousand of them."""

    def bad(event: events.Event) -> None:
        raise ValueError

    for number in range(1100):
        events.attach(f"bad-{number}", "*", bad)
        events.emit("lab.probe.read")
        events.detach(f"bad-{number}")
    counts = events.handler_errors()
    assert len(counts) == 1000
    assert "bad-1099" in counts
    assert "bad-0" not in counts


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_what_stops_the_program_reaches_the_emitter_after_all_were_told(stop: type[BaseException]) -> None:
    """Ctrl-C in a handler is no error of the handler: the others are told, then it goes on, and later events work."""
    heard: list[str] = []

    def stopped(event: events.Event) -> None:
        if event.name == "lab.a":
            raise stop

    events.attach("stopped", "lab.*", stopped)
    events.attach("other", "lab.*", lambda event: heard.append(event.name))
    with pytest.raises(stop):
        events.emit("lab.a")
    events.emit("lab.b")
    assert heard == ["lab.a", "lab.b"]
    assert events.handler_errors() == {}


def test_a_span_that_is_stopped_while_it_opens_is_closed() -> None:
    """Who heard its start hears its exception, and the code is not inside of it."""

    def stopped(event: events.Event) -> None:
        if event.name == "lab.work.start":
            raise KeyboardInterrupt

    events.attach("stopped", "*", stopped)
    with events.collect() as found, pytest.raises(KeyboardInterrupt), events.span("lab.work"):
        pytest.fail("the block was entered")
    assert found.names() == ["lab.work.start", "lab.work.exception"]
    assert events.current_scope() == events.Scope()


def test_what_is_no_mapping_reaches_the_handlers_as_it_is() -> None:
    """Emitting checks nothing and never raises: the recorder can mark what is malformed, the emitter goes on."""

    class Neither:
        def __bool__(self) -> bool:
            raise ValueError("neither true nor false")

    neither: Any = Neither()
    with events.collect() as found:
        events.emit("lab.probe.read", neither, ["no", "mapping"])  # type: ignore[arg-type]
        with events.span("lab.work", neither):
            pass
        with events.span("lab.work", neither) as span:
            span.annotate(more=1)
    assert found[0].measurements is neither
    assert found[0].metadata == ["no", "mapping"]
    assert found[1].metadata is found[2].metadata is neither
    assert found[4].metadata == {"metadata": neither, "more": 1}


def test_what_is_no_text_is_told_under_what_it_prints() -> None:
    """A name of an enumeration is its value; any other object is told by its words, and never breaks the emitter."""

    class Names(StrEnum):
        READ = "lab.probe.read"

    class Mute:
        def __str__(self) -> str:
            raise RuntimeError("no words")

    names: list[Any] = [Names.READ, 7, ["lab"], Mute(), None]
    with events.collect() as found:
        for name in names:
            events.emit(name)
        with events.span(["lab"]):  # type: ignore[arg-type]
            pass
    told = ["lab.probe.read", "7", "['lab']", "nameless.RuntimeError", "None", "['lab'].start", "['lab'].stop"]
    assert found.names() == told
    assert type(found[0].name) is str


def test_more_names_than_are_remembered() -> None:
    """A program that makes up names without end is heard, and takes no memory without end."""
    from crucible.events.board import board

    with events.collect("made.*") as found:
        for number in range(10_000):
            events.emit(f"made.up_{number}")
        for number in range(5_000):
            with events.span(f"made.span_{number}"):
                pass
        assert board.table is not None
        assert len(board.table.routes) <= 4096
        assert len(board.table.spans) <= 4096
    assert len(found) == 20_000
    assert board.table is None


def test_a_recording_hears_what_happens_in_it() -> None:
    """A handler that is bound to a telemetry experiment hears only events of which it is the innermost."""
    heard: dict[str, list[str]] = {"outer": [], "inner": []}
    for recording, names in heard.items():
        events.attach(
            recording, "*", lambda event, names=names: names.append(event.name), recording_id=recording, run_id="r"
        )
    events.emit("lab.outside")
    with events.scope(run_id="r", recording_id="outer"):
        events.emit("lab.a")
        with events.scope(recording_id="inner"):
            events.emit("lab.b")
        with events.scope(run_id="another"):
            events.emit("lab.of_another_run")
    assert heard == {"outer": ["lab.a"], "inner": ["lab.b"]}


def test_an_alias_is_emitted_as_the_name_that_it_stands_for() -> None:
    """Who emits under the predecessor's name is heard under today's, by whoever listens to either."""
    with events.collect("crucible_trace.event.created") as today, events.collect("causal_trace.*") as before:
        events.emit("causal_trace.event.created")
    assert today.names() == before.names() == ["crucible_trace.event.created"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_hears_and_makes_ids_of_its_own() -> None:
    """Forked while a handler runs on another thread: the child's threads are heard, and no span id is given twice."""
    inside, go_on = threading.Event(), threading.Event()

    def slow(event: events.Event) -> None:
        if event.name == "lab.slow":
            inside.set()
            go_on.wait(10)

    events.attach("slow", "lab.*", slow)
    thread = threading.Thread(target=events.emit, args=("lab.slow",))
    thread.start()
    assert inside.wait(10)
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            listener = events.board.board.table.listeners["slow"]  # type: ignore[attr-defined, union-attr]
            with events.span("lab.work") as span:
                os.write(writer, span.span_id.encode())
            status = 0 if not listener.busy else 2
        finally:
            os._exit(status)
    os.close(writer)
    go_on.set()
    thread.join()
    with events.span("lab.work") as span:
        mine = span.span_id
    theirs = os.read(reader, 100).decode()
    os.close(reader)
    assert os.waitpid(child, 0)[1] == 0
    assert len(mine) == len(theirs) == 16
    assert mine != theirs
