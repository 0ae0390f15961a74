"""Thoughts between `<think>` and `</think>`, as several families write them."""

from __future__ import annotations

from crucible.text.chat.markup import Markup

__all__ = ["CLOSE", "OPEN", "begins_with_markup", "own_markup", "split_thinking", "without_thinking"]

OPEN = "<think>"
CLOSE = "</think>"


def begins_with_markup(text: str) -> bool:
    """Tell whether the author of an assistant's text wrote the thoughts into it: it begins with a tag."""
    return text.startswith((OPEN, CLOSE))


def own_markup(text: str) -> list[str]:
    """Return the pieces of a text that begins with a tag: the tags up to the first `</think>` are markup."""
    end = text.find(CLOSE)
    pieces: list[str] = []
    if text.startswith(OPEN):
        pieces.append(Markup(OPEN))
        text = text[len(OPEN) :]
        end -= len(OPEN)
    if end >= 0:
        return [*pieces, text[:end], Markup(CLOSE), text[end + len(CLOSE) :]]
    return [*pieces, text]


def without_thinking(text: str) -> str:
    """Return what follows the thoughts in a text, without the space before it."""
    return text.split(CLOSE, 1)[1].lstrip() if CLOSE in text else text


def split_thinking(pieces: list[str]) -> tuple[str | None, list[str]]:
    """Return the thoughts (None if there is no tag) and the pieces after them.

    A text without `<think>` but with `</think>` began in the prompt.
    """
    tags = [(index, str(piece)) for index, piece in enumerate(pieces) if isinstance(piece, Markup)]
    closing = next((index for index, tag in tags if tag == CLOSE), None)
    opens = bool(pieces) and isinstance(pieces[0], Markup) and pieces[0] == OPEN
    if closing is None:
        return ("".join(pieces[1:]), []) if opens else (None, pieces)
    return "".join(pieces[1 if opens else 0 : closing]), pieces[closing + 1 :]
