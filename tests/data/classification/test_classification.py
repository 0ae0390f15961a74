"""Precision, recall and F1 by hand and as scikit-learn defines them; classes read from answers."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import numpy as np
import pytest

from crucible.data import Item
from crucible.data.classification import classify, classify_answers, read_label, scoring
from crucible.data.classification.telling import facts_of
from crucible.errors import DataError

PAIRS = [("a", "a"), ("a", "b"), ("b", "b"), ("b", None), ("c", "b"), ("c", "c")]


def test_by_hand() -> None:
    """Three classes, six items, one answer without a class: it counts against the recall and nothing else."""
    found = classify(PAIRS)
    a, b, c = found.classes.values()
    assert (a.precision, a.recall, a.f1) == (1.0, 0.5, 2 / 3)
    assert (b.precision, b.recall, b.f1) == (1 / 3, 0.5, 0.4)
    assert (c.precision, c.recall, c.f1, c.support, c.predicted, c.right) == (1.0, 0.5, 2 / 3, 2, 1, 1)
    assert found.macro.precision == pytest.approx((1 + 1 / 3 + 1) / 3)
    assert found.macro.recall == pytest.approx(0.5)
    assert found.macro.f1 == pytest.approx((2 / 3 + 0.4 + 2 / 3) / 3)
    assert (found.micro.precision, found.micro.recall) == (3 / 5, 3 / 6)
    assert found.micro.f1 == pytest.approx(6 / 11)
    assert (found.accuracy, found.items, found.unread) == (0.5, 6, 1)
    assert found.confusion["b"] == {"b": 1, "": 1}


def plain(pairs: Sequence[tuple[str, str]], labels: Sequence[str]) -> list[float]:
    """Return macro precision, recall and F1 as scikit-learn computes them with zero_division=0."""
    parts = []
    for label in labels:
        right = sum(one == other == label for one, other in pairs)
        predicted, support = sum(other == label for _, other in pairs), sum(one == label for one, _ in pairs)
        precision, recall = right / predicted if predicted else 0.0, right / support if support else 0.0
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        if predicted or support:
            parts.append((precision, recall, f1))
    return np.mean(parts, axis=0).tolist()


@pytest.mark.parametrize("seed", range(5))
def test_macro_means_are_those_of_the_definitions(seed: int) -> None:
    """On random pairs of four classes, of which some are never answered; where all are read, micro is accuracy."""
    draw = random.Random(seed)
    pairs = [(draw.choice("abcd"), draw.choice("abc")) for _ in range(30)]
    found = classify(pairs, labels=["a", "b", "c", "d", "e"])
    macro = found.macro
    assert [macro.precision, macro.recall, macro.f1] == pytest.approx(plain(pairs, "abcde"))
    assert found.micro.precision == found.micro.recall == found.accuracy
    assert found.micro.f1 == pytest.approx(found.accuracy)
    assert found.classes["d"].precision is None
    assert found.classes["d"].f1 == 0.0
    assert (found.classes["e"].recall, found.classes["e"].f1) == (None, None)


def test_intervals_hold_their_figures_and_repeat() -> None:
    """Wilson's of shares of a fixed count, percentiles of resamples of the rest; the same seed, the same numbers."""
    draw = random.Random(0)
    pairs = [(name, name if draw.random() < 0.8 else draw.choice("ab")) for name in draw.choices("ab", k=200)]
    found = classify(pairs, level=0.9)
    scores = found.classes["a"]
    assert scores.recall_interval is not None
    assert scores.recall_interval.method == "Wilson score"
    for value, interval in (
        (found.macro.f1, found.macro.f1_interval),
        (found.micro.recall, found.micro.recall_interval),
        (scores.f1, scores.f1_interval),
        (scores.precision, scores.precision_interval),
        (found.accuracy, found.accuracy_interval),
    ):
        assert interval is not None
        assert value is not None
        assert interval.low < value < interval.high
        assert interval.level == 0.9
    assert found.macro.f1_interval == classify(pairs, level=0.9).macro.f1_interval
    assert found.macro.f1_interval != classify(pairs, level=0.9, seed=1).macro.f1_interval


