from __future__ import annotations

import sys
from functools import partial

import pytest

from crucible.data import (
    TICKET_SCHEMA,
    Item,
    Normalisation,
    exact_match,
    field_f1,
    load,
    number_match,
    resolve_scorers,
    schema_compliance,
    score_bounds,
    scorer_names,
)
from crucible.errors import DataError, MissingExtra
from crucible.ir import Failed, Scored, Skipped

RIGHT, WRONG = Scored(1.0), Scored(0.0)


def item(expected: str | None) -> Item:
    """Return an item that expects this."""
    return Item("i", "q", expected)


def test_exact_match_ignores_white_space_at_the_ends_only() -> None:
    """Inner spaces and case count unless told otherwise."""
    assert exact_match(item("SUPPORT"), " SUPPORT\n") == RIGHT
    assert exact_match(item("SUPPORT"), "support") == WRONG
    assert exact_match(item("a b"), "a  b") == WRONG


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("3.14", "314"),
        ("-5", "5"),
        ("1/2", "12"),
        ("2.5", "25"),
        ("100.0", "101.0"),
        ("é", "è"),
        ("日", "旦"),
        ("42abc", "42"),
    ],
)
def test_exact_match_never_drops_a_sign_that_means_something(one: str, two: str) -> None:
    """The predecessor took each of these pairs for equal."""
    assert exact_match(item(one), two) == WRONG


def test_exact_match_knows_one_letter_in_two_encodings() -> None:
    """A composed and a decomposed accent are the same text."""
    assert exact_match(item("caf\u00e9"), "cafe\u0301") == RIGHT


def test_what_may_differ_can_be_declared() -> None:
    """A normalisation is a value; a scorer with it is a partial of the plain function."""
    loose = partial(exact_match, normalise=Normalisation(collapse=True, casefold=True))
    assert loose(item("New  York"), "new york ") == RIGHT
    assert loose(item("a , b"), "A ,  b") == RIGHT
    assert loose(item("a, b"), "a b") == WRONG
    assert exact_match(item("a"), "a ", normalise=Normalisation(strip=False)) == WRONG


def test_number_match_compares_final_numbers() -> None:
    """However they are written; an answer without a number is wrong, not failed."""
    expected = item("It is 2 + 2.\n#### 1,000")
    assert number_match(expected, "so it is $1000.") == RIGHT
    assert number_match(expected, "#### 1000.0") == RIGHT
    assert number_match(expected, "#### 1000.5") == WRONG
    assert number_match(expected, "no idea") == WRONG


def test_number_match_fails_on_an_expectation_without_a_number() -> None:
    """A broken item is Failed and never a zero."""
    assert isinstance(number_match(item("none"), "3"), Failed)


@pytest.mark.parametrize("scorer", [exact_match, number_match, field_f1])
def test_an_item_without_an_answer_is_skipped(scorer: object) -> None:
    """There is nothing to compare with."""
    assert isinstance(scorer(item(None), "x"), Skipped)  # type: ignore[operator]


def test_field_f1_counts_right_fields_of_both_sides() -> None:
    """Two of three right with one extra: precision 2/4, recall 2/3, F1 4/7."""
    expected = item('{"a": 1, "b": "x", "c": true}')
    assert field_f1(expected, '{"c":true,"b":"x","a":1}') == RIGHT
    assert field_f1(expected, '{"a": 1, "b": "x", "c": false, "d": 0}') == Scored(4 / 7)
    assert field_f1(expected, "{}") == WRONG


@pytest.mark.parametrize(
    "output", ["", "not json", "[1]", '{"a":1', '{"a":1} and more', '{"a":1,"a":1}', '{"a":NaN}', '{"a":1e999}']
)
def test_field_f1_of_what_is_no_json_object_is_zero(output: str) -> None:
    """It is the model's answer that is wrong, so it is a score."""
    assert field_f1(item('{"a": 1}'), output) == WRONG


def test_field_f1_tells_json_kinds_apart() -> None:
    """1 and 1.0 are one number; true is none, "1" is text, and null is not missing."""
    assert field_f1(item('{"a": 1}'), '{"a": 1.0}') == RIGHT
    for other in ("true", '"1"', "null", "{}", "[]"):
        assert field_f1(item('{"a": 1}'), f'{{"a": {other}}}') == WRONG
    assert field_f1(item('{"a": {}}'), '{"a": []}') == WRONG
    assert field_f1(item('{"a": null}'), "{}") == WRONG


def test_field_f1_compares_nested_records_by_their_leaves() -> None:
    """One of two leaves right is one half; a key with a dot is not a path."""
    assert field_f1(item('{"a": {"b": 1, "c": [2]}}'), '{"a": {"b": 1, "c": [3]}}') == Scored(0.5)
    assert field_f1(item('{"a": {"b": 1}}'), '{"a.b": 1}') == WRONG


def test_field_f1_of_two_empty_objects_is_one() -> None:
    """Nothing was asked for and nothing was said."""
    assert field_f1(item("{}"), "{}") == RIGHT


