"""The line between a format's own tokens and what people wrote.

A rendered conversation is a list of pieces: `Markup` is the format's own text, in which special tokens are read as
such, and plain `str` is somebody's words, in which they never are. A user who types `<|im_end|>` gets its letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

from crucible.errors import DataError
from crucible.text.tokenizer import ChatTokenizer, Tokenizer

__all__ = ["Markup", "MarkupEncoder", "chat_tokenizer"]


class Markup(str):
    """Text of the format itself, such as `<|im_start|>`."""

    __slots__ = ()


def chat_tokenizer(tokenizer: Tokenizer) -> ChatTokenizer:
    """Return the tokenizer as one that knows its special tokens.

    Raises:
        DataError: It does not tell them, so no chat can be written with it.
    """
    if not isinstance(tokenizer, ChatTokenizer):
        raise DataError(
            f"{type(tokenizer).__name__} does not tell its special tokens (token_id, special_tokens, chat_template), "
            "so chats cannot be rendered with it; open the tokenizer with crucible.text.load_tokenizer"
        )
    return tokenizer


class MarkupEncoder:
    """Turns pieces into tokens and tokens into pieces.

    Args:
        tokenizer: The base model's.
        markers: Markup that the format tells apart when it reads, such as `<think>`. One that is a single token is
            read and written as that token and nothing else; one that is not is found in the text.
        needed: Those of them that must be single tokens.
        renderer: Who asks, for messages.

    Raises:
        DataError: A needed marker is not a single token of the tokenizer.
    """

    def __init__(
        self, tokenizer: Tokenizer, markers: Iterable[str], needed: Iterable[str] = (), *, renderer: str = "the format"
    ) -> None:
        self.tokenizer = chat_tokenizer(tokenizer)
        ids = {marker: self.tokenizer.token_id(marker) for marker in (*markers, *needed)}
        missing = [marker for marker in needed if ids[marker] is None]
        if missing:
            raise DataError(
                f"{renderer} needs {', '.join(missing)} as single tokens and the tokenizer has none of that name; "
                "use the tokenizer of that model family, or another renderer"
            )
        self._ids = {marker: token for marker, token in ids.items() if token is not None}
        self._markers = {token: Markup(marker) for marker, token in self._ids.items()}
        specials = self.tokenizer.special_tokens
        self._controls: dict[int, str] = {**{token: text for text, token in specials.items()}, **self._markers}
        self._spelled = _any_of(tuple(self._controls.values()))
        unknown = self.tokenizer.named_tokens.get("unk_token")  # it stands for a character that the tokenizer lacks
        self._unknown = None if unknown in self._ids else unknown
        unknown_id = None if self._unknown is None else specials.get(self._unknown)
        self._forbidden = self._controls.keys() - {unknown_id}
        textual = [marker for marker, token in ids.items() if token is None]
        self._textual = _any_of(tuple(textual)) if textual else None
        self._count = lru_cache(4096)(self._count_controls)
        self._cached = lru_cache(4096)(self._encode_short)

    def token(self, marker: str) -> int:
        """Return the id of a marker that is a single token."""
        return self._ids[marker]

    def encode(self, pieces: Sequence[str]) -> list[int]:
        """Return the tokens of `pieces`, read as one text where nobody's words spell a token of the format.

        Raises:
            DataError: A piece cannot be encoded.
        """
        joined = "".join(pieces)
        if len(joined) <= 64:
            return list(self._cached(tuple((piece, isinstance(piece, Markup)) for piece in pieces)))
        return self._encode(pieces, joined)

    def _encode_short(self, pieces: tuple[tuple[str, bool], ...]) -> list[int]:
        """Encode what comes again and again, such as headers; `Markup` equals its text, so the kind is in the key."""
        texts = [Markup(text) if is_markup else str(text) for text, is_markup in pieces]
        return self._encode(texts, "".join(texts))

    def _encode(self, pieces: Sequence[str], joined: str) -> list[int]:
        ids = self._tokens(joined)
        expected = sum(self._count(str(piece)) for piece in pieces if isinstance(piece, Markup))
        if self.count_controls(ids) == expected and not self._spells_unknown(joined):
            return ids
        tokens: list[int] = []
        for piece in pieces:
            tokens += self._tokens(piece) if isinstance(piece, Markup) else self.encode_text(piece)
        return tokens

    def encode_text(self, text: str) -> list[int]:
        """Return the tokens of somebody's words; no token of the format is among them, whatever they spell.

        Raises:
            DataError: The tokenizer makes such a token out of every way to spell the text.
        """
        ids = self._tokens(text)
        if self._forbidden.isdisjoint(ids) and not self._spells_unknown(text):
            return ids
        tokens: list[int] = []
        for part in _broken(text, self._spelled):
            tokens += self._tokens(part)
        if self._forbidden.isdisjoint(tokens):
            return tokens
        tokens = [token for character in text for token in self._tokens(character)]
        if self._forbidden.isdisjoint(tokens):
            return tokens
        raise DataError("the text spells a special token of one character, and the tokenizer reads nothing else in it")

    def count_controls(self, tokens: Sequence[int]) -> int:
        """Return how many of the tokens nobody's words may become."""
        forbidden = self._forbidden
        return sum(1 for token in tokens if token in forbidden)

    def read(self, tokens: Sequence[int]) -> list[str]:
        """Return the pieces of `tokens`: each marker as `Markup`, what lies between as text.

        Special tokens that are no markers are kept as their text.
        """
        pieces: list[str] = []
        run: list[int] = []
        for token in tokens:
            if token not in self._controls:
                run.append(token)
                continue
            self._add_text(pieces, run)
            run = []
            marker = self._markers.get(token)
            if marker is None:
                _append(pieces, self._controls[token])
            else:
                pieces.append(marker)
        self._add_text(pieces, run)
        return pieces

    def _add_text(self, pieces: list[str], run: list[int]) -> None:
        if not run:
            return
        text = self.tokenizer.decode(run)
        if self._textual is None:
            _append(pieces, text)
            return
        for index, part in enumerate(self._textual.split(text)):
            if index % 2:
                pieces.append(Markup(part))
            else:
                _append(pieces, part)

    def _tokens(self, text: str) -> list[int]:
        try:
            return self.tokenizer.encode(text)
        except (TypeError, UnicodeError) as error:
            raise DataError(f"the text cannot be encoded: {error}") from error

    def _count_controls(self, markup: str) -> int:
        return self.count_controls(self._tokens(markup))

    def _spells_unknown(self, text: str) -> bool:
        return self._unknown is not None and self._unknown in text


def _append(pieces: list[str], text: str) -> None:
    if not text:
        return
    if pieces and not isinstance(pieces[-1], Markup):
        pieces[-1] += text
    else:
        pieces.append(text)


@lru_cache(16)
def _any_of(texts: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(set(texts), key=len, reverse=True)
    return re.compile(f"({'|'.join(map(re.escape, longest_first)) or '(?!)'})")


def _broken(text: str, spelled: re.Pattern[str]) -> list[str]:
    """Return the text in parts, broken in the middle of each thing it spells."""
    cuts = [0, *((match.start() + match.end() + 1) // 2 for match in spelled.finditer(text)), len(text)]
    return [text[start:end] for start, end in pairwise(cuts) if start < end]
