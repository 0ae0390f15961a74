"""The page on chats is true: its examples run and print what they say, and its tables are whole."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

from crucible.text import TrainOnWhat, list_renderers

PAGE = (Path(__file__).parents[2] / "docs" / "chat.md").read_text(encoding="utf-8")


def test_the_examples_print_what_they_say() -> None:
    """Every block of Python runs, in order, and prints the block of text that follows it."""
    blocks = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == PAGE.count("```python") == 8
    names: dict[str, object] = {}
    for code, expected in blocks:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, "chat.md", "exec"), names)
        assert out.getvalue() == expected


def test_the_tables_are_whole() -> None:
    """All renderers and all modes are in their tables."""
    first_cells = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    named = {name for cell in first_cells for name in re.findall(r"`([^`]+)`", cell)}
    assert named - {"train_on"} == {*list_renderers(), *(mode.value for mode in TrainOnWhat)}
