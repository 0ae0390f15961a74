"""A teacher of other tokens is refused for what the tokens are; one of the same is taken, whatever it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crucible.data.tickets import pretraining_texts
from crucible.errors import TrainError
from crucible.text import load_tokenizer, train_byte_bpe
from crucible.train import Teacher
from crucible.train.distillation.vocabulary import check_vocabulary

TEXTS = [f"ticket {number}: the lamp is broken" for number in range(40)]


def test_the_same_tokens_are_the_same_by_another_object_and_name(base: Path, teacher: Teacher) -> None:
    """Two models of one recipe's texts, each with a tokenizer of its own."""
    student = load_tokenizer(base)
    assert teacher.sampler.tokenizer is not student
    check_vocabulary("any", teacher.sampler.tokenizer, student, TEXTS)


def test_other_tokens_are_refused_by_their_first_difference(base: Path) -> None:
    """Another count; the same count of other texts; the same tokens, cut differently."""
    student = load_tokenizer(base)
    with pytest.raises(TrainError, match=r"other and the student do not share a vocabulary: its vocab_size is 300"):
        check_vocabulary("other", train_byte_bpe(TEXTS, 300), student, TEXTS)
    with pytest.raises(TrainError, match=r"token \d+ is '.*' and the student's '.*'; distil between models of one"):
        check_vocabulary("other", train_byte_bpe(pretraining_texts(60, seed=9), student.vocab_size), student, TEXTS)

    class Cutting:
        def __getattr__(self, name: str) -> Any:
            return getattr(student, name)

        def encode(self, text: str) -> list[int]:
            return [token for letter in text for token in student.encode(letter)]

    with pytest.raises(TrainError, match="it cuts ' !.* into other tokens"):
        check_vocabulary("other", Cutting(), student, ["", *TEXTS])


def test_a_teacher_without_tokens_is_refused(base: Path) -> None:
    """Nobody can say that its tokens are the student's."""
    with pytest.raises(TrainError, match="remote shows no tokenizer"):
        check_vocabulary("remote", None, load_tokenizer(base), TEXTS)
