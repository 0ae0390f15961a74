"""Programs that mean harm, or fail in every way they can. What waits for a limit waits for a short one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from crucible.data.sandbox import Ending, ProgramLimits, Sandbox

TIMED_OUT = {Ending.CPU_TIME, Ending.WALL_TIME}  # which of both depends on how busy this machine is


def within(sandbox: Sandbox, **limits: float) -> Sandbox:
    """Return the sandbox with other limits."""
    return msgspec.structs.replace(sandbox, limits=msgspec.structs.replace(sandbox.limits, **limits))


@pytest.mark.parametrize(
    "source",
    [
        "while True: pass",
        "import time\ntime.sleep(1000)",
        "import signal\nfor n in range(1, 32):\n  try: signal.signal(n, signal.SIG_IGN)\n  except OSError: pass\n"
        "while True: pass",
        "while True:\n  try:\n    while True: pass\n  except BaseException: pass",
        "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass",
    ],
    ids=["loop", "sleep", "ignores every signal", "catches everything", "fork bomb"],
)
def test_what_never_ends_is_ended(sandbox: Sandbox, source: str) -> None:
    """A second after its time, whatever it ignores, and how many it is."""
    started = time.monotonic()
    found = within(sandbox, wall_s=0.8).run(source)
    assert found.ending in TIMED_OUT
    assert not found.reached_end
    assert time.monotonic() - started < 15


def test_processor_time_is_bounded(walls: Sandbox) -> None:
    """By Linux itself; a second is the smallest limit, and a busy machine takes long to give it."""
    found = within(walls, cpu_s=1, wall_s=60.0).run("while True: pass")
    assert (found.ending, found.signal) == (Ending.CPU_TIME, "SIGXCPU")
    assert 0.5 < found.cpu_s < 3


def test_processes_are_bounded(sandbox: Sandbox) -> None:
    """One more is refused, as a full machine would."""
    source = (
        "import os, time\ncount = 1\ntry:\n  while True:\n    if os.fork() == 0:\n      time.sleep(60)\n"
        "    count += 1\nexcept OSError:\n  print(count)\n"
    )
    found = sandbox.run(source)
    assert found.reached_end
    assert 1 < int(found.stdout) <= sandbox.limits.processes


def test_memory_is_bounded(sandbox: Sandbox) -> None:
    """A MemoryError, and never more than the limit."""
    found = within(sandbox, cpu_s=10).run("x = []\nwhile True: x.append(bytearray(10 << 20))")
    assert found.ending is Ending.STOPPED_EARLY
    assert "MemoryError" in found.stderr
    assert found.peak_bytes <= sandbox.limits.memory_bytes


def test_a_file_is_bounded(sandbox: Sandbox) -> None:
    """Writing gigabytes ends at a megabyte."""
    found = sandbox.run("with open('x', 'wb') as f:\n  while True: f.write(bytes(100_000))")
    assert "File too large" in found.stderr


def test_all_files_together_are_bounded(walls: Sandbox) -> None:
    """Behind walls, by the size of their own disk."""
    found = walls.run(
        "n = 0\nwhile True:\n  n += 1\n  open(f'{n}', 'wb').write(bytes(500_000))\n  print(n, flush=True)"
    )
    assert "No space left" in found.stderr
    assert len(found.stdout.split()) <= walls.limits.disk_bytes // 500_000


@pytest.mark.parametrize("number", [1, 2])
def test_output_is_bounded(sandbox: Sandbox, number: int) -> None:
    """Who prints gigabytes is killed at the limit, and what came until then is kept."""
    found = sandbox.run(f"import os\nwhile True: os.write({number}, b'x' * 10_000)")
    assert found.ending is Ending.OUTPUT
    assert len(found.stdout) + len(found.stderr) == sandbox.limits.output_bytes


def test_a_daemon_does_not_outlive_its_program(sandbox: Sandbox, is_running: Callable[[str], bool]) -> None:
    """Not even one that detached itself twice, ignores signals, and closed its files."""
    word = f"{uuid.uuid4().int % 10**9 + 10**9}"
    source = f"""
import os, signal, time
ready, told = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        os.write(told, b"x")
        for number in range(3):
            os.close(number)
        os.execv("/usr/bin/sleep", ["sleep", "{word}"])
    os._exit(0)
