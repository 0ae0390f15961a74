"""Messages from plain mappings, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from crucible import ir
from crucible.errors import DataError
from crucible.text import ImagePart, Message, TextPart, ToolCall, ToolResult, as_messages, ensure_parts, ensure_text
from crucible.text.chat.messages import plain_message


def test_both_shapes_of_calls_are_read() -> None:
    """OpenAI's nested calls and flat ones give the same; thoughts are read under each of their names."""
    nested = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"a": "ü"}}}
    flat = {"id": "c1", "name": "f", "arguments": '{"a": "ü"}'}
    for key in ("thinking", "reasoning_content", "reasoning"):
        for call in (nested, flat, ToolCall("f", '{"a": "ü"}', "c1")):
            (message,) = as_messages([{"role": "assistant", "content": None, "tool_calls": [call], key: "t"}])
            assert message == Message("assistant", "", (ToolCall("f", '{"a": "ü"}', "c1"),), "t")
    (bare,) = as_messages([{"role": "assistant", "tool_calls": [{"name": "f"}]}])
    assert bare.tool_calls == (ToolCall("f", "{}"),)


def test_messages_of_the_document_are_read() -> None:
    """`crucible.ir.Message` is a message here."""
    given = ir.Message(role="user", content=(ir.ContentPart(type="text", text="hi"),), name="ann")
    assert as_messages([given]) == (Message("user", (TextPart("hi"),), name="ann"),)


def test_unknown_keys_reach_the_template_only() -> None:
    """What nobody here knows is kept for the template, `trainable` is not handed to it."""
    (message,) = as_messages([{"role": "user", "content": "hi", "lang": "de", "trainable": True}])
    assert message.extra == {"lang": "de"}
    assert plain_message(message) == {"lang": "de", "role": "user", "content": "hi"}
    called = Message("assistant", tool_calls=(ToolCall("f", "no json", "c"),), thinking="t")
    assert plain_message(called) == {
        "role": "assistant",
        "reasoning_content": "t",
        "thinking": "t",
        "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": "no json"}, "id": "c"}],
    }
    parts = Message("user", (TextPart("a"), ImagePart("u")))
    assert plain_message(parts)["content"] == [{"type": "text", "text": "a"}, {"type": "image", "url": "u"}]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("hi", "a conversation is a list of messages, got str"),
        ({"role": "user"}, "a conversation is a list of messages, got dict"),
        ([], "the conversation is empty"),
        (["hi"], r"messages\[0\] is str"),
        ([{"content": "x"}], r"messages\[0\] has no role"),
        ([{"role": "user"}], r"messages\[0\] has no content"),
        ([{"role": "user", "content": 3}], r"messages\[0\]\.content is int"),
        ([{"role": "user", "content": [3]}], r"messages\[0\]\.content\[0\] is int"),
        ([{"role": "user", "content": [{"type": "audio"}]}], "part of type 'audio'"),
        ([{"role": "user", "content": "x", "trainable": 1}], "trainable is 1, expected true or false"),
        ([{"role": "user", "content": "x", "name": 1}], "name is int, expected text"),
        ([{"role": "assistant", "tool_calls": "f"}], "tool_calls is str"),
        ([{"role": "assistant", "tool_calls": ["f"]}], r"tool_calls\[0\] is str"),
        ([{"role": "assistant", "tool_calls": [{"function": 1}]}], "has no function name"),
        ([{"role": "assistant", "tool_calls": [{"name": "f", "arguments": {"a": float("nan")}}]}], "is no JSON"),
    ],
)
def test_what_is_no_conversation_is_told(given: Any, says: str) -> None:
    """Each error names the message and what was expected."""
    with pytest.raises(DataError, match=says):
        as_messages(given)


def test_content_as_text_or_parts() -> None:
    """One text part is text; several are not; text is one part."""
    assert ensure_text("a") == ensure_text([TextPart("a")]) == "a"
    assert ensure_parts("a") == ensure_parts([TextPart("a")]) == (TextPart("a"),)
    with pytest.raises(ValueError, match="Expected text content, got multimodal content with 2 parts"):
        ensure_text([TextPart("a"), TextPart("b")])
    with pytest.raises(ValueError, match="with 1 parts"):
        ensure_text([ImagePart("u")])
    (message,) = as_messages([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}])
    assert message.content == (ImagePart("u"),)


def test_the_result_of_a_tool_is_a_message() -> None:
    """Output and message in two lines; an error says that it is one."""
    assert ToolResult("c", "3").to_message(name="add") == Message("tool", "3", tool_call_id="c", name="add")
    failed = ToolResult("c", "half", is_error=True, message="timeout", brief="t/o").to_message()
    assert failed.content == "half\nError: timeout"
