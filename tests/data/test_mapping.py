"""From a row's fields to an item: names, paths, transforms, choices."""

from __future__ import annotations

from typing import Any

import pytest

from crucible.data import Item, load, transform_names
from crucible.data.load import option_problems
from crucible.errors import DataError
from crucible.ir import DatasetRef


def one(row: dict[str, Any], **fields: Any) -> Item:
    """Return the item of one row in memory."""
    return load([row], fields=fields)[0]


def test_a_field_inside_another_is_named_by_its_path() -> None:
    """Unless a field is called so."""
    row = {"q": {"text": "a", "lang": "en"}, "a.b": "c"}
    assert one(row, input="q.text", expected="a.b") == Item("item-1", "a", "c", {"q": {"text": "a", "lang": "en"}})
    with pytest.raises(DataError, match='no field "q.txt"'):
        one(row, input="q.txt", expected="a.b")


def test_the_fields_to_keep_can_be_named() -> None:
    """The others are left out; one that is not there is an error."""
    row = {"input": "a", "expected": "b", "k": 1, "z": {"y": 2}}
    assert one(row, metadata=["k", "z.y"]).metadata == {"k": 1, "z.y": 2}
    assert one(row, metadata=[]).metadata == {}
    with pytest.raises(DataError, match='no field "m"'):
        one(row, metadata=["m"])


@pytest.mark.parametrize(
    ("names", "value", "expected"),
    [
        (["after_hashes"], "1+1\n#### 2", "2"),
        (["boxed"], r"so \boxed{\frac{1}{2}} and \boxed{\sqrt{{3}}}", r"\sqrt{{3}}"),
        (["first"], ["a", "b"], "a"),
        (["last", "strip"], ["a", " b "], "b"),
        (["join_lines"], ["a", "b"], "a\nb"),
        (["letter"], 2, "C"),
        (["letter"], "2", "C"),
        (["lower"], "ÉA", "éa"),
        (["upper"], "a", "A"),
        (["strip", "number"], " 1,000 ", "1000"),
        (["number"], "2.5", "2.5"),
        (["parse_json", "first"], '["x"]', "x"),
    ],
)
def test_transforms_are_named_and_chained(names: list[str], value: Any, expected: str) -> None:
    """Each makes one value of another; code does not come from a file."""
    assert one({"input": "a", "expected": value}, transforms={"expected": names}).expected == expected
    assert set(names) <= set(transform_names())


@pytest.mark.parametrize(
    ("names", "value", "message"),
    [
        (["after_hashes"], "2", 'there is no "####"'),
        (["boxed"], "x", "there is no .boxed"),
        (["boxed"], r"\boxed{x", "is not closed"),
        (["first"], [], "the list is empty"),
        (["first"], "x", "expected a list, got a str"),
        (["join_lines"], [1], "expected text, got a int"),
        (["letter"], 26, "there is no letter for 26"),
        (["letter"], True, "expected an index, got a bool"),
        (["number"], "x", "could not convert"),
        (["number"], "inf", "is no finite number"),
        (["parse_json"], "{", "cannot take this"),
        (["parse_json"], "[" * 100_000, "cannot take this"),
    ],
)
def test_a_value_that_a_transform_cannot_take_is_named_by_row_and_field(
    names: list[str], value: Any, message: str
) -> None:
    """Never passed on as it was."""
    with pytest.raises(
        DataError, match=rf'item 1 of the list: field "expected": the transform "{names[0]}".*{message}'
    ):
        one({"input": "a", "expected": value}, transforms={"expected": names})


def test_an_unknown_transform_is_found_before_a_file_is_read() -> None:
    """With the nearest one; also when a document is checked."""
    with pytest.raises(DataError, match='fields.transforms.expected: unknown "strp"; .*did you mean "strip"'):
        load("jsonl", path="nowhere.jsonl", fields={"transforms": {"expected": ["strp"]}})
    ref = DatasetRef(name="jsonl", options={"path": "x", "fields": {"transforms": {"a": ["b"]}}})
    assert 'unknown "b"' in option_problems(ref)


PROMPT = "Two?\n\nA. one\nB. two\n\nAnswer:"


@pytest.mark.parametrize(
    ("kind", "answer"), [("letter", "b"), ("letter", " B"), ("index", 1), ("index", "1"), ("text", "two")]
)
def test_a_field_of_choices_makes_a_multiple_choice(kind: str, answer: object) -> None:
    """Lettered lines; the letter is the answer; the choices and the right one's text are metadata."""
    row = {"q": "Two?", "options": ["one", "two"], "a": answer, "k": 1}
    item = one(row, input="q", expected="a", choices="options", answer_as=kind)
    assert item == Item("item-1", PROMPT, "B", {"k": 1, "choices": ["one", "two"], "answer_text": "two"})


@pytest.mark.parametrize(
    ("row", "kind", "message"),
    [
        ({"a": "C"}, "letter", "names none of the 2 choices; expected a letter, got 'C'"),
        ({"a": 2}, "index", "expected an index from 0, got 2"),
        ({"a": -1}, "index", "expected an index from 0"),
        ({"a": True}, "index", "expected an index from 0"),
        ({"a": "three"}, "text", "expected the text of one"),
        ({"a": "x", "options": ["x", "x"]}, "text", "expected the text of one"),
        ({"a": "A", "options": ["one"]}, "letter", "must hold 2 to 26 choices, got 1"),
        ({"a": "A", "options": ["x"] * 27}, "letter", "must hold 2 to 26 choices, got 27"),
        ({"a": "A", "options": "one, two"}, "letter", "must be a list of texts"),
        ({"a": "A", "options": ["one", None]}, "letter", "must be a list of texts"),
    ],
)
def test_an_answer_that_names_no_choice_is_refused(row: dict[str, Any], kind: str, message: str) -> None:
    """So are choices that are none."""
    full = {"q": "Two?", "options": ["one", "two"], **row}
    with pytest.raises(DataError, match=message):
        one(full, input="q", expected="a", choices="options", answer_as=kind)


def test_a_choice_without_an_answer_can_be_kept() -> None:
    """It expects nothing."""
    row = {"input": "Two?", "choices": ["one", "two"]}
    (item,) = load([row], fields={"choices": "choices"}, unanswered="keep")
    assert (item.expected, item.metadata) == (None, {"choices": ["one", "two"]})
