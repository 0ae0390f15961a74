from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from crucible.ir import Experiment
from crucible.pipeline import Registry, pipeline_problems

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "data.md"


def test_the_guides_snippets_print_what_it_says(follow_guide: Callable[..., int]) -> None:
    """A text block after a Python block is its real output."""
    assert follow_guide("data.md") == 4


@pytest.mark.parametrize(
    ("page", "blocks"), [("data-files.md", 5), ("data-hub.md", 1), ("data-splits.md", 3), ("data-batches.md", 4)]
)
def test_the_pages_on_datasets_print_what_they_say(
    follow_guide: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str, blocks: int
) -> None:
    """Each page answers a question, and its blocks run in an empty folder, with an empty cache."""
    monkeypatch.setenv("CRUCIBLE_CACHE", str(tmp_path / "cache"))
    assert follow_guide(page) == blocks


def test_the_guides_experiment_is_valid() -> None:
    """Its YAML, in a document around it, has no problem."""
    import yaml

    for page in (GUIDE, GUIDE.with_name("data-hub.md")):
        (text,) = re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        fields = {
            "id": "guide",
            "backend": {"id": "local"},
            "pipeline": [{"name": "data_load"}],
            **yaml.safe_load(text),
        }
        assert not pipeline_problems(Experiment.read(fields), Registry())
