"""Templates of strangers: what they try comes to nothing, and is told with the template's name."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import crucible.text.template
from crucible.errors import DataError, MissingExtra
from crucible.text import ChatTemplate
from crucible.text.template import RenderJob
from crucible.text.template.chat_template import MAX_TEMPLATE_CHARACTERS

HI = RenderJob([{"role": "user", "content": "hi"}])


def render(text: str, **options: Any) -> str:
    """Render one message with a template and end its process."""
    template = ChatTemplate(text, "some/file", **options)
    try:
        return template.render([HI])[0].text
    finally:
        template.close()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{% for m in", "some/file cannot be read: line 1"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "does what the sandbox forbids"),
        ("{{ namespace.__init__.__globals__ }}", "does what the sandbox forbids"),
        ("{% set ns = namespace(_x=1) %}", "does what the sandbox forbids: a namespace"),
        ("{{ messages.append(1) }}", "does what the sandbox forbids"),
        ("{% include '/etc/passwd' %}", "fails: TypeError: no loader"),
        ("{{ raise_exception('no tools here') }}", "refuses this conversation: no tools here"),
        ("{{ messages[3].content.x }}", "does not fit this conversation"),
        ("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}", "calls itself without end"),
        ("{{ 'a' * 10 ** 10 }}", "takes more memory than it may"),
        ("{% for i in range(99999) %}{{ 'a' * 10000 }}{% endfor %}", "makes more text than anybody reads"),
        ("{{ 1 // 0 }}", "fails: ZeroDivisionError"),
        ("{{ '\\ud800' }}", "makes text that is none"),
    ],
)
def test_what_a_template_may_not_do(text: str, says: str) -> None:
    """Broken syntax, attempts to leave the sandbox, and floods of text end in an error of the file's name."""
    with pytest.raises(DataError, match=says):
        render(text)


@pytest.mark.parametrize(
    "text",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% set ns = namespace(x=9) %}{{ (ns.x ** (ns.x ** ns.x)) % 7 }}",
    ],
    ids=["loop", "power"],
)
def test_a_template_that_loops_is_stopped(text: str) -> None:
    """After its time the process is ended and the next rendering starts another."""
    template = ChatTemplate(text, "some/file", time_limit_s=0.5)
    began = time.monotonic()
    with pytest.raises(DataError, match=r"some/file took longer than 0\.5 s and was stopped"):
        template.render([HI])
    assert time.monotonic() - began < 30
    with pytest.raises(DataError, match="was stopped"):
        template.render([HI])


def test_a_renderer_that_dies_is_an_error_and_the_next_one_works() -> None:
    """A process killed from outside is told, and replaced."""
    template = ChatTemplate("{{ messages[0].content }}", "some/file")
    assert template.render([HI])[0].text == "hi"
    process = template._process
    assert process is not None
    process._process.kill()
    process._process.wait()
    with pytest.raises(DataError, match="some/file ended its renderer"):
        template.render([HI])
    assert template.render([HI])[0].text == "hi"
    template.close()


def test_too_long_a_template_is_not_read() -> None:
    """A template of megabytes is refused before anything runs."""
    with pytest.raises(DataError, match=f"at most {MAX_TEMPLATE_CHARACTERS} are read"):
        ChatTemplate("x" * (MAX_TEMPLATE_CHARACTERS + 1))


def test_values_that_are_no_json_are_refused() -> None:
    """An object, or half of a surrogate pair, does not reach the template."""
    template = ChatTemplate("x")
    for bad in (object(), "\ud800"):
        with pytest.raises(DataError, match="no plain JSON"):
            template.render([RenderJob([{"role": "user", "content": bad}])])


def test_the_process_has_nothing_of_its_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """No environment variable goes over, and closing the template ends the process."""
    monkeypatch.setenv("CRUCIBLE_TEST_SECRET", "s3cret")
    template = ChatTemplate("{{ messages[0].content }}")
    template.render([HI])
    process = template._process
    assert process is not None
    pid = process._process.pid
    environment = Path(f"/proc/{pid}/environ")
    if environment.exists():
        assert b"s3cret" not in environment.read_bytes()
    template.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_clock_comes_from_outside() -> None:
    """`strftime_now` reads the given time, so that the same text comes out tomorrow."""
    assert render("{{ strftime_now('%d %b %Y') }}", now=datetime(2026, 1, 2, tzinfo=UTC)) == "02 Jan 2026"
    assert render("{{ strftime_now('%Y') }}") == str(datetime.now().astimezone().year)


def test_jobs_fail_one_by_one() -> None:
    """One conversation that a template refuses does not take the others with it."""
    template = ChatTemplate("{{ messages[0].content.strip() }}")
    bad = RenderJob([{"role": "user", "content": 3}])
    first, second, third = template.try_render([HI, bad, HI])
    assert (getattr(first, "text", None), getattr(third, "text", None)) == ("hi", "hi")
    assert isinstance(second, DataError)
    with pytest.raises(DataError):
        template.render([HI, bad])
    template.close()


def test_without_jinja_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing package is the exact command to install it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'crucible-ml\[train\]'"):
        ChatTemplate("x").render([HI])


