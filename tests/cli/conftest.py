"""The command line as a user types it: a process of its own in an empty folder."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Crucible = Callable[..., subprocess.CompletedProcess[str]]

CHECKED = "id: checked\nbackend: {id: local}\npipeline: [{name: validate}]\n"


@pytest.fixture
def crucible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Crucible:
    """Run `crucible …` in an empty folder that holds one small document, `checked.yaml`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checked.yaml").write_text(CHECKED)

    def run(*arguments: str, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        program = Path(sys.executable).with_name("crucible")
        done = subprocess.run(
            [program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={**os.environ, "COLUMNS": "160", **environment},
        )
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr or environment.get("CRUCIBLE_DEBUG")
        return done

    return run
