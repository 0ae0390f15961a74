"""Opening tokenizer folders: with the tokenizers library alone, through transformers, and the bad ones."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import tokenizers
from transformers import AutoTokenizer

from crucible.errors import DataError
from crucible.text import ChatTokenizer, Tokenizer, load_tokenizer, train_byte_bpe
from crucible.text.hub_tokenizer import HubTokenizer

TEXTS = [f"ticket {i}: the printer is broken, please help" for i in range(40)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved byte-level BPE tokenizer of 300 tokens."""
    return train_byte_bpe(TEXTS, 300).save(tmp_path_factory.mktemp("tokenizer"))


def test_a_saved_tokenizer_comes_back_equal(folder: Path) -> None:
    """Loading gives the same tokens, special tokens and size as the trained one."""
    trained, loaded = train_byte_bpe(TEXTS, 300), load_tokenizer(folder)
    text = "the printer, étrange ✓ 東京\n\t"
    assert isinstance(loaded, Tokenizer)
    assert loaded.encode(text) == trained.encode(text)
    assert loaded.decode(loaded.encode(text)) == text
    assert (loaded.bos_id, loaded.eos_id, loaded.pad_id, loaded.vocab_size) == (None, 1, 0, 300)


def test_transformers_opens_the_saved_folder(folder: Path) -> None:
    """AutoTokenizer reads the folder and agrees on tokens, special tokens and text."""
    theirs, ours = AutoTokenizer.from_pretrained(str(folder)), load_tokenizer(folder)
    text = "help, it 's the printer ✓ !"
    assert theirs(text, add_special_tokens=False).input_ids == ours.encode(text)
    assert theirs(text).input_ids == ours.encode(text)
    assert (theirs.eos_token_id, theirs.pad_token_id) == (ours.eos_id, ours.pad_id)
    assert theirs.decode(ours.encode(text)) == text
    hub = HubTokenizer(theirs)
    assert isinstance(hub, Tokenizer)
    assert hub.encode(text) == ours.encode(text)
    assert hub.decode([*hub.encode(text), hub.eos_id]) == text
    assert (hub.bos_id, hub.eos_id, hub.pad_id, hub.vocab_size) == (None, 1, 0, 300)


def test_special_tokens_are_not_decoded(folder: Path) -> None:
    """End and padding tokens leave no trace in the text."""
    tokenizer = load_tokenizer(folder)
    assert tokenizer.decode([tokenizer.pad_id, *tokenizer.encode("help"), tokenizer.eos_id]) == "help"


def test_settings_left_in_the_file_do_not_cut_text(folder: Path, tmp_path: Path) -> None:
    """A tokenizer.json saved with truncation and padding on still encodes the whole text, and only that."""
    core = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    core.enable_truncation(3)
    core.enable_padding(length=50)
    core.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_bytes((folder / "tokenizer_config.json").read_bytes())
    text = "the printer is broken"
    assert load_tokenizer(tmp_path).encode(text) == load_tokenizer(folder).encode(text)


