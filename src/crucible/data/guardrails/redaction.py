"""Replacing personal data by placeholders such as `[EMAIL]`, in a text or anywhere inside an example."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from crucible.data.guardrails.finding import Category, Finding

__all__ = ["redact", "replace_texts", "texts_in"]


def redact(text: str, findings: Iterable[Finding]) -> str:
    """Return the text with the personal data of the findings replaced by their placeholders; other findings stay.

    Args:
        text: The text that was scanned.
        findings: What was found in it; where two overlap, the longer stretch goes, and the first placeholder stays.
    """
    personal = sorted(
        (found for found in findings if found.category is Category.PII), key=lambda found: (found.start, -found.end)
    )
    pieces: list[str] = []
    done = 0
    for found in personal:
        if found.start >= done:
            pieces += [text[done : found.start], found.placeholder]
        done = max(done, found.end)
    return "".join([*pieces, text[done:]])


def texts_in(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Return every text inside a JSON value as (path, text); a path is like `input[0].content`. Keys are no texts."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in cast("Mapping[str, Any]", value).items():
            yield from texts_in(inner, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for place, inner in enumerate(cast("list[Any]", value)):
            yield from texts_in(inner, f"{path}[{place}]")


def replace_texts(value: Any, path: str, texts: Mapping[str, str]) -> Any:
    """Return a JSON value with other texts at some paths.

    Args:
        value: The value.
        path: Its own path.
        texts: New texts by path, as `texts_in` names them.
    """
    if isinstance(value, str):
        return texts.get(path, value)
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value).items()
        return {key: replace_texts(inner, f"{path}.{key}", texts) for key, inner in items}
    if isinstance(value, (list, tuple)):
        inner_values = cast("list[Any]", value)
        return [replace_texts(inner, f"{path}[{place}]", texts) for place, inner in enumerate(inner_values)]
    return value
