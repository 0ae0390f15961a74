"""A real tiny Llama, built once a session: two layers of width 32 over a byte-level vocabulary of 320."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.utils import logging as transformers_logging

from crucible.backends.local_base import LoadedBase, load_base
from crucible.text import Datum, completion_datum, train_byte_bpe
from crucible.text.tokenizer import FastTokenizer

TEXTS = [f"ticket {i}: the printer on floor {i} is broken -> hardware" for i in range(60)]
WINDOW = 64


def save_model(model: Any, folder: Path, tokenizer: FastTokenizer) -> Path:
    """Write a model and its tokenizer to `folder`, without transformers' progress bar."""
    transformers_logging.disable_progress_bar()
    model.save_pretrained(folder)
    transformers_logging.enable_progress_bar()
    tokenizer.save(folder)
    return folder


def save_llama(folder: Path, tokenizer: FastTokenizer, **changes: Any) -> Path:
    """Write a Llama with random weights and its tokenizer to `folder`."""
    shape: dict[str, Any] = {
        "vocab_size": 320,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": WINDOW,
        "bos_token_id": None,
        "eos_token_id": 1,
        "pad_token_id": 0,
        "initializer_range": 0.3,  # logits far enough apart that greedy choices are not ties
    }
    torch.manual_seed(1)
    return save_model(LlamaForCausalLM(LlamaConfig(**{**shape, **changes})), folder, tokenizer)


@pytest.fixture(scope="session")
def build_llama() -> Callable[..., Path]:
    """`save_llama(folder, tokenizer, **changes)`."""
    return save_llama


@pytest.fixture(scope="session")
def build_model() -> Callable[..., Path]:
    """`save_model(model, folder, tokenizer)`."""
    return save_model


@pytest.fixture(scope="session")
def tokenizer() -> FastTokenizer:
    """The tiny model's tokenizer."""
    return train_byte_bpe(TEXTS, 320)


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory, tokenizer: FastTokenizer) -> Path:
    """The tiny model's folder."""
    return save_llama(tmp_path_factory.mktemp("models") / "tiny-llama", tokenizer)


@pytest.fixture(scope="session")
def base(base_folder: Path) -> LoadedBase:
    """The tiny model in memory, frozen."""
    return load_base(base_folder, "cpu")


@pytest.fixture(scope="session")
def data(tokenizer: FastTokenizer) -> list[Datum]:
    """Eight ragged examples."""
    return [
        completion_datum(tokenizer, f"ticket {i}:" + " help" * (i % 4), f" floor {i % 3}", max_length=WINDOW).datum
        for i in range(8)
    ]
