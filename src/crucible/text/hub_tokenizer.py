"""A tokenizer of transformers behind the protocol of `tokenizer`, for folders without `tokenizer.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crucible.errors import DataError
from crucible.text.template import ChatTemplate
from crucible.text.template.files import templates_of

__all__ = ["HubTokenizer"]


class HubTokenizer:
    """A transformers tokenizer behind the protocol, for folders that have no `tokenizer.json`.

    Args:
        inner: A `PreTrainedTokenizerBase`.

    Raises:
        DataError: It names no end token.
    """

    def __init__(self, inner: Any) -> None:
        if inner.eos_token_id is None:
            raise DataError(
                "the tokenizer names no eos_token, so an answer would never end; add it to tokenizer_config.json"
            )
        self._inner = inner
        self._eos_id = int(inner.eos_token_id)
        self._pad_id = self._eos_id if inner.pad_token_id is None else int(inner.pad_token_id)
        self._templates = templates_of(inner.chat_template, f"{inner.name_or_path or 'its configuration'}")
        first: list[int] = inner.encode("a", add_special_tokens=True)
        self._bos_id = inner.bos_token_id if first[0] == inner.bos_token_id else None

    @property
    def bos_id(self) -> int | None:
        """Token put before every text, or None."""
        return self._bos_id

    @property
    def eos_id(self) -> int:
        """Token that ends an answer."""
        return self._eos_id

    @property
    def pad_id(self) -> int:
        """Token that fills a ragged batch (the end token where no other is named)."""
        return self._pad_id

    @property
    def vocab_size(self) -> int:
        """Count of token ids, special tokens included."""
        return len(self._inner)

    def encode(self, text: str) -> list[int]:
        """Return the tokens of `text` with no special token added."""
        return list(self._inner.encode(text, add_special_tokens=False))

    def decode(self, ids: list[int]) -> str:
        """Return the text of `ids`, special tokens left out."""
        return str(self._inner.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    @property
    def special_tokens(self) -> Mapping[str, int]:
        """Id of each special token by its text."""
        named = dict(zip(self._inner.all_special_tokens, self._inner.all_special_ids, strict=True))
        added: dict[int, Any] = self._inner.added_tokens_decoder
        return {**named, **{token.content: token_id for token_id, token in added.items() if token.special}}

    @property
    def named_tokens(self) -> Mapping[str, str]:
        """Text of each token that the configuration names."""
        return {name: text for name, text in self._inner.special_tokens_map.items() if isinstance(text, str)}

    @property
    def chat_templates(self) -> Mapping[str, ChatTemplate]:
        """Chat templates by name."""
        return self._templates

    def token_id(self, token: str) -> int | None:
        """Return the id of the single token `token`, None if there is none."""
        vocabulary: dict[str, int] = self._inner.get_vocab()
        return vocabulary.get(token)
