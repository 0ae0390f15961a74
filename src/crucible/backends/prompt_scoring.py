"""Log-probabilities of prompts by a session's own forward pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from crucible.backends.prompts import check_window, prompt_tokens
from crucible.backends.records import ForwardBackwardOutput
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
    tokens_N_T = [tuple(prompt_tokens(tokenizer, n, prompt)) for n, prompt in enumerate(prompts)]  # noqa: N806
    check_window(tokens_N_T, window)
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
