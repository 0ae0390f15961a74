"""The page on quality: its snippets run and print what it shows, and its document is one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from crucible.data import judges
from crucible.data.evaluating.stage_options import EvaluateOptions

PAGE = Path(__file__).parents[2] / "docs" / "quality.md"


@pytest.fixture(autouse=True)
def no_judges() -> Iterator[None]:
    """Judges are of the process."""
    yield
    judges.use_entailer(None)


def test_snippets_print_what_the_page_shows(
    follow_guide: Callable[..., int], base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order, in one namespace, with a base model of 30 steps in place of crucible/tiny's 1,000."""
    monkeypatch.setattr("crucible.backends.local.resolve_base_model", lambda name, *, progress: base)
    assert follow_guide("quality.md") == 5


def test_the_stage_of_the_page_is_one() -> None:
    """With these options."""
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    ((stage,),) = (yaml.safe_load(block),)
    options = EvaluateOptions.model_validate(stage["options"])
    assert options.classes is not None
    assert options.quality_targets == {"schema_compliance": 0.95, "citation_accuracy": 0.95, "f1": 0.7}
