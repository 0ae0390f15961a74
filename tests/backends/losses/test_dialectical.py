"""The regularisers on what is argued: closed forms, exact zeros, and gradients by finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from crucible.backends import AdamParams, LocalBackend
from crucible.backends.losses import CustomLoss, composite, gradient_of
from crucible.backends.losses.dialectical import SaidEdge, Sides, chirality, citation_validity, regularised, topological
from crucible.backends.losses.spans import spans_of
from crucible.errors import BackendError, DataError, NonFiniteLoss, SpecError
from crucible.ir import LoraConfig
from crucible.text import Datum, ModelInput, Tokenizer

LP = torch.tensor([-0.1, -0.7, -0.3, -1.2, -0.05, -2.0, -0.4, -0.9], dtype=torch.float64)


def datum(length: int = len(LP)) -> Datum:
    """A datum of so many tokens."""
    tokens = tuple(range(length))
    return Datum(ModelInput(tokens), tokens, (1.0,) * length)


def value(loss: CustomLoss, *logprobs: torch.Tensor) -> float:
    """Return the loss of data with these log-probabilities."""
    return gradient_of(loss, [datum(len(lp)) for lp in logprobs], logprobs)[0]


def gradients(loss: CustomLoss, *logprobs: torch.Tensor) -> list[torch.Tensor]:
    """Return its derivatives."""
    return gradient_of(loss, [datum(len(lp)) for lp in logprobs], logprobs)[1]


def by_differences(loss: CustomLoss, logprobs: Sequence[torch.Tensor], step: float = 1e-6) -> list[torch.Tensor]:
    """Return its derivatives by central differences."""
    found = []
    for number, lp in enumerate(logprobs):
        slopes = torch.zeros_like(lp)
        for place in range(len(lp)):
            ends = []
            for sign in (1, -1):
                moved = [each.clone() for each in logprobs]
                moved[number][place] += sign * step
                ends.append(value(loss, *moved))
            slopes[place] = (ends[0] - ends[1]) / (2 * step)
        found.append(slopes)
    return found


def edges(*pairs: str) -> list[SaidEdge]:
    """Return edges such as `ab`, each said by two tokens."""
    return [SaidEdge(pair[0], pair[1], (2 * place, 2 * place + 2)) for place, pair in enumerate(pairs)]


CYCLIC = topological([edges("ab", "bc", "ca", "ba")])
ARGUED = chirality([Sides(((0, 2), (5, 6)), ((2, 5),))])
CITED = citation_validity([[(0, 2), (5, 7)]])


@pytest.mark.parametrize(
    "loss", [CYCLIC, ARGUED, CITED, regularised((0.1, CYCLIC), (0.15, ARGUED), (0.2, CITED), base_weight=0.55)]
)
def test_gradients_are_those_of_finite_differences(loss: CustomLoss) -> None:
    """Of each term and of their mix, to 1e-7."""
    (exact,) = gradients(loss, LP)
    assert exact.abs().max() > 1e-3
    torch.testing.assert_close(exact, by_differences(loss, [LP])[0], rtol=1e-6, atol=1e-7)


# --- topological ---


def test_two_claims_that_support_each_other() -> None:
    """trace(exp) - 2 of [[0, p], [q, 0]] is 2 cosh(sqrt(pq)) - 2."""
    p, q = math.exp((LP[0] + LP[1]) / 2), math.exp((LP[2] + LP[3]) / 2)
    loss = topological([edges("ab", "ba")])
    assert value(loss, LP) == pytest.approx(2 * math.cosh(math.sqrt(p * q)) - 2, rel=1e-12)
    (found,) = gradients(loss, LP)
    slope = math.sinh(math.sqrt(p * q)) * math.sqrt(p * q) / 2  # of each of the four tokens
    assert found.tolist() == pytest.approx([slope] * 4 + [0.0] * 4, rel=1e-12)


def test_a_faint_circle_is_not_lost_to_rounding() -> None:
    """In float32, of probabilities of 1e-5, where trace(exp) - 2 would be 0."""
    faint = torch.full((4,), math.log(1e-5), dtype=torch.float32)
    assert value(topological([edges("ab", "ba")]), faint) == pytest.approx(1e-10, rel=1e-4)


def test_a_claim_that_supports_itself() -> None:
    """exp(p) - 1."""
    p = math.exp((LP[0] + LP[1]) / 2)
    assert value(topological([edges("aa")]), LP) == pytest.approx(math.exp(p) - 1, rel=1e-12)


@pytest.mark.parametrize(
    "pairs", [["ab", "bc", "cd"], ["ab", "ac", "bd", "cd"], ["ab", "bc", "ac"], ["ba", "cb", "ca"]]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_without_a_directed_cycle_it_is_exactly_0(pairs: list[str], dtype: torch.dtype) -> None:
    """A chain, a diamond, a transitive triangle and one the other way around: value and gradient, in float32 too."""
    loss = topological([edges(*pairs)])
    lp = LP.to(dtype)
    assert value(loss, lp) == 0.0
    assert gradients(loss, lp)[0].tolist() == [0.0] * len(LP)


def test_an_edge_said_twice_counts_twice() -> None:
    """Its weights add up; data without a graph add nothing."""
    p, q, r = (math.exp((LP[i] + LP[i + 1]) / 2) for i in (0, 2, 4))
    loss = topological([edges("ab", "ba", "ab"), []])
    assert value(loss, LP, LP[:3]) == pytest.approx(2 * math.cosh(math.sqrt((p + r) * q)) - 2, rel=1e-12)
    assert gradients(loss, LP, LP[:3])[1].tolist() == [0.0] * 3


# --- chirality ---


def test_sides_are_compared_by_their_means() -> None:
    """(m_thesis - m_antithesis)², and 2 d / n of each token: the sum over both sides of n times it is 0."""
    one, other = LP[[0, 1, 5]].mean().item(), LP[[2, 3, 4]].mean().item()
    assert value(ARGUED, LP) == pytest.approx((one - other) ** 2, rel=1e-12)
    slope = 2 * (one - other) / 3
    (found,) = gradients(ARGUED, LP)
    assert found.tolist() == pytest.approx([slope, slope, -slope, -slope, -slope, slope, 0, 0], rel=1e-12)


def test_equally_likely_sides_cost_nothing() -> None:
    """Whatever their lengths; what does not argue costs nothing either."""
    level = torch.full((6,), -0.5, dtype=torch.float64)
    loss = chirality([Sides(((0, 1),), ((1, 5),)), None])
    assert value(loss, level, LP) == 0.0


# --- citation validity ---


def test_invalid_citations_are_made_unlikely() -> None:
    """-log(1 - p) of the whole citation, p / (1 - p) by each of its tokens; what is valid is left alone."""
    loss = citation_validity([[(0, 2)]])
    p = math.exp(LP[0] + LP[1])
    assert value(loss, LP) == pytest.approx(-math.log(1 - p), rel=1e-12)
    assert gradients(loss, LP)[0].tolist() == pytest.approx([p / (1 - p)] * 2 + [0.0] * 6, rel=1e-12)
    assert value(citation_validity([[]]), LP) == 0.0


def test_an_unlikely_citation_is_not_lost_to_rounding() -> None:
    """In float32, at p = e^-40: the loss is p, and so is its gradient."""
    faint = torch.full((2,), -20.0, dtype=torch.float32)
    loss = citation_validity([[(0, 2)]])
    assert value(loss, faint) == pytest.approx(math.exp(-40), rel=1e-5)
    assert gradients(loss, faint)[0].tolist() == pytest.approx([math.exp(-40)] * 2, rel=1e-5)


def test_a_certain_citation_has_a_finite_gradient() -> None:
    """At p = 1 it is about 1e7, and not infinite."""
    certain = torch.zeros(3, dtype=torch.float64)
    (found,) = gradients(citation_validity([[(0, 2)]]), certain)
    assert found[0] == pytest.approx(1e7, rel=1e-3)
    assert found.isfinite().all()


# --- together ---


def test_the_mix_reports_every_part_before_its_weight() -> None:
    """And adds them up."""
    loss = regularised((0.1, CYCLIC), (0.15, ARGUED), (0.2, CITED), base_weight=0.55)
    whole, _, metrics = gradient_of(loss, [datum()], [LP])
    assert metrics["cross_entropy"] == pytest.approx(-LP.sum().item())
    parts = {"cross_entropy": 0.55, "topological": 0.1, "chirality": 0.15, "citation_validity": 0.2}
    assert whole == pytest.approx(sum(weight * metrics[name] for name, weight in parts.items()))
    assert metrics["invalid_citations"] == 2.0


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (topological([]), "edges: one entry a datum is needed, got 0 for 1 data"),
        (topological([[SaidEdge("a", "b", (3, 3))]]), r"edges of datum 0: the span \(3, 3\) is empty"),
        (chirality([Sides(((0, 9),), ((1, 2),))]), r"sides of datum 0: .* outside of its 8 target tokens"),
        (chirality([Sides((), ((1, 2),))]), "sides of datum 0: both need a span; give None"),
        (citation_validity([[(-1, 2)]]), r"invalid of datum 0: the span \(-1, 2\)"),
    ],
)
def test_spans_that_do_not_fit_are_refused(loss: CustomLoss, message: str) -> None:
    """With the number of the datum."""
    with pytest.raises(DataError, match=message):
        value(loss, LP)


def test_weights_and_bases_that_cannot_be_are_refused() -> None:
    """When the loss is made."""
    with pytest.raises(SpecError, match="a weight must be finite, got nan"):
        regularised((math.nan, CITED))
    with pytest.raises(BackendError, match="unknown loss"):
        regularised((1.0, CITED), base="cross_entrop")


# --- spans and training ---


def test_spans_are_found_by_their_text(tokenizer: Tokenizer) -> None:
    """Every place that says it, and nothing else; characters of several bytes too."""
    text = "printer on floor 3 [doc-3] is broken [doc-3] \N{SNOWMAN} [doc-4]"
    tokens = tokenizer.encode(text)
    spans = spans_of(tokenizer, tokens, "[doc-3]")
    assert [tokenizer.decode(list(tokens[start:stop])).strip() for start, stop in spans] == ["[doc-3]", "[doc-3]"]
    assert spans[0][1] <= spans[1][0]
    (last,) = spans_of(tokenizer, tokens, "[doc-4]")
    assert tokenizer.decode(list(tokens[last[0] : last[1]])).strip() == "[doc-4]"
    assert spans_of(tokenizer, tokens, "[doc-5]") == []
    with pytest.raises(DataError, match="an empty text"):
        spans_of(tokenizer, tokens, "")


@pytest.mark.parametrize("term", ["topological", "chirality", "citation_validity"])
def test_training_on_a_term_lowers_it(base_folder: Path, tokenizer: Tokenizer, term: str) -> None:
    """Once the tiny model has learnt to say it, fifteen steps of a session on the term alone."""
    text = "c1 because c2 and c2 because c1, see [doc-9]"
    tokens = tokenizer.encode(text)
    item = Datum(ModelInput(tuple(tokens[:-1])), tuple(tokens[1:]), (1.0,) * (len(tokens) - 1))
    where: Callable[[str], tuple[int, int]] = lambda part: spans_of(tokenizer, item.target_tokens, part)[0]  # noqa: E731
    said = {
        "topological": topological(
            [[SaidEdge("2", "1", where(" because c2")), SaidEdge("1", "2", where(" because c1"))]]
        ),
        "chirality": chirality([Sides((where(" because c2"),), (where("c2 because c1"),))]),
        "citation_validity": citation_validity([[where("doc-9")]]),
    }
    config = LoraConfig(base_model=str(base_folder), rank=4, dropout=0.0)
    with LocalBackend().start_session(config) as session:
        seen: list[float] = []
        for _ in range(15):
            session.forward_backward([item])
            session.optim_step(AdamParams(learning_rate=0.02))
        for _ in range(15):
            seen.append(session.forward_backward_custom([item], said[term]).result().metrics[term])
            session.optim_step(AdamParams(learning_rate=0.02)).result()
    assert 0 < seen[-1] < seen[0]


@pytest.mark.parametrize("count", [2, 5, 12, 13, 20])
def test_a_ring_of_sure_edges_counts_as_little_as_its_length_says(count: int) -> None:
    """In float32, k / k! and higher windings; of more than twelve claims nothing, as the docstring warns."""
    names = [str(place) for place in range(count)]
    ring = [SaidEdge(names[place - 1], names[place], (place, place + 1)) for place in range(count)]
    found = value(topological([ring]), torch.zeros(count, dtype=torch.float32))
    expected = sum(count / math.factorial(turns * count) for turns in range(1, 5))
    assert found == (pytest.approx(expected, rel=1e-4) if count <= 12 else 0.0)


def test_an_edge_said_too_often_for_float32_is_told_and_not_trained_on() -> None:
    """An infinite loss is refused by the session as any other is."""
    loop = [SaidEdge("a", "a", (place, place + 1)) for place in range(120)]
    with pytest.raises(NonFiniteLoss, match="the custom loss is inf"):
        value(topological([loop]), torch.zeros(120, dtype=torch.float32))


def test_a_base_that_only_a_session_computes_is_refused_at_once() -> None:
    """By its name, wherever it is trained: log-probabilities alone do not tell the entropy."""
    with pytest.raises(BackendError, match="the base 'entropy' needs the entropy of the whole distribution"):
        regularised((1.0, CITED), base="entropy")
    with pytest.raises(BackendError, match="call forward_backward with it beside"):
        regularised((1.0, CITED), base=composite(["cross_entropy", "entropy"], [1.0, -0.1]))


def test_what_parts_report_by_one_name_is_added_up() -> None:
    """So that no part is lost."""
    ring = topological([edges("ab", "ba")])
    alone = gradient_of(ring, [datum()], [LP])[2]["topological"]
    metrics = gradient_of(regularised((0.1, ring), (0.2, ring)), [datum()], [LP])[2]
    assert metrics["topological"] == pytest.approx(2 * alone)
