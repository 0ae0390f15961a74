"""The process that renders a chat template: a script of the standard library and Jinja alone.

`python -I _worker.py FOLDER-OF-JINJA SECONDS`, with a socket as standard input. The first request is the template,
each later one a list of jobs; before each message, eight bytes of length. What comes in was checked by the caller; what
the template does was not, so it has Jinja's sandbox, no file to open, bounds on memory, and an alarm that ends the
process some seconds after the caller stopped waiting, should the caller be gone.
"""

from __future__ import annotations

import json
import secrets
import signal
import socket
import struct
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any

__all__: list[str] = []

_MEMORY_BYTES = 1 << 30
_MAX_CHARACTERS = 1 << 24
_REASONING = ("reasoning_content", "thinking", "reasoning")


class _RenderingTooLong(Exception):  # noqa: N818  # named after what happened
    """More text came out than anybody reads."""


def _bound() -> None:
    """Take the process what a template has no use for: memory, files, children."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        limits = {"RLIMIT_AS": _MEMORY_BYTES, "RLIMIT_FSIZE": 0, "RLIMIT_CORE": 0, "RLIMIT_NPROC": 0}
        for name, limit in limits.items():
            with suppress(AttributeError, OSError, ValueError):
                resource.setrlimit(getattr(resource, name), (limit, limit))


def _make_environment(marks: tuple[str, str], clock: Callable[[], datetime]) -> Any:
    """Return the environment in which transformers renders chat templates (5.23, `chat_template_utils`)."""
    import jinja2.ext
    import jinja2.sandbox

    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_generation(marks), jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    known: dict[str, Any] = environment.globals
    known["raise_exception"] = _raise_exception
    known["strftime_now"] = lambda form: clock().strftime(form)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]  # a template calls it
    known["dict"] = _Dict()
    known["namespace"] = _names()
    return environment


def _generation(marks: tuple[str, str]) -> Any:
    """Return the extension for `{% generation %}`: what an assistant generated is kept between two marks."""
    import jinja2.ext
    import jinja2.nodes

    class Generation(jinja2.ext.Extension):
        tags = {"generation"}  # noqa: RUF012  # jinja's own form

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return jinja2.nodes.CallBlock(self.call_method("_marked"), [], [], body).set_lineno(line)

        def _marked(self, caller: Callable[[], str]) -> str:
            return f"{marks[0]}{caller()}{marks[1]}"

    return Generation


def _names() -> Any:
    """Return `namespace()`, without names that begin with `_`."""
    import jinja2.utils

    class Names(jinja2.utils.Namespace):
        def __init__(*args: Any, **values: Any) -> None:  # `self` is a name that a template may give
            given = dict(*args[1:], **values)
            for name in given:
                _check_name(name)
            jinja2.utils.Namespace.__init__(args[0], given)

        def __setitem__(self, name: str, value: Any) -> None:
            _check_name(name)
            super().__setitem__(name, value)

    return Names


def _check_name(name: Any) -> None:
    from jinja2 import exceptions

    if isinstance(name, str) and name.startswith("_"):
        raise exceptions.SecurityError(f"a namespace with a name that begins with _: {name!r}")


class _Dict:
    """`dict()`, and nothing else of it."""

    def __call__(self, *args: Any, **values: Any) -> dict[Any, Any]:
        return dict(*args, **values)

    def fromkeys(self, *args: Any) -> dict[Any, Any]:
        return dict.fromkeys(*args)


def _to_json(value: Any, ensure_ascii: bool = False, indent: Any = None, **more: Any) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **more)


def _raise_exception(message: str) -> None:
    from jinja2 import exceptions

    raise exceptions.TemplateError(message)


class _Rendering:
    """One template, compiled.

    Args:
        source: The Jinja source.
    """

    def __init__(self, source: str) -> None:
        secret = secrets.token_hex(8)
        self._marks = (f"\ue000{secret}\ue001", f"\ue002{secret}\ue003")
        self._now = datetime.fromtimestamp(0)  # replaced before each rendering
        self._template = _make_environment(self._marks, lambda: self._now).from_string(source)

    def render(self, job: dict[str, Any], now: datetime) -> dict[str, Any]:
        """Return the text of one job, and where its generation blocks are."""
        self._now = now
        messages = [_with_reasoning(message) for message in job["messages"]]
        parts: list[str] = []
        size = 0
        for part in self._template.generate(
            **{
                **job["variables"],
                "messages": messages,
                "tools": job["tools"],
                "documents": None,
                "add_generation_prompt": job["add_generation_prompt"],
            }
        ):
            parts.append(part)
            size += len(part)
            if size > _MAX_CHARACTERS:
                raise _RenderingTooLong
        return _unmarked("".join(parts), self._marks)


def _with_reasoning(message: dict[str, Any]) -> dict[str, Any]:
    """Return the message with its thoughts under every name that templates read."""
    thoughts = next((message[key] for key in _REASONING if message.get(key) is not None), None)
    return message if thoughts is None else {"thinking": thoughts, **message, "reasoning_content": thoughts}


def _unmarked(text: str, marks: tuple[str, str]) -> dict[str, Any]:
    """Return the text without the marks, and the places between them."""
    if marks[0] not in text:
        return {"text": text, "generation": []}
    kept: list[str] = []
    places: list[tuple[int, int]] = []
    at = 0
    first, *rest = text.split(marks[0])
    kept.append(first)
    at += len(first)
    for part in rest:
        inside, _, after = part.partition(marks[1])
        places.append((at, at + len(inside)))
        kept += [inside, after]
        at += len(inside) + len(after)
    return {"text": "".join(kept), "generation": places}


def _what_failed(error: BaseException) -> str:
    """Return the end of the sentence "the chat template in … "."""
    from jinja2 import exceptions

    if isinstance(error, exceptions.TemplateSyntaxError):
        said = f"cannot be read: line {error.lineno}: {error.message}"
    elif isinstance(error, exceptions.SecurityError):
        said = f"does what the sandbox forbids: {error}"
    elif isinstance(error, exceptions.UndefinedError):
        said = f"does not fit this conversation: {error}"
    elif type(error) is exceptions.TemplateError:
        said = f"refuses this conversation: {error.message}"
    elif isinstance(error, MemoryError | _RenderingTooLong):
        said = "makes more text than anybody reads, or takes more memory than it may"
    elif isinstance(error, RecursionError):
        said = "calls itself without end"
    else:
        said = f"fails: {type(error).__name__}: {error}"
    return said


def _answer(rendering: _Rendering, request: dict[str, Any]) -> dict[str, Any]:
    """Return the results of all jobs of a request."""
    now = datetime.fromisoformat(request["now"])
    results: list[dict[str, Any]] = []
    for job in request["jobs"]:
        try:
            results.append(rendering.render(job, now))
        except Exception as error:  # noqa: BLE001  # whatever a stranger's program raises is told to the caller
            results.append({"error": _what_failed(error)[:2000]})
    return {"results": results}


def _requests(connection: socket.socket) -> Iterable[Any]:
    """Yield the requests until the caller closes the connection."""
    while True:
        size = _exactly(connection, 8)
        if size is None:
            return
        body = _exactly(connection, struct.unpack("<Q", size)[0])
        if body is None:
            return
        yield json.loads(body)


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    received = bytearray()
    while len(received) < size:
        some = connection.recv(min(size - len(received), 1 << 20))
        if not some:
            return None
        received += some
    return bytes(received)


def _serve(connection: socket.socket, limit_s: int = 0) -> None:
    """Answer requests until the caller goes away; one that takes longer than `limit_s` ends the process."""
    rendering: _Rendering | None = None
    for request in _requests(connection):
        signal.alarm(limit_s)
        if rendering is None:
            try:
                rendering = _Rendering(request["template"])
                result: dict[str, Any] = {}
            except Exception as error:  # noqa: BLE001  # as above
                result = {"error": _what_failed(error)[:2000]}
        else:
            result = _answer(rendering, request)
        signal.alarm(0)
        body = json.dumps(result).encode()
        connection.sendall(struct.pack("<Q", len(body)) + body)


def _main() -> None:
    """Serve the socket that is the standard input."""
    sys.path.append(sys.argv[1])
    _make_environment(("", ""), datetime.now)  # all files are read before the bounds
    _bound()
    with socket.socket(fileno=sys.stdin.fileno()) as connection, suppress(BrokenPipeError, ConnectionResetError):
        _serve(connection, int(sys.argv[2]))


if __name__ == "__main__":
    _main()
