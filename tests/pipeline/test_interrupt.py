"""Ctrl-C in a real process: the stage is stopped, the run is recorded, the process ends as interrupted."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PROGRAM = """
    import asyncio, json, sys, threading, time
    from pathlib import Path
    from crucible.ir import BackendRef, Experiment, StageDef
    from crucible.pipeline import Registry, Runner, calling, check_cancelled, stage

    def print(*words):  # whole lines: two threads print at once
        sys.stdout.write(" ".join(map(str, words)) + "\\n")
        sys.stdout.flush()

    def ready():
        print("ready")

    @stage("checks")
    def checks(context, options):
        ready()
        while True:
            check_cancelled()
            time.sleep(0.002)

    @stage("awaits")
    async def awaits(context, options):
        ready()
        await asyncio.sleep(60)

    @stage("fails")
    def fails(context, options):
        threading.Timer(0.05, ready).start()
        raise OSError("busy")

    def step():
        ready()
        end = time.monotonic() + 2
        while time.monotonic() < end:
            time.sleep(0.01)
        print("step done")

    @stage("slow")
    def slow(context, options):
        step()
        return context

    @stage("threads")
    async def threads(context, options):
        work = asyncio.ensure_future(asyncio.to_thread(step))
        try:
            await asyncio.shield(work)
        finally:
            await work

    @stage("idle")
    def idle(context, options):
        while True:
            check_cancelled()
            time.sleep(0.002)

    class Told:
        def run_started(self, run): pass
        def stage_started(self, run_id, record): pass
        def stage_finished(self, run_id, record, delta): print(record.name, record.status, record.reason)
        def run_finished(self, run_id, status, failure): print("run", status)

    RETRY = {"attempts": 2, "wait_initial_s": 600.0, "wait_max_s": 600.0}
    ENTRIES = {
        "sync": [{"name": "checks"}],
        "async": [{"name": "awaits"}],
        "limit": [{"name": "checks", "timeout_s": 600.0}],
        "pause": [{"name": "fails", "retry": RETRY}],
        "async pause": [{"name": "fails", "retry": RETRY, "timeout_s": 600.0}],
        "branch": [{"name": "checks", "needs": []}, {"name": "idle", "needs": []}],
        "notebook": [{"name": "checks"}],
        "slow": [{"name": "slow"}, {"name": "idle"}],
        "slow notebook": [{"name": "slow"}, {"name": "idle"}],
        "slow thread": [{"name": "threads"}],
    }
    kind, workspace = sys.argv[1:]
    experiment = Experiment.read({"id": "e", "backend": {"id": "local"}, "pipeline": ENTRIES[kind]})
    runner = Runner(Registry(checks, awaits, fails, slow, threads, idle, installed=False), Told())

    async def notebook():
        runner.run(experiment, workspace=Path(workspace))

    if kind.endswith("notebook"):
        loop = asyncio.new_event_loop()  # as a notebook's: it does not take Ctrl-C over
        loop.run_until_complete(notebook())
    else:
        runner.run(experiment, workspace=Path(workspace))
"""


def _interrupted(kind: str, workspace: Path, *, times: int = 1) -> tuple[int, list[str], str]:
    """Run the program, press Ctrl-C once its stage is under way; returns exit code, lines and errors."""
    command = [sys.executable, "-u", "-c", textwrap.dedent(PROGRAM), kind, str(workspace)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines: list[str] = []
            while "ready" not in lines:
                line = process.stdout.readline()
                assert line, process.communicate()[1]
                lines.append(line.strip())
            while times:
                times -= 1
                os.kill(process.pid, signal.SIGINT)
                if times:
                    with pytest.raises(subprocess.TimeoutExpired):
                        process.wait(0.3)
            out, errors = process.communicate(timeout=60)
            return process.returncode, lines + out.splitlines(), errors
        finally:
            process.kill()


ENDED = {
    "slow": "slow ok None",
    "slow notebook": "slow ok None",
    "slow thread": "threads cancelled the run was asked to stop",
}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("sync", ["checks cancelled the run was asked to stop"]),
        ("async", ["awaits cancelled the run was asked to stop"]),
        ("limit", ["checks cancelled the run was asked to stop"]),
        ("pause", ["fails failed try again after"]),
        ("async pause", ["fails failed try again after"]),
        ("branch", ["checks cancelled the run was asked to stop", "idle cancelled the run was asked to stop"]),
        ("notebook", ["checks cancelled the run was asked to stop"]),
    ],
)
def test_ctrl_c(tmp_path: Path, kind: str, expected: list[str]) -> None:
    """One Ctrl-C stops what runs or waits, in order: the stages are recorded, then the run, then the process ends."""
    code, lines, errors = _interrupted(kind, tmp_path)
    assert code == -signal.SIGINT, errors
    assert errors.rstrip().endswith("KeyboardInterrupt")
    told = sorted(line for line in lines if line not in ("ready", "run cancelled"))
    assert len(told) == len(expected)
    assert all(line.startswith(start) for line, start in zip(told, expected, strict=True)), told
    assert lines[-1] == "run cancelled"


@pytest.mark.parametrize("kind", ["slow", "slow notebook", "slow thread"])
@pytest.mark.slow
def test_pressing_again_does_not_end_it_sooner(tmp_path: Path, kind: str) -> None:
    """However often it is pressed, the step under way is finished and the end of the run written down."""
    code, lines, errors = _interrupted(kind, tmp_path, times=4)
    assert code == -signal.SIGINT, errors
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert lines[1:] == ["step done", ENDED[kind], "run cancelled"]
