# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (transformers' models and torch's optimisers are untyped)
"""Pre-training of the small base model: vocabulary, fresh weights, a fixed count of seeded steps.

Imports PyTorch and transformers, so it is imported on demand only. Texts are read once, in the order that the generator
drew them, so the count of steps alone says how much was read.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from transformers.models.llama.configuration_llama import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaForCausalLM
from transformers.utils import logging as transformers_logging

from crucible.data.tickets import pretraining_texts
from crucible.errors import NonFiniteLoss
from crucible.pipeline import check_cancelled
from crucible.text import FastTokenizer, train_byte_bpe
from crucible.train.recipe import TinyBaseRecipe

__all__ = ["pretrain"]

_REPORT_EVERY = 10  # steps

_Text = tuple[list[int], int]
"""Tokens of a text with the end token, and how many of them come before the answer."""


def pretrain(recipe: TinyBaseRecipe, folder: Path, report: Callable[[int, float], None]) -> tuple[float, int]:
    """Build a base model and write it to `folder` in the layout of transformers.

    Args:
        recipe: How.
        folder: An existing, empty folder.
        report: Told (step, loss) now and then, and at the last step.

    Returns:
        The loss of the last step, in nats per token, and the count of parameters.

    Raises:
        Cancelled: The run was asked to stop.
        NonFiniteLoss: The recipe diverges.
    """
    texts = pretraining_texts(recipe.steps * recipe.batch_size, seed=recipe.seed)
    tokenizer = train_byte_bpe(texts[: recipe.tokenizer_texts], recipe.vocab_size)
    encoded = [_encode(tokenizer, text) for text in texts]
    with torch.random.fork_rng(devices=[]):  # the caller's generator is left as it was
        torch.manual_seed(recipe.seed)
        model = _fresh_model(recipe, tokenizer)
    loss = _train(model, encoded, recipe, tokenizer.pad_id, report)
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        model.save_pretrained(str(folder))
    finally:
        if bars:
            transformers_logging.enable_progress_bar()
    tokenizer.save(folder)
    return loss, sum(parameter.numel() for parameter in model.parameters())


def _encode(tokenizer: FastTokenizer, text: str) -> _Text:
    """Encode what comes before the answer and the answer apart, as they are when the model is asked."""
    body, _, last_line = text.rpartition("\n")
    cue, _, answer = last_line.partition(":")
    before = tokenizer.encode(f"{body}\n{cue}:")
    return [*before, *tokenizer.encode(answer), tokenizer.eos_id], len(before)


def _fresh_model(recipe: TinyBaseRecipe, tokenizer: FastTokenizer) -> Any:
    config = LlamaConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=recipe.hidden_size,
        intermediate_size=recipe.intermediate_size,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.heads,
        max_position_embeddings=recipe.window,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_id,
        eos_token_id=tokenizer.eos_id,
        bos_token_id=None,
    )
    return LlamaForCausalLM(config)


def _train(
    model: Any, texts: list[_Text], recipe: TinyBaseRecipe, pad_id: int, report: Callable[[int, float], None]
) -> float:
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    model.train()
    loss = math.nan
    for step in range(1, recipe.steps + 1):
        check_cancelled()
        batch = texts[(step - 1) * recipe.batch_size : step * recipe.batch_size]
        for group in optimizer.param_groups:
            group["lr"] = _rate(recipe, step)
        value = _loss(model, batch, recipe.answer_weight, pad_id)
        value.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if step % _REPORT_EVERY == 0 or step == recipe.steps:
            loss = float(value.detach())
            if not math.isfinite(loss):
                raise NonFiniteLoss(f"pre-training diverged at step {step}; lower learning_rate", step=step)
            report(step, loss)
    return loss


def _rate(recipe: TinyBaseRecipe, step: int) -> float:
    """Return the learning rate of a step, from 1: linear warm-up, then a cosine down to a twentieth of the peak."""
    rising = min(1.0, step / max(recipe.warmup_steps, 1))
    falling = 0.05 + 0.95 * 0.5 * (1.0 + math.cos(math.pi * (step - 1) / recipe.steps))
    return recipe.learning_rate * rising * falling


def _loss(model: Any, batch: list[_Text], answer_weight: float, pad_id: int) -> torch.Tensor:
    longest = max(len(tokens) for tokens, _ in batch)
    ids = torch.full((len(batch), longest), pad_id)  # (B, T)
    weights = torch.zeros(len(batch), longest)  # (B, T), 0 on padding
    for row, (tokens, before) in enumerate(batch):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        weights[row, :before] = 1.0
        weights[row, before : len(tokens)] = answer_weight
    logits = model(input_ids=ids, use_cache=False).logits[:, :-1]  # (B, T-1, V); padding is on the right and causal
    nll = functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    flat = weights[:, 1:].flatten()
    return (nll * flat).sum() / flat.sum()
