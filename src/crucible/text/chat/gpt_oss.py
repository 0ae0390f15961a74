"""gpt-oss: the harmony format, in which an answer comes through channels.

`analysis` holds thoughts, `final` what is meant for the user, `commentary` tool calls and what is said before them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Literal

from crucible.errors import DataError
from crucible.text.chat.format_renderer import FormatRenderer, RenderedMessage
from crucible.text.chat.markup import Markup
from crucible.text.chat.messages import Message, ToolCall
from crucible.text.chat.tool_calls import checked_arguments, read_object
from crucible.text.tokenizer import Tokenizer

__all__ = ["GptOssRenderer", "ReasoningEffort"]

_START, _CHANNEL, _MESSAGE, _CONSTRAIN = "<|start|>", "<|channel|>", "<|message|>", "<|constrain|>"
_END, _RETURN, _CALL = "<|end|>", "<|return|>", "<|call|>"
_NEXT = f"{_END}{_START}assistant"
_EFFORTS = ("low", "medium", "high")

ReasoningEffort = Literal["low", "medium", "high"]


class GptOssRenderer(FormatRenderer):
    """Renders for gpt-oss.

    Args:
        tokenizer: The base model's.
        reasoning_effort: How long the model may think: a system prompt says so. None: no system prompt.
        current_date: Date in the system prompt, `YYYY-MM-DD`; today if None. Give one where the same text is to come
            out tomorrow.

    Raises:
        DataError: The effort is none of low, medium, high; or there is a date and no system prompt to hold it.

    Source:
        Spec table of the predecessor [V]; OpenAI, "harmony response format" (channels, calls, tool messages).
    """

    name: str = "gpt_oss_medium_reasoning"
    markers: ClassVar[tuple[str, ...]] = (_START, _CHANNEL, _MESSAGE, _CONSTRAIN, _END, _RETURN, _CALL)
    needed: ClassVar[tuple[str, ...]] = (_START, _CHANNEL, _MESSAGE, _END, _RETURN)
    has_thinking: ClassVar[bool] = True
    has_tool_calls: ClassVar[bool] = True

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        reasoning_effort: ReasoningEffort | None = "medium",
        current_date: str | None = None,
    ) -> None:
        if reasoning_effort is not None and reasoning_effort not in _EFFORTS:
            raise DataError(f"reasoning_effort is {reasoning_effort!r}, expected one of {', '.join(_EFFORTS)}")
        if reasoning_effort is None and current_date is not None:
            raise DataError("current_date needs a system prompt to stand in; give a reasoning_effort as well")
        self.name = f"gpt_oss_{reasoning_effort}_reasoning" if reasoning_effort else "gpt_oss_no_sysprompt"
        super().__init__(tokenizer)
        self.reasoning_effort = reasoning_effort
        self.current_date = current_date

    @property
    def stop_sequences(self) -> list[int]:
        """The tokens `<|return|>` and, where the tokenizer has it, `<|call|>`."""
        known = [_RETURN] if self.tokenizer_lacks_call else [_RETURN, _CALL]
        return [self.encoder.token(stop) for stop in known]

    @property
    def tokenizer_lacks_call(self) -> bool:
        """Whether the tokenizer has no `<|call|>`, so that no tool can be called."""
        return self.encoder.tokenizer.token_id(_CALL) is None

    def start(self, messages: Sequence[Message]) -> list[str]:
        """Return the system prompt, if there is one."""
        del messages
        if self.reasoning_effort is None:
            return []
        date = self.current_date or datetime.now().astimezone().strftime("%Y-%m-%d")
        return [
            Markup(
                f"{_START}system{_MESSAGE}You are ChatGPT, a large language model trained by OpenAI.\n"
                f"Knowledge cutoff: 2024-06\nCurrent date: {date}\n\nReasoning: {self.reasoning_effort}\n\n"
                f"# Valid channels: analysis, commentary, final. Channel must be included for every message.{_END}"
            )
        ]

    def render_message(self, index: int, messages: Sequence[Message], *, is_last: bool) -> RenderedMessage:
        """Return message `index` in pieces."""
        message = messages[index]
        if message.role == "tool":
            caller = message.name or _called(messages[:index], message.tool_call_id)
            header = [Markup(_START + "functions."), caller, Markup(" to=assistant")]
            body = [Markup(f"{_CHANNEL}commentary{_MESSAGE}"), self.text_of(message), Markup(_END)]
            return RenderedMessage(header, [body], [])
        header = [Markup(_START), message.role]
        if message.role == "assistant":
            return RenderedMessage(header, [self._assistant(message, is_last=is_last)], [])
        return RenderedMessage(header, [[Markup(_MESSAGE), self.text_of(message), Markup(_END)]], [])

    def _assistant(self, message: Message, *, is_last: bool) -> list[str]:
        text = self.text_of(message)
        pieces: list[str] = []
        if message.thinking and is_last:
            pieces += [Markup(f"{_CHANNEL}analysis{_MESSAGE}"), message.thinking, Markup(_NEXT)]
        if not message.tool_calls:
            return [*pieces, Markup(f"{_CHANNEL}final{_MESSAGE}"), text, Markup(_RETURN if is_last else _END)]
        if len(message.tool_calls) > 1 or self.tokenizer_lacks_call:
            raise DataError(
                f"gpt-oss calls one tool a message and ends it with <|call|>, got {len(message.tool_calls)} calls; "
                "split the message (or use the tokenizer of gpt-oss, which has the token)"
            )
        if text:
            pieces += [Markup(f"{_CHANNEL}commentary{_MESSAGE}"), text, Markup(_NEXT)]
        call = next(iter(message.tool_calls))
        return [
            *pieces,
            *(Markup(f"{_CHANNEL}commentary to=functions."), call.name, Markup(f" {_CONSTRAIN}json{_MESSAGE}")),
            *(checked_arguments(call, "gpt-oss"), Markup(_CALL)),
        ]

    def parse_response(self, tokens: Sequence[int]) -> tuple[Message, bool]:
        """Read an answer: `analysis` as thinking, `commentary` to a function as a tool call, the rest as text.

        A call whose arguments are no JSON object leaves the whole answer as text, not complete.

        Raises:
            BadResponse: It goes on after `<|return|>` or `<|call|>`.
        """
        stops = (_RETURN,) if self.tokenizer_lacks_call else (_RETURN, _CALL)
        pieces, stop = self.read_until(tokens, stops)
        thoughts: list[str] = []
        texts: list[str] = []
        calls: list[ToolCall] = []
        for head, body in _sections(pieces):
            recipient = re.search(r"(?:^|\s)to=functions\.(\S+)", head)
            if recipient:
                if read_object(body) is None:
                    return Message("assistant", "".join(pieces)), False
                calls.append(ToolCall(recipient[1], body))
            else:
                (thoughts if "analysis" in head.split() else texts).append(body)
        message = Message("assistant", "\n\n".join(texts), tuple(calls), "\n\n".join(thoughts) or None)
        is_call = bool(calls)
        return message, stop is not None and (stop == _CALL) == is_call


def _called(messages: Sequence[Message], call_id: str | None) -> str:
    """Return the name of the function that a tool's message answers: the call of that id, or the latest."""
    calls = [call for message in messages for call in message.tool_calls]
    chosen = [call for call in calls if call_id is not None and call.id == call_id] or calls
    return chosen[-1].name if chosen else "tool"


def _sections(pieces: list[str]) -> list[tuple[str, str]]:
    """Return the parts of an answer as pairs: what stands in the header, and the body."""
    sections: list[tuple[str, str]] = []
    head: list[str] = []
    body: list[str] | None = None
    for piece in pieces:
        if not isinstance(piece, Markup):
            (head if body is None else body).append(piece)
        elif piece == _MESSAGE:
            body = []
        elif piece == _END:
            if body is not None:
                sections.append((" ".join(head), "".join(body)))
            head, body = [], None
    if body is not None:
        sections.append((" ".join(head), "".join(body)))
    elif head and not sections and not any(isinstance(piece, Markup) for piece in pieces):
        sections.append(("", "".join(head)))  # a model that forgot the channels
    return sections
