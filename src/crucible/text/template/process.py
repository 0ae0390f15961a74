"""The process that renders one template: started, asked with a time limit, ended.

It has nothing of its caller's: no environment, no open file but the socket, and bounds on memory and files. It ends by
itself when its caller does, because the socket closes then.
"""

from __future__ import annotations

import importlib.util
import signal
import socket
import struct
import subprocess
import sys
import time
from math import ceil
from pathlib import Path

import msgspec

from crucible.errors import DataError, MissingExtra

__all__ = ["RenderProcess"]

_START_LIMIT_S = 60.0
_WORKER = Path(__file__).with_name("_worker.py")
_MAX_ANSWER_BYTES = 1 << 28


class RenderProcess:
    """A running renderer.

    Args:
        template: The Jinja source.
        source: Where it came from, for messages.
        time_limit_s: Longest that an answer may take, for messages.

    Raises:
        DataError: The template is broken, or the process did not start.
        MissingExtra: Jinja is not installed.
    """

    def __init__(self, template: str, source: str, time_limit_s: float) -> None:
        spec = importlib.util.find_spec("jinja2")
        if spec is None or spec.origin is None:
            raise MissingExtra("train", feature="a chat template")
        if not hasattr(signal, "alarm"):
            raise DataError(
                f"the chat template in {source} needs a process with bounds, and {sys.platform} has none; "
                "use a renderer by name"
            )
        self._source = source
        self._time_limit_s = time_limit_s
        self._is_ours = True
        ours, theirs = socket.socketpair()
        self._socket = ours
        command = [sys.executable, "-I", str(_WORKER), str(Path(spec.origin).parents[1]), str(ceil(time_limit_s) + 5)]
        try:
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603  # this Python, and a file of this folder
                    command,
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=subprocess.DEVNULL,
                    env={},
                    cwd="/",
                )
        except OSError as error:
            ours.close()
            raise DataError(f"the process for the chat template in {source} cannot be started: {error}") from error
        self.is_alive = True
        hello = msgspec.json.decode(
            self.ask(msgspec.json.encode({"template": template}), time.monotonic() + _START_LIMIT_S)
        )
        if "error" in hello:
            self.close()
            raise DataError(f"the chat template in {source} {hello['error']}")

    def ask(self, request: bytes, deadline: float) -> bytes:
        """Send a request and return the answer.

        Args:
            request: JSON.
            deadline: Of `time.monotonic`.

        Raises:
            DataError: No answer came in time, or the process ended; it is closed then.
        """
        try:
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            self._socket.sendall(struct.pack("<Q", len(request)) + request)
            (size,) = struct.unpack("<Q", self._read(8, deadline))
            if size > _MAX_ANSWER_BYTES:
                raise ConnectionError(f"an answer of {size} bytes")
            return self._read(size, deadline)
        except TimeoutError:
            self._process.kill()
            self.close()
            raise DataError(
                f"the chat template in {self._source} took longer than {self._time_limit_s:g} s and was stopped; "
                "a template takes milliseconds, so this one loops: use another, or a renderer by name"
            ) from None
        except OSError as error:
            code = self.close()
            raise DataError(
                f"the chat template in {self._source} ended its renderer ({error or 'no answer'}; exit status {code}): "
                "it took more memory than it may; use another template, or a renderer by name"
            ) from error
        except BaseException:
            self.close()  # half an exchange: the next answer would be that of this request
            raise

    def _read(self, size: int, deadline: float) -> bytes:
        received = bytearray()
        while len(received) < size:
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            some = self._socket.recv(min(size - len(received), 1 << 20))
            if not some:
                raise ConnectionError("it closed the connection")
            received += some
        return bytes(received)

    def close(self) -> int | None:
        """End the process and return its exit status, negative if it was killed; None if it is another's."""
        self.is_alive = False
        self._socket.close()
        if not self._is_ours:
            return None
        if self._process.poll() is None:
            try:
                self._process.wait(0.5)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return self._process.wait()

    def leave_to_parent(self) -> None:
        """Forget the process, in a fork of the one that started it."""
        self.is_alive = self._is_ours = False
        self._socket.close()
        self._process.returncode = 0  # it is no child of this process to wait for
