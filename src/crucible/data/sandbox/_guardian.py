# ruff: noqa: PTH116, PTH208  # /proc, by names and numbers
"""The guardian: a process that starts one program behind walls, watches it, and ends it with all that it started.

A script of the standard library alone: `python -P -s -S _guardian.py REQUEST REPORT SECRET ANSWER`, four open files. It
reads the request (JSON) and keeps that file open: when its caller closes it, or dies, the guardian kills the program.

    caller
    └ guardian       outside of the walls: the program cannot see it
      └ first        the first process of its own process namespace; when it ends, Linux kills all others in it
        └ program    runs the source; writes the secret into ANSWER after the last line
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any

__all__: list[str] = []

_COUNTED_APART = (5, 14)  # since this Linux, processes of a user namespace are counted apart


def _load_walls() -> Any:
    spec = importlib.util.spec_from_file_location("_walls", Path(__file__).with_name("_walls.py"))
    assert spec is not None  # noqa: S101  # of a file that is beside this one
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _read_request(file: int) -> dict[str, Any]:
    text = b""
    while not text.endswith(b"\n"):
        piece = os.read(file, 1 << 16)
        if not piece:
            os._exit(1)  # the caller is gone
        text += piece
    return json.loads(text)


def _run_program(source: str, secret: int, answer: int) -> None:
    """Run the source to its end, and only then hand over the secret. Never returns."""
    import linecache
    import traceback
    import types

    read, write, leave = os.read, os.write, os._exit  # the program may replace them
    flushes = [sys.stdout.flush, sys.stderr.flush]
    module = types.ModuleType("program")
    sys.modules["program"] = module
    sys.argv = ["program.py"]
    linecache.cache["program.py"] = (len(source), None, source.splitlines(keepends=True), "program.py")
    code = 1
    try:
        exec(compile(source, "program.py", "exec"), module.__dict__)  # noqa: S102  # what a sandbox is for
        write(answer, read(secret, 64))
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001  # the program's, to be shown
        traceback.print_exc()
    finally:
        for flush in flushes:
            with contextlib.suppress(BaseException):  # it closed its output, or filled the disk
                flush()
        leave(code & 0xFF)


def _start(walls: Any, request: dict[str, Any], others: int, secret: int, answer: int) -> int:
    """Fork the process that runs the program, with its limits."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            walls.prctl(walls.DEATH_SIGNAL, signal.SIGKILL)
            walls.prctl(walls.DUMPABLE, 1)
            walls.close_in([secret, answer])
            walls.limit(request["limits"], others)
            _run_program(request["source"], secret, answer)
        finally:
            os._exit(1)
    return pid


def _kill_others(*_: object) -> None:
    os.kill(-1, signal.SIGKILL)


def _be_first(walls: Any, request: dict[str, Any], uid: int | None, others: int, files: tuple[int, int, int]) -> None:
    """Be the first process behind the walls: start the program, bury what it leaves, report how it ended."""
    secret, answer, status = files
    try:
        walls.enter_root(request["folder"])
        walls.drop_rights(uid)
        walls.prctl(walls.DEATH_SIGNAL, signal.SIGKILL)
        program = _start(walls, request, others, secret, answer)
        walls.prctl(walls.DUMPABLE, 0)  # its open files are not to be had under /proc
        signal.signal(signal.SIGTERM, _kill_others)
        while True:
            pid, found = os.wait()
            if pid == program:
                os.write(status, str(found).encode())
                os._exit(0)
    except OSError as error:
        os.write(status, f"refused: {error.strerror}".encode())
    finally:
        os._exit(1)


def _wait(pid: int, caller: int, seconds: float) -> tuple[bool, bool]:
    """Wait until a child has ended or, if it is not -1, the caller is gone.

    Returns:
        Whether time was up; whether the caller is gone.
    """
    end = time.monotonic() + seconds
    poll = select.poll()
    if caller >= 0:
        poll.register(caller, select.POLLHUP)
    child = os.pidfd_open(pid)
    poll.register(child, select.POLLIN)
    try:
        while True:
            left = end - time.monotonic()
            events = dict(poll.poll(max(0, left) * 1000))
            if child in events:
                return False, False
            if caller in events:
                return False, True
            if left <= 0:
                return True, False
    finally:
        os.close(child)


