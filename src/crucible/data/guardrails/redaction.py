"""Replacing personal data by placeholders such as `[EMAIL]`, in a text or anywhere inside an example."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from crucible.data.guardrails.finding import Category, Finding

__all__ = ["TextPath", "path_words", "redact", "replace_texts", "texts_in"]

TextPath = tuple[Any, ...]
"""Where a text is: the keys of the mappings and the places in the lists on the way to it; `a.b` is one key."""


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


def texts_in(value: Any, path: TextPath) -> Iterator[tuple[TextPath, str]]:
    """Return every text inside a JSON value as (path, text). Keys are no texts.

    Args:
        value: The value.
        path: Its own path.
    """
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in cast("Mapping[Any, Any]", value).items():
            yield from texts_in(inner, (*path, key))
    elif isinstance(value, (list, tuple)):
        for place, inner in enumerate(cast("list[Any]", value)):
            yield from texts_in(inner, (*path, place))


def path_words(path: TextPath) -> str:
    """Return a path as people write it, such as `input[0].content`; a key that would read as several is quoted."""
    first, *rest = path
    words = [f"[{step}]" if isinstance(step, int) else _key_words(str(step)) for step in rest]
    return "".join([str(first), *words])


def _key_words(key: str) -> str:
    return f"[{json.dumps(key, ensure_ascii=False)}]" if not key or set(key) & set('.[]"') else f".{key}"


def replace_texts(value: Any, path: TextPath, texts: Mapping[TextPath, str]) -> Any:
    """Return a JSON value with other texts at some paths.

    Args:
        value: The value.
        path: Its own path.
        texts: New texts by path, as `texts_in` names them.
    """
    if isinstance(value, str):
        return texts.get(path, value)
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        return {key: replace_texts(inner, (*path, key), texts) for key, inner in items}
    if isinstance(value, (list, tuple)):
        inner_values = cast("list[Any]", value)
        return [replace_texts(inner, (*path, place), texts) for place, inner in enumerate(inner_values)]
    return value
