"""Llama 3: a header of three tokens, `<|eot_id|>` after every message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from crucible.errors import DataError
from crucible.text.chat.format_renderer import FormatRenderer, RenderedMessage
from crucible.text.chat.markup import Markup
from crucible.text.chat.messages import Message, ToolCall
from crucible.text.chat.tool_calls import checked_arguments, json_text, read_object

__all__ = ["Llama3Renderer"]

_BEGIN, _HEAD, _HEAD_END, _END = "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"


class Llama3Renderer(FormatRenderer):
    """Renders for Llama 3, 3.1, 3.2 and 3.3.

    A tool call is Llama's JSON form, `{"name": "f", "parameters": {…}}`, alone in its message; a tool answers as
    `ipython`. An answer that is such an object is read as a call, whoever meant it: the format has no other sign.

    Source:
        Spec table of the predecessor [V]; tool calls as Meta's Llama 3.1 prompt format, "JSON based tool calling".
    """

    name: str = "llama3"
    markers: ClassVar[tuple[str, ...]] = (_BEGIN, _HEAD, _HEAD_END, _END)
    needed: ClassVar[tuple[str, ...]] = markers
    has_tool_calls: ClassVar[bool] = True

    @property
    def stop_sequences(self) -> list[int]:
        """The token `<|eot_id|>`."""
        return [self.encoder.token(_END)]

    def start(self, messages: Sequence[Message]) -> list[str]:
        """Return `<|begin_of_text|>`."""
        del messages
        return [Markup(_BEGIN)]

    def render_message(self, index: int, messages: Sequence[Message], *, is_last: bool) -> RenderedMessage:
        """Return message `index` in pieces."""
        del is_last
        message = messages[index]
        role = "ipython" if message.role == "tool" else message.role
        header = [Markup(_HEAD), role, Markup(_HEAD_END + "\n\n")]
        return RenderedMessage(header, [[self._content(message), Markup(_END)]], [])

    def _content(self, message: Message) -> str:
        text = self.text_of(message)
        if not message.tool_calls:
            return text
        if text or len(message.tool_calls) > 1:
            raise DataError(
                f"llama3 writes one tool call a message and no text beside it, got {len(message.tool_calls)} calls "
                f"and {len(text)} characters of text; split the message"
            )
        call = next(iter(message.tool_calls))
        return f'{{"name": {json_text(call.name)}, "parameters": {checked_arguments(call, "Llama3")}}}'

    def parse_response(self, tokens: Sequence[int]) -> tuple[Message, bool]:
        """Read an answer: text, or the one tool call that it is.

        Raises:
            BadResponse: It goes on after `<|eot_id|>`.
        """
        pieces, stop = self.read_until(tokens, (_END,))
        text = "".join(pieces)
        called = read_object(text) if stop and text.startswith("{") else None
        if called is not None and called.keys() == {"name", "parameters"}:
            name, parameters = called["name"], called["parameters"]
            if isinstance(name, str) and isinstance(parameters, dict):
                return Message("assistant", tool_calls=(ToolCall(name, json_text(parameters)),)), True
        return Message("assistant", text), stop is not None