def test_the_interval_of_f1_covers_the_truth_about_as_often_as_it_says() -> None:
    """Of 100 samples of 150 items from a known confusion matrix, between 88 and 99 at a level of 95 %."""
    cells = np.array([[0.3, 0.1], [0.15, 0.45]])
    f1 = [2 * cells[i, i] / (cells[i].sum() + cells[:, i].sum()) for i in (0, 1)]
    truth, draw = float(np.mean(f1)), np.random.default_rng(5)
    covered = 0
    for _ in range(100):
        counts = draw.multinomial(150, cells.ravel())
        pairs = [("ab"[cell // 2], "ab"[cell % 2]) for cell in range(4) for _ in range(counts[cell])]
        interval = classify(pairs).macro.f1_interval
        assert interval is not None
        covered += interval.low <= truth <= interval.high
    assert 88 <= covered <= 99


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Supports", "supports"),
        ("**refutes**.", "refutes"),
        ("The answer is: Not Enough Info.", "not enough info"),
        ("I think the claim is supported, so the verdict supports it", "supports"),
        ("it refutes and supports it", None),
        ("unsupportsable", None),
        ("", None),
        ("#### refutes", "refutes"),
        ("<think>supports?</think> refutes", "refutes"),
    ],
)
def test_a_class_is_read_from_an_answer(text: str, label: str | None) -> None:
    """The whole, the declared, or the only one that is named; never one of several."""
    assert read_label(text, ["supports", "refutes", "not enough info"]) == label


def test_a_class_inside_of_a_longer_one_is_not_named() -> None:
    """Where both are classes."""
    assert read_label("It is not supported here", ["supported", "not supported"]) == "not supported"


def test_answers_are_counted_by_their_text_or_a_field() -> None:
    """Items without an expected answer, and those without an answer, are skipped and counted."""
    items = [Item("1", "q", "yes"), Item("2", "q", "no"), Item("3", "q"), Item("4", "q", "no")]
    found = classify_answers(items, ["Yes.", "maybe", "yes", None])
    assert (found.items, found.skipped, found.unread, found.accuracy) == (2, 2, 1, 0.5)
    records = [Item("1", "q", '{"kind": "bug", "n": 1}'), Item("2", "q", '{"kind": "wish"}')]
    found = classify_answers(records, ['{"kind": "Bug"}', "no record"], field="kind")
    assert (found.accuracy, found.unread) == (0.5, 1)


@pytest.mark.parametrize(
    ("items", "more", "message"),
    [
        ([Item("1", "q")], {}, "there is no item with an expected class and an answer"),
        ([Item("1", "q", "perhaps")], {"labels": ["yes", "no"]}, 'item "1": .*"perhaps" has none of the labels'),
        ([Item("1", "q", "{}")], {"field": "kind"}, 'no text or number as its field "kind"'),
        ([Item(str(n), "q", f"words {n}") for n in range(201)], {}, "are 201 different ones, which are no classes"),
    ],
)
def test_what_cannot_be_counted_is_an_error(items: list[Item], more: dict[str, object], message: str) -> None:
    """With the item."""
    with pytest.raises(DataError, match=message):
        classify_answers(items, ["yes"] * len(items), **more)  # type: ignore[arg-type]


def test_a_class_that_is_no_label_is_an_error() -> None:
    """By its name."""
    with pytest.raises(DataError, match='"b" is none of the classes a'):
        classify([("a", "b")], labels=["a"])


def test_facts_are_lists_of_plain_values() -> None:
    """One entry a figure, with its interval; what no answer has is null."""
    facts = facts_of(classify(PAIRS, labels=["a", "b", "c", "d"]))
    figures = {each["figure"]: each for each in facts["figures"]}
    assert figures["micro_recall"]["value"] == 0.5
    assert figures["micro_recall"]["method"] == "Wilson score"
    assert figures["precision of d"] == {
        "figure": "precision of d",
        "value": None,
        "low": None,
        "high": None,
        "level": None,
        "method": None,
    }
    assert {"expected": "b", "answered": None, "items": 1} in facts["confusion"]
    assert facts["classes"][1] == {"class": "b", "support": 2, "predicted": 3, "right": 1}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"labels": ["yes", "yes", "no"]}, "labels name a class twice, got yes, yes, no"),
        ({"level": 1.0}, "level is the coverage of the intervals, above 0 and below 1, got 1.0"),
        ({"level": float("nan")}, "level is the coverage"),
    ],
)
def test_counting_refuses_what_would_be_counted_wrongly(more: dict[str, object], message: str) -> None:
    """A class in two rows would have every right answer as a wrong one, too."""
    with pytest.raises(DataError, match=message):
        classify([("yes", "yes"), ("no", "yes")], **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("items", "more", "message"),
    [
        ([Item("1", "q", "Yes"), Item("2", "q", "yes")], {}, "told apart: 'Yes' and 'yes' are one class"),
        ([Item("1", "q", "yes")], {"labels": ["yes", "!"]}, "'!' has no word by which an answer could name it"),
        ([Item("1", "q", '{"kind": "z"}')], {"field": "kind", "labels": ["bug"]}, "has none of the labels bug"),
        ([Item("1", "q", " ")], {}, "has no text, so it is no class"),
    ],
)
def test_classes_that_answers_cannot_tell_apart_are_an_error(
    items: list[Item], more: dict[str, object], message: str
) -> None:
    """Or every answer of the one would count for the other, and an answer that says nothing for a class."""
    with pytest.raises(DataError, match=message):
        classify_answers(items, ["yes"] * len(items), **more)  # type: ignore[arg-type]


def test_resamples_of_many_classes_are_drawn_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same intervals; all at a time, those of 200 classes would take 640 MB."""
    whole = classify(PAIRS)
    monkeypatch.setattr(scoring, "_TOGETHER", 500)
    assert classify(PAIRS) == whole


@pytest.mark.parametrize(
    "text", ["x" + "." * 200_000 + "x", "(" * 200_000 + "x", " \n*" * 50_000 + "supports" + " ." * 50_000]
)
def test_a_degenerate_answer_is_read_in_a_moment(text: str) -> None:
    """Runs of dots and blanks, as a model that has lost its way writes them: in linear time."""
    started = time.process_time()
    assert read_label(text, ["supports", "refutes"]) == ("supports" if "supports" in text else None)
    assert time.process_time() - started < 2
