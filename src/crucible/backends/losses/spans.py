"""Spans: which target tokens of a datum say something, found by the text that they say."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from crucible.errors import DataError
from crucible.text import Datum, Tokenizer

__all__ = ["Span", "check_spans", "part_of", "spans_of"]

Span = tuple[int, int]
"""The target tokens from the first place to before the second: `(3, 5)` are `target_tokens[3]` and `[4]`."""


def spans_of(tokenizer: Tokenizer, tokens: Sequence[int], part: str) -> list[Span]:
    """Return where tokens say a text, each time that they do, in order; overlapping places count once.

    A token that has only a piece of it in common counts, as a space before a word may.

    Args:
        tokenizer: Whose tokens they are.
        tokens: A datum's `target_tokens`.
        part: What is looked for, such as `[doc-3]`; not empty.

    Raises:
        DataError: `part` is empty.
    """
    if not part:
        raise DataError("an empty text stands everywhere; give the text that is looked for")
    text = tokenizer.decode(list(tokens))
    found: list[Span] = []
    start = text.find(part)
    if start < 0:
        return found
    ends = _ends(tokenizer, tokens, text)
    while start >= 0:
        stop = start + len(part)
        first = next(place for place, end in enumerate(ends) if end > start)
        last = next(place for place, end in enumerate(ends) if end >= stop)
        found.append((first, last + 1))
        start = text.find(part, stop)
    return found


def part_of(values: torch.Tensor, span: Span) -> torch.Tensor:
    """Return the values (n,) of a span, of all values (T,) of a datum."""
    return values[span[0] : span[1]]


def check_spans(data: Sequence[Datum], spans: Sequence[Sequence[Span]], what: str) -> None:
    """Refuse spans that do not fit their data.

    Args:
        data: The data.
        spans: Those of each.
        what: What they are called.

    Raises:
        DataError: There are not as many lists as data, a span is empty or lies outside of its datum, or a datum has
            several targets a position.
    """
    if len(spans) != len(data):
        raise DataError(f"{what}: one entry a datum is needed, got {len(spans)} for {len(data)} data")
    for number, (datum, own) in enumerate(zip(data, spans, strict=True)):
        if own and datum.soft_targets is not None:
            raise DataError(f"{what} of datum {number}: a datum with several targets a position says no one text")
        for start, stop in own:
            if not 0 <= start < stop <= len(datum):
                raise DataError(
                    f"{what} of datum {number}: the span ({start}, {stop}) is empty or lies outside of its "
                    f"{len(datum)} target tokens"
                )


def _ends(tokenizer: Tokenizer, tokens: Sequence[int], text: str) -> list[int]:
    """Return where in the text each token ends."""
    pieces = [tokenizer.decode([token]) for token in tokens]
    if "".join(pieces) == text:
        ends: list[int] = []
        for piece in pieces:
            ends.append((ends[-1] if ends else 0) + len(piece))
        return ends
    return [len(tokenizer.decode(list(tokens[: place + 1]))) for place in range(len(tokens))]  # pieces of characters
