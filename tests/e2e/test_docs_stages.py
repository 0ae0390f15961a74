"""The page on stages: its snippets run and print what it shows, and its YAML is a valid pipeline."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from crucible import ir

PAGE = (Path(__file__).parents[2] / "docs" / "stages.md").read_text(encoding="utf-8")
SNIPPETS = re.compile(r"```python\n(.*?)```\n\n```text\n(.*?)```", re.DOTALL)


def test_snippets_print_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, in one namespace; every snippet's output is shown."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "page"}
    snippets = SNIPPETS.findall(PAGE)
    assert len(snippets) == PAGE.count("```python")
    for code, shown in snippets:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "docs/stages.md", "exec", dont_inherit=True), names)
        assert printed.getvalue() == shown, code


def test_the_yaml_of_the_page_is_read(tmp_path: Path) -> None:
    """Every field of the example is one of the document's, and the document has no problem that is an error."""
    (snippet,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    data = {"id": "page", "backend": {"id": "local"}, **yaml.safe_load(snippet)}
    experiment = ir.from_dict(data, ir.Experiment)
    assert ir.is_valid(experiment)
    assert experiment.pipeline[0].fallback is not None