os.read(ready, 1)
time.sleep(0.1)
"""
    assert sandbox.run(source).reached_end
    assert not is_running(word)


def test_nothing_outlives_a_caller_that_is_killed(walls: Sandbox, is_running: Callable[[str], bool]) -> None:
    """The guardian sees that nobody is there any more."""
    word = f"{uuid.uuid4().int % 10**9 + 10**9}"
    program = f"import os\nos.execv('/usr/bin/sleep', ['sleep', '{word}'])"
    code = f"from crucible.data.sandbox import Sandbox\nSandbox().run({program!r})"
    with subprocess.Popen([sys.executable, "-c", code]) as caller:
        end = time.monotonic() + 30
        while not any(word in _command(place) for place in Path("/proc").glob("[0-9]*")) and time.monotonic() < end:
            time.sleep(0.02)
        caller.kill()
    assert not is_running(word)


def _command(place: Path) -> str:
    try:
        return (place / "cmdline").read_text().rpartition("sleep")[2]
    except OSError:
        return ""


CONNECT = "import socket\nsocket.create_connection(('127.0.0.1', {port}), 3).sendall(b'hello')"


def test_there_is_no_network(walls: Sandbox) -> None:
    """Not even to this machine: a server of ours hears nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        found = walls.run(CONNECT.format(port=server.getsockname()[1]))
        assert "Network is unreachable" in found.stderr
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_network_must_be_asked_for(walls: Sandbox) -> None:
    """And leaves the other walls standing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        found = msgspec.structs.replace(walls, allow_network=True).run(
            CONNECT.format(port=server.getsockname()[1]) + "\nimport os\nprint(os.path.exists('/home'), os.getpid())"
        )
        assert found.reached_end, found.stderr
        with server.accept()[0] as peer:
            assert peer.recv(5) == b"hello"
        assert found.stdout == "False 2\n"


def test_your_environment_is_not_the_programs(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its own, nor that of any process that it may look at (with limits alone: of its own user)."""
    monkeypatch.setenv("MY_SECRET_KEY", "sesame-1234")
    source = """
import os
print(sorted(os.environ))
assert "MY_SECRET_KEY" not in os.environ
for name in os.listdir("/proc") if os.path.isdir("/proc") else []:
    if name == "self" or name.isdigit():
        try:
            text = open(f"/proc/{name}/environ", "rb").read()
        except OSError:
            continue
        assert b"sesame" not in text, name
"""
    if sandbox.isolation == "limits" and os.geteuid() != 0:
        pytest.skip("without walls a program may read the environment of its user's processes, as Sandbox says")
    found = sandbox.run(source)
    assert found.reached_end, found.stderr


def test_your_open_files_are_not_the_programs(sandbox: Sandbox, tmp_path: Path) -> None:
    """Not even one that is marked to be inherited; and its input is empty."""
    secret = tmp_path / "secret"
    secret.write_text("sesame")
    with secret.open() as file:
        os.set_inheritable(file.fileno(), True)
        source = f"""
import os, sys
for number in range(3, 256):
    try:
        assert os.path.realpath(f"/proc/self/fd/{{number}}") != {str(secret)!r}
    except OSError:
        pass
assert not os.path.exists("/proc/self/fd/{file.fileno()}") or os.readlink("/proc/self/fd/{file.fileno()}")[:4] == "pipe"
assert sys.stdin.read() == ""
"""
        found = sandbox.run(source)
    assert found.reached_end, found.stderr


def test_your_files_are_not_there(walls: Sandbox, tmp_path: Path) -> None:
    """The tree behind the walls holds Python and the system's libraries, read only, and an empty folder."""
    (tmp_path / "secret").write_text("sesame")
    source = f"""
import os, sys
assert os.listdir(".") == []
assert not os.path.exists({str(tmp_path)!r})
for path in ("/home", "/var", "/run", "/sys", "/etc/passwd", {str(Path(__file__))!r}):
    assert not os.path.exists(path), path
for folder in ("/", "/usr", "/etc", os.path.dirname(os.__file__)):
    try:
        open(os.path.join(folder, "x"), "w")
    except OSError:
        continue
    raise AssertionError(folder)
open("x", "w").write("1")
assert os.listdir("/dev/shm") == ["x"]
"""
    found = walls.run(source)
    assert found.reached_end, found.stderr


def test_rights_cannot_be_got_back(walls: Sandbox) -> None:
    """No user namespace inside, no mount, no other root, no way to become root, no signal to the first process."""
    source = """
import ctypes, os
libc = ctypes.CDLL(None)
assert libc.unshare(0x10000000) != 0
assert libc.unshare(0x20000) != 0
assert libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) != 0
for attempt in (lambda: os.chroot("/tmp"), lambda: os.setuid(0), lambda: os.listdir("/proc/1/fd")):
    try:
        attempt()
    except OSError:
        continue
    raise AssertionError
os.kill(1, 9)
try:
    os.kill(-1, 9)
except ProcessLookupError:
    pass
"""
    found = walls.run(source)
    assert found.reached_end, found.stderr


