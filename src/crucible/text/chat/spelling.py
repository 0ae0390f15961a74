"""Special tokens that people spell: put aside while a template renders, and written as letters afterwards.

A template gets a mark of plain letters instead of the token, which no template and no tokenizer takes for anything. Two
parts of one message that spell a token together are kept apart by a mark of their own.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import zip_longest
from typing import Any, Final, cast

from crucible.text.chat.markup import MarkupEncoder

__all__ = ["SpelledTokens"]

_SECRET: Final = f"z{secrets.token_hex(8)}"
_MARK: Final = re.compile(f"{_SECRET}x([0-9]*)x")


class SpelledTokens:
    """Keeps people's words from becoming special tokens of a tokenizer.

    Args:
        encoder: That of the tokenizer.
    """

    def __init__(self, encoder: MarkupEncoder) -> None:
        self._encoder = encoder
        self._tokens = tuple(sorted(encoder.tokenizer.special_tokens, key=len, reverse=True))
        self.pattern = _any_of(self._tokens)
        """Finds a special token in a text."""

    def put_aside(self, value: Any) -> Any:
        """Return plain data with a mark for each special token that a text or a key in it spells."""
        if isinstance(value, str):
            return self._put_aside(value)
        if isinstance(value, Mapping):
            given = cast("Mapping[Any, Any]", value)
            return {self.put_aside(key): self.put_aside(each) for key, each in given.items()}
        if isinstance(value, list | tuple):
            return self._apart([self.put_aside(each) for each in cast("Sequence[Any]", value)])
        return value

    def encode(self, text: str) -> list[int]:
        """Return the tokens of what a template wrote: its own special tokens as such, what was put aside as letters."""
        if not text:
            return []
        if _SECRET not in text:
            return self._encode(text)
        tokens: list[int] = []
        for index, part in enumerate(_MARK.split(text)):
            if not part:
                continue
            if index % 2:
                tokens += self._encoder.encode_text(self._tokens[int(part)])
            else:
                tokens += self._encode(part)
        return tokens

    def _encode(self, text: str) -> list[int]:
        """Encode a text whose special tokens are the template's; a normaliser may make more out of people's words."""
        tokens = self._encoder.tokenizer.encode(text)
        written = self.pattern.findall(text)
        if self._encoder.count_controls(tokens) <= len(written):
            return tokens
        tokens = list[int]()
        for words, token in zip_longest(self.pattern.split(text), written):
            tokens += self._encoder.encode_text(words) if words else []
            tokens += [] if token is None else self._encoder.tokenizer.encode(token)
        return tokens

    def _put_aside(self, text: str) -> str:
        if self.pattern.search(text) is None:
            return text
        return self.pattern.sub(lambda match: f"{_SECRET}x{self._tokens.index(match[0])}x", text)

    def _apart(self, values: list[Any]) -> list[Any]:
        """Return the values with a mark between texts that, written one after the other, spell a token."""
        texts = [text for value in values if (text := _text_of(value)) is not None]
        if self.pattern.search("".join(texts)) is None and self.pattern.search("".join(map(str.strip, texts))) is None:
            return values
        return [_with_mark(value) for value in values]


def _text_of(value: Any) -> str | None:
    text = cast("Mapping[str, Any]", value).get("text") if isinstance(value, Mapping) else value
    return text if isinstance(text, str) else None


def _with_mark(value: Any) -> Any:
    text = _text_of(value)
    if text is None:
        return value
    marked = f"{text}{_SECRET}xx"
    return {**cast("Mapping[str, Any]", value), "text": marked} if isinstance(value, Mapping) else marked


@lru_cache(16)
def _any_of(longest_first: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, longest_first)) or "(?!)")
