from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from crucible.ir import Experiment
from crucible.pipeline import Registry, pipeline_problems

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "data.md"


def test_the_guides_snippets_print_what_it_says(follow_guide: Callable[..., int]) -> None:
    """A text block after a Python block is its real output."""
    assert follow_guide("data.md") == 4


def test_the_guides_experiment_is_valid() -> None:
    """Its YAML, in a document around it, has no problem."""
    import yaml

    (text,) = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL)
    fields = {"id": "guide", "backend": {"id": "local"}, **yaml.safe_load(text)}
    assert not pipeline_problems(Experiment.read(fields), Registry())
