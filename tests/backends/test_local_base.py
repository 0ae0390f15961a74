"""Base models in memory."""

from __future__ import annotations

import gc
import json
import os
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import BloomConfig, BloomForCausalLM

from crucible.backends.base_files import base_digest
from crucible.backends.local_base import LoadedBase, load_base
from crucible.errors import BackendError
from crucible.text import FastTokenizer


def test_a_base_is_loaded_once_and_frozen(
    base: LoadedBase, base_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whoever asks for the same folder gets the same weights: float32, in evaluation mode, without gradients."""
    assert load_base(base_folder, "cpu") is base
    assert (base.window, base.embedded_tokens, base.stop_ids) == (64, 320, frozenset({1}))
    assert not base.model.training
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in base.model.parameters())
    assert capfd.readouterr().err == ""


def test_an_unused_base_leaves_memory(base_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing keeps it but its users; loading shows no progress bar of its own."""
    folder = shutil.copytree(base_folder, tmp_path / "copy")
    seen = weakref.ref(load_base(folder, "cpu"))
    gc.collect()
    assert seen() is None
    assert capfd.readouterr().err == ""


def test_files_that_change_are_loaded_anew(base_folder: Path, tmp_path: Path) -> None:
    """A base in memory does not stand in for other weights in the same folder; the digests tell them apart."""
    folder = shutil.copytree(base_folder, tmp_path / "copy")
    before = load_base(folder, "cpu")
    assert before.digest == base_digest(base_folder)
    (folder / "README.md").write_text("a card")
    assert load_base(folder, "cpu") is before
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    os.utime(weights, ns=(1, 1))  # whatever the resolution of the clock
    after = load_base(folder, "cpu")
    assert after is not before
    assert after.digest != before.digest


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model_type": "no-such-type"}, "cannot be loaded"),
        ({"num_attention_heads": 5}, "cannot be loaded"),
    ],
)
def test_a_folder_that_is_no_causal_model_is_refused(
    base_folder: Path, tmp_path: Path, change: dict[str, object], says: str
) -> None:
    """A BackendError names the folder."""
    folder = shutil.copytree(base_folder, tmp_path / "bad")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(BackendError, match=says):
        load_base(folder, "cpu")


def test_a_model_without_a_window_is_refused(
    tokenizer: FastTokenizer, tmp_path: Path, build_model: Callable[..., Path]
) -> None:
    """BLOOM's positions are unbounded, so nobody could say what fits."""
    model = BloomForCausalLM(BloomConfig(vocab_size=320, hidden_size=16, n_layer=1, n_head=2))
    build_model(model, tmp_path, tokenizer)
    with pytest.raises(BackendError, match="names no max_position_embeddings"):
        load_base(tmp_path, "cpu")


def test_every_end_token_of_the_model_counts(
    tokenizer: FastTokenizer, tmp_path: Path, build_llama: Callable[..., Path]
) -> None:
    """Models such as Llama 3 name several end tokens; the tokenizer's own is one more."""
    build_llama(tmp_path, tokenizer, eos_token_id=[5, 6])
    assert load_base(tmp_path, "cpu").stop_ids == frozenset({1, 5, 6})


def test_a_pickle_is_not_opened(base_folder: Path, tmp_path: Path) -> None:
    """Weights as pytorch_model.bin alone are no weights."""
    folder = shutil.copytree(base_folder, tmp_path / "pickle")
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(BackendError, match="cannot be loaded"):
        load_base(folder, "cpu")
