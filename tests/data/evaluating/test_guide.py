from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from crucible.ir import Experiment
from crucible.pipeline import Registry, pipeline_problems

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "evaluating.md"


def test_the_guides_snippets_print_what_it_says(follow_guide: Callable[..., int]) -> None:
    """A text block after a Python block is its real output."""
    assert follow_guide("evaluating.md") == 6


def test_the_guides_experiment_is_valid() -> None:
    """Its YAML, in a document around it, has no problem."""
    import yaml

    (text,) = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL)
    dataset = {"name": "tickets", "options": {"limit": 4, "test_limit": 4}}
    training = {"id": "t", "model_ref": {"id": "crucible/tiny"}, "dataset_ref": dataset}
    fields = {"id": "guide", "backend": {"id": "local"}, "dataset": dataset, "training_config": training}
    assert not pipeline_problems(Experiment.read({**fields, **yaml.safe_load(text)}), Registry())
