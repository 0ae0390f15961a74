"""DeepSeek V3 and V3.1: tokens with full-width bars, no newline between messages, an end only after the assistant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from crucible.errors import DataError
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
from crucible.text.chat.tool_calls import checked_arguments, read_object
from crucible.text.tokenizer import Tokenizer

__all__ = ["DeepSeekV3Renderer"]


def _token(words: str) -> str:
    """Return a token of DeepSeek's: full-width bars, and U+2581 between words."""
    return f"<\uff5c{words.replace(' ', chr(0x2581))}\uff5c>"


_BEGIN, _END = _token("begin of sentence"), _token("end of sentence")
_USER, _ASSISTANT = _token("User"), _token("Assistant")
_CALLS, _CALLS_END = _token("tool calls begin"), _token("tool calls end")
_CALL, _CALL_END, _SEPARATOR = _token("tool call begin"), _token("tool call end"), _token("tool sep")
_OUTPUT, _OUTPUT_END = _token("tool output begin"), _token("tool output end")


class DeepSeekV3Renderer(FormatRenderer):
    """Renders for DeepSeek V3 and V3.1.

    Args:
        tokenizer: The base model's.
        system_role_as_user: Whether a system message is written as a user's; otherwise it is refused.
        thinking: Whether the model thinks; if not, every answer begins with `</think>`.
        name: As the registry knows it.

    Source:
        Spec table of the predecessor [V]; thoughts, tool calls and tool outputs as in DeepSeek-V3.1's own template,
        where an assistant goes on after a tool's output without a header.
    """

    name: str = "deepseekv3"
    markers: ClassVar[tuple[str, ...]] = (
        *(_BEGIN, _END, _USER, _ASSISTANT, OPEN, CLOSE),
        *(_CALLS, _CALLS_END, _CALL, _CALL_END, _SEPARATOR, _OUTPUT, _OUTPUT_END),
    )
    needed: ClassVar[tuple[str, ...]] = (_BEGIN, _END, _USER, _ASSISTANT)
    has_tool_calls: ClassVar[bool] = True

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        system_role_as_user: bool = False,
        thinking: bool = True,
        name: str = "deepseekv3",
    ) -> None:
        self.name = name
        super().__init__(tokenizer)
        self.system_role_as_user = system_role_as_user
        self.thinking = thinking

    @property
    def has_thinking(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]  # it depends on the variant
        """Whether a message may have thoughts."""
        return self.thinking

    @property
    def stop_sequences(self) -> list[int]:
        """The token at the end of a sentence."""
        return [self.encoder.token(_END)]

    def start(self, messages: Sequence[Message]) -> list[str]:
        """Return the token at the beginning of a sentence."""
        del messages
        return [Markup(_BEGIN)]

    def prefill(self) -> list[str]:
        """Return `</think>`, where thinking is off."""
        return [] if self.thinking else [Markup(CLOSE)]

    def render_message(self, index: int, messages: Sequence[Message], *, is_last: bool) -> RenderedMessage:
        """Return message `index` in pieces.

        Raises:
            DataError: The format has no such role.
        """
        message = messages[index]
        if message.role == "user" or (message.role == "system" and self.system_role_as_user):
            return RenderedMessage([Markup(_USER)], [[self.text_of(message)]], [])
        if message.role == "assistant":
            follows_tool = index > 0 and messages[index - 1].role == "tool"
            header: list[str] = [] if follows_tool else [Markup(_ASSISTANT)]
            return RenderedMessage(header, [[*self._assistant(message, is_last=is_last), Markup(_END)]], [])
        if message.role == "tool":
            return RenderedMessage([Markup(_OUTPUT)], [[self.text_of(message), Markup(_OUTPUT_END)]], [])
        hint = "; set system_role_as_user=True to write it as a user's" if message.role == "system" else ""
        raise DataError(f"Unsupported role: {message.role}{hint}")

    def _assistant(self, message: Message, *, is_last: bool) -> list[str]:
        text = self.text_of(message)
        if begins_with_markup(text):
            is_old_thought = self.thinking and not is_last
            pieces: list[str] = [without_thinking(text)] if is_old_thought else own_markup(text)
        elif not self.thinking:
            pieces = [Markup(CLOSE), text]
        elif message.thinking and is_last:
            pieces = [Markup(OPEN), message.thinking, Markup(CLOSE), text]
        else:
            pieces = [text]
        return [*pieces, *self._calls(message)]

    def _calls(self, message: Message) -> list[str]:
        if not message.tool_calls:
            return []
        pieces: list[str] = [Markup(_CALLS)]
        for call in message.tool_calls:
            arguments = checked_arguments(call, "DeepSeek")
            pieces += [Markup(_CALL), call.name, Markup(_SEPARATOR), arguments, Markup(_CALL_END)]
        return [*pieces, Markup(_CALLS_END)]

    def parse_response(self, tokens: Sequence[int]) -> tuple[Message, bool]:
        """Read an answer: thoughts, text and tool calls.

        A call whose arguments are no JSON object leaves the whole answer as text, not complete.

        Raises:
            BadResponse: It goes on after its end.
        """
        pieces, stop = self.read_until(tokens, (_END,))
        thinking, rest = split_thinking(pieces)
        begin = next((at for at, piece in enumerate(rest) if isinstance(piece, Markup) and piece == _CALLS), len(rest))
        calls = _read_calls(rest[begin:])
        if calls is None:
            return Message("assistant", "".join(pieces)), False
        return Message("assistant", "".join(rest[:begin]), tuple(calls), thinking or None), stop is not None


def _read_calls(pieces: list[str]) -> list[ToolCall] | None:
    """Return the calls of a section; None if it is broken."""
    if not pieces:
        return []
    if len(pieces) < 2 or pieces[-1] != _CALLS_END:
        return None
    calls: list[ToolCall] = []
    inner = pieces[1:-1]
    for at in range(0, len(inner), 5):
        shape = inner[at : at + 5]
        if [shape[index] for index in (0, 2, 4) if index < len(shape)] != [_CALL, _SEPARATOR, _CALL_END]:
            return None
        if read_object(shape[3]) is None:
            return None
        calls.append(ToolCall(shape[1].strip(), shape[3]))
    return calls
