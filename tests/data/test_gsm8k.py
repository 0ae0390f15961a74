from __future__ import annotations

import json
from pathlib import Path

import pytest

from crucible.data import final_number, load, number_match
from crucible.errors import DataError
from crucible.ir import Scored


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with one problem."""
    rows = [{"question": " How many? ", "answer": "500+580=<<500+580=1080>>1080\n#### 1,080"}]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path


def test_a_problem_asks_for_the_whole_solution(folder: Path) -> None:
    """A model learns the way to the number; the number alone is metadata."""
    item = load("gsm8k", path=folder)[0]
    assert item.input == "Question: How many?\n\nAnswer:"
    assert item.expected == "500+580=<<500+580=1080>>1080\n#### 1,080"
    assert item.metadata == {"final": "1,080"}
    assert item.id == "train-1"
    assert number_match(item, "I think 1080.") == Scored(1.0)


def test_the_last_line_alone_can_be_asked_for(folder: Path) -> None:
    """For models too small for solutions."""
    assert load("gsm8k", path=folder, answer="final")[0].expected == "#### 1,080"


@pytest.mark.parametrize("answer", ["42", "x ####", "x #### none"])
def test_an_answer_without_its_number_is_refused(tmp_path: Path, answer: str) -> None:
    """File and line are named; the predecessor made it 0."""
    (tmp_path / "test.jsonl").write_text(json.dumps({"question": "q", "answer": answer}))
    with pytest.raises(DataError, match=r'test.jsonl:1: the answer does not end in "#### "'):
        load("gsm8k", split="test", path=tmp_path)


def test_the_real_problems(real_data: Path) -> None:
    """All 7,473 and 1,319 have a number, and each solution matches itself."""
    for split, count in (("train", 7473), ("test", 1319)):
        data = load("gsm8k", split=split, path=real_data / "gsm8k")
        assert len(data) == count
        assert all(final_number(item.metadata["final"]) is not None for item in data)
        assert all(number_match(item, item.expected or "") == Scored(1.0) for item in data)
