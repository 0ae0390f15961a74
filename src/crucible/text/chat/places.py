"""Where a message is in the text that a chat template made of a conversation.

Found by comparing renderings: of less, and of the same with marks around a message's words. Nothing is guessed: where
the renderings do not agree there is no place.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["Words", "bracket_in", "bracketed", "end_in", "header_end", "holds"]

_SECRET = secrets.token_hex(8)
_BEGIN, _END = f"\ue004{_SECRET}\ue005", f"\ue006{_SECRET}\ue007"


def bracketed(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return the message with marks around its words, inside of the white space that templates trim.

    Where it has no words but calls, they are around the name of the first one.
    """
    content = message.get("content", "")
    if not content and message.get("tool_calls"):
        first, *others = message["tool_calls"]
        named = {**first, "function": {**first["function"], "name": _between(first["function"]["name"])}}
        return {**message, "tool_calls": [named, *others]}
    if isinstance(content, str):
        return {**message, "content": _between(content)}
    parts = [dict(part) for part in content]
    if parts:
        parts[0]["text"] = _between(parts[0]["text"])
    return {**message, "content": parts}


def _between(text: str) -> str:
    words = text.strip()
    lead = text[: len(text) - len(text.lstrip())] if words else ""
    return f"{lead}{_BEGIN}{words}{_END}{text[len(lead) + len(words) :]}"


class Words(NamedTuple):
    """The words of a message in a text, `[start, end)` in characters."""

    start: int
    end: int


def bracket_in(marked: str, text: str) -> Words | None:
    """Return where the words between marks are in `text`; None if the marks changed what is rendered."""
    start = marked.find(_BEGIN)
    if start < 0 or marked.replace(_BEGIN, "").replace(_END, "") != text:
        return None
    end = marked.find(_END, start)
    return Words(start, end - len(_BEGIN)) if end >= 0 and marked.count(_BEGIN) == 1 else None


def header_end(text: str, low: int, words: int, prompt: str, at: int, special: re.Pattern[str]) -> int | None:
    """Return where an answer begins in `text`, in which its prompt is written otherwise; None if that cannot be told.

    Args:
        text: The whole conversation.
        low: End of the words of the message before it.
        words: Begin of its own words.
        prompt: What a model reads before it answers.
        at: Where in it the header of the answer begins; its length if the template writes none.
        special: Finds a special token.
    """
    header = prompt[at:]
    if not header:  # the answer follows what ends the message before it
        ends = [(_common_end(prompt, text[low:end]), end) for end in range(low, words + 1)]
        common, end = max(ends)
        return end if common else None
    needed = max((match.end() for match in special.finditer(header)), default=len(header))
    for size in range(len(header), needed - 1, -1):
        found = text.find(header[:size], low, words)
        if found >= 0:
            return found + size
    return None


def _common_end(first: str, second: str) -> int:
    """Return how many characters both end with."""
    size = 0
    while size < min(len(first), len(second)) and first[-1 - size] == second[-1 - size]:
        size += 1
    return size


def end_in(text: str, start: int, upto: str) -> int | None:
    """Return where the last message of `upto` ends in `text`, in which it begins at `start`.

    Templates may write a message shorter when more follows (Qwen3 leaves out thoughts): its end is then that of the
    longest ending of `upto` with which `text` goes on at `start`.
    """
    if text.startswith(upto):
        return len(upto)
    rest = text[start:]
    head = rest[:1]
    at = upto.find(head) if head else -1
    while at >= 0:
        if rest.startswith(upto[at:]):
            return start + len(upto) - at
        at = upto.find(head, at + 1)
    return None


def holds(text: str, message: Mapping[str, Any]) -> bool:
    """Tell whether the words of a message, and the names of its calls, are in the text found for it."""
    content = message.get("content", "")
    texts = [content] if isinstance(content, str) else [part.get("text", "") for part in content]
    texts += [call["function"]["name"] for call in message.get("tool_calls", ())]
    return all(words.split("</think>")[-1].strip() in text for words in texts)
