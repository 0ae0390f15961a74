"""The page for newcomers: its snippets run, and its commands print what it shows."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from crucible.cli.compare_app import app

PAGE = Path(__file__).parents[2] / "docs" / "comparing.md"
BLOCKS = re.compile(r"^```(python|console|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").splitlines()]


def test_the_page_shows_what_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, in an empty folder, in a terminal of 100 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    names: dict[str, Any] = {}
    printed, checked = "", 0
    for kind, block in BLOCKS.findall(PAGE.read_text(encoding="utf-8")):
        if kind == "python":
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(block, "page", "exec", dont_inherit=True), names)
            printed = out.getvalue()
        elif kind == "text":
            assert _lines(printed) == _lines(block)
            checked += 1
        else:
            for command, shown in COMMANDS.findall(block):
                done = CliRunner().invoke(app, shlex.split(command)[1:])
                assert _lines(done.output) == _lines(shown), command
                checked += 1
    assert checked == 9


def test_the_readme_shows_what_the_page_shows() -> None:
    """The first command of both, and its output."""
    readme = PAGE.parents[1] / "README.md"
    shown, *_ = (
        block for _, block in BLOCKS.findall(PAGE.read_text(encoding="utf-8")) if block.startswith("$ crucible")
    )
    assert shown in [block for _, block in BLOCKS.findall(readme.read_text(encoding="utf-8"))]
