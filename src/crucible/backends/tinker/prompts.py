"""What a sampler or a pass is asked about: the tokens of prompts, and the seed of each."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from crucible.backends.records import SamplingParams
from crucible.errors import DataError
from crucible.text import ModelInput, Tokenizer

__all__ = ["check_window", "prompt_seeds", "prompt_tokens"]


def prompt_tokens(tokenizer: Tokenizer, number: int, prompt: str | ModelInput) -> list[int]:
    """Return the tokens of a prompt: of text with the start token, where there is one; tokens as they are.

    Args:
        tokenizer: The model's.
        number: Its place, for the message.
        prompt: Text, or tokens.

    Raises:
        DataError: It is empty, or holds a token outside of the vocabulary.
    """
    if isinstance(prompt, ModelInput):
        tokens = list(prompt.tokens)
        odd = next((token for token in tokens if not 0 <= token < tokenizer.vocab_size), None)
        if odd is not None:
            raise DataError(
                f"prompt {number} holds the token {odd}, outside of the vocabulary of {tokenizer.vocab_size}; "
                "was it made with another tokenizer?"
            )
    else:
        tokens = ([] if tokenizer.bos_id is None else [tokenizer.bos_id]) + tokenizer.encode(prompt)
    if not tokens:
        raise DataError(f"prompt {number} is empty, so there is nothing to answer")
    return tokens


def check_window(tokens_N_T: Sequence[Sequence[int]], window: int) -> None:  # noqa: N803  shape suffix
    """Refuse a prompt that is to be scored and does not fit.

    Raises:
        DataError: It is longer than `window`.
    """
    for number, tokens in enumerate(tokens_N_T):
        if len(tokens) > window:
            raise DataError(f"prompt {number} has {len(tokens)} tokens and the window holds {window}")


def prompt_seeds(count: int, params: SamplingParams) -> list[int | None]:
    """Return each prompt's seed: equal prompts of a call must not get equal answers."""
    if params.seeds is not None:
        if len(params.seeds) != count:
            raise DataError(f"{len(params.seeds)} seeds came for {count} prompts; give one a prompt")
        return [seed % 2**31 for seed in params.seeds]
    if params.seed is None:
        return [None] * count
    digests = (hashlib.sha256(f"{params.seed} {place}".encode()).digest() for place in range(count))
    return [int.from_bytes(digest[:4]) >> 1 for digest in digests]
