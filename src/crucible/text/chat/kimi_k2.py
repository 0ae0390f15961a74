"""Kimi K2: a token for each role, a default system message, and thoughts before every answer, mostly empty."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

import msgspec

from crucible.text.chat.format_renderer import FormatRenderer, RenderedMessage
from crucible.text.chat.markup import Markup
from crucible.text.chat.messages import Message, ToolCall
from crucible.text.chat.thinking import CLOSE, OPEN, split_thinking
from crucible.text.chat.tool_calls import checked_arguments, read_object

__all__ = ["KimiK2Renderer"]

_SYSTEM, _USER, _ASSISTANT = "<|im_system|>", "<|im_user|>", "<|im_assistant|>"
_MIDDLE, _END = "<|im_middle|>", "<|im_end|>"
_CALLS, _CALLS_END = "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"
_CALL, _ARGUMENTS, _CALL_END = "<|tool_call_begin|>", "<|tool_call_argument_begin|>", "<|tool_call_end|>"
_DEFAULT = "You are Kimi, an AI assistant created by Moonshot AI."


class KimiK2Renderer(FormatRenderer):
    """Renders for Kimi K2.

    The name of a called function travels in the call's id, `functions.NAME:N`. An id of another form (`call_1`) is
    renamed so, N counted through the conversation, and the tool's answer with it, as Moonshot's own service does.

    Source:
        Spec table of the predecessor [V]; Moonshot, "Tool calling guidance" of Kimi-K2.
    """

    name: str = "kimi_k2"
    markers: ClassVar[tuple[str, ...]] = (
        *(_SYSTEM, _USER, _ASSISTANT, _MIDDLE, _END, OPEN, CLOSE),
        *(_CALLS, _CALLS_END, _CALL, _ARGUMENTS, _CALL_END),
    )
    needed: ClassVar[tuple[str, ...]] = (_SYSTEM, _USER, _ASSISTANT, _MIDDLE, _END)
    has_thinking: ClassVar[bool] = True
    has_tool_calls: ClassVar[bool] = True

    @property
    def stop_sequences(self) -> list[int]:
        """The token `<|im_end|>`."""
        return [self.encoder.token(_END)]

    def start(self, messages: Sequence[Message]) -> list[str]:
        """Return the default system message, unless the conversation begins with one."""
        if messages[0].role == "system":
            return []
        return [Markup(f"{_SYSTEM}system{_MIDDLE}{_DEFAULT}{_END}")]

    def prepare(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Return the messages with ids that spell the function's name."""
        if not any(message.tool_calls or message.tool_call_id for message in messages):
            return messages
        renamed: dict[str, str] = {}
        count = 0
        prepared: list[Message] = []
        for message in messages:
            calls: list[ToolCall] = []
            for call in message.tool_calls:
                call_id = call.id
                if call_id is None or _name_in(call_id) != call.name:
                    call_id = f"functions.{call.name}:{count}"
                    if call.id is not None:
                        renamed[call.id] = call_id
                count += 1
                calls.append(msgspec.structs.replace(call, id=call_id))
            answered = None if message.tool_call_id is None else renamed.get(message.tool_call_id, message.tool_call_id)
            prepared.append(msgspec.structs.replace(message, tool_calls=tuple(calls), tool_call_id=answered))
        return prepared

    def rendered(self, messages: Sequence[Message], *, with_last: bool) -> list[RenderedMessage]:
        """Return every message in pieces; thoughts are kept from the last answer without a tool call on."""
        if not with_last:
            return super().rendered(messages, with_last=False)
        answers = [at for at, each in enumerate(messages) if each.role == "assistant" and not each.tool_calls]
        keep_from = answers[-1] if answers else 0
        return [self.render_message(index, messages, is_last=index >= keep_from) for index in range(len(messages))]

    def render_message(self, index: int, messages: Sequence[Message], *, is_last: bool) -> RenderedMessage:
        """Return message `index` in pieces; `is_last` keeps an assistant's thoughts."""
        message = messages[index]
        token = {"user": _USER, "assistant": _ASSISTANT}.get(message.role, _SYSTEM)
        header = [Markup(token), message.name or message.role, Markup(_MIDDLE)]
        if message.role == "tool":
            header += [Markup("## Return of "), message.tool_call_id or "", Markup("\n")]
        pieces: list[str] = []
        if message.role == "assistant":
            kept = message.thinking if is_last and message.thinking else ""
            pieces += [Markup(OPEN), kept, Markup(CLOSE)]
        pieces += [self.text_of(message), *self._calls(message), Markup(_END)]
        return RenderedMessage(header, [pieces], [])

    def _calls(self, message: Message) -> list[str]:
        if not message.tool_calls:
            return []
        pieces: list[str] = [Markup(_CALLS)]
        for call in message.tool_calls:
            arguments = checked_arguments(call, "Kimi K2")
            pieces += [Markup(_CALL), call.id or "", Markup(_ARGUMENTS), arguments, Markup(_CALL_END)]
        return [*pieces, Markup(_CALLS_END)]

    def parse_response(self, tokens: Sequence[int]) -> tuple[Message, bool]:
        """Read an answer: thoughts, text and tool calls.

        Arguments that are no JSON object leave the whole answer as text, not complete.

        Raises:
            BadResponse: It goes on after `<|im_end|>`.
        """
        pieces, stop = self.read_until(tokens, (_END,))
        thinking, rest = split_thinking(pieces)
        begin = next((at for at, piece in enumerate(rest) if isinstance(piece, Markup) and piece == _CALLS), len(rest))
        calls = _read_calls(rest[begin:])
        if calls is None:
            return Message("assistant", "".join(pieces)), False
        return Message("assistant", "".join(rest[:begin]), tuple(calls), thinking or None), stop is not None


def _name_in(call_id: str) -> str:
    """Return the function's name: what lies between the first dot and the next colon."""
    return call_id.partition(".")[2].partition(":")[0]


def _read_calls(pieces: list[str]) -> list[ToolCall] | None:
    """Return the calls of a section; None if it is broken."""
    if not pieces:
        return []
    section = re.sub(r"\A\s+|\s+\Z", "", "".join(pieces[1:-1])) if len(pieces) > 1 else ""
    if pieces[-1] != _CALLS_END or not section:
        return None
    calls: list[ToolCall] = []
    inner = [piece for piece in pieces[1:-1] if isinstance(piece, Markup) or piece.strip()]
    for at in range(0, len(inner), 5):
        shape = inner[at : at + 5]
        if [shape[index] for index in (0, 2, 4) if index < len(shape)] != [_CALL, _ARGUMENTS, _CALL_END]:
            return None
        call_id, arguments = shape[1].strip(), shape[3].strip()
        if read_object(arguments) is None:
            return None
        calls.append(ToolCall(_name_in(call_id), arguments, call_id))
    return calls
