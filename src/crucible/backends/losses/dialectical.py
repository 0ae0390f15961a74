# pyright: reportUnknownMemberType=false
# (torch.linalg is untyped)
"""Regularisers on what an answer argues: no circular support, both sides alike, no invented source.

Each is a `CustomLoss`, a differentiable function of the log-probabilities of the tokens that say the thing, and goes
through `forward_backward_custom`, alone or as a term of `regularised`. None of them looks at text: which tokens say an
edge of the claim graph, a side or a citation is told by `Span`s (see `spans`). What a whole answer comes to as a
number, which no gradient goes through, is scored by `crucible.data.argument`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import msgspec
import torch

from crucible.backends.loss_terms import COMPUTED
from crucible.backends.losses.custom import CustomLoss
from crucible.backends.losses.loss import Loss, evaluate, name_of, requirements
from crucible.backends.losses.registry import resolve
from crucible.backends.losses.rows import row_inputs
from crucible.backends.losses.spans import Span, check_spans, part_of
from crucible.errors import BackendError, DataError, SpecError
from crucible.text import Datum

__all__ = ["SaidEdge", "Sides", "chirality", "citation_validity", "regularised", "topological"]

_LEAST = 1e-7  # nearest that 1 - p comes to 0


class SaidEdge(msgspec.Struct, frozen=True):
    """An edge of a claim graph, and the tokens that say it.

    Attributes:
        source: The claim that supports.
        target: The claim that it supports; the same one where a claim supports itself.
        span: Where it is said.
    """

    source: str
    target: str
    span: Span


class Sides(msgspec.Struct, frozen=True):
    """The tokens of the two sides of an argument.

    Attributes:
        thesis: Where the one is argued, at least one span.
        antithesis: Where the other is.
    """

    thesis: tuple[Span, ...]
    antithesis: tuple[Span, ...]


def topological(edges: Sequence[Sequence[SaidEdge]]) -> CustomLoss:
    """Return a loss that pushes down circular support: sum over data of trace(exp(W)) - n.

    W (n, n) holds, for the n claims of a datum, at (source, target) the probability of the edge: the geometric mean of
    the probabilities of its tokens, exp(mean lp), summed where several edges join the same two. The loss is the
    sum over k of the weight of all closed walks of length k, over k!: it is 0, with a gradient of 0, exactly where the
    graph has no directed cycle, so for a chain and a diamond, and above 0 for every cycle. A long one hardly counts:
    a ring of k sure edges is k / k!, 1 of two claims, 0.04 of five, and nothing in float32 of more than twelve (below
    1e-8). Short ones count the more: an edge from a claim to itself that is said n times is up to exp(n) - 1, which is
    beyond float32 from n = 89 on; give an edge that a text repeats once.

    The gradient by a token's log-probability, for an edge i -> j of weight w said by m tokens, is exp(W)[j, i] * w / m:
    how much leads back from j to i.

    Args:
        edges: The edges of each datum, in the order of the data; of one without a graph, none.

    Raises:
        DataError: There are not as many lists as data, or a span lies outside of its datum.

    Source:
        Zheng et al. (2018), NeurIPS, proposition 2: trace(exp(B)) = n exactly where the graph of a B without negative
        entries is acyclic. Al-Mohy & Higham (2011), SIAM J. Scientific Computing 33(2):488-511, theorem 2.1, for
        exp(W) - I by a larger exponential.
    """

    def loss(data: Sequence[Datum], logprobs: list[torch.Tensor]) -> tuple[torch.Tensor, dict[str, float]]:
        check_spans(data, [[edge.span for edge in said] for said in edges], "edges")
        total = _nothing(logprobs)
        for lp, said in zip(logprobs, edges, strict=True):
            total = total + _closed_walks(lp, said)
        return total, {"topological": float(total.detach())}

    return loss


def chirality(sides: Sequence[Sides | None]) -> CustomLoss:
    """Return a loss that pulls both sides of an argument towards one likelihood: sum of (m_thesis - m_antithesis)².

    m is the mean log-probability of the tokens of a side. The loss is 0 where the model finds both equally likely,
    whatever their lengths. The gradient by the log-probability of a token of the thesis is 2 d / n, of the antithesis
    -2 d / n, with d = m_thesis - m_antithesis and n the tokens of that side: it raises the one and lowers the other,
    so it belongs beside a loss that raises both.

    Args:
        sides: Those of each datum, in the order of the data; None for one that does not argue.

    Raises:
        DataError: There are not as many as data, a span lies outside of its datum, or a side has none.
    """

    def loss(data: Sequence[Datum], logprobs: list[torch.Tensor]) -> tuple[torch.Tensor, dict[str, float]]:
        every = [[] if each is None else [*each.thesis, *each.antithesis] for each in sides]
        check_spans(data, every, "sides")
        total = _nothing(logprobs)
        for number, (lp, each) in enumerate(zip(logprobs, sides, strict=True)):
            if each is None:
                continue
            if not each.thesis or not each.antithesis:
                raise DataError(f"sides of datum {number}: both need a span; give None for one that does not argue")
            difference = _mean(lp, each.thesis) - _mean(lp, each.antithesis)
            total = total + difference.square()
        return total, {"chirality": float(total.detach())}

    return loss


def citation_validity(invalid: Sequence[Sequence[Span]]) -> CustomLoss:
    """Return a loss that pushes down citations of sources that are not there: -sum over them of log(1 - p).

    p is the probability of the whole citation, the product of those of its tokens. The gradient by the log-probability
    of each of its tokens is p / (1 - p); valid citations are left to the loss beside it. 1 - p is taken to be at least
    1e-7, where the gradient stays what it is at that point.

    Args:
        invalid: Where each datum cites what is not in its evidence, in the order of the data.

    Raises:
        DataError: There are not as many lists as data, or a span lies outside of its datum.

    Source:
        Welleck et al. (2020), ICLR, equation 4: unlikelihood, here of a span.
    """

    def loss(data: Sequence[Datum], logprobs: list[torch.Tensor]) -> tuple[torch.Tensor, dict[str, float]]:
        check_spans(data, invalid, "invalid")
        total = _nothing(logprobs)
        for lp, spans in zip(logprobs, invalid, strict=True):
            for span in spans:
                whole = part_of(lp, span).sum()  # log p
                below = whole + (whole.clamp(max=-_LEAST) - whole).detach()  # moved, the gradient passing through
                total = total - _log_of_rest(below)
        return total, {"citation_validity": float(total.detach()), "invalid_citations": float(sum(map(len, invalid)))}

    return loss


def regularised(
    *terms: tuple[float, CustomLoss], base: str | Loss = "cross_entropy", base_weight: float = 1.0
) -> CustomLoss:
    """Return the loss `base_weight * base + sum of weight * term`, which reports every part before its weight.

    The usual mix is 0.55 of `cross_entropy`, 0.1 of `topological`, 0.15 of `chirality` and 0.2 of `citation_validity`.
    The base is a sum over tokens; where it is to be a mean, divide the weights of the data. What parts report by one
    name is added up.

    Args:
        terms: A finite weight and a loss each.
        base: A loss over tokens, by name or itself.
        base_weight: Its weight.

    Raises:
        SpecError: A weight is not finite.
        BackendError: The base is unknown, or needs what only a session computes, such as the entropy.
    """
    for weight in (base_weight, *(weight for weight, _ in terms)):
        if not abs(weight) < float("inf"):
            raise SpecError(f"a weight must be finite, got {weight}", path="weights", code="loss")
    compute = resolve(base)
    computed = next((name for name in requirements(compute) if name in COMPUTED), None)
    if computed is not None:
        raise BackendError(
            f"the base {name_of(compute)!r} needs the {computed} of the whole distribution, which a loss of "
            "log-probabilities is not given; call forward_backward with it beside forward_backward_custom instead"
        )

    def loss(data: Sequence[Datum], logprobs: list[torch.Tensor]) -> tuple[torch.Tensor, dict[str, float]]:
        flat = torch.cat([lp.reshape(-1) for lp in logprobs])
        inputs = row_inputs(data, [range(len(datum)) for datum in data], device=str(flat.device))
        value, parts = evaluate(compute, flat, inputs)
        metrics = {name: float(part.detach()) for name, part in parts.items()}
        metrics[name_of(compute)] = float(value.detach())
        total = base_weight * value
        for weight, term in terms:
            part, reported = term(data, logprobs)
            total = total + weight * part
            for name, number in reported.items():
                metrics[name] = metrics.get(name, 0.0) + number
        return total, metrics

    return loss


def _closed_walks(lp: torch.Tensor, edges: Sequence[SaidEdge]) -> torch.Tensor:
    """Return trace(exp(W)) - n of one datum's graph."""
    if not edges:
        return lp.new_zeros(())
    names = dict.fromkeys(name for edge in edges for name in (edge.source, edge.target))
    place = {name: number for number, name in enumerate(names)}
    weights = torch.stack([part_of(lp, edge.span).mean().exp() for edge in edges])  # (E,)
    flat = torch.tensor([place[edge.source] * len(place) + place[edge.target] for edge in edges], device=lp.device)
    n = len(place)
    square = lp.new_zeros(n * n).index_add(0, flat, weights).view(n, n)
    # exp([[W, I], [0, 0]]) has phi at its upper right, where exp(W) = I + W phi: trace(W phi) is what is wanted, with
    # no n to subtract in which a small one would be lost
    upper = torch.cat([square, torch.eye(n, dtype=lp.dtype, device=lp.device)], dim=1)  # (n, 2n)
    whole = cast("torch.Tensor", torch.linalg.matrix_exp(torch.cat([upper, torch.zeros_like(upper)])))  # (2n, 2n)
    phi = whole[:n, n:]  # (n, n)
    return (square * phi.T).sum()


def _log_of_rest(logarithm: torch.Tensor) -> torch.Tensor:
    """Return log(1 - exp(x)) of x below 0, to the last digits at both ends (Maechler 2012, vignette of Rmpfr)."""
    near, far = torch.log(-torch.expm1(logarithm)), torch.log1p(-logarithm.exp())
    return torch.where(logarithm > -0.6931, near, far)


def _mean(lp: torch.Tensor, spans: Sequence[Span]) -> torch.Tensor:
    return torch.cat([part_of(lp, span) for span in spans]).mean()


def _nothing(logprobs: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return a 0 that depends on the log-probabilities, so that data without the thing have a gradient: zeros."""
    return torch.stack([lp.sum() for lp in logprobs]).sum() * 0.0
