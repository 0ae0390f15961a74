"""What a prompt is to every backend: its tokens, and what is left of it where the window is short."""

from __future__ import annotations

from collections.abc import Sequence

from crucible.backends.records import SamplingParams
from crucible.errors import DataError
from crucible.text import ModelInput, Tokenizer

__all__ = ["answer_room", "check_k", "check_window", "cut_to_fit", "prompt_tokens"]


def prompt_tokens(
    tokenizer: Tokenizer, number: int, prompt: str | ModelInput, *, vocabulary: int | None = None
) -> list[int]:
    """Return the tokens of a prompt: of text with the start token, where there is one; tokens as they are.

    Args:
        tokenizer: The model's.
        number: Its place, for the message.
        prompt: Text, or tokens.
        vocabulary: Tokens that the model has; None: those of the tokenizer.

    Raises:
        DataError: It is empty, or holds a token outside of the vocabulary.
    """
    if isinstance(prompt, ModelInput):
        tokens = list(prompt.tokens)
        known = tokenizer.vocab_size if vocabulary is None else vocabulary
        odd = next((token for token in tokens if not 0 <= token < known), None)
        if odd is not None:
            raise DataError(
                f"prompt {number} holds the token {odd}, outside of the vocabulary of {known}; "
                "was it made with another tokenizer?"
            )
    else:
        tokens = ([] if tokenizer.bos_id is None else [tokenizer.bos_id]) + tokenizer.encode(prompt)
    if not tokens:
        raise DataError(f"prompt {number} is empty, so there is nothing to answer")
    return tokens


def answer_room(params: SamplingParams, window: int) -> int:
    """Return how many tokens of a prompt fit beside its answer.

    Raises:
        DataError: None does.
    """
    room = window - params.max_tokens
    if room < 1:
        raise DataError(
            f"max_tokens={params.max_tokens} leaves no room for a prompt in a window of {window} tokens; "
            f"lower it to {window - 1} or less"
        )
    return room


def cut_to_fit(tokenizer: Tokenizer, tokens: list[int], room: int) -> list[int]:
    """Cut the left of a prompt that is longer than `room`, at least 1, but keep its start token."""
    if len(tokens) <= room:
        return tokens
    keeps_start = room > 1 and tokens[0] == tokenizer.bos_id
    return [tokens[0], *tokens[len(tokens) - room + 1 :]] if keeps_start else tokens[len(tokens) - room :]


def check_window(tokens_N_T: Sequence[Sequence[int]], window: int) -> None:  # noqa: N803  shape suffix
    """Refuse a prompt that is to be scored and does not fit.

    Raises:
        DataError: It is longer than `window`.
    """
    for number, tokens in enumerate(tokens_N_T):
        if len(tokens) > window:
            raise DataError(f"prompt {number} has {len(tokens)} tokens and the window holds {window}; shorten it")


def check_k(k: int, vocabulary: int) -> None:
    """Refuse a count of likeliest tokens that there are not.

    Raises:
        DataError: It is below 1 or above `vocabulary`.
    """
    if not 1 <= k <= vocabulary:
        raise DataError(f"top_logprobs needs k from 1 to the {vocabulary} tokens of the vocabulary, got {k}")
