"""Training a byte-level BPE tokenizer."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from crucible.errors import DataError
from crucible.text import train_byte_bpe

TEXTS = [f"ticket {i}: ab ba cd dc xy yx zu uz, help me with order {i * 7919}" for i in range(200)]
SCRIPT = f"""
import sys
from crucible.text import train_byte_bpe
train_byte_bpe({TEXTS!r}, 400).save(sys.argv[1])
"""


def test_training_is_deterministic_across_processes(tmp_path: Path) -> None:
    """Many pairs are equally frequent here, and two processes still write the same bytes."""
    digests = set()
    for name in ("a", "b"):
        subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path / name)], check=True)
        digests.add(hashlib.sha256((tmp_path / name / "tokenizer.json").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_any_text_survives() -> None:
    """Byte level means no unknown token, whatever was trained on."""
    tokenizer = train_byte_bpe(["a"], 258)
    for text in ("", "a", "  two  spaces ", "naïve 東京 🚀\x00\n", "\r\n"):
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_frequent_text_becomes_short() -> None:
    """Merges are learnt: what was common in training takes fewer tokens than bytes."""
    tokenizer = train_byte_bpe(TEXTS, 400)
    assert len(tokenizer.encode("ticket help")) < len("ticket help") / 2
    assert tokenizer.vocab_size == 400


def test_fewer_pairs_than_asked_for_give_a_smaller_vocabulary() -> None:
    """The vocabulary is as large as the texts allow, not padded with inventions."""
    assert train_byte_bpe(["ab"], 1000).vocab_size == 259


@pytest.mark.parametrize(
    ("texts", "size", "says"), [(["a"], 257, "at least 258"), ([], 300, "no text"), ([""], 300, "no")]
)
def test_impossible_requests_are_refused(texts: list[str], size: int, says: str) -> None:
    """A vocabulary below the bytes, or no text, is a DataError."""
    with pytest.raises(DataError, match=says):
        train_byte_bpe(texts, size)


def test_special_tokens_of_a_chat_format_are_single_tokens() -> None:
    """They get the ids from 2 on; twice the same, or an empty one, is refused; the template is kept."""
    tokenizer = train_byte_bpe(["x"], 260, special_tokens=["<|im_start|>", "<|im_end|>"], chat_template="hello")
    assert tokenizer.encode("<|im_start|>a<|im_end|>")[::2] == [2, 3]
    assert tokenizer.chat_templates["default"].text == "hello"
    for bad in (["<|end|>"], ["a", "a"], [""]):
        with pytest.raises(DataError, match="must be different and not empty"):
            train_byte_bpe(["x"], 300, special_tokens=bad)
    with pytest.raises(DataError, match="at least 259 tokens"):
        train_byte_bpe(["x"], 258, special_tokens=["a"])
