"""What is asked of a model: messages, tools and how to answer; the contract of every backend.

Messages and their parts keep keys that nobody here knows, because providers add them faster than anybody can follow.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from crucible.ir.model import Document, Model, OpenModel, Seq
from crucible.ir.opaque import Opaque, PlainValue
from crucible.ir.words import Name

__all__ = ["ContentPart", "Message", "Options", "Prompt", "ProviderPart", "ToolCall", "ToolChoice"]

Count = Annotated[int, Field(ge=0)]


class ProviderPart(OpenModel):
    """A part of what providers send or take: keys that nobody here knows are kept, as plain JSON."""

    __pydantic_extra__: dict[str, PlainValue] = Field(init=False)  # pyright: ignore[reportIncompatibleVariableOverride]  # pydantic's own way to type what it keeps


class ContentPart(ProviderPart):
    """One part of a message: text, an image, audio, or what a tool answered."""

    type: Literal["text", "image", "audio", "tool_result"] = Field(description="Which of them it is.")
    text: str | None = Field(default=None, description="The text.")
    url: str | None = Field(default=None, description="Where the image or audio is.")
    base64: str | None = Field(default=None, description="The image or audio itself.")
    media_type: str | None = Field(default=None, description="Such as image/png.")
    format: str | None = Field(default=None, description="Such as wav.")
    tool_call_id: str | None = Field(default=None, description="The call that is answered.")
    content: PlainValue = Field(default=None, description="What the tool answered.")


class ToolCall(ProviderPart):
    """A call that a model asks for."""

    id: str | None = Field(default=None, description="Name of the call, for its answer.")
    name: str | None = Field(default=None, description="The tool.")
    arguments: Opaque | str | None = Field(default=None, description="Arguments, read or as text.")


class Message(ProviderPart):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant", "tool"] = Field(description="Who speaks.")
    content: str | Seq[ContentPart] | None = Field(default=None, description="Text, or parts.")
    name: str | None = Field(default=None, description="Name of the speaker.")
    tool_calls: Seq[ToolCall] | None = Field(default=None, description="Calls that are asked for.")
    tool_call_id: str | None = Field(default=None, description="The call that is answered.")


class ToolChoice(ProviderPart):
    """The one tool that must be called."""

    name: Name = Field(description="The tool.")


class Options(Model):
    """How to answer; null: as the backend does by itself."""

    model: str | None = Field(default=None, description="Model to ask.")
    temperature: float | None = Field(default=None, ge=0, description="Sampling temperature.")
    max_tokens: Count | None = Field(default=None, description="Tokens at most.")
    top_p: float | None = Field(default=None, ge=0, le=1, description="Nucleus of the distribution to sample from.")
    top_k: Count | None = Field(default=None, description="Likeliest tokens to sample from.")
    frequency_penalty: float | None = Field(default=None, description="Penalty by how often a token came.")
    presence_penalty: float | None = Field(default=None, description="Penalty for a token that came.")
    stop: Seq[str] | None = Field(default=None, description="Texts that end the answer.")
    response_format: Literal["text", "json", "json_schema"] | None = Field(default=None, description="Form.")
    json_schema: Opaque | None = Field(default=None, description="Schema of the form json_schema.")
    stream: bool = Field(default=False, description="Whether the answer comes in pieces.")
    cache_control: Literal["ephemeral"] | None = Field(default=None, description="What the provider may keep.")
    extended_thinking: bool = Field(default=False, description="Whether the model may think first.")
    thinking_budget_tokens: Count | None = Field(default=None, description="Tokens to think with at most.")
    seed: int | None = Field(default=None, description="Seed of the sampling.")
    timeout_ms: Count | None = Field(default=None, description="Milliseconds to wait at most.")
    extra: Opaque = Field(default_factory=dict, description="Options that only the provider knows.")


class Prompt(Document):
    """One question to a model."""

    messages: Seq[Message] = Field(default=(), description="The conversation.")
    system: str | None = Field(default=None, description="System prompt.")
    tools: Seq[Opaque] | None = Field(default=None, description="Tools that may be called.")
    tool_choice: Literal["auto", "none", "required"] | ToolChoice | None = Field(
        default=None, description="auto, none, required, or the name of a tool."
    )
    options: Options = Field(default_factory=Options, description="How to answer.")
    request_id: str | None = Field(default=None, description="Name of the request.")
    trace_id: str | None = Field(default=None, description="Trace that it belongs to.")
    metadata: Opaque = Field(default_factory=dict, description="Anything else worth keeping.")
