"""The messages of a conversation: who said what, with which thoughts and tool calls.

They are msgspec structs because a dataset holds many. `as_messages` reads them from plain mappings in the shapes that
datasets use (OpenAI's, and the flat one of `crucible.ir`), and keeps keys it does not know for the chat template.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import msgspec

from crucible.errors import DataError

__all__ = [
    "ImagePart",
    "Message",
    "Part",
    "TextPart",
    "ToolCall",
    "ToolResult",
    "as_messages",
    "ensure_parts",
    "ensure_text",
    "plain_message",
]

_THINKING_KEYS = ("thinking", "reasoning_content", "reasoning")
_KEYS = {"role", "content", "tool_calls", "trainable", "tool_call_id", "name", *_THINKING_KEYS}


class TextPart(msgspec.Struct, frozen=True, tag="text"):
    """A piece of a message that is text."""

    text: str


class ImagePart(msgspec.Struct, frozen=True, tag="image"):
    """A piece of a message that is an image; no renderer of this version can write one, each refuses it by name.

    Attributes:
        url: Where it is, or a data URL.
    """

    url: str


Part = TextPart | ImagePart


class ToolCall(msgspec.Struct, frozen=True):
    """A call that the assistant asks for.

    Attributes:
        name: The function.
        arguments: Its arguments, a JSON object as text.
        id: Name of the call, for its answer; None where the format has none.
    """

    name: str
    arguments: str = "{}"
    id: str | None = None


class Message(msgspec.Struct, frozen=True):
    """One message of a conversation.

    Attributes:
        role: `system`, `user`, `assistant`, `tool`, or what else the format knows.
        content: Text, or parts.
        tool_calls: Calls that an assistant asks for.
        thinking: What an assistant thought before the content; None if nothing.
        trainable: Whether it is trained on; for `TrainOnWhat.CUSTOMIZED` only, None otherwise.
        tool_call_id: The call that a tool's message answers.
        name: Name of the speaker or of the tool.
        extra: Other keys that came with it; only a tokenizer's own template reads them.
    """

    role: str
    content: str | tuple[Part, ...] = ""
    tool_calls: tuple[ToolCall, ...] = ()
    thinking: str | None = None
    trainable: bool | None = None
    tool_call_id: str | None = None
    name: str | None = None
    extra: Mapping[str, Any] = {}


class ToolResult(msgspec.Struct, frozen=True):
    """What a tool answered.

    Attributes:
        tool_call_id: The call it answers.
        output: The answer, or what there was of it before an error.
        is_error: Whether the tool failed.
        message: What to tell the model beside the output, such as the error's text.
        brief: A short form for logs; never rendered.
    """

    tool_call_id: str | None
    output: str = ""
    is_error: bool = False
    message: str = ""
    brief: str = ""

    def to_message(self, *, name: str | None = None) -> Message:
        """Return the `tool` message that carries it: the output, and below it the message if there is one."""
        said = f"Error: {self.message}" if self.is_error and self.message else self.message
        text = "\n".join(part for part in (self.output, said) if part)
        return Message("tool", text, tool_call_id=self.tool_call_id, name=name)


def ensure_text(content: str | Sequence[Part]) -> str:
    """Return the content as text; a single text part counts as text.

    Raises:
        DataError: It has several parts, or an image.
    """
    if isinstance(content, str):
        return content
    if len(content) == 1 and isinstance(content[0], TextPart):
        return content[0].text
    raise DataError(f"Expected text content, got multimodal content with {len(content)} parts")


def ensure_parts(content: str | Sequence[Part]) -> tuple[Part, ...]:
    """Return the content as parts; text becomes one text part."""
    return (TextPart(content),) if isinstance(content, str) else tuple(content)


def as_messages(conversation: Iterable[Any]) -> tuple[Message, ...]:
    """Read a conversation.

    Args:
        conversation: `Message`s, mappings, or pydantic models such as `crucible.ir.Message`, in order. A mapping has
            `role` and `content`, and may have `tool_calls` (OpenAI's `{"function": {"name", "arguments"}}` or flat),
            `thinking` (or `reasoning_content`, `reasoning`), `trainable`, `tool_call_id`, `name`.

    Raises:
        DataError: It is empty, or a message is not of this form; the text names which.
    """
    if isinstance(conversation, str | bytes | Mapping):
        raise DataError(f"a conversation is a list of messages, got {type(cast('Any', conversation)).__name__}")
    messages = tuple(
        each if isinstance(each, Message) else _read(each, f"messages[{index}]")
        for index, each in enumerate(conversation)
    )
    if not messages:
        raise DataError("the conversation is empty; it needs at least one message")
    return messages


def plain_message(message: Message) -> dict[str, Any]:
    """Return the message as a chat template wants it: OpenAI's keys, arguments as an object, no key without a value."""
    plain: dict[str, Any] = {"role": message.role}
    if isinstance(message.content, str):
        if message.content or not message.tool_calls:
            plain["content"] = message.content
    else:
        plain["content"] = [_plain_part(part) for part in message.content]
    if message.thinking is not None:
        plain["reasoning_content"] = plain["thinking"] = message.thinking
    if message.tool_calls:
        plain["tool_calls"] = [_plain_call(call) for call in message.tool_calls]
    for key in ("tool_call_id", "name"):
        value = getattr(message, key)
        if value is not None:
            plain[key] = value
    return {**message.extra, **plain}


def _plain_part(part: Part) -> dict[str, Any]:
    return {"type": "text", "text": part.text} if isinstance(part, TextPart) else {"type": "image", "url": part.url}


def _not_json(constant: str) -> Any:
    raise ValueError(constant)


def _plain_call(call: ToolCall) -> dict[str, Any]:
    try:
        arguments = json.loads(call.arguments, parse_constant=_not_json)
    except (ValueError, RecursionError):
        arguments = call.arguments
    plain: dict[str, Any] = {"type": "function", "function": {"name": call.name, "arguments": arguments}}
    if call.id is not None:
        plain["id"] = call.id
    return plain


def _read(value: Any, where: str) -> Message:
    if callable(getattr(value, "model_dump", None)):
        value = value.model_dump(mode="json", exclude_none=True)
    if not isinstance(value, Mapping):
        raise DataError(f"{where} is {type(value).__name__}; a message is a mapping with role and content")
    given = {str(key): each for key, each in cast("Mapping[Any, Any]", value).items() if each is not None}
    role = given.get("role")
    if not isinstance(role, str) or not role:
        raise DataError(f"{where} has no role; it must be a text such as user")
    calls = given.get("tool_calls", ())
    if not isinstance(calls, Sequence) or isinstance(calls, str):
        raise DataError(f"{where}.tool_calls is {type(calls).__name__}, expected a list of calls")
    if "content" not in given and not calls:
        raise DataError(f"{where} has no content")
    trainable = given.get("trainable")
    if trainable is not None and not isinstance(trainable, bool):
        raise DataError(f"{where}.trainable is {trainable!r}, expected true or false")
    thinking = next((given[key] for key in _THINKING_KEYS if key in given), None)
    return Message(
        role,
        _read_content(given.get("content", ""), where),
        tuple(_read_call(call, f"{where}.tool_calls[{i}]") for i, call in enumerate(cast("Sequence[Any]", calls))),
        _text(thinking, f"{where}.thinking"),
        trainable,
        _text(given.get("tool_call_id"), f"{where}.tool_call_id"),
        _text(given.get("name"), f"{where}.name"),
        {key: each for key, each in given.items() if key not in _KEYS},
    )


def _text(value: Any, where: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise DataError(f"{where} is {type(value).__name__}, expected text")
    return value


def _read_content(content: Any, where: str) -> str | tuple[Part, ...]:
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence) or isinstance(content, bytes):
        raise DataError(f"{where}.content is {type(content).__name__}, expected text or a list of parts")
    parts = cast("Sequence[Any]", content)
    return tuple(_read_part(part, f"{where}.content[{index}]") for index, part in enumerate(parts))


def _read_part(part: Any, where: str) -> Part:
    if isinstance(part, TextPart | ImagePart):
        return part
    if isinstance(part, Mapping):
        given = cast("Mapping[str, Any]", part)
        kind, text = given.get("type"), given.get("text")
        if kind == "text" and isinstance(text, str):
            return TextPart(text)
        if kind in {"image", "image_url"}:
            url = given.get("url") or given.get("image") or given.get("image_url")
            inner = cast("Mapping[str, Any]", url).get("url") if isinstance(url, Mapping) else url
            return ImagePart(inner if isinstance(inner, str) else "")
        raise DataError(f"{where} is a part of type {kind!r}; a part is of type text: leave it out, or say it in words")
    raise DataError(f"{where} is {type(part).__name__}; a part is a mapping with type and text")


def _read_call(call: Any, where: str) -> ToolCall:
    if isinstance(call, ToolCall):
        return call
    if not isinstance(call, Mapping):
        raise DataError(f"{where} is {type(call).__name__}; a call is a mapping with name and arguments")
    given = cast("Mapping[str, Any]", call)
    inner = given.get("function", given)
    function: Mapping[str, Any] = cast("Mapping[str, Any]", inner) if isinstance(inner, Mapping) else {}
    name, arguments = function.get("name"), function.get("arguments")
    if not isinstance(name, str) or not name:
        raise DataError(f"{where} has no function name")
    if arguments is None:
        arguments = "{}"
    elif not isinstance(arguments, str):
        try:
            arguments = json.dumps(arguments, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise DataError(f"{where}.arguments is no JSON: {error}") from error
    return ToolCall(name, arguments, _text(given.get("id"), f"{where}.id"))