def _worker() -> Any:
    file = Path(crucible.text.template.__file__).with_name("_worker.py")
    spec = importlib.util.spec_from_file_location("_worker", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_worker_answers_until_its_caller_goes() -> None:
    """The script itself, in this process: a template, jobs, a broken job, and the end of the connection."""
    worker = _worker()
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=_serve, args=(worker, theirs))
    thread.start()
    text = (
        "{% set ns = namespace(n=1) %}{% set ns.n = 2 %}{{ dict(a=ns.n) | tojson }}{{ dict.fromkeys('a') }}"
        "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{{ m.thinking }}{% endfor %}"
    )
    job = {"messages": [{"content": "x", "reasoning": "t"}] * 2, "tools": None, "variables": {}}
    job["add_generation_prompt"] = False
    with ours:
        assert _ask(ours, {"template": text}) == {}
        answer = _ask(ours, {"now": "2026-01-02T00:00:00", "jobs": [job, {"messages": []}]})
    thread.join()
    fine, broken = answer["results"]
    assert fine["text"] == '{"a": 2}' + "{'a': None}xtxt"
    assert [fine["text"][start:end] for start, end in fine["generation"]] == ["x", "x"]
    assert broken == {"error": "fails: KeyError: 'variables'"}


def _serve(worker: Any, connection: socket.socket) -> None:
    with connection:
        worker._serve(connection)


def _ask(connection: socket.socket, request: Any) -> Any:
    body = json.dumps(request).encode()
    connection.sendall(struct.pack("<Q", len(body)) + body)
    size = struct.unpack("<Q", connection.recv(8, socket.MSG_WAITALL))[0]
    return json.loads(connection.recv(size, socket.MSG_WAITALL))


def test_the_worker_says_what_failed() -> None:
    """Each kind of failure ends the sentence in its own way, and floods of text are stopped."""
    worker = _worker()
    now = datetime(2026, 1, 2, tzinfo=UTC)
    job = {"messages": [], "tools": None, "variables": {}, "add_generation_prompt": False}
    for text, says in (
        ("{{ ''.__class__.x }}", "does what the sandbox forbids"),
        ("{% set ns = namespace() %}{% set ns._x = 1 %}", "does what the sandbox forbids"),
        ("{{ raise_exception('no') }}", "refuses this conversation: no"),
        ("{{ x.y }}", "does not fit this conversation"),
        ("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}", "calls itself without end"),
        ("{% for i in range(9999) %}{{ 'a' * 10000 }}{% endfor %}", "makes more text than anybody reads"),
        ("{{ 1 // 0 }}", "fails: ZeroDivisionError"),
    ):
        (result,) = worker._answer(worker._Rendering(text), {"now": now.isoformat(), "jobs": [job]})["results"]
        assert result["error"].startswith(says)
    year = worker._Rendering("{{ strftime_now('%Y') }}").render(job, now)
    assert year == {"text": "2026", "generation": []}
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=_serve, args=(worker, theirs))
    thread.start()
    with ours:
        assert _ask(ours, {"template": "{% x %}"})["error"].startswith("cannot be read: line 1")
        ours.sendall(struct.pack("<Q", 100) + b"half")
    thread.join()


def test_an_exchange_that_is_interrupted_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C in the middle the next answer is that of the next request."""
    template = ChatTemplate("{{ messages[0].content }}")
    template.render([HI])
    process = template._process
    assert process is not None

    def interrupt(size: int, deadline: float) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(process, "_read", interrupt)
    with pytest.raises(KeyboardInterrupt):
        template.render([HI])
    assert not process.is_alive
    bye = RenderJob([{"role": "user", "content": "bye"}])
    assert template.render([bye])[0].text == "bye"
    template.close()


WORK = "{% for a in range(3000) %}{% for b in range(300) %}{% endfor %}{% endfor %}x"


def test_waiting_for_a_turn_is_not_the_template_s_time() -> None:
    """Threads that queue for one renderer, and the start of its process, do not count against the limit."""
    template = ChatTemplate(WORK, time_limit_s=60)
    template.render([HI])
    started = time.monotonic()
    template.render([HI])
    template.time_limit_s = 5 * (time.monotonic() - started) + 0.2
    failed: list[DataError] = []

    def work() -> None:
        try:
            template.render([HI])
        except DataError as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    template.close()
    assert failed == []


def test_a_fork_in_the_middle_of_a_rendering_renders_too(tmp_path: Path) -> None:
    """A forked process neither waits for a lock of the parent's thread nor reads its answers."""
    program = tmp_path / "forking.py"
    program.write_text(
        f"""
import os, signal, threading, time
from crucible.text import ChatTemplate
from crucible.text.template import RenderJob

template = ChatTemplate({WORK!r} + "{{{{ messages[0].content }}}}")
def go(word): return template.render([RenderJob([{{"role": "user", "content": word}}])])[0].text
go("first")
thread = threading.Thread(target=lambda: print(go("parent")))
thread.start()
time.sleep(0.02)
child = os.fork()
if child == 0:
    signal.alarm(60)
    text = go("child")
    os._exit(0 if text == "xchild" else 1)
_, status = os.waitpid(child, 0)
thread.join()
print(go("after"), status)
""",
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr) == ("xparent\nxafter 0\n", "")


def test_a_process_that_cannot_be_started_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """No room for another process, and systems without alarms, are errors that name the template."""

    def refuse(*_args: Any, **_more: Any) -> None:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(DataError, match=r"some/file cannot be started: no more processes"):
        render("x")
    monkeypatch.delattr(signal, "alarm")
    with pytest.raises(DataError, match=r"some/file needs a process with bounds"):
        render("x")
