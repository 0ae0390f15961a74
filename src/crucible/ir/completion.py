"""What a model answered, and what a backend can do; the contract of every backend.

Choices, usage and thinking keep keys that nobody here knows, such as `logprobs`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from crucible.ir.model import Document, Seq
from crucible.ir.opaque import Opaque
from crucible.ir.prompt import Message, ProviderPart
from crucible.ir.words import Name

__all__ = ["Capabilities", "Choice", "Completion", "Thinking", "Usage"]

Count = Annotated[int, Field(ge=0)]


class Thinking(ProviderPart):
    """What a model thought before it answered."""

    content: str | None = Field(default=None, description="The thoughts.")
    tokens: Count | None = Field(default=None, description="How many tokens they took.")


class Choice(ProviderPart):
    """One of the answers."""

    index: int = Field(default=0, ge=0, description="Which of them, from 0.")
    message: Message | None = Field(default=None, description="The answer.")
    finish_reason: Literal["stop", "length", "tool_calls", "content_filter", "error"] | None = Field(
        default=None, description="Why it ended."
    )
    thinking: Thinking | None = Field(default=None, description="What the model thought first.")


class Usage(ProviderPart):
    """Tokens that were used."""

    prompt_tokens: Count | None = Field(default=None, description="Tokens of the question.")
    completion_tokens: Count | None = Field(default=None, description="Tokens of the answers.")
    total_tokens: Count | None = Field(default=None, description="All tokens.")
    thinking_tokens: Count | None = Field(default=None, description="Tokens of the thoughts.")
    cached_tokens: Count | None = Field(default=None, description="Tokens of the question that were cached.")


class Completion(Document):
    """What a model answered."""

    choices: Seq[Choice] = Field(default=(), description="The answers.")
    model: str | None = Field(default=None, description="Model that answered.")
    usage: Usage | None = Field(default=None, description="Tokens that were used.")
    latency_ms: float | None = Field(default=None, ge=0, description="How long it took, in milliseconds.")
    time_to_first_token_ms: float | None = Field(default=None, ge=0, description="Until the first token came.")
    request_id: str | None = Field(default=None, description="Name of the request.")
    trace_id: str | None = Field(default=None, description="Trace that it belongs to.")
    raw_response: Opaque | None = Field(default=None, description="What the provider sent.")
    metadata: Opaque = Field(default_factory=dict, description="Anything else worth keeping.")


class Capabilities(Document):
    """What a backend can do."""

    backend_id: Name = Field(description="The backend.")
    provider: Name = Field(description="Who runs it.")
    models: Seq[str] = Field(default=(), description="Models that it has.")
    default_model: str | None = Field(default=None, description="Model that it takes by itself.")
    supports_streaming: bool = Field(default=True, description="Answers in pieces.")
    supports_tools: bool = Field(default=True, description="Calls of tools.")
    supports_vision: bool = Field(default=False, description="Images.")
    supports_audio: bool = Field(default=False, description="Audio.")
    supports_json_mode: bool = Field(default=True, description="Answers in JSON.")
    supports_extended_thinking: bool = Field(default=False, description="Thinking before answering.")
    supports_caching: bool = Field(default=False, description="Caching of prompts.")
    max_tokens: Count | None = Field(default=None, description="Tokens of an answer at most.")
    max_context_length: Count | None = Field(default=None, description="Tokens of question and answer at most.")
    max_images_per_request: Count | None = Field(default=None, description="Images in a request at most.")
    requests_per_minute: Count | None = Field(default=None, description="Requests a minute at most.")
    tokens_per_minute: Count | None = Field(default=None, description="Tokens a minute at most.")
    cost_per_million_input: float | None = Field(default=None, ge=0, description="Price of 10^6 tokens in, in USD.")
    cost_per_million_output: float | None = Field(default=None, ge=0, description="Price of 10^6 tokens out, in USD.")
    metadata: Opaque = Field(default_factory=dict, description="Anything else worth keeping.")
