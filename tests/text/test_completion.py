"""Prompt and completion as a datum: what is trained on, and what happens when it does not fit."""

from __future__ import annotations

import pytest

from crucible.errors import DataError
from crucible.text import completion_datum, train_byte_bpe
from crucible.text.tokenizer import FastTokenizer


@pytest.fixture(scope="module")
def tokenizer() -> FastTokenizer:
    """A tokenizer without merges: one token a byte."""
    return train_byte_bpe(["x"], 258)


class WithStart:
    """The same tokenizer, as one that puts a start token before every text."""

    bos_id = 7
    eos_id = 1
    pad_id = 0
    vocab_size = 258

    def __init__(self, inner: FastTokenizer) -> None:
        self.encode, self.decode = inner.encode, inner.decode


def test_only_the_completion_and_the_end_are_trained_on(tokenizer: FastTokenizer) -> None:
    """Inputs are all but the last token, targets all but the first, weights 1 on completion and end token."""
    rendered = completion_datum(tokenizer, "abc", "de", max_length=100)
    whole = [*tokenizer.encode("abcde"), tokenizer.eos_id]
    assert list(rendered.datum.model_input.tokens) == whole[:-1]
    assert list(rendered.datum.target_tokens) == whole[1:]
    assert rendered.datum.weights == (0.0, 0.0, 1.0, 1.0, 1.0)
    assert not rendered.truncated


def test_what_fits_exactly_is_left_alone(tokenizer: FastTokenizer) -> None:
    """The last token is never an input, so five inputs fill a window of five."""
    assert not completion_datum(tokenizer, "abc", "de", max_length=5, on_overflow="refuse").truncated


def test_a_long_prompt_loses_its_beginning(tokenizer: FastTokenizer) -> None:
    """Truncation cuts the prompt from the left and keeps the completion whole."""
    rendered = completion_datum(tokenizer, "abc", "de", max_length=3)
    assert rendered.truncated
    assert list(rendered.datum.model_input.tokens) == tokenizer.encode("cde")
    assert rendered.datum.weights == (1.0, 1.0, 1.0)


def test_refusing_names_both_lengths(tokenizer: FastTokenizer) -> None:
    """on_overflow="refuse" raises instead of truncating."""
    with pytest.raises(DataError, match="needs 5 tokens and the window holds 4"):
        completion_datum(tokenizer, "abc", "de", max_length=4, on_overflow="refuse")


def test_a_completion_that_does_not_fit_is_refused(tokenizer: FastTokenizer) -> None:
    """A completion is never cut, whatever on_overflow says."""
    with pytest.raises(DataError, match=r"the completion alone needs 71 tokens and the window holds 20: 'e+…'"):
        completion_datum(tokenizer, "abc", "e" * 70, max_length=20)


@pytest.mark.parametrize(
    ("prompt", "completion", "says"), [("a", "", "completion is empty"), ("", "a", "prompt is empty")]
)
def test_empty_parts_are_refused(tokenizer: FastTokenizer, prompt: str, completion: str, says: str) -> None:
    """Nothing to train on, or nothing to train it after."""
    with pytest.raises(DataError, match=says):
        completion_datum(tokenizer, prompt, completion, max_length=100)


def test_a_start_token_comes_first_and_survives_truncation(tokenizer: FastTokenizer) -> None:
    """Where the tokenizer has a start token, every example begins with it, even an empty prompt."""
    started = WithStart(tokenizer)
    assert completion_datum(started, "abc", "de", max_length=9).datum.model_input.tokens[0] == 7
    cut = completion_datum(started, "abc", "de", max_length=4)
    assert cut.truncated
    assert list(cut.datum.model_input.tokens) == [7, *tokenizer.encode("cde")]
    assert completion_datum(started, "", "d", max_length=9).datum.weights == (1.0, 1.0)
    assert completion_datum(started, "abc", "de", max_length=3).datum.weights == (1.0, 1.0, 1.0)
    with pytest.raises(DataError, match="completion alone"):
        completion_datum(started, "abc", "de", max_length=2)
