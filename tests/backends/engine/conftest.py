"""Tiny decoders of every architecture that the engine knows, with disturbed weights and an adapter on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import peft
import pytest
import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

CLASSES = {
    "llama": (LlamaConfig, LlamaForCausalLM),
    "mistral": (MistralConfig, MistralForCausalLM),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM),
}


def build(kind: str, targets: str | list[str] | None = "all-linear", **changes: Any) -> Any:
    """Return a frozen decoder; with PEFT's layers of random weights on `targets`, if there are any."""
    config, model_class = CLASSES[kind]
    shape: dict[str, Any] = {
        "vocab_size": 90,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 64,
        "pad_token_id": 0,
    }
    torch.manual_seed(1)
    model = model_class(config(**{**shape, **changes})).eval().requires_grad_(requires_grad=False)
    for parameter in model.parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.1)  # norms and biases, too
    if targets is not None:
        settings = peft.LoraConfig(r=3, lora_alpha=7, target_modules=targets, task_type="CAUSAL_LM")
        peft.inject_adapter_in_model(settings, model, "default")
        for name, parameter in model.named_parameters():
            if ".lora_" in name:
                parameter.data.normal_(0, 0.2)
    return model.eval()


def gradients(model: Any, logprobs: torch.Tensor, factors: Sequence[float]) -> dict[str, torch.Tensor]:
    """Return the gradient of `sum(factors * logprobs)` by parameter, and clear it."""
    (logprobs * torch.tensor(factors)).sum().backward()
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return found


@pytest.fixture(scope="session")
def build_decoder() -> Callable[..., Any]:
    """`build(kind, targets, **changes)`."""
    return build


@pytest.fixture(scope="session")
def gradients_of() -> Callable[..., dict[str, torch.Tensor]]:
    """`gradients(model, logprobs, factors)`."""
    return gradients
