"""Rules of prompts: messages that say something, schemas that belong to a form, tools that exist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

from crucible.ir.issue import Issue
from crucible.ir.prompt import ContentPart, Message, Options, Prompt, ToolChoice
from crucible.ir.rules import error, rule, warning
from crucible.ir.wording_text import did_you_mean, show

__all__ = ["json_schema", "messages", "part", "tool_answer", "tools"]

_SOURCES = {"text": ("text",), "image": ("url", "base64"), "audio": ("url", "base64"), "tool_result": ("tool_call_id",)}
"""What each kind of part must have one of."""


@rule(Options)
def json_schema(options: Options) -> Iterable[Issue]:
    """The form json_schema and a schema come together."""
    if options.response_format == "json_schema" and options.json_schema is None:
        yield error("json_schema", "missing", "json_schema is required when response_format is json_schema")
    if options.json_schema is not None and options.response_format != "json_schema":
        message = (
            f"json_schema has no effect when response_format is {show(options.response_format)}; set it to json_schema"
        )
        yield warning("json_schema", "no_effect", message)


@rule(Prompt)
def messages(prompt: Prompt) -> Iterable[Issue]:
    """Every message says something, or calls a tool."""
    for index, message in enumerate(prompt.messages):
        if message.content is None and not message.tool_calls and not _says_otherwise(message):
            yield error(f"messages[{index}].content", "missing", "content is required")


def _says_otherwise(message: Message) -> bool:
    """Whether a model answered in a way that only its provider knows, such as audio or a refusal."""
    extra = message.__pydantic_extra__ or {}
    return message.role == "assistant" and any(value is not None for value in extra.values())


@rule(Message)
def tool_answer(message: Message) -> Iterable[Issue]:
    """The answer of a tool says which call it answers."""
    if message.role == "tool" and not message.tool_call_id and not _answers_in_parts(message):
        yield warning(
            "tool_call_id", "missing", "tool_call_id should name the call that is answered, because role is tool"
        )


def _answers_in_parts(message: Message) -> bool:
    parts = message.content if isinstance(message.content, tuple) else ()
    return any(part.type == "tool_result" for part in parts)


@rule(ContentPart)
def part(part: ContentPart) -> Iterable[Issue]:
    """A part has what its kind says it is."""
    needed = _SOURCES[part.type]
    if all(getattr(part, name) is None for name in needed):
        yield error(needed[0], "missing", f"{needed[0]} is required when type is {part.type}{_or(needed)}")


def _or(names: tuple[str, ...]) -> str:
    return f", or {names[1]}" if len(names) > 1 else ""


@rule(Prompt)
def tools(prompt: Prompt) -> Iterable[Issue]:
    """The tool that must be called is one of those that may be called."""
    choice = prompt.tool_choice
    if isinstance(choice, ToolChoice):
        names = list(_tool_names(prompt))
        if choice.name not in names:
            message = f"name should be one of the tools, got {show(choice.name)}{did_you_mean(choice.name, names)}"
            yield warning("tool_choice.name", "choice", message)
    elif choice == "required" and not prompt.tools:
        yield warning("tool_choice", "mismatch", "tool_choice is required, and there are no tools to call")


def _tool_names(prompt: Prompt) -> Iterator[str]:
    for tool in prompt.tools or ():
        function = tool.get("function")
        entry = cast("dict[str, Any]", function) if isinstance(function, dict) else tool
        if isinstance(name := entry.get("name"), str):
            yield name
