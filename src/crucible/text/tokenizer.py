"""The tokenizer protocol, and the two ways to open a tokenizer folder.

A folder with `tokenizer.json` is read by the `tokenizers` library alone (milliseconds); any other folder is left to
transformers' `AutoTokenizer`, which takes seconds to import. Code in a tokenizer folder is never run.
"""

import json
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

from crucible.errors import DataError, require

__all__ = ["FastTokenizer", "HubTokenizer", "Tokenizer", "load_tokenizer"]


@runtime_checkable
class Tokenizer(Protocol):
    """What the rooms above need of a tokenizer."""

    @property
    def bos_id(self) -> int | None:
        """Token that the tokenizer puts before every text; None where it puts none."""
        ...

    @property
    def eos_id(self) -> int:
        """Token that ends an answer."""
        ...

    @property
    def pad_id(self) -> int:
        """Token that fills a ragged batch; never trained on, never attended to."""
        ...

    @property
    def vocab_size(self) -> int:
        """Count of token ids, special tokens included; every id lies in [0, vocab_size)."""
        ...

    def encode(self, text: str) -> list[int]:
        """Return the tokens of `text` with no special token added."""
        ...

    def decode(self, ids: list[int]) -> str:
        """Return the text of `ids`, special tokens left out."""
        ...


class FastTokenizer:
    """A tokenizer of the `tokenizers` library, with the names of its special tokens.

    Args:
        core: The `tokenizers.Tokenizer`.
        config: The contents of `tokenizer_config.json`: `eos_token`, and if there are any `pad_token`, `bos_token`.

    Raises:
        DataError: No end token is named, or a named special token is not in the vocabulary.
    """

    def __init__(self, core: Any, config: dict[str, Any]) -> None:
        self._core = core
        self._config = config
        eos_id = self._special("eos_token")
        if eos_id is None:
            raise DataError(
                "the tokenizer names no eos_token, so an answer would never end; add it to tokenizer_config.json"
            )
        self._eos_id = eos_id
        pad_id = self._special("pad_token")
        self._pad_id = eos_id if pad_id is None else pad_id
        bos_id = self._special("bos_token")
        first: list[int] = core.encode("a", add_special_tokens=True).ids
        self._bos_id = bos_id if bos_id is not None and first[0] == bos_id else None

    def _special(self, name: str) -> int | None:
        value = self._config.get(name)
        token = cast("dict[str, Any]", value).get("content") if isinstance(value, dict) else value
        if token is None:
            return None
        token_id: int | None = self._core.token_to_id(token)
        if token_id is None:
            raise DataError(f"the tokenizer's {name} {token!r} is not in its vocabulary")
        return token_id

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
        size: int = self._core.get_vocab_size(with_added_tokens=True)
        return size

    def encode(self, text: str) -> list[int]:
        """Return the tokens of `text` with no special token added.

        A special token that is spelled out in the text is read as that token, as transformers does.
        """
        ids: list[int] = self._core.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, ids: list[int]) -> str:
        """Return the text of `ids`, special tokens left out."""
        text: str = self._core.decode(ids, skip_special_tokens=True)
        return text

    def save(self, path: str | Path) -> Path:
        """Write `tokenizer.json` and `tokenizer_config.json` into the folder `path` and return it.

        transformers' `AutoTokenizer.from_pretrained(path)` opens it.
        """
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tokenizer.json").write_text(self._core.to_str(pretty=True), encoding="utf-8")
        config = json.dumps(self._config, indent=2, sort_keys=True, ensure_ascii=False)
        (folder / "tokenizer_config.json").write_text(config + "\n", encoding="utf-8")
        return folder


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


def load_tokenizer(path: str | Path) -> Tokenizer:
    """Open the tokenizer in the folder `path`.

    Args:
        path: A folder in the layout of transformers, such as a model's own folder.

    Raises:
        DataError: The folder does not exist, holds no tokenizer, or its files cannot be read.
        MissingExtra: The `train` extra is not installed.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise DataError(f"no tokenizer folder at {folder}")
    file = folder / "tokenizer.json"
    if not file.is_file():
        return _load_through_transformers(folder)
    tokenizers = require("tokenizers", extra="train")
    try:
        core = tokenizers.Tokenizer.from_file(str(file))
    except Exception as error:  # the Rust library raises a bare Exception for a bad file
        raise DataError(f"cannot read the tokenizer {file}: {error}") from error
    core.no_truncation()  # some files carry the settings of their last use
    core.no_padding()
    config_file = folder / "tokenizer_config.json"
    config: dict[str, Any] = {}
    if config_file.is_file():
        try:
            config = json.loads(config_file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError(f"cannot read the tokenizer's configuration {config_file}: {error}") from error
    return FastTokenizer(core, config)


def _load_through_transformers(folder: Path) -> Tokenizer:
    transformers = require("transformers", extra="train")
    try:
        inner = transformers.AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, ImportError, AttributeError, TypeError) as error:
        raise DataError(f"no readable tokenizer in {folder}: {error}") from error
    return HubTokenizer(inner)
