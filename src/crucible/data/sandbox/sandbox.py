"""Running a program that nobody has read: bounded, cut off, and gone afterwards with all that it started."""

from __future__ import annotations

import json
import os
import secrets
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import msgspec

from crucible.data.sandbox._refused import SandboxRefused
from crucible.data.sandbox.limits import Ending, Finished, ProgramLimits
from crucible.errors import DataError

__all__ = ["Sandbox"]

_GUARDIAN = Path(__file__).with_name("_guardian.py")
_GRACE_S = 15.0  # a guardian that answers later than this is broken
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/tmp",  # noqa: S108  # the sandbox's own
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUTF8": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


class Sandbox(msgspec.Struct, frozen=True):
    """Where programs are run that nobody has read. Linux only.

    A program is Python source. It gets a process of its own with the limits of `limits`, an environment that says
    nothing of yours, no open file but an empty standard input and two bounded outputs, and an empty folder. When it
    ends, or is ended, everything that it started is killed, also what detached itself, and the folder is gone.

    `isolation="namespaces"`, the default, adds walls of the kernel: no network (not even this machine's own), no sight
    of other processes, and a file tree that holds Python and the system's libraries, read only, and nothing else. Where
    this machine does not allow that, running is refused, and never done without.

    `isolation="limits"` has none of these walls: the program reads what the user may read and reaches the network. It
    is for machines that forbid namespaces, where something else, such as a container, stands around the whole.

    What it does not protect from: errors in the kernel, because a program shares it (a virtual machine does not); side
    channels; use of the whole CPU for the time allowed. Memory is bounded by process, so that a program has up to
    `memory_bytes * processes`. A program that is written against this very harness can find the secret and claim to
    have reached its end: the verdict is for programs that try to solve a task, not for an adversary who tries to
    score. With `isolation="limits"` a program can also kill its guardian and so outlive it, and kill your processes
    and read their environment.

    Args:
        limits: What a program may use.
        isolation: `namespaces` or `limits`.
        allow_network: Leave the network open, the other walls standing.
        packages: Whether programs may import what is installed beside Crucible; else the standard library alone.
        python: The interpreter, 3.11 or later; None: this one.
    """

    limits: ProgramLimits = ProgramLimits()
    isolation: Literal["namespaces", "limits"] = "namespaces"
    allow_network: bool = False
    packages: bool = False
    python: str | None = None

    def check(self) -> None:
        """Run an empty program.

        Raises:
            SandboxRefused: Programs cannot be run here as safely as was asked.
        """
        found = self.run("")
        if not found.reached_end:
            raise SandboxRefused(
                f"the sandbox cannot run an empty program: {found.stderr[-500:] or found.ending.value}"
            )

    def run(self, source: str) -> Finished:
        """Run one program to its end, or until it exceeds a limit.

        A program that leaves before its last line (`sys.exit(0)`, `os._exit(0)`) has not reached its end.

        Args:
            source: Python source. It runs as the module `program`, so `if __name__ == "__main__":` is not entered.

        Raises:
            SandboxRefused: Programs cannot be run here as safely as was asked (a `DataError`).
        """
        if not sys.platform.startswith("linux"):
            raise SandboxRefused(f"programs are run on Linux only, this is {sys.platform}; use a container of Linux")
        if self.isolation not in ("namespaces", "limits"):
            raise DataError(f'unknown isolation "{self.isolation}"; known: namespaces, limits')
        folder = tempfile.mkdtemp(prefix="crucible-sandbox-")
        try:
            return _Run(self, folder).finish(source)
        finally:
            _remove(folder)

    def run_all(self, sources: Iterable[str], *, workers: int | None = None) -> list[Finished]:
        """Run many programs, a bounded number at a time.

        Args:
            sources: One program each; read as they are needed.
            workers: How many at a time; None: as many as this process may use processors.

        Returns:
            One result a program, in order.

        Raises:
            SandboxRefused: Programs cannot be run here as safely as was asked.
        """
        count = workers if workers is not None else len(os.sched_getaffinity(0))
        if count < 1:
            raise DataError(f"programs need at least 1 worker, got {count}")
        with ThreadPoolExecutor(count, thread_name_prefix="sandbox") as pool:
            return list(pool.map(self.run, sources))


