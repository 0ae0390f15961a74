"""The page about comparisons in a run: its documents are valid, and its tables are what the stage accepts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from crucible import ir
from crucible.pipeline import pipeline_problems
from crucible.pipeline.registry import Registry
from crucible.stats import canonical_test
from crucible.stats.groups.comparing import GROUP_TESTS

PAGE = (Path(__file__).parents[2] / "docs" / "bench.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_snippets_are_valid(number: int) -> None:
    """Each list of stages, as it stands on the page."""
    document: dict[str, Any] = {"id": "x", "backend": {"id": "local"}, "pipeline": yaml.safe_load(SNIPPETS[number])}
    assert pipeline_problems(ir.from_dict(document, ir.Experiment), Registry()) == []


def test_every_test_is_on_the_page() -> None:
    """And every word of the table is one that the stage executes."""
    table = PAGE.split("| `tests` | for |")[1].split("\n\n")[0]
    words = [word for row in table.splitlines() for word in re.findall(r"`(\w+)`", row.split("|")[1] if row else "")]
    assert {canonical_test(word) for word in words} == set(GROUP_TESTS) - {
        "bootstrap_independent",
        "permutation_independent",
    }
