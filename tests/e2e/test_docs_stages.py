"""The page on stages: its snippets run and print what it shows, and its YAML is a valid pipeline."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import yaml

from crucible import ir

PAGE = (Path(__file__).parents[2] / "docs" / "stages.md").read_text(encoding="utf-8")


def test_snippets_print_what_the_page_shows(follow_guide: Callable[..., int]) -> None:
    """In order, in one namespace; every snippet's output is shown."""
    assert follow_guide("stages.md") == PAGE.count("```python")


def test_the_yaml_of_the_page_is_read(tmp_path: Path) -> None:
    """Every field of the example is one of the document's, and the document has no problem that is an error."""
    (snippet,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    data = {"id": "page", "backend": {"id": "local"}, **yaml.safe_load(snippet)}
    experiment = ir.from_dict(data, ir.Experiment)
    assert ir.is_valid(experiment)
    assert experiment.pipeline[0].fallback is not None
