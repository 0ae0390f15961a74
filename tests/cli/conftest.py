"""The command line as a user types it, in an empty folder."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from crucible.cli import main

Crucible = Callable[..., subprocess.CompletedProcess[str]]

PROGRAM = Path(sys.executable).with_name("crucible")
CHECKED = "id: checked\nbackend: {id: local}\npipeline: [{name: validate}]\n"


@pytest.fixture
def crucible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Crucible:
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
        done = (_alone if alone or "PYTHONPATH" in environment else _here)(command, changed)
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr or environment.get("CRUCIBLE_DEBUG")
        return done

    return run


def _alone(command: list[str], changed: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, env={**os.environ, **changed}
    )


def _here(command: list[str], changed: dict[str, str]) -> subprocess.CompletedProcess[str]:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
    code: object = 0
    with _as_in_a_shell(command, changed), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    texts: list[str] = []
    for stream in (out, err):
        stream.seek(0)
        stream.reconfigure(newline=None)  # lines end as `subprocess` gives them
        texts.append(stream.read())
    return subprocess.CompletedProcess(command, 0 if code is None else int(str(code)), *texts)


@contextmanager
def _as_in_a_shell(command: list[str], changed: dict[str, str]) -> Iterator[None]:
    """Give the program its arguments, its environment and no input, and take back what it changes for itself."""
    before, on_interrupt = dict(os.environ), signal.getsignal(signal.SIGINT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", command)
        patch.setattr(sys, "stdin", io.StringIO())
        os.environ.update(changed)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
            signal.signal(signal.SIGINT, on_interrupt)
