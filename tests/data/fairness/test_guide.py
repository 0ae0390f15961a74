from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from crucible.data.drift import METHODS, DriftStage
from crucible.data.fairness import METRICS, FairnessStage, Judgement
from crucible.ir import Experiment
from crucible.pipeline import Registry, pipeline_problems

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "fairness-and-drift.md"


def test_the_guides_snippets_print_what_it_says(follow_guide: Callable[..., int]) -> None:
    """A text block after a Python block is its real output."""
    assert follow_guide("fairness-and-drift.md") == 4


def test_the_guides_experiment_is_valid() -> None:
    """Its YAML, in a document around it, has no problem."""
    import yaml

    (text,) = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL)
    document = {"id": "guide", "backend": {"id": "local"}, "dataset": {"name": "tickets"}, **yaml.safe_load(text)}
    document["pipeline"][2]["options"] = {"base_model": "crucible/tiny"}
    assert not pipeline_problems(Experiment.read(document), Registry(FairnessStage(), DriftStage()))


def test_the_guide_names_every_metric_judgement_and_method() -> None:
    """In its tables."""
    text = GUIDE.read_text(encoding="utf-8")
    for name in (*METRICS, *Judgement, *METHODS):
        assert f"`{name}`" in text, name
