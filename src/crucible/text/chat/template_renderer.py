"""Rendering through the tokenizer's own chat template, with masks that are exact at the level of tokens.

The template writes the whole conversation as one text, in which the trained messages are found (`stretches`). It is
encoded in pieces that meet at their edges, so that no token straddles the edge of what is trained on, and the tokens
before an answer are those that the model reads when it answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from crucible.errors import DataError
from crucible.text.chat.families import family_of
from crucible.text.chat.markup import MarkupEncoder
from crucible.text.chat.messages import ImagePart, Message, as_messages, plain_message
from crucible.text.chat.renderer import Renderer, Weighted, too_many_stops
from crucible.text.chat.spelling import SpelledTokens
from crucible.text.chat.stretches import StretchFinder
from crucible.text.chat.train_on import TrainOnWhat, trained_messages
from crucible.text.datum import ModelInput
from crucible.text.template import ChatTemplate, RenderJob
from crucible.text.tokenizer import Tokenizer

__all__ = ["TemplateRenderer"]


class TemplateRenderer(Renderer):
    """Renders through the tokenizer's own chat template.

    Special tokens that a message spells stay letters (transformers: `sanitize_control_tokens`); all other text comes
    out as `apply_chat_template` makes it.

    Args:
        tokenizer: One with a chat template.
        tools: Declarations of the tools that may be called, as JSON schemas.
        variables: What else the template reads, such as `{"enable_thinking": False}`.

    Raises:
        DataError: The tokenizer has no chat template.
    """

    name: str = "template"

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        variables: Mapping[str, Any] | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.encoder = MarkupEncoder(tokenizer, ())
        self.template = _chosen(self.encoder.tokenizer.chat_templates, has_tools=tools is not None)
        self.tools = tools
        self.variables = {**self.encoder.tokenizer.named_tokens, **(variables or {})}
        self._spelled = SpelledTokens(self.encoder)
        self._tools = self._spelled.put_aside(tools)
        self._family = family_of(tokenizer, self.template)
        self._finder = StretchFinder(self.template, self._job, self._spelled.pattern)
        self._stops: list[int] | None = None

    @property
    def stop_sequences(self) -> list[int]:
        """The token with which the template ends an answer, those of its family, and the tokenizer's end token."""
        if self._stops is None:
            known = [*self._end_of_turn(), *self._stops_of_family(), self.tokenizer.eos_id]
            self._stops = list(dict.fromkeys(known))
        return list(self._stops)

    def _stops_of_family(self) -> list[int]:
        stops = () if self._family is None else self._family.stop_sequences
        return [stop for stop in stops if isinstance(stop, int)]

    def _end_of_turn(self) -> list[int]:
        """Return the special token that follows an answer in a small conversation, if the template writes one."""
        try:
            tokens, weights = self.weighted([Message("user", "q"), Message("assistant", "a")], "last_assistant_message")
        except DataError:
            return []
        last = [token for token, weight in zip(tokens, weights, strict=True) if weight][-1]
        return [last] if last in self.encoder.tokenizer.special_tokens.values() else []

    def text(self, messages: Iterable[Any], *, add_generation_prompt: bool = False) -> str:
        """Return what the template writes, as text: what transformers' `apply_chat_template` returns.

        Raises:
            DataError: The template is broken or refuses the conversation.
        """
        plain = [plain_message(message) for message in as_messages(messages)]
        job = RenderJob(plain, add_generation_prompt, self.tools, self.variables)
        return self.template.render([job])[0].text

    def build_generation_prompt(
        self, messages: Iterable[Any], role: str = "assistant", prefill: str | None = None
    ) -> ModelInput:
        """Return what a model reads before it answers.

        Raises:
            DataError: The template refuses the conversation, or `role` is not the assistant's.
        """
        if role != "assistant":
            raise DataError(f"a chat template begins answers of the assistant only, got role {role!r}; use a renderer")
        plain = self._plain(as_messages(messages))
        text = self.template.render([self._job(plain, answer=True)])[0].text
        tokens = self._spelled.encode(text)
        if prefill:
            tokens += self.tokenizer.encode(prefill)
        return ModelInput(tuple(tokens))

    def parse_response(self, tokens: Sequence[int]) -> tuple[Message, bool]:
        """Read an answer: thoughts and tool calls as the template's family writes them; of no known family, as text.

        Raises:
            BadResponse: It goes on after its end.
        """
        stops = set(self.stop_sequences)
        at = [index for index, token in enumerate(tokens) if token in stops]
        if len(at) > 1:
            raise too_many_stops(len(at) + 1)
        said = list(tokens[: at[0]] if at else tokens)
        if self._family is None:
            return Message("assistant", self.tokenizer.decode(said)), bool(at)
        known = self._stops_of_family()
        stop = [tokens[at[0]] if tokens[at[0]] in known else known[0]] if at else []  # the family knows its own only
        return self._family.parse_response([*said, *stop])

    def weighted(self, messages: Iterable[Any], train_on: TrainOnWhat | str) -> Weighted:
        """Return the tokens of the conversation and the weight of each.

        Raises:
            DataError: The template is broken, refuses the conversation, or rewrites a message so that its place cannot
                be told; or nothing would be trained on.
        """
        read = as_messages(messages)
        flags = trained_messages(read, train_on)
        plain = self._plain(read)
        if TrainOnWhat(train_on) is TrainOnWhat.ALL_TOKENS:
            tokens = self._spelled.encode(self.template.render([self._job(plain)])[0].text)
            return Weighted(tokens, self._without_start(tokens, [1.0] * len(tokens)))
        text, stretches = self._finder.find(plain, flags)
        tokens: list[int] = []
        weights: list[float] = []
        at = 0
        for stretch in stretches:
            for end, weight in ((stretch.start, 0.0), (stretch.end, 1.0)):
                added = self._spelled.encode(text[at:end])
                tokens += added
                weights += [weight] * len(added)
                at = end
        rest = self._spelled.encode(text[at:])
        return Weighted(tokens + rest, self._without_start(tokens, weights) + [0.0] * len(rest))

    def _without_start(self, tokens: list[int], weights: list[float]) -> list[float]:
        bos = self.variables.get("bos_token")
        is_start = bool(tokens) and bos is not None and tokens[0] == self.encoder.tokenizer.token_id(str(bos))
        return [0.0, *weights[1:]] if is_start else weights

    def _plain(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        """Return the messages as the template gets them, with nobody's words as special tokens."""
        for index, message in enumerate(messages):
            if not isinstance(message.content, str) and any(isinstance(part, ImagePart) for part in message.content):
                raise DataError(
                    f"messages[{index}] has an image, and a ModelInput holds tokens of text only; leave the image out"
                )
        return [self._spelled.put_aside(plain_message(message)) for message in messages]

    def _job(self, plain: list[dict[str, Any]], *, answer: bool = False) -> RenderJob:
        return RenderJob(plain, answer, self._tools, self.variables)


def _chosen(templates: Mapping[str, ChatTemplate], *, has_tools: bool) -> ChatTemplate:
    """Return the template that transformers would use."""
    chosen = templates.get("tool_use") if has_tools else None
    chosen = chosen or templates.get("default")
    if chosen is None:
        raise DataError(
            "the tokenizer has no chat template"
            + (f" named default (only {', '.join(sorted(templates))})" if templates else "")
            + "; name a renderer instead"
        )
    return chosen
