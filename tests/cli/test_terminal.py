"""The command line on a real terminal, and at a pipe whose reader goes away."""

import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("crucible")

SLOW = """
id: slow
backend: {id: local}
dataset: {name: tickets, options: {limit: 60, test_limit: 12}}
training_config: {id: t, model_ref: {id: BASE}, dataset_ref: {name: tickets}, batch_size: 4, checkpoint_every: 10}
pipeline:
  - {name: data_load}
  - {name: supervised_train, options: {rank: 2, max_steps: 4000}}
"""


class Terminal:
    """A command on a pseudo-terminal of a given width."""

    def __init__(self, folder: Path, *arguments: str, columns: int = 80) -> None:
        import fcntl
        import termios

        self.shown = ""
        leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
        self.process = subprocess.Popen(
            [PROGRAM, *arguments],
            cwd=folder,
            env={**environment, "TERM": "xterm"},
            stdin=follower,
            stdout=follower,
            stderr=follower,
            start_new_session=True,
        )
        os.close(follower)
        self.leader = leader

    def read_until(self, words: str, timeout_s: float = 90) -> None:
        """Read what is shown until these words are."""
        deadline = time.monotonic() + timeout_s
        while words not in self.shown and time.monotonic() < deadline and self._read():
            pass
        assert words in self.shown, self.shown[-2000:]

    def end(self, timeout_s: float = 90) -> int:
        """Read to the end and return the exit code."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and (self._read() or self.process.poll() is None):
            pass
        code = self.process.wait(timeout=timeout_s)
        os.close(self.leader)
        return code

    def _read(self) -> bool:
        if not select.select([self.leader], [], [], 0.2)[0]:
            return True
        try:
            found = os.read(self.leader, 65536)
        except OSError:
            return False
        self.shown += found.decode(errors="replace")
        return bool(found)


@pytest.fixture
def folder(tmp_path: Path, base: Path) -> Path:
    """A folder with a document whose training takes a while."""
    (tmp_path / "slow.yaml").write_text(SLOW.replace("BASE", str(base)))
    return tmp_path


@pytest.mark.parametrize("columns", [pytest.param(60, marks=pytest.mark.slow), 110])
def test_a_terminal_shows_stage_step_loss_and_time_left(folder: Path, columns: int) -> None:
    """On a narrow terminal as on a wide one, step, loss and time left are whole; Ctrl-C, even twice, ends in 130."""
    terminal = Terminal(folder, "run", "slow.yaml", columns=columns)
    terminal.read_until("✓ data_load")
    terminal.read_until("/4000 loss ")
    terminal.read_until("ETA 0:")
    terminal.process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    assert "stopping after the step under way" in terminal.shown
    assert "crucible resume" in terminal.shown
    assert "Traceback" not in terminal.shown
    assert "never retrieved" not in terminal.shown
    listed = subprocess.run([PROGRAM, "runs", "list", "--json"], cwd=folder, capture_output=True, text=True, check=True)
    assert json.loads(listed.stdout)[0]["status"] == "cancelled"


def test_ctrl_c_at_the_very_start_is_quiet(tmp_path: Path) -> None:
    """Interrupted while Python still imports, the program ends with 130 and no traceback."""
    for delay in (0.15, 0.25):
        terminal = Terminal(tmp_path, "run", "none.yaml")
        time.sleep(delay)
        terminal.process.send_signal(signal.SIGINT)
        code = terminal.end()
        if "crucible: " in terminal.shown:  # it had come as far as our own code
            assert code in (2, 130)
            assert "Traceback" not in terminal.shown


@pytest.mark.slow
def test_a_run_outlives_the_reader_of_its_output(folder: Path) -> None:
    """`crucible run … | head -n 1` completes and is recorded as complete."""
    command = f"{PROGRAM} run slow.yaml --set pipeline[1].options.max_steps=8 | head -n 1"
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=True, timeout=120)
    assert done.stderr == ""
    listed = subprocess.run([PROGRAM, "runs", "list", "--json"], cwd=folder, capture_output=True, text=True, check=True)
    assert json.loads(listed.stdout)[0]["status"] == "completed"


def test_output_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """A full device under stdout is one sentence and exit code 1."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([PROGRAM, "version"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
