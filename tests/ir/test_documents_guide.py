"""The guide to documents in Python does what it says."""

import re
from collections.abc import Callable
from pathlib import Path

from crucible import ir

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "documents.md"


def test_the_guides_snippets_print_what_it_says(follow_guide: Callable[..., int]) -> None:
    """Each Python block runs after the ones before it; the text block after it is its real output."""
    assert follow_guide("documents.md") == 4


def test_the_guide_lists_every_type() -> None:
    """Each type of the document has its place in the table of types."""
    table = set(
        re.findall(r"`(\w+)`", re.search(r"\| what \| types.*?\n\n", GUIDE.read_text(encoding="utf-8"), re.DOTALL)[0])
    )  # type: ignore[index]
    kinds = {
        name
        for name in ir.__all__
        if isinstance(kind := getattr(ir, name), type)
        and issubclass(kind, ir.Model)
        and kind not in (ir.Model, ir.Document, ir.OpenModel)
    }
    assert table == kinds
