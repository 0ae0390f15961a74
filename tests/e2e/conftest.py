"""Whole experiments by the command line, on a real base model that is small enough to train in seconds."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CommandLine = Callable[[list[str], dict[str, str]], subprocess.CompletedProcess[str]]

PROGRAM = Path(sys.executable).with_name("crucible")


class Place:
    """A folder in which a user works: a document, a store, and the command line."""

    def __init__(self, folder: Path, base: Path, command_line: CommandLine) -> None:
        self.folder = folder
        self.base = base
        self.environment = {**os.environ, "COLUMNS": "100"}
        self._command_line = command_line

    def write(self, name: str = "e.yaml", *, steps: int = 24, **changes: Any) -> Path:
        """Write a document that trains on tickets; `changes` replace its top-level parts."""
        labels = {"scorers": ["exact_match", "schema_compliance"], "max_tokens": 48, "limit": 8}
        document = {
            "id": "small",
            "backend": {"id": "local"},
            "dataset": {"name": "tickets", "options": {"limit": 60, "test_limit": 12}},
            "training_config": {
                "id": "t",
                "model_ref": {"id": str(self.base)},
                "dataset_ref": {"name": changes.get("dataset", {}).get("name", "tickets")},
                "batch_size": 4,
                "learning_rate": 0.005,
                "checkpoint_every": 8,
                "validation_split": 0.1,
                "seed": 3,
            },
            "pipeline": [
                {"name": "data_load"},
                {"name": "supervised_train", "options": {"model": "tuned", "rank": 4, "max_steps": steps}},
                {"name": "evaluate", "options": {"model": "base", **labels}},
                {"name": "evaluate", "options": {"model": "tuned", **labels}},
                {
                    "name": "bench",
                    "options": {
                        "contrasts": [
                            {"baseline": "base", "treatment": "tuned"},
                            {"baseline": "base", "treatment": "base"},
                        ]
                    },
                },
                {"name": "report"},
            ],
            **changes,
        }
        path = self.folder / name
        path.write_text(json.dumps(document).replace("\n", "") if name.endswith(".json") else json.dumps(document))
        return path

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start `crucible …` and return at once."""
        return subprocess.Popen(
            [PROGRAM, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def crucible(self, *arguments: str, code: int = 0, **options: Any) -> tuple[str, str]:
        """Run `crucible …` to its end and return what it printed; in this process, where no option is for another."""
        if options:
            process = self.start(*arguments, **options)
            out, err = process.communicate(timeout=500)
            ended = process.returncode
        else:
            with contextlib.chdir(self.folder):
                done = self._command_line([str(PROGRAM), *arguments], self.environment)
            ended, out, err = done.returncode, done.stdout, done.stderr
        assert ended == code, f"exit {ended}\n{out}\n{err}"
        assert "Traceback" not in err
        return out, err

    def show(self, run_id: str) -> dict[str, Any]:
        """What the store keeps of a run."""
        return json.loads(self.crucible("runs", "show", run_id, "--json")[0])

    def runs(self) -> list[dict[str, Any]]:
        """All runs, newest first."""
        return json.loads(self.crucible("runs", "list", "--json")[0])

    def interrupt(self, process: subprocess.Popen[str], with_signal: signal.Signals, checkpoints: int) -> None:
        """Send a signal once the training has left so many checkpoints."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise AssertionError(f"ended before it could be interrupted: {process.communicate()}")
            left = self.folder.glob(".crucible/artifacts/*/train/*/checkpoints/step-*/manifest.json")
            if len(list(left)) >= checkpoints:
                process.send_signal(with_signal)
                return
            time.sleep(0.01)
        raise AssertionError("no checkpoint appeared")


@pytest.fixture
def place(tmp_path: Path, base: Path, command_line: CommandLine) -> Place:
    """An empty folder to work in."""
    return Place(tmp_path, base, command_line)
