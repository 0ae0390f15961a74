"""The tokenizer protocol, and the two ways to open a tokenizer folder.

A folder with `tokenizer.json` is read by the `tokenizers` library alone (milliseconds); any other folder is left to
transformers' `AutoTokenizer`, which takes seconds to import. Code in a tokenizer folder is never run.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

from crucible.errors import DataError, require
from crucible.text.hub_tokenizer import HubTokenizer
from crucible.text.template import ChatTemplate, read_templates
from crucible.text.template.files import templates_of, write_templates

__all__ = ["ChatTokenizer", "FastTokenizer", "Tokenizer", "load_tokenizer"]


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


@runtime_checkable
class ChatTokenizer(Tokenizer, Protocol):
    """What chats need beside: which tokens are special, and the tokenizer's own chat template."""

    @property
    def special_tokens(self) -> Mapping[str, int]:
        """Id of each special token by its text; no text of people may become one of them."""
        ...

    @property
    def named_tokens(self) -> Mapping[str, str]:
        """Text of each token that the configuration names, such as `bos_token`, for the template."""
        ...

    @property
    def chat_templates(self) -> Mapping[str, ChatTemplate]:
        """Chat templates by name; `default` is the usual one, empty if there is none."""
        ...

    def token_id(self, token: str) -> int | None:
        """Return the id of the single token `token`, None if there is none."""
        ...


class FastTokenizer:
    """A tokenizer of the `tokenizers` library, with the names of its special tokens.

    Args:
        core: The `tokenizers.Tokenizer`.
        config: The contents of `tokenizer_config.json`: `eos_token`, and if there are any `pad_token`, `bos_token`.
        templates: Its chat templates by name; if None, those in `config`.

    Raises:
        DataError: No end token is named, a named special token is not in the vocabulary, or `chat_template` is no text.
    """

    def __init__(self, core: Any, config: dict[str, Any], templates: Mapping[str, ChatTemplate] | None = None) -> None:
        self._core = core
        self._config = config
        self._specials: tuple[int, dict[str, int]] | None = None
        self._templates = (
            templates_of(config.get("chat_template"), "its configuration") if templates is None else templates
        )
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
        token = _token_text(self._config.get(name))
        if token is None:
            return None
        token_id = self.token_id(token)
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

    @property
    def special_tokens(self) -> Mapping[str, int]:
        """Id of each special token by its text."""
        size = self.vocab_size
        if self._specials is None or self._specials[0] != size:  # tokens may be added, never taken away
            added: dict[int, Any] = self._core.get_added_tokens_decoder()
            self._specials = size, {token.content: token_id for token_id, token in added.items() if token.special}
        return self._specials[1]

    @property
    def named_tokens(self) -> Mapping[str, str]:
        """Text of each token that the configuration names."""
        texts = {name: _token_text(value) for name, value in self._config.items() if name.endswith("_token")}
        return {name: text for name, text in texts.items() if text is not None}

    @property
    def chat_templates(self) -> Mapping[str, ChatTemplate]:
        """Chat templates by name."""
        return self._templates

    def token_id(self, token: str) -> int | None:
        """Return the id of the single token `token`, None if there is none."""
        token_id: int | None = self._core.token_to_id(token)
        return token_id

    def save(self, path: str | Path) -> Path:
        """Write `tokenizer.json`, `tokenizer_config.json` and the chat templates into the folder `path` and return it.

        transformers' `AutoTokenizer.from_pretrained(path)` opens it.
        """
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tokenizer.json").write_text(self._core.to_str(pretty=True), encoding="utf-8")
        own = {name: value for name, value in self._config.items() if name != "chat_template"}  # in files of their own
        config = json.dumps(own, indent=2, sort_keys=True, ensure_ascii=False)
        (folder / "tokenizer_config.json").write_text(config + "\n", encoding="utf-8")
        write_templates(folder, self._templates)
        return folder


def _token_text(value: Any) -> str | None:
    """Return the text of a token in a configuration: a text, or a mapping with `content`."""
    text = cast("dict[str, Any]", value).get("content") if isinstance(value, dict) else value
    return text if isinstance(text, str) else None


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
    config = _read_config(folder / "tokenizer_config.json")
    if config.get("eos_token") is None:  # older folders name their special tokens apart
        config = {**_read_config(folder / "special_tokens_map.json"), **config}
    return FastTokenizer(core, config, read_templates(folder, config))


def _read_config(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read the tokenizer's configuration {file}: {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"the tokenizer's configuration {file} is {type(found).__name__}, expected an object")
    return {name: value for name, value in cast("dict[str, Any]", found).items() if value is not None}


def _load_through_transformers(folder: Path) -> Tokenizer:
    transformers = require("transformers", extra="train")
    try:
        inner = transformers.AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, ImportError, AttributeError, TypeError) as error:
        raise DataError(f"no readable tokenizer in {folder}: {error}") from error
    return HubTokenizer(inner)
