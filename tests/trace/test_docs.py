"""The page on traces is true: its examples run and print what it says."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

from crucible.trace import vocabulary

PAGE = Path(__file__).parents[2] / "docs" / "trace.md"
BLOCK = re.compile(r"^```(python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each Python block runs after the ones before it, and prints what the text block below it shows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(vocabulary, "_types", vocabulary._types)
    monkeypatch.setattr(vocabulary, "_canonical", vocabulary._canonical)
    names: dict[str, Any] = {}
    printed = ""
    kinds = []
    for kind, body in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        kinds.append(kind)
        if kind == "text":
            assert printed.strip() == body.strip()
            continue
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(body, str(PAGE), "exec"), names)
        printed = out.getvalue()
    assert kinds.count("text") == 7
    assert kinds.count("python") == 8
