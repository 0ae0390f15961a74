"""What teachers say: at the right positions, mixed by weight, asked once, and asked again where a file is not whole."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crucible import events, pipeline
from crucible.backends import Session
from crucible.data import Item
from crucible.errors import BackendError, Cancelled, DataError, StoreError, TrainError
from crucible.ir import LoraConfig
from crucible.text import ModelInput
from crucible.train import Teacher
from crucible.train.distillation.sealed import Shelf
from crucible.train.distillation.targets import soft_datum, top_targets
from crucible.train.distillation.teacher import mixed, shares
from crucible.train.examples import Example, mean_weighted, prepare


@pytest.fixture
def examples(items: list[Item], session: Session, configure: Callable[..., LoraConfig]) -> tuple[Example, ...]:
    """Five tickets as data."""
    return prepare(items[:5], session.tokenizer, configure(), session.window - 1).train


def test_each_trained_position_gets_the_answer_and_the_teachers_candidates(
    examples: tuple[Example, ...], teacher: Teacher
) -> None:
    """Column 0 is the answer's token, the others are what the teacher finds likeliest after the tokens so far."""
    targets = top_targets([teacher], examples, 3, shelf=Shelf(None))
    datum = mean_weighted([examples[0]])[0]
    soft = soft_datum(datum, targets)
    assert soft.soft_targets is not None
    assert soft.weights == datum.weights
    sequence = (*datum.model_input.tokens, datum.target_tokens[-1])
    (top,) = teacher.sampler.top_logprobs([ModelInput(sequence)], 3)
    for position, weight in enumerate(datum.weights):
        if weight:
            tokens = soft.soft_targets.tokens[position]
            said = soft.soft_targets.loss_inputs["reference_logprobs"][position]
            assert tokens == (datum.target_tokens[position], *(token for token, _ in top[position + 1]))
            assert said[1:] == pytest.approx([logprob for _, logprob in top[position + 1]], abs=1e-6)


def test_over_the_whole_vocabulary_a_mixture_is_the_weighted_mean(
    examples: tuple[Example, ...], teacher: Teacher, twin: Teacher
) -> None:
    """Weights of 3 and 1 are shares of 0.75 and 0.25 of the probabilities."""
    both = [msgspec.structs.replace(teacher, weight=3.0), twin]
    size = teacher.sampler.tokenizer.vocab_size  # type: ignore[union-attr]
    (mix, *_) = top_targets(both, examples[:1], size, shelf=Shelf(None)).values()
    each = [next(iter(top_targets([one], examples[:1], size, shelf=Shelf(None)).values())) for one in both]
    for start in range(0, len(mix.tokens), size):
        part = slice(start, start + size)
        a, b = (dict(zip(one.tokens[part], map(math.exp, one.logprobs[part]), strict=True)) for one in each)
        got = dict(zip(mix.tokens[part], map(math.exp, mix.logprobs[part]), strict=True))
        assert got == pytest.approx({token: 0.75 * a[token] + 0.25 * b[token] for token in a}, abs=1e-6)


def test_a_mixture_of_few_keeps_the_likeliest_of_all_that_are_named(
    examples: tuple[Example, ...], teacher: Teacher, twin: Teacher
) -> None:
    """A token that one does not name has its probability from the others alone; there are top_k, likeliest first."""
    (mix, *_) = top_targets([teacher, twin], examples[:1], 2, shelf=Shelf(None)).values()
    each = [next(iter(top_targets([one], examples[:1], 2, shelf=Shelf(None)).values())) for one in (teacher, twin)]
    assert len(mix.tokens) == len(each[0].tokens)
    for start in range(0, len(mix.tokens), 2):
        part = slice(start, start + 2)
        named: dict[int, float] = {}
        for one in each:
            for token, logprob in zip(one.tokens[part], one.logprobs[part], strict=True):
                named[token] = named.get(token, 0.0) + 0.5 * math.exp(logprob)
        assert [math.exp(value) for value in mix.logprobs[part]] == pytest.approx(sorted(named.values())[::-1][:2])


def test_the_mixture_of_log_probabilities_is_stable() -> None:
    """Far below what a float's exponential holds, and where a teacher gives a token none."""
    assert mixed([-1000.0, -1000.0], [0.25, 0.75]) == pytest.approx(-1000.0)
    assert mixed([-2000.0, -math.inf], [0.5, 0.5]) == pytest.approx(-2000.0 + math.log(0.5))
    assert mixed([-math.inf, -math.inf], [0.5, 0.5]) == -math.inf
    assert mixed([-3.0], [1.0]) == -3.0


