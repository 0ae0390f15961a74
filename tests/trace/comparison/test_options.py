"""What the options refuse."""

from __future__ import annotations

from typing import Any

import pytest

from crucible.errors import SpecError
from crucible.trace.comparison import RUN_NOISE, DiffOptions


@pytest.mark.parametrize(
    ("options", "path", "words"),
    [
        ({"match_by": "contents"}, "match_by", 'did you mean "content"'),
        ({"min_similarity": 1.5}, "min_similarity", "from 0 to 1"),
        ({"min_similarity": float("nan")}, "min_similarity", "from 0 to 1"),
        ({"max_comparisons": 0}, "max_comparisons", "at least 1"),
        ({"ignore": "decision"}, "ignore", "tuple"),
        ({"ignore": ("decison",)}, "ignore[0]", 'did you mean "decision"'),
        ({"ignore": ("metadatax",)}, "ignore[0]", "no field"),
    ],
)
def test_refusals(options: dict[str, Any], path: str, words: str) -> None:
    """What cannot be meant is refused, with the option and, where there is one, the likely word."""
    with pytest.raises(SpecError) as caught:
        DiffOptions(**options)
    assert caught.value.path == path
    assert words in str(caught.value)


def test_a_path_covers_what_lies_below() -> None:
    """An ignored path covers all below it, and nothing that merely begins alike."""
    options = DiffOptions(ignore=("metadata.a", *RUN_NOISE))
    assert options.ignores("metadata.a.b")
    assert options.ignores('metadata.a["b.c"]')
    assert not options.ignores("metadata.ab")
    assert options.ignores("timestamp")
