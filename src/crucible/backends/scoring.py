# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (transformers models are untyped)
"""Log-probabilities of given targets under a causal language model: what losses and `logprobs` are made of.

Known architectures go through the packed engine: no padding, logits at the asked positions only and never kept, no
gradient of frozen weights. Others go, padded, through transformers' own code.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from crucible import events
from crucible.backends.batching import pad
from crucible.backends.engine.layout import Layout, layout_of
from crucible.backends.engine.packed import pack
from crucible.backends.engine.parity import agrees
from crucible.backends.engine.passing import packed_logprobs
from crucible.backends.engine.precision import product_dtype
from crucible.backends.threads import fitting_threads

__all__ = ["packed_layout", "target_logprobs", "threads_for", "tokens_per_group"]

_LOGIT_ELEMENTS = 2**28  # 1 GiB of float32
_MOST_TOKENS, _LEAST_TOKENS = 16384, 1024
_ENOUGH_WORK = 30_000_000_000  # multiplications for which one more token a pass makes nothing faster on a CPU
_layouts: weakref.WeakKeyDictionary[Any, Layout | None] = weakref.WeakKeyDictionary()
_lock = threading.RLock()  # a listener of the decision may score, too


def tokens_per_group(vocab_size: int, model: Any = None, *, device: str = "cpu") -> int:
    """Return how many tokens one forward pass takes.

    A packed pass keeps no logits, and on a CPU gains nothing from more tokens once its matrices are large: there a
    large model takes few at a time, which keeps few activations in memory. Else logits stay near 1 GiB.

    Args:
        vocab_size: Entries of the vocabulary.
        model: The transformers causal language model that will be scored; None where it is not at hand.
        device: Where it lives.
    """
    layout = None if model is None else packed_layout(model, device=device)
    if layout is None:
        return max(_LEAST_TOKENS, min(_MOST_TOKENS, _LOGIT_ELEMENTS // vocab_size))
    if device != "cpu":
        return _MOST_TOKENS
    return max(_LEAST_TOKENS, min(_MOST_TOKENS, _ENOUGH_WORK // layout.weights))


def packed_layout(model: Any, *, device: str) -> Layout | None:
    """Return how the packed engine sees a model, or None where the model has to go through its own code.

    Found once a model: its modules must not be exchanged afterwards, its weights may change.

    Args:
        model: A transformers causal language model (with or without adapter layers).
        device: Where it lives.
    """
    with _lock:
        if model not in _layouts:
            layout = layout_of(model)
            if layout is not None and not agrees(model, layout, device=device):
                layout = None
                events.decision(
                    "padded batches through the model's own code",
                    f"the packed engine does not compute what this {model.config.model_type} model computes",
                    alternatives=["packed batches"],
                )
            _layouts[model] = layout
        found = _layouts[model]
    return None if model.training else found


def threads_for(model: Any, tokens: int, *, device: str) -> contextlib.AbstractContextManager[int]:
    """Return a block that computes on as many threads as scoring so many tokens, and its gradient, is worth.

    Args:
        model: A transformers causal language model.
        tokens: Count of tokens that one pass takes.
        device: Where the model lives.
    """
    layout = packed_layout(model, device=device) if device == "cpu" else None
    return fitting_threads(None if layout is None else layout.weights * tokens)


def target_logprobs(
    model: Any,
    inputs_B_T: Sequence[Sequence[int]],  # noqa: N803  shape suffix
    targets_B_T: Sequence[Sequence[int]],  # noqa: N803
    asked_B: Sequence[Sequence[int]],  # noqa: N803
    *,
    pad_id: int,
    device: str,
    mixed_precision: bool = False,
) -> torch.Tensor:
    """Return the log-probabilities of the targets at the asked positions.

    Each sequence gets the numbers that it has alone; the same call gives the same bits again on a CPU, for the same
    count of threads.

    Args:
        model: A transformers causal language model (with or without adapter layers).
        inputs_B_T: B ragged lists of input tokens.
        targets_B_T: The token to predict at each input position.
        asked_B: For each of the B, the positions that are wanted, in [0, T).
        pad_id: Filler token, where the batch has to be padded.
        device: Where the model lives.
        mixed_precision: Compute matrix products in bfloat16; weights, gradients and results stay as they are.

    Returns:
        logprobs: (M,) float32 with M the count of asked positions, row after row; natural log, at most 0.

    Raises:
        BackendError: `mixed_precision` on a device that has no bfloat16.
    """
    dtype = product_dtype(model.dtype, device, mixed_precision=mixed_precision)
    if not any(asked_B):
        return torch.zeros(0, device=device)
    layout = packed_layout(model, device=device)
    if layout is not None and (layout.reach is None or max(map(len, inputs_B_T)) <= layout.reach):
        packed = pack(inputs_B_T, targets_B_T, asked_B, width=layout.width, device=device)
        return packed_logprobs(layout, packed, dtype=dtype)
    with torch.autocast(device.partition(":")[0], dtype=torch.bfloat16, enabled=mixed_precision):
        return _padded(model, inputs_B_T, targets_B_T, asked_B, pad_id=pad_id, device=device)


def _padded(
    model: Any,
    inputs_B_T: Sequence[Sequence[int]],  # noqa: N803
    targets_B_T: Sequence[Sequence[int]],  # noqa: N803
    asked_B: Sequence[Sequence[int]],  # noqa: N803
    *,
    pad_id: int,
    device: str,
) -> torch.Tensor:
    """`target_logprobs` by the model's own code over a padded batch."""
    ids, mask = pad(inputs_B_T, pad_id, left=False, device=device)  # (B, T)
    rows = [row for row, asked in enumerate(asked_B) for _ in asked]
    columns = [column for asked in asked_B for column in asked]
    wanted = torch.tensor([targets_B_T[row][column] for row, column in zip(rows, columns, strict=True)], device=device)
    where = torch.tensor(rows, device=device), torch.tensor(columns, device=device)  # (M,) each
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[where]  # (M, V)
    return -cross_entropy(logits.float(), wanted, reduction="none")  # (M,)
