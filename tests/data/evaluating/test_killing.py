"""An evaluation is killed with SIGKILL, again and again, and nothing is lost and nothing is asked twice."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent
IN_FLIGHT = 4 * 3  # batch size times concurrency
WAIT_S = 0.03


@pytest.fixture(scope="module")
def killed() -> ModuleType:
    """The script of the process that is killed, for the same evaluation in this one."""
    spec = importlib.util.spec_from_file_location("killed_evaluation", HERE / "killed.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def lines_in(path: Path) -> int:
    """Return how many whole lines a file has."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def kill_after(more: int, record: Path, calls: Path, count: int, repeats: int) -> int:
    """Run the evaluation until so many more measurements are recorded, kill it, and return how many are recorded."""
    wanted = lines_in(record) + more
    command = [sys.executable, HERE / "killed.py", record, calls, count, WAIT_S, repeats]
    process = subprocess.Popen([str(part) for part in command], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while lines_in(record) < wanted and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    _, said = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL, said.decode()
    return lines_in(record)


def asked(calls: Path) -> Counter[str]:
    """Return how often each prompt was asked."""
    return Counter(calls.read_text().split())


@pytest.mark.slow  # six fresh interpreters
@pytest.mark.parametrize("repeats", [1, 3])
def test_killed_five_times_it_finds_what_it_would_have_found(tmp_path: Path, killed: ModuleType, repeats: int) -> None:
    """The same measurements, in the same file; what is asked again is at most what was under way at each kill."""
    count = 360 // repeats
    whole = killed.run(tmp_path / "whole.jsonl", tmp_path / "whole.calls", count, 0.0, repeats)
    record, calls = tmp_path / "killed.jsonl", tmp_path / "killed.calls"
    recorded = [kill_after(35, record, calls, count, repeats) for _ in range(5)]
    assert recorded == sorted(recorded)
    assert 0 < recorded[-1] < 360
    result = killed.run(record, calls, count, 0.0, repeats)
    assert result.resumed == recorded[-1]
    assert list(result.items) == list(whole.items)
    assert result.summaries == whole.summaries
    assert (result.status, len(result.items)) == ("completed", 360)
    assert record.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert sum(asked(calls).values()) <= 360 + 5 * IN_FLIGHT
    assert min(asked(calls).values()) >= repeats


def test_killed_once_it_goes_on(tmp_path: Path, killed: ModuleType) -> None:
    """What was recorded is not asked again, and what was not, is."""
    record, calls = tmp_path / "killed.jsonl", tmp_path / "killed.calls"
    kill_after(12, record, calls, 60, 1)
    done = {json.loads(line)["input"] for line in record.read_bytes().splitlines(keepends=True) if line[-1:] == b"\n"}
    before = asked(calls)
    result = killed.run(record, calls, 60, 0.0, 1)
    again = asked(calls) - before
    assert result.resumed == len(done) >= 12
    assert set(again) == {f"q{index}" for index in range(60)} - done
    assert sum(asked(calls).values()) <= 60 + IN_FLIGHT
