"""The items shown are chosen by a rule that cannot see the answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crucible.report import wording
from crucible.report.answers import clip, sample_answers
from crucible.report.results import Answer


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write a file of answers."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_first_items_by_id(tmp_path: Path) -> None:
    """The first ids in text order are shown, for all models, whatever order the files have."""
    files = {
        "base": write(tmp_path / "a", [{"id": i, "output": f"base {i}"} for i in ("c", "a", "d")]),
        "tuned": write(tmp_path / "b", [{"id": i, "output": f"tuned {i}", "expected": i} for i in ("d", "c", "b")]),
    }
    samples = sample_answers(files, 3)
    assert [item.id for item in samples.items] == ["a", "b", "c"]
    assert [[answer.output for answer in item.answers] for item in samples.items] == [
        ["base a", None],
        [None, "tuned b"],
        ["base c", "tuned c"],
    ]
    assert samples.items[2].expected == "c"
    assert samples.rule == "The first 3 items in text order of their ids, whatever the answers."
    assert sample_answers({"x": write(tmp_path / "c", [])}, 3).rule == ""


@given(ids=st.lists(st.text(min_size=1, max_size=5), unique=True), scores=st.randoms())
def test_the_choice_does_not_depend_on_the_answers(tmp_path_factory: Any, ids: list[str], scores: Any) -> None:
    """Other answers, other scores, another order: the same items."""
    folder = tmp_path_factory.mktemp("answers")
    rows = [{"id": i, "output": str(scores.random())} for i in ids]
    one = sample_answers({"m": write(folder / "a", rows)}, 4)
    scores.shuffle(rows)
    two = sample_answers({"m": write(folder / "b", [{**row, "output": "other"} for row in rows])}, 4)
    assert [item.id for item in one.items] == [item.id for item in two.items] == sorted(ids)[:4]


def test_what_is_not_text_is_shown_as_json(tmp_path: Path) -> None:
    """An expected answer that is a record is shown as the record it is."""
    rows = [
        {
            "id": 7,
            "input": ["a"],
            "expected": {"ü": 1},
            "output": "",
            "scores": {"em": {"kind": "scored", "value": 0.5}},
        }
    ]
    item = sample_answers({"m": write(tmp_path / "a", rows)}, 1).items[0]
    assert (item.id, item.input, item.expected) == ("7", '["a"]', '{"ü": 1}')
    assert wording.answer_text(item.answers[0]) == "[empty answer]"
    assert wording.score_line(item.answers[0]) == "em 0.5"


def test_outcomes_in_words() -> None:
    """A failure and a skip say why, and are never a number."""
    scores = {"a": {"kind": "failed", "error": "no JSON"}, "b": {"kind": "skipped", "reason": "no answer"}, "c": {},
              "d": {"kind": "failed"}, "e": {"kind": "skipped"}}  # fmt: skip
    assert wording.score_line(Answer("m", scores=scores)) == (
        "a failed (no JSON), b skipped (no answer), c —, d failed (no reason recorded), e skipped (no reason recorded)"
    )
    assert wording.answer_text(Answer("m")) == "[no answer recorded]"


def test_long_texts_say_how_much_is_left_out() -> None:
    """A long answer is cut, and the cut is counted."""
    assert clip("a" * 10, 10) == "a" * 10
    assert clip("a" * 1210, 10) == "a" * 10 + "… (1,200 more characters)"
