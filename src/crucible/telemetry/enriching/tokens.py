"""Token counts, however they are spelt: those of a request's prompt and of its answer, and their sum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from crucible.telemetry.enriching.scalars import Notes, amount

__all__ = ["read_tokens"]

_COUNT = "a whole number of 0 or more"
_SPELLINGS = {
    "prompt_tokens": ("prompt", "prompt_tokens", "input", "input_tokens"),
    "completion_tokens": ("completion", "completion_tokens", "output", "output_tokens"),
    "total_tokens": ("total", "total_tokens"),
    "cached_tokens": ("cached", "cached_tokens"),
}
_MEASURED = {
    "prompt_tokens": ("prompt_tokens", "input_tokens"),
    "completion_tokens": ("completion_tokens", "output_tokens"),
    "total_tokens": ("total_tokens", "tokens"),
    "cached_tokens": ("cached_tokens",),
}


def read_tokens(
    measurements: Mapping[str, Any], metadata: Mapping[str, Any], fields: dict[str, Any], notes: Notes
) -> None:
    """Read the counts of an event; what its metadata `tokens` say goes before what it measured.

    Args:
        measurements: Counts under their own names, and `tokens`: all of them.
        metadata: `tokens`, a mapping of counts or the number of all of them.
        fields: Where `prompt_tokens`, `completion_tokens`, `total_tokens` and `cached_tokens` go.
        notes: What is said of counts that are none.
    """
    told = metadata.get("tokens")
    if isinstance(told, Mapping):
        _read(cast("Mapping[str, Any]", told), _SPELLINGS, "tokens.", fields, notes)
    elif told is not None:
        if (count := _count(told)) is None:
            notes.expected("tokens", f"a mapping of counts, or {_COUNT}", told)
        else:
            fields["total_tokens"] = count
    spellings = {**_MEASURED, "total_tokens": ("total_tokens",)} if "tokens" in fields else _MEASURED
    _read(measurements, spellings, "", fields, notes)
    _derive(fields)
    prompt, cached = fields.get("prompt_tokens"), fields.get("cached_tokens", 0)
    if prompt is not None and cached > prompt:
        notes.add(f"cached_tokens: expected no more than the prompt's {prompt}, got {cached}")
        del fields["cached_tokens"]


def _read(
    source: Mapping[str, Any],
    spellings: Mapping[str, tuple[str, ...]],
    prefix: str,
    fields: dict[str, Any],
    notes: Notes,
) -> None:
    for field, keys in spellings.items():
        for key in keys:
            value = source.get(key)
            if value is None:
                continue
            if (count := _count(value)) is None:
                notes.expected(f"{prefix}{key}", _COUNT, value)
            else:
                fields.setdefault(field, count)


def _derive(fields: dict[str, Any]) -> None:
    prompt, completion, total = (fields.get(field) for field in ("prompt_tokens", "completion_tokens", "total_tokens"))
    if total is None:
        if prompt is not None and completion is not None:
            fields["total_tokens"] = prompt + completion
    elif prompt is not None and completion is None and total >= prompt:
        fields["completion_tokens"] = total - prompt
    elif completion is not None and prompt is None and total >= completion:
        fields["prompt_tokens"] = total - completion


def _count(value: Any) -> int | None:
    found = amount(value)
    return int(found) if found is not None and found == int(found) else None
