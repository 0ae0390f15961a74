"""Qwen3: ChatML, with thoughts between `<think>` tags and tool calls between `<tool_call>` tags.

The variants differ in what they do with thoughts: `qwen3` thinks, `qwen3_disable_thinking` shows it an empty thought,
`qwen3_instruct` (the 2507 models) knows none. The `vl` variants encode every part of a message on its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from crucible.text.chat.format_renderer import FormatRenderer, RenderedMessage
from crucible.text.chat.markup import Markup
from crucible.text.chat.messages import Message, ToolCall
from crucible.text.chat.thinking import (
    CLOSE,
    OPEN,
    begins_with_markup,
    own_markup,
    split_thinking,
    without_thinking,
)
from crucible.text.chat.tool_calls import checked_arguments, json_text, read_object
from crucible.text.tokenizer import Tokenizer

__all__ = ["Qwen3Renderer", "Thinking"]

_START, _END = "<|im_start|>", "<|im_end|>"
_CALL, _CALL_END = "<tool_call>", "</tool_call>"
_ANSWER, _ANSWER_END = "<tool_response>", "</tool_response>"
_EMPTY = (Markup(OPEN + "\n\n" + CLOSE + "\n\n"),)

Thinking = Literal["on", "off", "none"]


class Qwen3Renderer(FormatRenderer):
    """Renders for Qwen3.

    Args:
        tokenizer: The base model's.
        thinking: `"on"`; `"off"`: an assistant's text begins with an empty thought; `"none"`: the model knows none.
        strip_thinking_from_history: Whether earlier thoughts are left out, as Qwen's own template does.
        parts_apart: Whether each part of a message is encoded on its own, as for the models that see.
        name: As the registry knows it.

    Source:
        Spec table of the predecessor [V]; thoughts and tool calls as in Qwen3's own chat template.
    """

    name: str = "qwen3"
    markers: ClassVar[tuple[str, ...]] = (_START, _END, OPEN, CLOSE, _CALL, _CALL_END, _ANSWER, _ANSWER_END)
    needed: ClassVar[tuple[str, ...]] = (_START, _END)
    has_tool_calls: ClassVar[bool] = True

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        thinking: Thinking = "on",
        strip_thinking_from_history: bool = True,
        parts_apart: bool = False,
        name: str = "qwen3",
    ) -> None:
        self.name = name
        super().__init__(tokenizer)
        self.thinking = thinking
        self.strip_thinking_from_history = strip_thinking_from_history
        self.parts_apart = parts_apart

    @property
    def has_thinking(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]  # it depends on the variant
        """Whether a message may have thoughts."""
        return self.thinking == "on"

    @property
    def stop_sequences(self) -> list[int]:
        """The token `<|im_end|>`."""
        return [self.encoder.token(_END)]

    def prefill(self) -> list[str]:
        """Return the empty thought, where thinking is off."""
        return list(_EMPTY) if self.thinking == "off" else []

    def render_message(self, index: int, messages: Sequence[Message], *, is_last: bool) -> RenderedMessage:
        """Return message `index` in pieces."""
        message = messages[index]
        chunks: list[list[str]]
        role = "user" if message.role == "tool" else message.role
        opening = Markup(("\n" if index else "") + _START)
        header = [opening, Markup(role) if role in {"system", "user", "assistant"} else role, Markup("\n")]
        if message.role == "assistant":
            chunks = self._assistant(message, header, is_last=is_last)
        elif message.role == "tool":
            chunks = [[Markup(_ANSWER + "\n")], *self._text(message), [Markup("\n" + _ANSWER_END)]]
        else:
            chunks = self._text(message)
        chunks = [*chunks, [Markup(_END)]]
        return RenderedMessage(
            header, chunks if self.parts_apart else [[each for chunk in chunks for each in chunk]], []
        )

    def _text(self, message: Message) -> list[list[str]]:
        return [[text] for text in self.chunks_of(message)] if self.parts_apart else [[self.text_of(message)]]

    def _assistant(self, message: Message, header: list[str], *, is_last: bool) -> list[list[str]]:
        texts = self.chunks_of(message) if self.parts_apart else [self.text_of(message)]
        first = texts[0] if texts else ""
        before: list[str] = []
        if self.thinking == "none":
            begun: list[str] = [first]
        elif not is_last and self.strip_thinking_from_history:
            begun = [without_thinking(first)]
        elif begins_with_markup(first):
            begun = own_markup(first)
        elif message.thinking:
            before, begun = [Markup(OPEN + "\n"), message.thinking, Markup("\n" + CLOSE + "\n\n")], [first]
        elif self.thinking == "off":
            before, begun = list(_EMPTY), [first]
        else:
            begun = [first]
            if is_last:
                header.append(Markup(OPEN + "\n"))
        chunks = [[*before, *begun], *([text] for text in texts[1:])]
        return [*chunks, *self._calls(message, follows_text=any(texts))]

    def _calls(self, message: Message, *, follows_text: bool) -> list[list[str]]:
        chunk: list[str] = []
        for number, call in enumerate(message.tool_calls):
            newline = "\n" if number or follows_text else ""
            arguments = checked_arguments(call, "Qwen3")
            body = f'{{"name": {json_text(call.name)}, "arguments": {arguments}}}'
            chunk += [Markup(newline + _CALL + "\n"), body, Markup("\n" + _CALL_END)]
        return [chunk] if chunk else []

    def parse_response(self, tokens: Sequence[int]) -> tuple[Message, bool]:
        """Read an answer: thoughts, text and tool calls.

        A call that is no JSON object with a name and arguments leaves the whole answer as text, not complete.

        Raises:
            BadResponse: It goes on after `<|im_end|>`.
        """
        pieces, stop = self.read_until(tokens, (_END,))
        thinking, rest = split_thinking(pieces) if self.thinking != "none" else (None, pieces)
        if thinking is not None:
            thinking = thinking.removeprefix("\n").removesuffix("\n")
            if rest and not isinstance(rest[0], Markup):
                rest = [rest[0].removeprefix("\n\n"), *rest[1:]]
        text, calls = _split_calls(rest)
        if calls is None:
            return Message("assistant", "".join(pieces)), False
        return Message("assistant", text, tuple(calls), thinking or None), stop is not None


def _split_calls(pieces: list[str]) -> tuple[str, list[ToolCall] | None]:
    """Return the text without the calls, and the calls; None if one of them is broken."""
    texts: list[str] = []
    calls: list[ToolCall] = []
    index = 0
    while index < len(pieces):
        piece = pieces[index]
        index += 1
        if not (isinstance(piece, Markup) and piece == _CALL):
            texts.append(piece)
            continue
        end = next((at for at in range(index, len(pieces)) if _is(pieces[at], _CALL_END)), None)
        call = None if end is None else _read_call("".join(pieces[index:end]))
        if end is None or call is None:
            return "", None
        calls.append(call)
        index = end + 1
        if texts:
            texts[-1] = texts[-1].removesuffix("\n")
    return "".join(texts), calls


def _is(piece: str, marker: str) -> bool:
    return isinstance(piece, Markup) and piece == marker


def _read_call(body: str) -> ToolCall | None:
    payload = read_object(body.strip())
    if payload is None:
        return None
    name, arguments, call_id = payload.get("name"), payload.get("arguments"), payload.get("id")
    if not isinstance(name, str) or not isinstance(arguments, dict):
        return None
    return ToolCall(name, json_text(arguments), call_id if isinstance(call_id, str) else None)
