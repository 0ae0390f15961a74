"""A prompt and its completion as one datum that trains on the completion only.

The one place that decides what happens to an example longer than the model's window.
"""

from typing import Literal

import msgspec

from crucible.errors import DataError
from crucible.text.datum import Datum, ModelInput
from crucible.text.tokenizer import Tokenizer

__all__ = ["Rendered", "completion_datum"]


class Rendered(msgspec.Struct, frozen=True):
    """A datum, and whether what precedes the answer had to be shortened to fit.

    Attributes:
        datum: The example, ready for `Session.forward_backward`.
        truncated: Something was cut: tokens from the left of the prompt, or messages of a conversation.
        dropped_messages: Messages of a conversation that were left out whole.
    """

    datum: Datum
    truncated: bool
    dropped_messages: int = 0


def completion_datum(
    tokenizer: Tokenizer,
    prompt: str,
    completion: str,
    *,
    max_length: int,
    on_overflow: Literal["truncate", "refuse"] = "truncate",
) -> Rendered:
    """Return the datum that teaches a model to answer `prompt` with `completion` and then to stop.

    The tokens are the tokenizer's start token (if it has one), the prompt, the completion and the end token. Inputs
    are all but the last, targets all but the first; weights are 1.0 on the completion and the end token, 0.0 on the
    prompt.
    Prompt and completion are encoded apart, as they are when the model answers.

    Args:
        tokenizer: The base model's tokenizer.
        prompt: What the model is given; not empty, unless the tokenizer has a start token.
        completion: What it should answer; not empty.
        max_length: Most input tokens the model takes, at least 1.
        on_overflow: `"truncate"` cuts the prompt from the left, the completion is always kept whole;
            `"refuse"` raises instead.

    Raises:
        DataError: Prompt or completion is empty, the completion alone does not fit, or the example is too long and
            `on_overflow` is `"refuse"`.
    """
    start = [] if tokenizer.bos_id is None else [tokenizer.bos_id]
    prompt_tokens = tokenizer.encode(prompt)
    answer = tokenizer.encode(completion)
    if not answer:
        raise DataError(f"the completion is empty, so there is nothing to train on (prompt: {_shown(prompt)})")
    if not start and not prompt_tokens:
        raise DataError(f"the prompt is empty, so nothing precedes the completion {_shown(completion)}")
    answer.append(tokenizer.eos_id)
    excess = len(start) + len(prompt_tokens) + len(answer) - 1 - max_length  # the last token is never an input
    if excess > 0:
        if on_overflow == "refuse":
            raise DataError(
                f"the example needs {max_length + excess} tokens and the window holds {max_length}; shorten it, "
                f"or set on_overflow: truncate (prompt: {_shown(prompt)})"
            )
        kept = len(prompt_tokens) - excess
        if kept < (0 if start else 1):
            raise DataError(
                f"the completion alone needs {len(answer)} tokens and the window holds {max_length}: "
                f"{_shown(completion)}; shorten it or use a model with a longer window"
            )
        prompt_tokens = prompt_tokens[excess:]
    prefix = [*start, *prompt_tokens]
    tokens = [*prefix, *answer]
    weights = (0.0,) * (len(prefix) - 1) + (1.0,) * len(answer)
    datum = Datum(ModelInput(tuple(tokens[:-1])), tuple(tokens[1:]), weights)
    return Rendered(datum, truncated=excess > 0)


def _shown(text: str, limit: int = 60) -> str:
    """Return the beginning of `text` for a message."""
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")
