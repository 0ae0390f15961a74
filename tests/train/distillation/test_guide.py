"""The page on distillation: its snippets run and print what it shows, and its document is valid."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from crucible.ir import Experiment
from crucible.pipeline import Registry, pipeline_problems

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "distillation.md"


@pytest.mark.slow  # what it calls is tested beside it, in less time
def test_snippets_print_what_the_page_shows(
    follow_guide: Callable[..., int], base: Path, teacher_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order, in one namespace, with base models of a second in place of the built-in ones."""
    small = {"crucible/tiny": teacher_folder, "crucible/tiny-s": base}
    for place in ("crucible.backends.local", "crucible.train.distillation.opening"):
        monkeypatch.setattr(f"{place}.resolve_base_model", lambda name, *, progress=None: small[name])
    assert follow_guide("distillation.md") == 3


def test_the_guides_experiment_is_valid() -> None:
    """Its YAML, in a document around it, has no problem."""
    import yaml

    (text,) = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL)
    dataset = {"name": "tickets", "options": {"limit": 4, "test_limit": 4}}
    training = {"id": "t", "model_ref": {"id": "crucible/tiny-s"}, "dataset_ref": dataset}
    fields = {"id": "guide", "backend": {"id": "local"}, "dataset": dataset, "training_config": training}
    assert not pipeline_problems(Experiment.read({**fields, **yaml.safe_load(text)}), Registry())
