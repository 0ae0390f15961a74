"""The training benchmark gives every side the same batches, and says what they are made of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks.topic import topic
from benchmarks.train import CASES, MODELS, Case, batches

from benchmarks import train


@pytest.fixture(autouse=True)
def _no_cache() -> None:
    """The words are read once a process; each test reads its own."""
    train._problems.cache_clear()


def test_batches_are_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn from a seed, so that another process gets them, too."""
    monkeypatch.delenv("BENCH_DATA", raising=False)
    for case in CASES[:2]:
        first = batches(case)
        train._problems.cache_clear()
        assert batches(case) == first
        assert len(first) == MODELS[case.model].steps
        assert {len(batch) for batch in first} == {case.rows}


def test_fixed_batches_have_one_length_and_train_on_all_of_it() -> None:
    """128 tokens in, 128 targets."""
    assert {
        (len(example.tokens), example.prompt) for batch in batches(Case("0.3 M", "fixed")) for example in batch
    } == {(129, 1)}


def test_ragged_batches_are_gsm8k_s_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One number a word, digit or sign; the answer is what is trained on; the note says so."""
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    assert train.source() == "made-up lengths like GSM8K's"
    (tmp_path / "gsm8k").mkdir()
    line = json.dumps({"question": "How many is 12 + 3?", "answer": "It is 15."})
    (tmp_path / "gsm8k" / "train.jsonl").write_text(line + "\n", encoding="utf-8")
    assert train.source() == "GSM8K"
    (example, *_), *_ = batches(Case("0.3 M", "ragged"))
    assert (len(example.tokens), example.prompt) == (13, 8)
    assert all(3 <= token < 2048 for token in example.tokens)


def test_cases_are_chosen_by_the_begin_of_their_titles(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them where nothing is said."""
    monkeypatch.delenv("BENCH_TRAIN", raising=False)
    assert list(train.chosen_cases()) == list(CASES)
    monkeypatch.setenv("BENCH_TRAIN", "60 M, ragged; 6 M")
    assert [(case.model, case.kind) for case in train.chosen_cases()] == [
        ("6 M", "ragged"),
        ("6 M", "fixed"),
        ("60 M", "ragged"),
    ]


def test_every_case_has_names_of_its_own() -> None:
    """Speed, memory and loss of each case, each compared with Crucible's figure of that name."""
    names = [name for case in CASES for name in (case.rate, case.thrift, case.peak, case.loss)]
    assert len(set(names)) == len(names) == len(topic("train").against)


def test_a_failing_case_ends_the_side(capsys: pytest.CaptureFixture[str]) -> None:
    """With what its process said last."""
    with pytest.raises(SystemExit):
        train.measured("benchmarks.train.nothing_here", CASES[0])
    assert "No module named benchmarks.train.nothing_here" in capsys.readouterr().err
