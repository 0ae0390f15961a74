"""`User: …` and `Assistant: …`: for models that know no chat format, and tokenizers without special tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from crucible.errors import DataError
from crucible.text.chat.format_renderer import FormatRenderer, RenderedMessage
from crucible.text.chat.markup import Markup
from crucible.text.chat.messages import Message
from crucible.text.chat.renderer import too_many_stops
from crucible.text.tokenizer import Tokenizer

__all__ = ["RoleColonRenderer"]

_STOP = "\n\nUser:"


class RoleColonRenderer(FormatRenderer):
    """Renders as plain text.

    The turns are only letters, so a user who types them ends a turn: not for text of strangers. An assistant's text
    that holds the stop sequence is refused, because it could not be read back.

    Args:
        tokenizer: The base model's.

    Source:
        Spec table of the predecessor [V].
    """

    name: str = "role_colon"
    markers: ClassVar[tuple[str, ...]] = ()

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__(tokenizer)
        texts = {token: text for text, token in self.encoder.tokenizer.special_tokens.items()}
        bos = tokenizer.bos_id
        self._start: list[str] = [] if bos is None or bos not in texts else [Markup(texts[bos])]

    @property
    def stop_sequences(self) -> list[str]:
        """The text that begins the user's next turn."""
        return [_STOP]

    def start(self, messages: Sequence[Message]) -> list[str]:
        """Return the token that the tokenizer puts before every text, if it does."""
        del messages
        return self._start

    def render_message(self, index: int, messages: Sequence[Message], *, is_last: bool) -> RenderedMessage:
        """Return message `index` in pieces.

        Raises:
            DataError: An assistant's text holds the stop sequence.
        """
        del is_last
        message = messages[index]
        text = self.text_of(message)
        is_assistant = message.role == "assistant"
        if is_assistant and _STOP in f" {text}\n\n":
            raise DataError(f"messages[{index}] holds {_STOP!r}, which ends an answer in role_colon; change the text")
        suffix: list[str] = [Markup("User:")] if is_assistant else []
        return RenderedMessage([message.role.capitalize(), Markup(":")], [[Markup(" "), text, Markup("\n\n")]], suffix)

    def parse_response(self, tokens: Sequence[int]) -> tuple[Message, bool]:
        """Read an answer: the text before the stop sequence, trimmed.

        Raises:
            BadResponse: The stop sequence came more than once.
        """
        parts = "".join(self.encoder.read(tokens)).split(_STOP)
        if len(parts) > 2:
            raise too_many_stops(len(parts))
        return Message("assistant", parts[0].strip()), len(parts) == 2
