from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from crucible.ir import Experiment
from crucible.pipeline import Registry, pipeline_problems

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "data.md"


def blocks(*languages: str) -> list[tuple[str, str]]:
    """Return the fenced blocks of these languages as (language, text), in order."""
    pattern = rf"```({'|'.join(languages)})\n(.*?)```"
    return re.findall(pattern, GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_guides_snippets_print_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each Python block runs after the ones before it; a text block after it is its real output."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    printed = ""
    checked = 0
    for language, text in blocks("python", "text"):
        if language == "python":
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(text, str(GUIDE), "exec"), names)
            printed = out.getvalue()
        else:
            assert printed == text
            checked += 1
    assert checked == 4


def test_the_guides_experiment_is_valid() -> None:
    """Its YAML, in a document around it, has no problem."""
    import yaml

    ((_, text),) = blocks("yaml")
    fields = {"id": "guide", "backend": {"id": "local"}, **yaml.safe_load(text)}
    assert not pipeline_problems(Experiment.read(fields), Registry())