def _offspring() -> list[int]:
    """Return all processes below this one."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                text = Path(f"/proc/{name}/stat").read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue  # it has just ended
            parents[int(name)] = int(text.rpartition(")")[2].split()[1])
    found: list[int] = []
    here = {os.getpid()}
    while here:
        here = {pid for pid, parent in parents.items() if parent in here}
        found += here
    return found


def _kill_offspring() -> None:
    """Kill all processes below this one until there are none; orphans come here, because this is a subreaper."""
    end = time.monotonic() + 10
    while (pids := _offspring()) and time.monotonic() < end:
        for pid in pids:
            with contextlib.suppress(OSError):  # it has just ended
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _processes_of(uid: int) -> int:
    """Return how many threads a user has now: outside of user namespaces Linux counts them against the limit of any."""
    count = 0
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == uid:
                count += len(os.listdir(f"/proc/{name}/task"))
        except OSError:
            continue  # it has just ended
    return count


def _behind_walls(walls: Any, request: dict[str, Any], caller: int, secret: int, answer: int) -> dict[str, Any]:
    others = _processes_of(os.geteuid())
    try:
        uid = walls.cut_off(network=request["network"])
        walls.build_root(request["folder"], request["limits"]["disk_bytes"])
    except OSError as error:
        return {"refused": error.strerror}
    if uid is not None:
        others = 1  # the first; it and the program share a user with nobody
    elif tuple(map(int, os.uname().release.split(".")[:2])) >= _COUNTED_APART:
        others = 2  # the first, and this one
    status, status_in = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(status)
        walls.close_in([secret, answer, status_in])
        _be_first(walls, request, uid, others, (secret, answer, status_in))
    os.close(status_in)
    late, wanted = _wait(pid, caller, request["wall_s"])
    if late or wanted:
        os.kill(pid, signal.SIGTERM)  # the first kills the others, and counts what they used
        if _wait(pid, -1, 2.0)[0]:
            os.kill(pid, signal.SIGKILL)
    _, _, used = os.wait4(pid, 0)
    text = os.read(status, 4096).decode(errors="replace")
    if text.startswith("refused: "):
        return {"refused": text[9:]}
    return {"status": int(text) if text else None, "late": late, "usage": _usage(used)}


def _within_limits(walls: Any, request: dict[str, Any], caller: int, secret: int, answer: int) -> dict[str, Any]:
    walls.prctl(walls.SUBREAPER, 1)
    os.chdir(request["folder"])
    others = _processes_of(os.geteuid())
    if os.geteuid() == 0:
        if not walls.may_read_python():
            return {"refused": f"it would run as root: {sys.base_prefix} cannot be read by any other user"}
        uid = walls.FIRST_UID + os.getpid()
        os.chown(".", uid, uid)
        walls.drop_rights(uid)
        others = 1  # a user of its own
    else:
        walls.prctl(walls.NO_NEW_RIGHTS, 1)
    pid = _start(walls, request, others, secret, answer)
    late, wanted = _wait(pid, caller, request["wall_s"])
    if late or wanted:
        os.kill(pid, signal.SIGKILL)
    _, found, used = os.wait4(pid, 0)
    _kill_offspring()
    return {"status": None if late or wanted else found, "late": late, "usage": _usage(used)}


def _usage(used: Any) -> list[float]:
    return [used.ru_utime + used.ru_stime, used.ru_maxrss * 1024]


def _main() -> None:
    """Carry out one request."""
    caller, report, secret, answer = map(int, sys.argv[1:5])
    request = _read_request(caller)
    walls = _load_walls()
    run = _behind_walls if request["isolation"] == "namespaces" else _within_limits
    found = run(walls, request, caller, secret, answer)
    os.write(report, json.dumps(found).encode())


if __name__ == "__main__":
    _main()
