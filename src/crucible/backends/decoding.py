# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (transformers models and caches are untyped)
"""The decoding loop: a batch of prompts in, token lists out, greedy or drawn.

Rows leave the batch when they are finished. What is drawn for a prompt depends on the seed, the prompt's place in the
call and the model alone, never on which other prompts share its batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers.cache_utils import DynamicCache

from crucible.backends.batching import pad
from crucible.backends.records import SamplingParams

__all__ = ["Answer", "decode"]

_COLDEST = 1e-30  # a lower temperature draws the same, but float32 overflows


class Answer:
    """What one prompt has been answered so far.

    Attributes:
        tokens: The tokens written.
        logprobs: The natural-log probability of each.
        stopped: A stop token or a stop string came.
    """

    __slots__ = ("logprobs", "stopped", "tokens")

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.logprobs: list[float] = []
        self.stopped = False


@torch.inference_mode()
def decode(
    model: Any,
    prompts_B_T: Sequence[Sequence[int]],  # noqa: N803  shape suffix
    *,
    pad_id: int,
    device: str,
    params: SamplingParams,
    stops: Callable[[list[int]], bool],
    uniforms: torch.Tensor | None,
    copies: int = 1,
) -> list[Answer]:
    """Answer a batch of prompts.

    Args:
        model: A transformers causal language model.
        prompts_B_T: B ragged token lists, none of them empty.
        pad_id: Filler token.
        device: Where the model lives.
        params: How many tokens at most, and among which is drawn.
        stops: Says whether an answer that now ends in its last token is finished.
        uniforms: (B * copies, max_tokens) numbers in [0, 1), one a draw; None takes the likeliest token.
        copies: Answers a prompt, which is read once for all of them.

    Returns:
        B * copies answers, those to one prompt one behind the other.
    """
    answers = [Answer() for _ in prompts_B_T for _ in range(copies)]
    ids, mask = pad(prompts_B_T, pad_id, left=True, device=device)  # (B, T)
    rows = list(range(len(answers)))
    cache = DynamicCache(config=model.config)
    positions = None if mask is None else (mask.cumsum(-1) - 1).clamp(min=0)  # (B, T)
    for step in range(params.max_tokens):
        output = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits = output.logits[:, -1].float()  # (B, V)
        if step == 0 and copies > 1:
            cache.batch_repeat_interleave(copies)
            logits = logits.repeat_interleave(copies, 0)
            mask = None if mask is None else mask.repeat_interleave(copies, 0)
            positions = None if positions is None else positions.repeat_interleave(copies, 0)
        draws = None if uniforms is None else uniforms[rows, step]
        chosen = _choose(logits, draws, params)  # (B,)
        logprobs = logits.gather(-1, chosen[:, None])[:, 0] - logits.logsumexp(-1)  # (B,)
        for row, token, logprob in zip(rows, chosen.tolist(), logprobs.tolist(), strict=True):
            answers[row].tokens.append(token)
            answers[row].logprobs.append(logprob)
            answers[row].stopped = stops(answers[row].tokens)
        going = [place for place, row in enumerate(rows) if not answers[row].stopped]
        if not going or step == params.max_tokens - 1:
            break
        if positions is not None:
            positions = positions[:, -1:] + 1
        if mask is not None:
            mask = torch.cat((mask, mask.new_ones(len(rows), 1)), dim=1)
        if len(going) < len(rows):
            keep = torch.tensor(going, device=device)
            cache.batch_select_indices(keep)
            chosen = chosen[keep]
            mask = None if mask is None else mask[keep]
            positions = None if positions is None else positions[keep]
            rows = [rows[place] for place in going]
        ids = chosen[:, None]  # (B, 1)
    return answers


def _choose(logits: torch.Tensor, draws: torch.Tensor | None, params: SamplingParams) -> torch.Tensor:
    """Return one token a row: the likeliest, or the one at which the cumulative probability passes the draw."""
    if draws is None:
        return logits.argmax(-1)
    exact = torch.float32 if logits.device.type == "mps" else torch.float64  # MPS has no float64
    cumulative = (
        _among(logits / max(params.temperature, _COLDEST), params.top_k, params.top_p).softmax(-1).to(exact).cumsum(-1)
    )  # (B, V)
    total = cumulative[:, -1]  # 1 but for rounding
    below_total = torch.nextafter(total, torch.zeros_like(total))  # so that a token of probability 0 is never reached
    aims = torch.minimum(draws.to(exact).to(logits.device) * total, below_total)
    return torch.searchsorted(cumulative, aims[:, None], right=True)[:, 0]


def _among(logits: torch.Tensor, top_k: int, top_p: float) -> torch.Tensor:
    """Return (B, V) logits with -inf for the tokens that may not be drawn.

    Source:
        Holtzman et al. (2020), ICLR: the nucleus is the smallest set of likeliest tokens whose probability reaches
        `top_p`; it holds at least one.
    """
    if 0 < top_k < logits.shape[-1]:
        least = logits.topk(top_k).values[:, -1:]  # (B, 1)
        logits = logits.masked_fill(logits < least, -torch.inf)
    if top_p < 1:
        ordered, places = logits.sort(-1, descending=True)
        probabilities = ordered.softmax(-1)
        outside = probabilities.cumsum(-1) - probabilities >= top_p  # what is likelier reaches it already
        logits = logits.masked_fill(outside.scatter(-1, places, outside), -torch.inf)
    return logits
