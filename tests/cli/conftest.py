"""The command line as a user types it, in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CommandLine = Callable[[list[str], dict[str, str]], subprocess.CompletedProcess[str]]
Crucible = Callable[..., subprocess.CompletedProcess[str]]

PROGRAM = Path(sys.executable).with_name("crucible")
CHECKED = "id: checked\nbackend: {id: local}\npipeline: [{name: validate}]\n"


@pytest.fixture
def crucible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command_line: CommandLine) -> Crucible:
    """Return what carries out `crucible …` in an empty folder that holds one small document, `checked.yaml`.

    In this process, by the entry point of the installed program: a process of its own takes a second to import what is
    here already. With `alone=True`, and where Python is to be started otherwise (`PYTHONPATH`), it is one.
    """
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checked.yaml").write_text(CHECKED)

    def run(
        *arguments: str | Path, code: int = 0, alone: bool = False, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        command = [str(PROGRAM), *map(str, arguments)]
        changed = {"COLUMNS": "160", **environment}
        done = (_alone if alone or "PYTHONPATH" in environment else command_line)(command, changed)
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr or environment.get("CRUCIBLE_DEBUG")
        return done

    return run


def _alone(command: list[str], changed: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, env={**os.environ, **changed}
    )
