"""Log-probabilities of prompts by a session's own forward pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from crucible.backends.records import ForwardBackwardOutput
from crucible.errors import DataError
from crucible.text import Datum, ModelInput, Tokenizer

__all__ = ["prompt_logprobs"]


def prompt_logprobs(
    prompts: Sequence[str | ModelInput],
    forward: Callable[[tuple[Datum, ...]], ForwardBackwardOutput],
    *,
    tokenizer: Tokenizer,
    window: int,
) -> list[list[float | None]]:
    """Return each prompt's token log-probabilities given the tokens before; the first token has None.

    Args:
        prompts: Text, which gets the tokenizer's start token in front if it has one, or tokens as they are.
        forward: The session's forward pass with `cross_entropy`.
        tokenizer: The base model's.
        window: Most tokens of a prompt.

    Raises:
        DataError: A prompt is empty, longer than the window, or holds a token outside of the vocabulary.
    """
    tokens_N_T = [_tokens(number, prompt, tokenizer, window) for number, prompt in enumerate(prompts)]  # noqa: N806
    longer = [number for number, tokens in enumerate(tokens_N_T) if len(tokens) > 1]
    data = tuple(
        Datum(ModelInput(tokens[:-1]), tokens[1:], (0.0,) * (len(tokens) - 1))
        for tokens in (tokens_N_T[number] for number in longer)
    )
    result: list[list[float | None]] = [[None] for _ in tokens_N_T]
    if data:
        for number, logprobs in zip(longer, forward(data).logprobs, strict=True):
            result[number].extend(logprobs)
    return result


def _tokens(number: int, prompt: str | ModelInput, tokenizer: Tokenizer, window: int) -> tuple[int, ...]:
    if isinstance(prompt, ModelInput):
        tokens = prompt.tokens
    else:
        start = () if tokenizer.bos_id is None else (tokenizer.bos_id,)
        tokens = (*start, *tokenizer.encode(prompt))
    if not tokens:
        raise DataError(f"prompt {number} is empty, so there is nothing to score")
    if len(tokens) > window:
        raise DataError(f"prompt {number} has {len(tokens)} tokens and the window holds {window}")
    return tokens