@pytest.mark.parametrize(
    "before",
    [
        "import os\nos._exit(0)",
        "import sys\nsys.exit(0)",
        "raise SystemExit",
        "exit = quit = None\nimport sys\nsys.exit()",
        "import os, sys\nsys.exit = os._exit = lambda *_: None\nimport builtins\n"
        "builtins.AssertionError = type('AssertionError', (Exception,), {})",
        "import sys\nsys.excepthook = lambda *_: None\nsys.stderr = open('/dev/null', 'w')",
        "import os\nif os.fork(): os._exit(0)",
        "import threading, os, time\nthreading.Thread(target=os._exit, args=(0,)).start()\ntime.sleep(5)",
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
        "import ctypes\nctypes.string_at(0)",
        "def f(): return f()\nf()",
        "import atexit, os\natexit.register(os._exit, 0)",
        "print('reached_end')\nprint('OK')\nraise RuntimeError",
    ],
)
def test_a_program_that_leaves_before_the_tests_has_not_passed(sandbox: Sandbox, before: str) -> None:
    """Nor does it help to print what a pass may look like, or to put others in the place of what leaves and fails."""
    assert not sandbox.run(f"{before}\nassert 1 == 2\n").reached_end


def test_closed_outputs_do_not_decide(sandbox: Sandbox) -> None:
    """A program that is right passes without them, one that is wrong does not pass without them."""
    assert sandbox.run("import os\nos.close(1)\nos.close(2)").reached_end
    assert not sandbox.run("import os\nos.close(1)\nos.close(2)\nassert 0").reached_end


def test_a_crash_is_named(sandbox: Sandbox) -> None:
    """By its signal."""
    found = sandbox.run("import ctypes\nctypes.string_at(0)")
    assert (found.ending, found.signal, found.exit_code) == (Ending.KILLED, "SIGSEGV", None)


def test_killing_the_guardian_is_no_pass(no_walls: Sandbox) -> None:
    """Without walls a program can; behind them it does not even see it."""
    found = no_walls.run("import os, signal, time\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(2)")
    assert (found.ending, found.signal) == (Ending.KILLED, "SIGKILL")


def test_nothing_is_left_on_the_disk(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """However the program ended."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents:
        if folder.stat().st_uid == os.geteuid() and folder != Path("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o011)
    sandbox.run("open('x', 'w').write('1')\nimport os\nos.mkdir('d')\nos.chmod('d', 0)")
    within(sandbox, wall_s=0.5).run("open('x', 'w').write('1')\nwhile True: pass")
    assert list(tmp_path.iterdir()) == []


REFUSE = """
import ctypes, os
from crucible.data.sandbox import Sandbox, _walls
from crucible.errors import DataError
uid, gid = os.geteuid(), os.getegid()
_walls._call("unshare", ctypes.c_int(_walls.NEW_USER))
_walls._map_user(uid, gid)
_walls.drop_rights(None)
for network in (False, True):
    try:
        Sandbox(allow_network=network).run("")
    except DataError as error:
        print(error)
print(Sandbox(isolation="limits").run("").reached_end)
"""


def test_without_namespaces_running_is_refused_unless_one_says_so(walls: Sandbox) -> None:
    """On a machine that forbids them, made of this one: the error says why and what may be asked instead."""
    done = subprocess.run([sys.executable, "-c", REFUSE], capture_output=True, text=True, timeout=60)
    first, second, third = done.stdout.splitlines()
    assert first == second
    assert first.startswith("the program was not run: this machine allows no namespaces (unshare: ")
    assert 'isolation="limits" runs it without these walls' in first
    assert third == "True"


def test_root_without_walls_is_refused_where_it_would_stay_root() -> None:
    """Where Python lies in a folder of root's own."""
    sandbox = Sandbox(limits=ProgramLimits(wall_s=5), isolation="limits")
    if os.geteuid() != 0 or all(each.stat().st_mode & 1 for each in Path(os.__file__).resolve().parents):
        assert os.geteuid() != 0 or sandbox.run("import os\nassert os.getuid() != 0").reached_end
        return
    with pytest.raises(ValueError, match="it would run as root: .* cannot be read by any other user"):
        sandbox.run("")


def test_an_interrupt_leaves_no_program_behind(walls: Sandbox, is_running: Callable[[str], bool]) -> None:
    """Ctrl-C ends the caller and what it runs."""
    word = f"{uuid.uuid4().int % 10**9 + 10**9}"
    program = f"import os\nos.execv('/usr/bin/sleep', ['sleep', '{word}'])"
    code = f"from crucible.data.sandbox import Sandbox\nSandbox().run({program!r})"
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as caller:
        end = time.monotonic() + 30
        while not any(word in _command(place) for place in Path("/proc").glob("[0-9]*")) and time.monotonic() < end:
            time.sleep(0.02)
        caller.send_signal(signal.SIGINT)
        assert caller.wait(20) != 0
    assert not is_running(word)
