"""Comparisons: every form in which a dataset holds them, and what is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crucible.data import Item
from crucible.errors import DataError
from crucible.text import Message
from crucible.train.preference import Comparison, comparison_of, read_comparisons

ASKED = [{"role": "user", "content": "hi"}]
GOOD = [{"role": "assistant", "content": "hello"}]
BAD = [{"role": "assistant", "content": "go away"}]


def labelled(label: str) -> dict[str, Any]:
    """Return a row of the labelled form."""
    return {"comparison": {"prompt_conversation": ASKED, "completion_A": GOOD, "completion_B": BAD}, "label": label}


@pytest.mark.parametrize(("label", "chosen", "rejected"), [("A", "hello", "go away"), ("B", "go away", "hello")])
def test_a_label_says_which_answer_is_preferred(label: str, chosen: str, rejected: str) -> None:
    """And swapping the answers swaps the label."""
    found = comparison_of(Item("1", "", None, labelled(label)))
    assert found.prompt == (Message("user", "hi"),)
    for each in (found, found.swapped(), found.swapped().swapped()):
        assert each.chosen == (Message("assistant", chosen),)
        assert each.rejected == (Message("assistant", rejected),)
    assert found.swapped() != found == found.swapped().swapped()


def test_a_tie_is_a_tie_and_not_a_preference_for_b() -> None:
    """In either order, and however it is spelled."""
    for label in ("Tie", "tie", " TIE "):
        found = comparison_of(Item("1", "", None, labelled(label)))
        assert found.is_tie
        assert found.swapped().is_tie


def test_chosen_and_rejected_are_read_as_text_as_messages_and_as_whole_conversations() -> None:
    """The answer of an item may be the chosen one; what whole conversations begin with alike is the prompt."""
    assert comparison_of(Item("1", "2+2?", None, {"chosen": "4", "rejected": "5"})) == Comparison("2+2?", "4", "5", "A")
    assert comparison_of(Item("1", "2+2?", "4", {"rejected": "5"})).chosen == "4"
    answers = {"chosen": GOOD, "rejected": BAD}
    assert comparison_of(Item("1", "hi", None, answers)).prompt == "hi"
    assert comparison_of(Item("1", "", None, {**answers, "messages": ASKED})).prompt == (Message("user", "hi"),)
    whole = comparison_of(Item("1", "", None, {"chosen": [*ASKED, *GOOD], "rejected": [*ASKED, *BAD]}))
    assert whole == Comparison(
        (Message("user", "hi"),), (Message("assistant", "hello"),), (Message("assistant", "go away"),), "A"
    )


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, "chosen and rejected missing"),
        ({"chosen": "4"}, "rejected missing"),
        ({"chosen": "4", "rejected": BAD}, "must both be text"),
        ({"chosen": [*ASKED, *GOOD], "rejected": [{"role": "user", "content": "ho"}, *BAD]}, "no common prompt"),
        ({"chosen": 4, "rejected": "5"}, "chosen"),
        (labelled("C"), 'label must be A, B or Tie, got "C"'),
        ({"comparison": {"prompt_conversation": ASKED}, "label": "A"}, "lacks completion_A, completion_B"),
        ({"comparison": "A", "label": "A"}, "must be an object"),
        ({"comparison": labelled("A")["comparison"]}, "label must be A, B or Tie"),
    ],
)
def test_what_is_no_comparison_is_refused_with_the_item(metadata: dict[str, Any], message: str) -> None:
    """And with what to do."""
    with pytest.raises(DataError, match=message) as caught:
        comparison_of(Item("q7", "2+2?", None, metadata))
    assert 'item "q7"' in str(caught.value)


def test_a_file_of_comparisons_is_read_line_by_line(tmp_path: Path) -> None:
    """Blank lines count for the numbers only; an id is kept."""
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join([json.dumps(labelled("A")), "", json.dumps({**labelled("Tie"), "id": "mine"})]))
    items = read_comparisons(path)
    assert [item.id for item in items] == ["1", "mine"]
    assert [comparison_of(item).label for item in items] == ["A", "Tie"]


def test_a_line_ends_at_a_newline_and_nowhere_else(tmp_path: Path) -> None:
    """JSON allows the line separator of Unicode inside of a text, and so do chats."""
    path = tmp_path / "pairs.jsonl"
    row = {
        "comparison": {"prompt_conversation": "one\u2028two\x85", "completion_A": "a", "completion_B": "b"},
        "label": "A",
    }
    path.write_text(json.dumps(row, ensure_ascii=False) + "\r\n", encoding="utf-8", newline="")
    (item,) = read_comparisons(path)
    assert item.input == "one\u2028two\x85"


def test_an_input_may_be_the_conversation(tmp_path: Path) -> None:
    """As in supervised training."""
    item = Item("1", ASKED, None, {"chosen": GOOD, "rejected": BAD})  # type: ignore[arg-type]
    assert comparison_of(item).prompt == (Message("user", "hi"),)


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "line 1"), ("[]", "line 1"), (json.dumps(labelled("Z")), "line 1: .*A, B or Tie"), ("\n{}", "line 2")],
)
def test_a_bad_line_is_named(tmp_path: Path, content: str, message: str) -> None:
    """With the file and what is wrong."""
    path = tmp_path / "pairs.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match=f"pairs.jsonl, {message}"):
        read_comparisons(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_comparisons(tmp_path / "nowhere.jsonl")
