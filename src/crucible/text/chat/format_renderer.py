"""What the renderers of known formats share: headers, contents and endings, each message on its own.

A message is a header (never trained on, but under `all_tokens`), its content, and a suffix that only the last message
has. Header and content are encoded apart, as they are when the model answers, so that the boundary of what is trained
on is a boundary of tokens whatever the tokenizer would merge.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, NamedTuple

from crucible.errors import DataError
from crucible.text.chat.markup import Markup, MarkupEncoder
from crucible.text.chat.messages import ImagePart, Message, as_messages, ensure_parts, ensure_text
from crucible.text.chat.renderer import Renderer, Weighted, too_many_stops
from crucible.text.chat.train_on import TrainOnWhat, trained_messages
from crucible.text.datum import ModelInput
from crucible.text.tokenizer import Tokenizer

__all__ = ["FormatRenderer", "RenderedMessage"]


class RenderedMessage(NamedTuple):
    """A message in pieces.

    Attributes:
        header: Who speaks, up to where the content begins.
        chunks: The content and the end of the turn; each chunk is encoded on its own.
        suffix: What follows the last message only.
    """

    header: list[str]
    chunks: list[list[str]]
    suffix: list[str]


class FormatRenderer(Renderer):
    """A renderer that knows a format by heart.

    Args:
        tokenizer: The base model's.

    Raises:
        DataError: The tokenizer has not the tokens of the format.
    """

    name: str = ""
    markers: ClassVar[tuple[str, ...]] = ()
    """What the format tells apart when it reads."""
    needed: ClassVar[tuple[str, ...]] = ()
    """What must be a single token."""
    has_thinking: ClassVar[bool] = False
    """Whether the format has a form for thoughts."""
    has_tool_calls: ClassVar[bool] = False
    """Whether the format has a form for tool calls."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.encoder = MarkupEncoder(tokenizer, self.markers, self.needed, renderer=self.name)

    # What a format defines.

    def start(self, messages: Sequence[Message]) -> list[str]:
        """Return what comes before the first message; it is never trained on."""
        del messages
        return []

    @abstractmethod
    def render_message(self, index: int, messages: Sequence[Message], *, is_last: bool) -> RenderedMessage:
        """Return message `index` in pieces.

        Args:
            index: Its place in `messages`.
            messages: The whole conversation.
            is_last: Whether the conversation ends with it.
        """

    def prepare(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Return the messages as the format wants them; the same ones unless it has to name something anew."""
        return messages

    def prefill(self) -> list[str]:
        """Return what an assistant's answer begins with, whoever writes it."""
        return []

    # What is the same for all.

    def messages_of(self, conversation: Iterable[Any]) -> Sequence[Message]:
        """Read a conversation and refuse what the format has no form for.

        Raises:
            DataError: A message has an image, thoughts or tool calls and the format no form for them.
        """
        messages = as_messages(conversation)
        for index, message in enumerate(messages):
            self._check(message, f"messages[{index}]")
        return self.prepare(messages)

    def _check(self, message: Message, where: str) -> None:
        if not isinstance(message.content, str):
            images = sum(isinstance(part, ImagePart) for part in message.content)
            if images:
                raise DataError(
                    f"{where} has {images} image{'s' if images > 1 else ''}, and {self.name} writes text only: "
                    "a ModelInput holds tokens; leave the image out or train with another library"
                )
        if message.thinking:
            if message.role != "assistant":
                raise DataError(f"{where} is of role {message.role} and has thinking; only an assistant's may")
            if not self.has_thinking:
                raise DataError(f"{where} has thinking, and {self.name} has no form for it; remove it")
        if message.tool_calls:
            if message.role != "assistant":
                raise DataError(f"{where} is of role {message.role} and has tool calls; only an assistant's may")
            if not self.has_tool_calls:
                raise DataError(f"{where} has tool calls, and {self.name} has no form for them; remove them")

    def rendered(self, messages: Sequence[Message], *, with_last: bool) -> list[RenderedMessage]:
        """Return every message in pieces.

        Args:
            messages: The prepared conversation.
            with_last: Whether the last message ends the conversation; False where an answer is to follow.
        """
        final = len(messages) - 1
        return [
            self.render_message(index, messages, is_last=with_last and index == final) for index in range(len(messages))
        ]

    def weighted(self, messages: Iterable[Any], train_on: TrainOnWhat | str) -> Weighted:
        """Return the tokens of the conversation and the weight of each.

        Raises:
            DataError: The format has no form for a message, or nothing would be trained on.
        """
        prepared = self.messages_of(messages)
        flags = trained_messages(prepared, train_on)
        header_weight = float(TrainOnWhat(train_on) is TrainOnWhat.ALL_TOKENS)
        tokens = self.encoder.encode(self.start(prepared))
        weights = [0.0] * len(tokens)
        parts = self.rendered(prepared, with_last=True)
        for index, (part, is_trained) in enumerate(zip(parts, flags, strict=True)):
            self._add(tokens, weights, part.header, header_weight)
            for chunk in part.chunks:
                self._add(tokens, weights, chunk, float(is_trained))
            if index == len(parts) - 1:
                self._add(tokens, weights, part.suffix, float(is_trained))
        return Weighted(tokens, weights)

    def _add(self, tokens: list[int], weights: list[float], pieces: list[str], weight: float) -> None:
        if pieces:
            added = self.encoder.encode(pieces)
            tokens += added
            weights += [weight] * len(added)

    def build_generation_prompt(
        self, messages: Iterable[Any], role: str = "assistant", prefill: str | None = None
    ) -> ModelInput:
        """Return what a model reads before it answers as `role`.

        Raises:
            DataError: The format has no form for a message or for the role.
        """
        prepared = self.messages_of(messages)
        tokens = self.encoder.encode(self.start(prepared))
        for part in self.rendered(prepared, with_last=False):
            tokens += self.encoder.encode(part.header)
            for chunk in part.chunks:
                tokens += self.encoder.encode(chunk)
        answer = [*prepared, Message(role)]
        tokens += self.encoder.encode(self.render_message(len(prepared), answer, is_last=False).header)
        begun = [*(self.prefill() if role == "assistant" else []), *([Markup(prefill)] if prefill else [])]
        if begun:
            tokens += self.encoder.encode(begun)
        return ModelInput(tuple(tokens))

    def text_of(self, message: Message) -> str:
        """Return the message's content as text."""
        return ensure_text(message.content)

    def chunks_of(self, message: Message) -> list[str]:
        """Return the text of each part of the message's content."""
        return [ensure_text((part,)) for part in ensure_parts(message.content)]

    def read_until(self, tokens: Sequence[int], stops: Sequence[str]) -> tuple[list[str], str | None]:
        """Return the pieces of an answer before its stop, and which stop ended it; None if none came.

        Raises:
            BadResponse: There is more than one stop.
        """
        ids = {self.encoder.token(stop): stop for stop in stops}
        at = [index for index, token in enumerate(tokens) if token in ids]
        if len(at) > 1:
            raise too_many_stops(len(at) + 1)
        if not at:
            return self.encoder.read(tokens), None
        return self.encoder.read(tokens[: at[0]]), ids[tokens[at[0]]]