def test_field_f1_fails_on_an_expectation_that_is_no_object() -> None:
    """A broken item is Failed and never a zero."""
    assert isinstance(field_f1(item("SUPPORT"), "{}"), Failed)


def test_schema_compliance_asks_only_for_form() -> None:
    """A wrong value of the right kind complies; a missing field, an extra one and a code fence do not."""
    scorer = schema_compliance(TICKET_SCHEMA)
    assert scorer(item("x"), ' {"intent":"refund","product":"lamp","urgency":"low"}\n') == RIGHT
    for output in (
        '{"intent":"refund"}',
        '```json\n{"intent":"refund","product":"lamp","urgency":"low"}\n```',
        "",
        "null",
    ):
        assert scorer(item("x"), output) == WRONG
    assert schema_compliance({"type": "null"})(item(None), "null") == RIGHT


def test_schema_compliance_survives_deep_nesting() -> None:
    """An answer of a hundred thousand brackets is a wrong answer."""
    scorer = schema_compliance({"$defs": {"n": {"items": {"$ref": "#/$defs/n"}}}, "$ref": "#/$defs/n"})
    assert scorer(item("x"), "[" * 100_000) == WRONG
    assert scorer(item("x"), "[" * 900 + "]" * 900) in (RIGHT, WRONG)


def test_an_unsound_schema_is_refused_before_any_answer() -> None:
    """The message says where the schema is wrong."""
    with pytest.raises(DataError, match=r"answer_schema is no sound JSON Schema.*\$\.type"):
        schema_compliance({"type": "objekt"})


def test_a_schema_elsewhere_is_not_fetched() -> None:
    """A reference out of the schema is an error of its own, and no request."""
    scorer = schema_compliance({"$ref": "https://example.com/schema.json"})
    with pytest.raises(DataError, match="nothing is fetched"):
        scorer(item("x"), "{}")


def test_an_unknown_scorer_is_an_error_with_the_nearest_name() -> None:
    """The predecessor scored unknown metrics 0.0."""
    data = load([("a", "b")])
    with pytest.raises(DataError, match='unknown scorer "exact_macth"; known: .*; did you mean "exact_match"'):
        resolve_scorers(["exact_macth"], data)
    assert set(scorer_names()) == {
        *("exact_match", "number_match", "math_match", "choice_match", "boolean_match", "json_match", "field_f1"),
        *("schema_compliance", "token_f1", "bleu", "chrf", "rouge1", "rouge2", "rouge_l", "code_passes"),
        *("citation_precision", "citation_recall", "citation_f1", "citation_accuracy"),
        *("claim_consistency", "chirality", "valid_citations", *JUDGED),
    }


def test_scorers_come_as_names_functions_or_a_mapping() -> None:
    """A function goes by its own name."""
    data = load([("a", "b")])

    def mine(item: Item, output: str) -> Scored:
        return Scored(0.5)

    assert resolve_scorers(["exact_match", mine], data) == {"exact_match": exact_match, "mine": mine}
    assert resolve_scorers({"half": mine}, data) == {"half": mine}


@pytest.mark.parametrize(
    ("scorers", "message"),
    [
        ([], "no scorer"),
        ("exact_match", "list of names"),
        (["exact_match", exact_match], 'two scorers are called "exact_match"'),
        ([partial(exact_match)], "has no name"),
        (["schema_compliance"], "the option answer_schema"),
    ],
)
def test_scorers_that_cannot_be_used_are_refused_by_name(scorers: object, message: str) -> None:
    """Before the first question is asked."""
    with pytest.raises(DataError, match=message):
        resolve_scorers(scorers, load([("a", "b")]))  # type: ignore[arg-type]


JUDGED = ("entailment", "entailment_pass", "overall_pass", "semantic_similarity", "similarity_pass")
"""Scorers that ask judges; tests/data/scoring/test_entailment.py gives them some."""


@pytest.mark.parametrize(
    "name", sorted({*scorer_names()} - {"code_passes", "schema_compliance", "claim_consistency", *JUDGED})
)
def test_every_named_scorer_says_its_bounds_and_never_scores_a_missing_answer(name: str) -> None:
    """Without anything to compare with a scorer skips."""
    (scorer,) = resolve_scorers([name], load([("a", "b")])).values()
    low, high = score_bounds(scorer) or (0.0, -1.0)
    assert low < high
    assert scorer.__name__ == name
    assert isinstance(scorer(item(None), "x"), Skipped)


def test_a_missing_package_is_found_before_the_first_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message holds the command that installs it."""
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with pytest.raises(MissingExtra, match=r"bleu needs the extra 'data': pip install 'crucible-ml\[data\]'"):
        resolve_scorers(["bleu"], load([("a", "b")]))


def test_code_is_not_scored_where_it_cannot_be_run_safely(monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal comes before the first question, and is a DataError."""
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(DataError, match="on Linux only, this is darwin"):
        resolve_scorers(["code_passes"], load([("a", "b")]))
