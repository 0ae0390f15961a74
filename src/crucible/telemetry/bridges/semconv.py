"""How OpenTelemetry names what Crucible measures: one table for one version of its semantic conventions.

All names of `gen_ai.*` are in development and change from release to release, so they are nobody's schema: Crucible
keeps its own names, and this table is where they are translated, on the way out. A new release is a new entry in
`CONVENTIONS`; the old one stays for whoever's dashboards need it.

Source:
    opentelemetry-semantic-conventions 0.66b2 (schema 1.44.0), and the conventions for generative AI spans and metrics
    at https://github.com/open-telemetry/semantic-conventions-genai.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from crucible.errors import ContractError

__all__ = ["CONVENTIONS", "LATEST", "Convention", "MetricName", "SpanRule", "Term", "convention"]


class Term(msgspec.Struct, frozen=True):
    """Where the value of one attribute comes from.

    Args:
        name: The attribute, such as `gen_ai.request.model`.
        sources: Keys of metadata, measurements or enriched fields; the first that is there counts. `tokens.prompt` is
            the key `prompt` of a mapping `tokens`.
        type: What the convention wants it to be; what is nothing of the kind is left out.
    """

    name: str
    sources: tuple[str, ...]
    type: Literal["text", "texts", "whole", "real", "truth"] = "text"


class SpanRule(msgspec.Struct, frozen=True):
    """How one kind of span is named.

    Args:
        operation_name: The attribute of the operation.
        operation: The operation where the event does not say one, under `operation`.
        subject: The attribute that follows the operation in the span's name.
        terms: The attributes.
        is_client: Whether it is a request that leaves the process, unless its backend is one of `local_backends`.
    """

    operation_name: str
    operation: str
    subject: str
    terms: tuple[Term, ...]
    is_client: bool = False


class MetricName(msgspec.Struct, frozen=True):
    """A histogram of the convention.

    Args:
        name: Its name.
        unit: Its unit, in UCUM.
        description: What it is.
        boundaries: The buckets that the convention asks for.
    """

    name: str
    unit: str
    description: str
    boundaries: tuple[float, ...]


class Convention(msgspec.Struct, frozen=True):
    """One version of the conventions.

    Args:
        version: Release of `opentelemetry-semantic-conventions` that it follows.
        schema_url: Schema that spans and metrics say they follow.
        spans: Rule by what the span is of, such as `req_llm.request`.
        operation_duration: Histogram of how long a request to a model took.
        token_usage: Histogram of tokens of a request.
        token_type: Attribute that tells tokens of the one kind from those of the other.
        token_types: Its values, with the attribute that counts them.
        metric_attributes: Attributes of a request that are few enough for its metrics.
        error_type: Attribute of what kind of error ended something.
        other_error: Its value where nobody said.
        exception_event: Name of the event with an exception.
        exception_type: Attribute of that event.
        exception_message: Attribute of that event.
        exception_stacktrace: Attribute of that event.
        local_backends: Backends that run in this process.
    """

    version: str
    schema_url: str
    spans: Mapping[str, SpanRule]
    operation_duration: MetricName
    token_usage: MetricName
    token_type: str
    token_types: Mapping[str, str]
    metric_attributes: tuple[str, ...]
    error_type: str = "error.type"
    other_error: str = "_OTHER"
    exception_event: str = "exception"
    exception_type: str = "exception.type"
    exception_message: str = "exception.message"
    exception_stacktrace: str = "exception.stacktrace"
    local_backends: frozenset[str] = frozenset({"local", "scripted"})


_REQUEST = SpanRule(
    operation_name="gen_ai.operation.name",
    operation="text_completion",
    subject="gen_ai.request.model",
    is_client=True,
    terms=(
        Term("gen_ai.operation.name", ("operation",)),
        Term("gen_ai.provider.name", ("provider", "backend")),
        Term("gen_ai.request.model", ("model", "model_name")),
        Term("gen_ai.request.max_tokens", ("max_tokens",), "whole"),
        Term("gen_ai.request.temperature", ("temperature",), "real"),
        Term("gen_ai.request.top_p", ("top_p",), "real"),
        Term("gen_ai.request.top_k", ("top_k",), "real"),
        Term("gen_ai.request.seed", ("seed",), "whole"),
        Term("gen_ai.request.choice.count", ("n", "choice_count"), "whole"),
        Term("gen_ai.request.frequency_penalty", ("frequency_penalty",), "real"),
        Term("gen_ai.request.presence_penalty", ("presence_penalty",), "real"),
        Term("gen_ai.request.stop_sequences", ("stop", "stop_sequences"), "texts"),
        Term("gen_ai.request.stream", ("stream",), "truth"),
        Term("gen_ai.response.id", ("response_id",)),
        Term("gen_ai.response.model", ("response_model",)),
        Term("gen_ai.response.finish_reasons", ("finish_reasons", "finish_reason"), "texts"),
        Term("gen_ai.response.time_to_first_chunk", ("time_to_first_token_s", "time_to_first_chunk_s"), "real"),
        Term("gen_ai.usage.input_tokens", ("prompt_tokens", "input_tokens", "tokens.prompt", "tokens.input"), "whole"),
        Term(
            "gen_ai.usage.output_tokens",
            ("completion_tokens", "output_tokens", "tokens.completion", "tokens.output"),
            "whole",
        ),
        Term("gen_ai.usage.reasoning.output_tokens", ("reasoning_tokens", "tokens.reasoning"), "whole"),
        Term("gen_ai.usage.cache_read.input_tokens", ("cache_read_tokens", "tokens.cache_read"), "whole"),
        Term("gen_ai.usage.cache_creation.input_tokens", ("cache_creation_tokens", "tokens.cache_creation"), "whole"),
        Term("gen_ai.conversation.id", ("session_id",)),
        Term("user.id", ("user_id",)),
    ),
)

_TOOL = SpanRule(
    operation_name="gen_ai.operation.name",
    operation="execute_tool",
    subject="gen_ai.tool.name",
    terms=(
        Term("gen_ai.tool.name", ("tool", "tool_name", "name")),
        Term("gen_ai.tool.type", ("tool_type",)),
        Term("gen_ai.tool.call.id", ("call_id", "tool_call_id")),
        Term("gen_ai.conversation.id", ("session_id",)),
    ),
)

LATEST = "0.66b2"

CONVENTIONS: Mapping[str, Convention] = {
    "0.66b2": Convention(
        version="0.66b2",
        schema_url="https://opentelemetry.io/schemas/1.44.0",
        spans={"req_llm.request": _REQUEST, "altar.tool": _TOOL},
        operation_duration=MetricName(
            "gen_ai.client.operation.duration",
            "s",
            "GenAI operation duration.",
            tuple(0.01 * 2**power for power in range(14)),  # 10 ms to 81.92 s
        ),
        token_usage=MetricName(
            "gen_ai.client.token.usage",
            "{token}",
            "Number of input and output tokens used.",
            tuple(4.0**power for power in range(14)),  # 1 to 67,108,864
        ),
        token_type="gen_ai.token.type",  # noqa: S106  # a word of theirs, no secret
        token_types={"input": "gen_ai.usage.input_tokens", "output": "gen_ai.usage.output_tokens"},
        metric_attributes=(
            "gen_ai.operation.name",
            "gen_ai.provider.name",
            "gen_ai.request.model",
            "gen_ai.response.model",
        ),
    )
}


def convention(version: str = LATEST) -> Convention:
    """Return the table of a version of `opentelemetry-semantic-conventions`.

    Args:
        version: A release, such as `0.66b2`.

    Raises:
        ContractError: There is no table for it.
    """
    found = CONVENTIONS.get(version)
    if found is None:
        raise ContractError(
            f"no table for the semantic conventions {version!r}; there is one for {', '.join(CONVENTIONS)}, "
            "and a Convention of your own can be given in its place"
        )
    return found
