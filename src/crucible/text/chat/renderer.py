"""What every renderer offers, whatever it writes: tokens to train on, a prompt to answer, and an answer read back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from crucible.errors import BadResponse, DataError
from crucible.text.chat.messages import Message
from crucible.text.chat.train_on import TrainOnWhat
from crucible.text.datum import Datum, ModelInput
from crucible.text.tokenizer import Tokenizer

__all__ = ["Renderer", "Weighted", "parse_response_for_stop_token", "too_many_stops"]


class Weighted(NamedTuple):
    """The tokens of a whole conversation, and the weight of each.

    Attributes:
        tokens: T tokens.
        weights: T weights, 1.0 on what is trained on, else 0.0.
    """

    tokens: list[int]
    weights: list[float]

    def datum(self) -> Datum:
        """Return it shifted: inputs are all but the last token, targets and weights all but the first.

        Raises:
            DataError: There are fewer than two tokens, or nothing is trained on.
        """
        if len(self.tokens) < 2:
            raise DataError("a conversation needs at least 2 tokens, one to read and one to predict")
        weights = tuple(self.weights[1:])
        if not any(weights):
            raise DataError("nothing of the conversation is trained on: every weight is 0")
        return Datum(ModelInput(tuple(self.tokens[:-1])), tuple(self.tokens[1:]), weights)


class Renderer(ABC):
    """Writes conversations as tokens and reads answers.

    Renderers keep no state between calls and may be used from any thread.
    """

    name: str
    """As `get_renderer` knows it."""

    @property
    @abstractmethod
    def stop_sequences(self) -> list[int] | list[str]:
        """What ends an answer: token ids, or texts where the format has no token for it."""

    @abstractmethod
    def weighted(self, messages: Iterable[Any], train_on: TrainOnWhat | str) -> Weighted:
        """Return the tokens of the conversation and the weight of each.

        Raises:
            DataError: The format has no form for a message, or nothing would be trained on.
        """

    def build_supervised_example(
        self, messages: Iterable[Any], train_on: TrainOnWhat | str = TrainOnWhat.LAST_ASSISTANT_MESSAGE
    ) -> Datum:
        """Return the datum that teaches what `train_on` says; targets are shifted.

        Raises:
            DataError: The format has no form for a message, or nothing would be trained on.
        """
        return self.weighted(messages, train_on).datum()

    @abstractmethod
    def build_generation_prompt(
        self, messages: Iterable[Any], role: str = "assistant", prefill: str | None = None
    ) -> ModelInput:
        """Return what a model reads before it answers as `role`.

        Args:
            messages: The conversation so far.
            role: Who speaks next.
            prefill: Beginning of the answer, in the format's own text: special tokens in it are read as such.

        Raises:
            DataError: The format has no form for a message or for the role.
        """

    @abstractmethod
    def parse_response(self, tokens: Sequence[int]) -> tuple[Message, bool]:
        """Read what a model answered.

        Args:
            tokens: What was sampled, the stop token included if it came.

        Returns:
            The message, and whether it is complete and well formed. What is cut off or broken comes back as text.

        Raises:
            BadResponse: It goes on after a stop, so it was sampled with other stop sequences.
        """


def too_many_stops(pieces: int) -> BadResponse:
    """Return the error for an answer that goes on after its end."""
    return BadResponse(
        f"When parsing response, expected to split into 1 or 2 pieces using stop tokens, but got {pieces}. "
        "It was probably sampled with the wrong stop sequences: use those of the renderer"
    )


def parse_response_for_stop_token(tokens: Sequence[int], tokenizer: Tokenizer, stop_token: int) -> tuple[Message, bool]:
    """Read an answer that one stop token ends: the text before it, and whether it came.

    Raises:
        BadResponse: It came more than once.
    """
    ids = list(tokens)
    stops = ids.count(stop_token)
    if stops > 1:
        raise too_many_stops(stops + 1)
    end = ids.index(stop_token) if stops else len(ids)
    return Message("assistant", tokenizer.decode(ids[:end])), bool(stops)
