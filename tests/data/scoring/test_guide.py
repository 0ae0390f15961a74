from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from crucible.data import scorer_names
from crucible.data.sandbox import Sandbox, SandboxRefused

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "scoring.md").read_text(encoding="utf-8")


def test_the_guides_snippets_print_what_it_says(follow_guide: Callable[..., int]) -> None:
    """A text block after a Python block is its real output; the programs in it need namespaces."""
    try:
        Sandbox().check()
    except SandboxRefused as error:
        pytest.skip(str(error))
    assert follow_guide("scoring.md") == PAGE.count("```python")


def test_the_guide_names_every_scorer() -> None:
    """In its table."""
    assert [name for name in scorer_names() if f"`{name}`" not in PAGE] == []