def test_a_start_token_that_the_tokenizer_adds_is_known(folder: Path, tmp_path: Path) -> None:
    """bos_id is the token that the tokenizer itself puts before a text, as Llama's does; encode adds none."""
    core = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    core.add_special_tokens(["<s>"])
    core.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", core.token_to_id("<s>"))]
    )
    core.save(str(tmp_path / "tokenizer.json"))
    config = {
        "eos_token": {"__type": "AddedToken", "content": "<|end|>"},
        "bos_token": "<s>",
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.bos_id == core.token_to_id("<s>") == 300
    assert tokenizer.encode("help")[0] != tokenizer.bos_id
    assert tokenizer.pad_id == tokenizer.eos_id == 1
    hub = HubTokenizer(AutoTokenizer.from_pretrained(str(tmp_path)))
    assert (hub.bos_id, hub.eos_id, hub.pad_id, hub.vocab_size) == (300, 1, 1, 301)


def test_a_tokenizer_without_tokenizer_json_is_read_by_transformers(tmp_path: Path) -> None:
    """An old GPT-2 style folder (vocab.json, merges.txt) opens too."""
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*alphabet, "he", "<|endoftext|>"])}
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary))
    (tmp_path / "merges.txt").write_text("#version: 0.2\nh e\n")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "GPT2Tokenizer"}))
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.encode("he") == [256]
    assert tokenizer.decode(tokenizer.encode("help ✓")) == "help ✓"
    assert tokenizer.eos_id == 257


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (None, "no tokenizer folder"),
        ({}, "no readable tokenizer"),
        ({"tokenizer.json": "{"}, "tokenizer.json"),
        ({"tokenizer_config.json": "{"}, "tokenizer_config.json"),
        ({"tokenizer_config.json": "{}"}, "names no eos_token"),
        ({"tokenizer_config.json": '{"eos_token": "<gone>"}'}, "'<gone>' is not in its vocabulary"),
    ],
)
def test_an_unusable_folder_is_named(folder: Path, tmp_path: Path, files: dict[str, str] | None, says: str) -> None:
    """Missing, empty, damaged and incomplete folders are DataErrors that say what is wrong."""
    target = tmp_path / "bad"
    if files is not None:
        target.mkdir()
        if "tokenizer_config.json" in files:
            (target / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
        for name, content in files.items():
            (target / name).write_text(content)
    with pytest.raises(DataError, match=says):
        load_tokenizer(target)


def test_a_transformers_tokenizer_without_an_end_token_is_refused(folder: Path) -> None:
    """Without an end token an answer would never end."""
    inner = AutoTokenizer.from_pretrained(str(folder))
    inner.eos_token = None
    with pytest.raises(DataError, match="names no eos_token"):
        HubTokenizer(inner)


def test_the_room_imports_no_heavy_package() -> None:
    """Importing crucible.text and training a tokenizer pulls in neither PyTorch nor transformers."""
    code = (
        "import sys; from crucible.text import train_byte_bpe; heavy = {'torch', 'transformers', 'numpy'};"
        "assert 'tokenizers' not in sys.modules; train_byte_bpe(['a b'], 258); assert not heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_both_kinds_of_tokenizer_tell_what_chats_need(tmp_path: Path) -> None:
    """Special tokens, the tokens that are named, ids by text and the template, alike through either library."""
    made = train_byte_bpe(TEXTS, 300, special_tokens=["<|im_end|>"], chat_template="hello")
    hub = HubTokenizer(AutoTokenizer.from_pretrained(str(made.save(tmp_path))))
    for tokenizer in (made, hub, load_tokenizer(tmp_path)):
        assert isinstance(tokenizer, ChatTokenizer)
        assert tokenizer.special_tokens == {"<|pad|>": 0, "<|end|>": 1, "<|im_end|>": 2}
        assert tokenizer.named_tokens == {"eos_token": "<|end|>", "pad_token": "<|pad|>"}
        assert (tokenizer.token_id("<|im_end|>"), tokenizer.token_id("<|no|>")) == (2, None)
        assert {name: each.text for name, each in tokenizer.chat_templates.items()} == {"default": "hello"}


def test_special_tokens_of_an_older_folder_are_read(folder: Path, tmp_path: Path) -> None:
    """Where `tokenizer_config.json` names no end token, `special_tokens_map.json` does, as in transformers."""
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    named = {"eos_token": {"content": "<|end|>", "lstrip": False}, "pad_token": "<|pad|>"}
    (tmp_path / "special_tokens_map.json").write_text(json.dumps(named), encoding="utf-8")
    opened = load_tokenizer(tmp_path)
    assert (opened.eos_id, opened.pad_id) == (1, 0)
    (tmp_path / "special_tokens_map.json").write_text("[]", encoding="utf-8")
    with pytest.raises(DataError, match=r"special_tokens_map\.json is list, expected an object"):
        load_tokenizer(tmp_path)
