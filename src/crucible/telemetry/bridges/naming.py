"""A record in the words of OpenTelemetry: attributes of its own under `crucible.*`, and those of the convention.

Both the spans and the metrics ask here, so that they agree on the model, the provider and the tokens of a request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from crucible.store import StoredEvent
from crucible.telemetry.bridges.attributes import AttributeValue, attribute, number, words
from crucible.telemetry.bridges.semconv import Convention, SpanRule, Term

__all__ = ["conventional", "outcome", "own_attributes", "payload", "stem_of"]

_ENDINGS = (".start", ".stop", ".exception")
_LONGEST_EXACT = 2**53


def stem_of(name: str) -> str:
    """Return what an event begins or ends, such as `req_llm.request`; other names whole."""
    ending = next((each for each in _ENDINGS if name.endswith(each)), "")
    return name.removesuffix(ending) or name


def own_attributes(record: StoredEvent) -> dict[str, AttributeValue]:
    """Return where and how it happened, and its payload, under `crucible.*`."""
    told: dict[str, str | int | None] = {
        "crucible.event_id": record.event_id or None,
        "crucible.run_id": record.run_id or None,
        "crucible.stage": record.stage,
        "crucible.stage_index": record.stage_index,
        "crucible.span_id": record.span_id,
        "crucible.parent_span_id": record.parent_span_id,
        "crucible.correlation_id": record.correlation_id,
        "crucible.condition": record.condition,
    }
    return outcome(record) | _attributes(told)


def outcome(record: StoredEvent) -> dict[str, AttributeValue]:
    """Return what an end adds to the attributes of its beginning: how it went, and its payload."""
    told = {
        "crucible.latency_ms": record.latency_ms,
        "crucible.cost_usd": record.cost_usd,
        "crucible.success": record.success,
    }
    return payload(record) | _attributes(told)


def _attributes(told: Mapping[str, Any]) -> dict[str, AttributeValue]:
    return {name: found for name, value in told.items() if (found := attribute(value)) is not None}


def payload(record: StoredEvent) -> dict[str, AttributeValue]:
    """Return measurements, metadata and fields, a key each."""
    result: dict[str, AttributeValue] = {}
    for prefix, part in (
        ("crucible.measurements.", record.measurements),
        ("crucible.metadata.", record.metadata),
        ("crucible.", record.fields),
    ):
        for key, value in part.items():
            told = attribute(value)
            if told is not None:
                result[prefix + (words(key) or "_")] = told
    return result


def conventional(record: StoredEvent, table: Convention) -> tuple[SpanRule | None, dict[str, AttributeValue]]:
    """Return the rule for a record, None if the convention has none, and its attributes by that rule."""
    rule = table.spans.get(stem_of(record.name))
    if rule is None:
        return None, {}
    result: dict[str, AttributeValue] = {rule.operation_name: rule.operation}
    for term in rule.terms:
        value = _found(record, term)
        if value is not None:
            result[term.name] = value
    return rule, result


def _found(record: StoredEvent, term: Term) -> AttributeValue | None:
    for source in term.sources:
        for part in (record.metadata, record.measurements, record.fields):
            value = _fitted(_at(part, source), term.type)
            if value is not None:
                return value
    return None


def _at(part: Mapping[str, Any], source: str) -> Any:
    outer, dot, inner = source.partition(".")
    value = part.get(outer)
    if not dot:
        return value
    return cast("Mapping[str, Any]", value).get(inner) if isinstance(value, Mapping) else None


def _fitted(value: Any, kind: str) -> AttributeValue | None:
    """Return a value as the kind that the convention wants, None if it is nothing of that kind."""
    if value is None:
        return None
    if kind == "text":
        return words(value) or None
    if kind == "texts":
        told = attribute([value] if isinstance(value, str) else value)
        return told if isinstance(told, list) and told and isinstance(told[0], str) else None
    if kind == "truth":
        return value if isinstance(value, bool) else None
    return _whole(value) if kind == "whole" else number(value)


def _whole(value: Any) -> int | None:
    if type(value) is int:
        return value if abs(value) < 2**63 else None
    real = number(value)
    return int(real) if real is not None and abs(real) <= _LONGEST_EXACT and real.is_integer() else None
