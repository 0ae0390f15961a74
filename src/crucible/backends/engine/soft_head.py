# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (torch.autograd.Function is untyped)
"""From the last layer's stream to the log-probabilities of several candidates a position, and to the entropy there.

Logits are computed once a position, some positions at a time, and never kept: what the gradient needs of them is two
vectors a position, known in the forward pass.

    d lp_k / dx = W_k - E_p[W],        d H / dx = E_p[l] E_p[W] - E_p[l W]

with W the head, p = softmax(l), and l the logits.
"""

from __future__ import annotations

from typing import Any, cast

import torch

from crucible.backends.engine.candidates import Candidates
from crucible.backends.engine.decoder_layer import Norm
from crucible.backends.engine.head import logit_rows
from crucible.backends.engine.norm import rms_norm, rms_norm_backward

__all__ = ["head_distribution", "logits_distribution"]

_GATHERED = 2**22  # numbers of the head's rows that are taken out at a time
_LEAST = -1e4  # a logit so far below the largest has no probability in float32, and none has a product of 0 and -inf


def head_distribution(
    x: torch.Tensor,
    norm: Norm,
    weight: torch.Tensor,
    candidates: Candidates,
    dtype: torch.dtype,
    *,
    with_entropy: bool,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the (C,) float32 log-probabilities of the candidates, and the (P,) entropies in nats.

    Args:
        x: (P, H) the stream at the asked positions.
        norm: The last norm.
        weight: (V, H) the head.
        candidates: C tokens in [0, V), and the position of each.
        dtype: Type of the products.
        with_entropy: Whether the entropy is wanted; else it is None.
    """
    found = _SoftHead.apply(x, norm, weight, candidates, dtype, with_entropy)
    logprobs, entropy = cast("tuple[torch.Tensor, torch.Tensor | None]", found)
    return logprobs, entropy


def logits_distribution(
    logits: torch.Tensor, candidates: Candidates, *, with_entropy: bool
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the same from logits that are at hand, with PyTorch's own gradient.

    Args:
        logits: (P, V).
        candidates: C tokens in [0, V), and the position of each.
        with_entropy: Whether the entropy is wanted; else it is None.
    """
    wide = logits.float()
    log_sum = wide.logsumexp(-1)  # (P,)
    logprobs = wide[candidates.rows, candidates.tokens] - log_sum.index_select(0, candidates.rows)  # (C,)
    if not with_entropy:
        return logprobs, None
    finite = wide.clamp(min=torch.finfo(torch.float32).min)
    return logprobs, log_sum - (wide.softmax(-1) * finite).sum(-1)


class _SoftHead(torch.autograd.Function):
    """Log-softmax at several tokens a row, and its entropy."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        norm: Norm,
        weight: torch.Tensor,
        candidates: Candidates,
        dtype: torch.dtype,
        with_entropy: bool,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        normed, inverse = rms_norm(x, norm.weight, norm.eps, dtype)  # (P, H)
        head = weight.to(dtype)
        logprobs = torch.empty(len(candidates.tokens), dtype=torch.float32, device=x.device)
        entropy = torch.empty(x.shape[0], dtype=torch.float32, device=x.device) if with_entropy else None
        needs_gradient = ctx.needs_input_grad[0]
        expected = torch.empty(x.shape, dtype=torch.float32, device=x.device) if needs_gradient else None  # E_p[W]
        of_entropy = torch.empty_like(expected) if expected is not None and with_entropy else None  # d H / dx
        rows = logit_rows(x.device, weight.shape[0])
        for start in range(0, x.shape[0], rows):
            part = slice(start, min(start + rows, x.shape[0]))
            own = slice(candidates.starts[part.start], candidates.starts[part.stop])
            logits = (normed[part] @ head.T).float()  # (p, V)
            logits.sub_(logits.amax(-1, keepdim=True))
            places = candidates.rows[own] - start
            wanted = logits[places, candidates.tokens[own]]  # (c,)
            shares = logits.exp()  # (p, V) times `total`
            total = shares.sum(-1)  # (p,)
            torch.sub(wanted, total.log()[places], out=logprobs[own])
            if expected is not None:
                expected[part] = (shares.to(dtype) @ head).float().div_(total[:, None])
            if entropy is not None:
                surprise = shares.mul_(logits.clamp_(min=_LEAST))  # (p, V) times `total`
                mean = surprise.sum(-1).div_(total)  # (p,) E_p[l]
                torch.sub(total.log(), mean, out=entropy[part])
                if of_entropy is not None and expected is not None:
                    weighted = (surprise.to(dtype) @ head).float().div_(total[:, None])  # (p, H) E_p[l W]
                    torch.sub(expected[part] * mean[:, None], weighted, out=of_entropy[part])
        if expected is not None:
            ctx.save_for_backward(x, inverse, weight, expected, of_entropy)
            ctx.norm, ctx.candidates, ctx.dtype = norm, candidates, dtype
        return logprobs, entropy

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
        of_logprobs, of_entropies = grad_outputs
        x, inverse, weight, expected, of_entropy = ctx.saved_tensors
        candidates: Candidates = ctx.candidates
        gradient = torch.zeros_like(expected)  # (P, H)
        if of_logprobs is not None:
            step = max(1, _GATHERED // weight.shape[1])
            for start in range(0, len(candidates.tokens), step):
                own = slice(start, start + step)
                vectors = weight.index_select(0, candidates.tokens[own]).to(ctx.dtype).float()  # (c, H), as `expected`
                gradient.index_add_(0, candidates.rows[own], vectors.mul_(of_logprobs[own, None]))
            sums = expected.new_zeros(len(expected)).index_add_(0, candidates.rows, of_logprobs)  # (P,)
            gradient.addcmul_(expected, sums[:, None], value=-1)
        if of_entropies is not None and of_entropy is not None:
            gradient.addcmul_(of_entropy, of_entropies[:, None])
        of_x = rms_norm_backward(gradient, x, ctx.norm.weight, inverse).to(x.dtype)
        return of_x, None, None, None, None, None