@pytest.mark.parametrize("weight", [0.0, -1.0, math.nan, math.inf])
def test_a_weight_out_of_range_is_an_error(teacher: Teacher, weight: float) -> None:
    """It is named; so is the absence of any teacher."""
    with pytest.raises(TrainError, match="the weight of the teacher .* must be above 0 and finite"):
        shares([msgspec.structs.replace(teacher, weight=weight)])
    with pytest.raises(TrainError, match="at least one teacher"):
        shares([])


def test_weights_of_any_size_become_shares_or_are_refused(teacher: Teacher) -> None:
    """Their sum does not overflow; one that is lost beside another would teach nothing, and is named."""

    def weighing(weight: float) -> Teacher:
        return msgspec.structs.replace(teacher, weight=weight)

    assert shares([weighing(1e308), weighing(1e308)]) == [0.5, 0.5]
    assert shares([weighing(3.0), weighing(1.0)]) == [0.75, 0.25]
    with pytest.raises(TrainError, match="is 5e-324, which is nothing beside 1e\\+300; raise it, or leave the teacher"):
        shares([weighing(1e300), weighing(5e-324)])


def test_a_teacher_is_asked_once(
    examples: tuple[Example, ...], teacher: Teacher, silent: Callable[[Teacher], Teacher], tmp_path: Path
) -> None:
    """What it said lies under its digest, the data and top_k; another weight or name asks nobody."""
    shelf = Shelf(tmp_path)
    first = top_targets([teacher], examples, 4, shelf=shelf)
    again = msgspec.structs.replace(silent(teacher), name="renamed", weight=7.0)
    with events.collect("crucible_train.teaching.stop") as found:
        assert top_targets([again], examples, 4, shelf=shelf) == first
    assert found[0].measurements["kept_examples"] == 5
    for changed in (msgspec.structs.replace(again, digest="another"), msgspec.structs.replace(again, digest=None)):
        with pytest.raises(AssertionError, match="was asked"):
            top_targets([changed], examples, 4, shelf=shelf)
    with pytest.raises(AssertionError, match="was asked"):
        top_targets([again], examples, 5, shelf=shelf)
    with pytest.raises(AssertionError, match="was asked"):
        top_targets([again], examples[:4], 4, shelf=shelf)


@pytest.mark.parametrize("damage", ["torn", "foreign", "changed", "format"])
def test_a_file_that_is_not_whole_or_of_another_teacher_is_noticed(
    examples: tuple[Example, ...], teacher: Teacher, tmp_path: Path, damage: str
) -> None:
    """The teacher is asked again, the trace says why, and the file is whole afterwards."""
    shelf = Shelf(tmp_path)
    first = top_targets([teacher], examples, 4, shelf=shelf)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    if damage == "torn":
        file.write_bytes(whole[: len(whole) // 2])
    elif damage == "foreign":
        top_targets([msgspec.structs.replace(teacher, digest="f" * 64)], examples, 4, shelf=shelf)
        (other,) = set(tmp_path.iterdir()) - {file}
        other.replace(file)
    elif damage == "changed":
        file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    else:
        file.write_bytes(whole.replace(b"crucible-teaching/1", b"crucible-teaching/0"))
    with events.collect("crucible_trace.decision.made") as found:
        assert top_targets([teacher], examples, 4, shelf=shelf) == first
    assert [event.metadata["decision"] for event in found] == ["asked the teacher again"]
    assert str(file) in found[0].metadata["reasoning"]
    assert file.read_bytes() == whole


def test_a_shelf_that_cannot_be_written_is_an_error(
    examples: tuple[Example, ...], teacher: Teacher, tmp_path: Path
) -> None:
    """It says what could not be kept, and where."""
    (tmp_path / "shelf").write_text("a file where a folder must be")
    with pytest.raises(StoreError, match="what the teacher said cannot be kept"):
        top_targets([teacher], examples, 4, shelf=Shelf(tmp_path / "shelf"))


def test_asking_can_be_cancelled(examples: tuple[Example, ...], teacher: Teacher) -> None:
    """Between two calls."""
    with pipeline.cancellable() as cancellation:
        cancellation.request()
        with pytest.raises(Cancelled):
            top_targets([teacher], examples, 4, shelf=Shelf(None))


def test_more_candidates_than_tokens_are_refused(examples: tuple[Example, ...], teacher: Teacher) -> None:
    """By the teacher's own vocabulary."""
    with pytest.raises(DataError, match="321"):
        top_targets([teacher], examples, 321, shelf=Shelf(None))


def test_a_teacher_that_tells_too_few_is_an_error(examples: tuple[Example, ...], teacher: Teacher) -> None:
    """Nothing is made up for what it left out."""

    class Terse:
        def top_logprobs(self, prompts: Any, k: int) -> Any:
            return teacher.sampler.top_logprobs(prompts, k - 1)

    terse: Any = Terse()
    with pytest.raises(BackendError, match="told 3 tokens of a position; asked for 4"):
        top_targets([Teacher("terse", terse)], examples, 4, shelf=Shelf(None))
