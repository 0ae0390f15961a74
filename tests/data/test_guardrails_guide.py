from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from crucible.data.guardrails import PROFILES, Category
from crucible.ir import Experiment
from crucible.pipeline import Registry, pipeline_problems

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guardrails.md"


def test_the_guides_snippets_print_what_it_says(follow_guide: Callable[..., int]) -> None:
    """A text block after a Python block is its real output."""
    assert follow_guide("guardrails.md") == 2


def test_the_guides_experiment_is_valid() -> None:
    """Its YAML, in a document around it, has no problem."""
    import yaml

    (text,) = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL)
    document = {"id": "guide", "backend": {"id": "local"}, "dataset": {"name": "tickets"}, **yaml.safe_load(text)}
    assert not pipeline_problems(Experiment.read(document), Registry())


def test_the_guides_table_of_profiles_is_what_they_are() -> None:
    """In the order from the one that finds least to the one that finds most."""
    rows = re.findall(
        r"^\| `(\w+)` \| (\w+) \| (\w+) \| (\w+) \| (\w+) \|$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE
    )
    order = (Category.PII, Category.PROMPT_INJECTION, Category.JAILBREAK, Category.CONTENT)
    assert rows == [(name, *(found[each].value for each in order)) for name, found in PROFILES.items()]
