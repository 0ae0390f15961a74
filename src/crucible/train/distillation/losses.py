"""What a student is to lose: its divergence from a teacher over a few candidates a position, and the items' answers.

A teacher tells its `top_k` likeliest tokens, and their probabilities sum to less than 1. What becomes of the rest is
said, not assumed: `left_out` compares the candidates' probabilities as they are, `renormalised` makes both sides sum to
1 over the candidates first. Every divergence here is 0, and so is its gradient, exactly where student and teacher agree
on the candidates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import msgspec
import torch
from torch.nn.functional import log_softmax

__all__ = ["Divergence", "Rest", "SoftTargetLoss", "forward_kl", "renormalised", "reverse_kl"]

Divergence = Literal["forward_kl", "reverse_kl"]
"""`forward_kl` covers all that the teacher would say; `reverse_kl` keeps to what the teacher finds likely."""

Rest = Literal["left_out", "renormalised"]
"""What becomes of the probability outside of the candidates."""


def forward_kl(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Return sum_k p log(p / q) - p + q, p the teacher's probabilities and q the student's.

    Over a whole vocabulary it is KL(teacher || student). Over a part of it the last two terms make it 0 where both
    agree and above 0 elsewhere; the gradient by the student's log q_k is q_k - p_k.

    Args:
        student: (P, K) natural-log probabilities of K candidates at P positions.
        teacher: (P, K) those of the teacher, finite.

    Returns:
        (P,) nats.

    Source:
        Csiszár (1991), Annals of Statistics 19(4):2032-2066: the I-divergence of measures that need not sum to 1.
    """
    p, q = teacher.exp(), student.exp()
    return (p * (teacher - student) - p + q).sum(-1)


def reverse_kl(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Return sum_k q log(q / p) - q + p, p the teacher's probabilities and q the student's.

    Over a whole vocabulary it is KL(student || teacher). The gradient by the student's log q_k is
    q_k (log q_k - log p_k).

    Args:
        student: (P, K) natural-log probabilities of K candidates at P positions.
        teacher: (P, K) those of the teacher, finite.

    Returns:
        (P,) nats.

    Source:
        As `forward_kl`, with the two sides exchanged; Gu et al. (2024), ICLR, "MiniLLM", for why this side.
    """
    p, q = teacher.exp(), student.exp()
    return (q * (student - teacher) - q + p).sum(-1)


def renormalised(logprobs: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the log-probabilities at a temperature, of the candidates alone.

    Args:
        logprobs: (P, K) natural-log probabilities at temperature 1.
        temperature: Above 0; higher is flatter.

    Returns:
        (P, K) that sum to 1 over K, as probabilities.
    """
    return log_softmax(logprobs / temperature, dim=-1)


class SoftTargetLoss(msgspec.Struct, frozen=True):
    """alpha * temperature^2 * divergence from the teacher + (1 - alpha) * cross-entropy with the item's own answer.

    A loss of a session, for data whose soft targets hold the answer's own token first and the teacher's candidates
    after it, with `reference_logprobs`, the teacher's (0 for the answer's own token).

    Attributes:
        width: Columns of the soft targets: 1 + the count of candidates.
        alpha: The teacher's share, in [0, 1].
        divergence: From the student to the teacher, or the other way round.
        rest: What becomes of the probability outside of the candidates.
        temperature: At which both are compared, above 0; other than 1 only where the rest is renormalised.

    Source:
        Hinton, Vinyals and Dean (2015), arXiv:1503.02531, section 2, for the temperature and its square.
    """

    requires: ClassVar[tuple[str, ...]] = ("reference_logprobs",)

    width: int
    alpha: float = 1.0
    divergence: Divergence = "forward_kl"
    rest: Rest = "left_out"
    temperature: float = 1.0

    def __call__(self, logprobs: torch.Tensor, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the loss, a sum over positions by their weights.

        Args:
            logprobs: (P * width,) natural-log probabilities, position after position.
            inputs: (P * width,) each: `weights`, the same in all columns of a position, and `reference_logprobs`.
        """
        return self.combined(self.components(logprobs, inputs))

    def components(self, logprobs: torch.Tensor, inputs: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the divergence, by its name, and the `cross_entropy`, each before its share."""
        student = logprobs.view(-1, self.width)  # (P, 1 + K)
        teacher = inputs["reference_logprobs"].view(-1, self.width)[:, 1:]  # (P, K)
        weights = inputs["weights"].view(-1, self.width)[:, 0]  # (P,)
        candidates = student[:, 1:]
        if self.rest == "renormalised":
            candidates, teacher = (renormalised(each, self.temperature) for each in (candidates, teacher))
        measure = forward_kl if self.divergence == "forward_kl" else reverse_kl
        return {
            self.divergence: (weights * measure(candidates, teacher)).sum(),
            "cross_entropy": -(weights * student[:, 0]).sum(),
        }

    def combined(self, components: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the components by their shares."""
        soft = self.alpha * self.temperature**2 * components[self.divergence]
        return soft + (1 - self.alpha) * components["cross_entropy"]