class _Run:
    """One program on its way."""

    def __init__(self, sandbox: Sandbox, folder: str) -> None:
        self._sandbox = sandbox
        self._folder = folder
        self._outputs = {1: bytearray(), 2: bytearray()}
        self._secret = secrets.token_hex(16).encode()

    def finish(self, source: str) -> Finished:
        """Run the program and say how it ended."""
        started = time.monotonic()
        pipes = [os.pipe() for _ in range(4)]
        (request_out, request), (report, report_in), (secret_out, secret), (answer, answer_in) = pipes
        theirs = [request_out, report_in, secret_out, answer_in]
        ours = [request, report, secret, answer]
        try:
            os.write(secret, self._secret)
            try:
                process = self._start(theirs)
            except OSError as error:
                raise SandboxRefused(f"the interpreter for programs cannot be started: {error}") from error
            for file in theirs:
                os.close(file)
            theirs.clear()
            with process:
                try:
                    self._send(request, source)
                    exceeded = self._listen(process, request, ours)
                except BaseException:
                    process.kill()  # whatever waits for it notices, and ends too
                    raise
                finally:
                    self._end(process)
            os.set_blocking(report, False)
            os.set_blocking(answer, False)
            found = self._reported(_read(report), process.returncode)
            return self._told(found, _read(answer), exceeded, time.monotonic() - started)
        finally:
            for file in (*theirs, *ours):
                os.close(file)

    def _start(self, files: list[int]) -> subprocess.Popen[bytes]:
        python = self._sandbox.python or sys.executable
        flags = ["-P", "-s"] if self._sandbox.packages else ["-P", "-s", "-S"]
        return subprocess.Popen(  # noqa: S603  # our own file; what is not trusted is inside the walls
            [python, *flags, str(_GUARDIAN), *map(str, files)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=_ENVIRONMENT,
            pass_fds=files,
            start_new_session=True,
        )

    def _send(self, file: int, source: str) -> None:
        limits = msgspec.to_builtins(self._sandbox.limits)
        request = {
            "source": source,
            "folder": self._folder,
            "isolation": self._sandbox.isolation,
            "network": self._sandbox.allow_network,
            "wall_s": self._sandbox.limits.wall_s,
            "limits": limits,
        }
        text = json.dumps(request).encode() + b"\n"
        try:
            while text:
                text = text[os.write(file, text) :]
        except BrokenPipeError:
            pass  # it could not start; its report, or the lack of one, says why

    def _listen(self, process: subprocess.Popen[bytes], request: int, ours: list[int]) -> bool:
        """Read what the program prints until all is said. Returns whether it printed too much."""
        end = time.monotonic() + self._sandbox.limits.wall_s + _GRACE_S
        exceeded = False
        assert process.stdout is not None  # noqa: S101  # both are pipes
        assert process.stderr is not None  # noqa: S101
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ, 1)
            selector.register(process.stderr, selectors.EVENT_READ, 2)
            while selector.get_map() and time.monotonic() < end:
                for key, _ in selector.select(timeout=1.0):
                    piece = os.read(key.fd, 1 << 16)
                    kept = self._outputs[key.data]
                    room = self._sandbox.limits.output_bytes - len(kept)
                    kept += piece[:room]
                    if not piece:
                        selector.unregister(key.fileobj)
                    elif len(piece) > room and not exceeded:
                        exceeded = True
                        os.close(request)  # the guardian kills the program
                        ours.remove(request)
        return exceeded

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """Leave no guardian behind, whatever happened."""
        try:
            process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _reported(self, report: bytes, code: int) -> dict[str, Any]:
        """Return what the guardian says."""
        if not report and code < 0:  # without walls the program can kill it, and so did; or memory ran out
            return {"status": -code, "late": False, "usage": [0.0, 0]}
        try:
            found: dict[str, Any] = json.loads(report)
        except ValueError as error:
            said = self._outputs[2].decode("utf-8", "replace")[-500:]
            raise SandboxRefused(f"the guardian of the program ended without a report: {said or code}") from error
        if "refused" in found:
            raise SandboxRefused(self._advice(found["refused"]))
        return found

    def _told(self, found: dict[str, Any], answer: bytes, exceeded: bool, wall_s: float) -> Finished:
        stdout, stderr = (bytes(self._outputs[number]).decode("utf-8", "replace") for number in (1, 2))
        status, (cpu_s, peak) = found["status"], found["usage"]
        code = os.waitstatus_to_exitcode(status) if status is not None else None
        name = signal.Signals(-code).name if code is not None and code < 0 else ""
        if exceeded or found["late"]:
            ending = Ending.OUTPUT if exceeded else Ending.WALL_TIME
            code, name = None, ""
        elif name:
            ending = Ending.CPU_TIME if name == "SIGXCPU" else Ending.KILLED
        elif code == 0 and secrets.compare_digest(answer, self._secret):
            ending = Ending.REACHED_END
        else:
            ending = Ending.STOPPED_EARLY
        exit_code = code if code is not None and code >= 0 else None
        return Finished(ending, exit_code, name, stdout, stderr, wall_s, cpu_s, int(peak))

    def _advice(self, reason: str) -> str:
        if self._sandbox.isolation == "limits":
            return f"the program was not run: {reason}; run as another user, or with isolation namespaces"
        return (
            f"the program was not run: this machine allows no namespaces ({reason}), so it would not be cut off from "
            'the network and your files; in a container or virtual machine of its own, isolation="limits" runs it '
            "without these walls"
        )


def _remove(folder: str) -> None:
    """Remove a folder with all that is in it, also what a program locked."""
    for place, inside, _ in os.walk(folder):
        for name in inside:
            if not (path := Path(place, name)).is_symlink():
                path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _read(file: int) -> bytes:
    try:
        return os.read(file, 1 << 16)
    except BlockingIOError:
        return b""
