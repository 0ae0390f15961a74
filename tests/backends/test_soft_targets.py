"""Several candidates a position in a local session: sums, gradients against plain PyTorch, a teacher's agreement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
import torch

from crucible.backends import losses
from crucible.backends.local_adapter import LocalAdapter
from crucible.backends.local_base import LoadedBase
from crucible.errors import DataError
from crucible.ir import LoraConfig
from crucible.text import Datum, ModelInput, SoftTargets

VOCABULARY = 320


@pytest.fixture
def config(base_folder: Any) -> LoraConfig:
    """Without dropout."""
    return LoraConfig(base_model=str(base_folder), rank=4, dropout=0.0, seed=7)


@pytest.fixture
def adapter(config: LoraConfig, base: LoadedBase) -> LocalAdapter:
    """A fresh adapter whose B matrices are no longer zero."""
    return drawn(config, base)


def drawn(config: LoraConfig, base: LoadedBase, seed: int = 3) -> LocalAdapter:
    """An adapter with weights that are all drawn."""
    adapter = LocalAdapter(config, base)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for view in adapter.weights._weights.values():
            view.copy_(torch.randn(view.shape, generator=generator) * 0.1)
    return adapter


def soft(datum: Datum, k: int = 3, **inputs: float) -> Datum:
    """The datum with k candidates a position, weights of both signs and 0."""
    rows = range(len(datum))
    targets = SoftTargets(
        tuple(tuple((7 * row + 11 * place) % VOCABULARY for place in range(k)) for row in rows),
        tuple(tuple(0.5 - (row + place) % 3 * 0.5 + place * 0.1 for place in range(k)) for row in rows),
        {name: tuple(tuple(value - place for place in range(k)) for _ in rows) for name, value in inputs.items()},
    )
    return msgspec.structs.replace(datum, soft_targets=targets)


def whole_logprobs(adapter: LocalAdapter, datum: Datum) -> torch.Tensor:
    """All (T, V) log-probabilities of a datum's positions by transformers and PEFT, with their graph."""
    ids = torch.tensor([datum.model_input.tokens])
    return adapter.model.model(input_ids=ids, use_cache=False).logits[0].log_softmax(-1)


def gradient(adapter: LocalAdapter) -> torch.Tensor:
    """The accumulated gradient; it is cleared."""
    found = adapter.weights._gradient.clone()
    adapter.weights._gradient.zero_()
    return found


def test_cross_entropy_is_the_sum_over_positions_and_candidates(adapter: LocalAdapter, data: list[Datum]) -> None:
    """-sum_t sum_k weights[t] w[t, k] lp[t, k], value and gradient, of plain PyTorch over the whole vocabulary."""
    batch = [soft(datum) for datum in data]
    found = adapter.forward_backward(batch, "cross_entropy", None)
    mine = gradient(adapter)
    total = torch.zeros(())
    for datum in batch:
        assert datum.soft_targets is not None
        logprobs = whole_logprobs(adapter, datum).gather(1, torch.tensor(datum.soft_targets.tokens))  # (T, K)
        weights = torch.tensor(datum.weights)[:, None] * torch.tensor(datum.soft_targets.weights)
        total = total - (weights * logprobs).sum()
    total.backward()
    plain = gradient(adapter)
    assert found.loss == pytest.approx(total.item(), rel=1e-5)
    assert torch.allclose(mine, plain, atol=1e-5 * float(plain.abs().max()))


def test_the_answer_has_a_row_of_candidates_a_position(adapter: LocalAdapter, data: list[Datum]) -> None:
    """Beside data without; none where the weight is 0, all of them in a forward."""
    batch = [soft(data[0]), data[1]]
    trained, seen = (
        adapter.forward_backward(batch, "cross_entropy", None),
        adapter.forward(batch, "cross_entropy", None),
    )
    assert trained.logprobs[0] == seen.logprobs[0] == [None] * len(data[0])
    assert trained.soft_logprobs[1] == seen.soft_logprobs[1] == []
    assert [len(row) for row in trained.soft_logprobs[0]] == [3 if weight else 0 for weight in data[0].weights]
    assert [len(row) for row in seen.soft_logprobs[0]] == [3] * len(data[0])
    with torch.no_grad():
        whole = whole_logprobs(adapter, batch[0])
    assert batch[0].soft_targets is not None
    for row, tokens, expected in zip(seen.soft_logprobs[0], batch[0].soft_targets.tokens, whole, strict=True):
        assert row == pytest.approx(expected[list(tokens)].tolist(), abs=1e-5)
    alone = adapter.forward([data[1]], "cross_entropy", None)
    assert seen.logprobs[1] == pytest.approx(alone.logprobs[0], abs=1e-6)
    assert alone.soft_logprobs == []
    assert seen.metrics["weighted_tokens:sum"] == sum(sum(w != 0 for w in datum.weights) for datum in batch)


def test_one_candidate_is_the_target_itself(adapter: LocalAdapter, data: list[Datum]) -> None:
    """With a weight of 1: the same loss, the same gradient."""
    single = [
        msgspec.structs.replace(
            datum, soft_targets=SoftTargets(tuple((t,) for t in datum.target_tokens), ((1.0,),) * len(datum))
        )
        for datum in data
    ]
    expected = adapter.forward_backward(data, "cross_entropy", None)
    hard = gradient(adapter)
    found = adapter.forward_backward(single, "cross_entropy", None)
    assert found.loss == pytest.approx(expected.loss, rel=1e-6)
    assert torch.allclose(gradient(adapter), hard, atol=1e-6 * float(hard.abs().max()))


def test_a_positions_inputs_are_those_of_each_of_its_candidates(adapter: LocalAdapter, data: list[Datum]) -> None:
    """Where the candidates have none of their own."""
    of_positions = [
        msgspec.structs.replace(soft(datum), loss_inputs={"targets": (0.25,) * len(datum)}) for datum in data[:2]
    ]
    of_candidates = []
    for datum in data[:2]:
        given = soft(datum)
        assert given.soft_targets is not None
        targets = msgspec.structs.replace(given.soft_targets, loss_inputs={"targets": ((0.25,) * 3,) * len(datum)})
        of_candidates.append(msgspec.structs.replace(given, soft_targets=targets))
    one, other = (adapter.forward(batch, "mse", None).loss for batch in (of_positions, of_candidates))
    assert one == other != 0


def teach(teacher: LocalAdapter, datum: Datum, k: int) -> Datum:
    """The datum with the teacher's k likeliest tokens, its probabilities as weights and its log-probabilities."""
    with torch.no_grad():
        values, tokens = whole_logprobs(teacher, datum).topk(k, dim=-1)
    rows = tuple(map(tuple, values.tolist()))
    return msgspec.structs.replace(
        datum,
        soft_targets=SoftTargets(
            tuple(map(tuple, tokens.tolist())),
            tuple(tuple(math.exp(value) for value in row) for row in rows),
            {"reference_logprobs": rows},
        ),
    )


def scored(teacher: LocalAdapter, datum: Datum, k: int) -> Datum:
    """As `teach`, with log-probabilities as the engine itself gives them: equal to the bit for an equal student."""
    taught = teach(teacher, datum, k)
    assert taught.soft_targets is not None
    rows = tuple(map(tuple, teacher.forward([taught], "cross_entropy", None).soft_logprobs[0]))
    return msgspec.structs.replace(
        taught, soft_targets=msgspec.structs.replace(taught.soft_targets, loss_inputs={"reference_logprobs": rows})
    )


@pytest.mark.parametrize("k", [5, VOCABULARY])
def test_where_teacher_and_student_agree_the_gradient_is_zero_to_the_bit(
    config: LoraConfig, base: LoadedBase, data: list[Datum], k: int
) -> None:
    """With kl_divergence, over the likeliest few and over the whole vocabulary; and it is not where they differ."""
    teacher, student, other = drawn(config, base), drawn(config, base), drawn(config, base, seed=4)
    every = msgspec.structs.replace(data[0], weights=(1.0,) * len(data[0]))  # so that both compute the same rows
    batch = [scored(teacher, every, k)]
    agreed = student.forward_backward(batch, "kl_divergence", None)
    assert agreed.loss == 0
    assert not gradient(student).any()
    differing = other.forward_backward(batch, "kl_divergence", None)
    assert differing.loss > 0
    assert gradient(other).any()


def test_cross_entropy_over_the_whole_vocabulary_is_at_rest_where_they_agree(
    config: LoraConfig, base: LoadedBase, data: list[Datum]
) -> None:
    """To rounding: p - w is 0 for every token; over a few only it is not, which is why kl_divergence is for those."""
    teacher, student, other = drawn(config, base), drawn(config, base), drawn(config, base, seed=4)
    whole, few = [teach(teacher, data[0], VOCABULARY)], [teach(teacher, data[0], 5)]
    other.forward_backward(whole, "cross_entropy", None)
    scale = float(gradient(other).norm())
    student.forward_backward(whole, "cross_entropy", None)
    assert float(gradient(student).norm()) < 1e-5 * scale
    student.forward_backward(few, "cross_entropy", None)
    assert float(gradient(student).norm()) > 1e-2 * scale


def test_kl_over_the_whole_vocabulary_is_the_divergence_and_has_its_gradient(
    config: LoraConfig, base: LoadedBase, data: list[Datum]
) -> None:
    """KL(teacher || student) at every position that counts, by plain PyTorch."""
    teacher, student = drawn(config, base), drawn(config, base, seed=4)
    batch = [teach(teacher, datum, VOCABULARY) for datum in data[:2]]
    found = student.forward_backward(batch, "kl_divergence", None)
    mine = gradient(student)
    total = torch.zeros(())
    for datum in batch:
        with torch.no_grad():
            wanted = whole_logprobs(teacher, datum)
        logprobs = whole_logprobs(student, datum)
        divergences = (wanted.exp() * (wanted - logprobs)).sum(-1)  # (T,)
        total = total + (torch.tensor(datum.weights) * divergences).sum()
    total.backward()
    plain = gradient(student)
    assert found.loss == pytest.approx(total.item(), rel=1e-3)
    assert torch.allclose(mine, plain, atol=1e-4 * float(plain.abs().max()))


def test_a_custom_loss_sees_a_matrix(adapter: LocalAdapter, data: list[Datum]) -> None:
    """(T, K) of a datum with soft targets, (T,) of others; in one pass, and in several."""
    batch = [soft(data[0]), data[1], soft(data[2], k=2)]
    expected = adapter.forward_backward(batch, "cross_entropy", None)
    named = gradient(adapter)
    shapes: list[tuple[int, ...]] = []

    def fn(items: Sequence[Datum], logprobs: list[torch.Tensor]) -> tuple[torch.Tensor, dict[str, float]]:
        shapes.extend(tuple(each.shape) for each in logprobs)
        total = torch.zeros(())
        for datum, each in zip(items, logprobs, strict=True):
            weights = torch.tensor(datum.weights)
            if datum.soft_targets is not None:
                weights = weights[:, None] * torch.tensor(datum.soft_targets.weights)
            total = total - (weights * each).sum()
        return total, {}

    found = adapter.forward_backward_custom(batch, fn)
    assert shapes == [(len(batch[0]), 3), (len(batch[1]),), (len(batch[2]), 2)]
    assert found.loss == pytest.approx(expected.loss, rel=1e-5)
    assert torch.allclose(gradient(adapter), named, atol=1e-5 * float(named.abs().max()))
    assert [len(row) for row in found.soft_logprobs[2]] == [2] * len(batch[2])


def test_a_custom_loss_in_pieces(adapter: LocalAdapter, data: list[Datum], monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the gradient that it has in one pass."""
    batch = [soft(datum) for datum in data]

    def fn(_: Any, logprobs: list[torch.Tensor]) -> tuple[torch.Tensor, dict[str, float]]:
        return torch.stack([each.square().sum() for each in logprobs]).sum(), {}

    adapter.forward_backward_custom(batch, fn)
    whole = gradient(adapter)
    monkeypatch.setattr("crucible.backends.data_scoring.tokens_per_group", lambda *_, **__: 20)
    adapter.forward_backward_custom(batch, fn)
    assert torch.allclose(gradient(adapter), whole, atol=1e-5 * float(whole.abs().max()))


def test_the_entropy_term_trains_and_needs_nothing_of_the_data(adapter: LocalAdapter, data: list[Datum]) -> None:
    """Value and gradient of the whole distributions' entropy, by plain PyTorch; beside another loss."""
    mixed = losses.composite(["cross_entropy", "entropy"], [1.0, -0.5])
    found = adapter.forward_backward(data, mixed, None)
    mine = gradient(adapter)
    total, bonus = torch.zeros(()), torch.zeros(())
    for datum in data:
        whole = whole_logprobs(adapter, datum)
        weights = torch.tensor(datum.weights)
        total = total - (weights * whole.gather(1, torch.tensor(datum.target_tokens)[:, None])[:, 0]).sum()
        bonus = bonus - (weights * (whole.exp() * whole).sum(-1)).sum()
    (total - 0.5 * bonus).backward()
    plain = gradient(adapter)
    assert found.loss == pytest.approx((total - 0.5 * bonus).item(), rel=1e-5)
    assert found.metrics["loss/entropy:sum"] == pytest.approx(bonus.item(), rel=1e-5)
    assert torch.allclose(mine, plain, atol=1e-5 * float(plain.abs().max()))
    assert found.logprobs == adapter.forward_backward(data, "cross_entropy", None).logprobs


def test_the_entropy_is_computed_where_a_loss_asks_for_it_only(
    adapter: LocalAdapter, data: list[Datum], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No other loss pays for it."""
    asked: list[bool] = []
    whole = adapter._scoring.logprobs

    def noted(*given: Any, with_entropy: bool = False) -> Any:
        asked.append(with_entropy)
        return whole(*given, with_entropy=with_entropy)

    monkeypatch.setattr(adapter._scoring, "logprobs", noted)
    adapter.forward(data, "cross_entropy", None)
    adapter.forward(data, "entropy", None)
    adapter.forward(data, losses.composite(["mse", "entropy"], [1.0, 1.0]), None)
    assert asked == [False, True, True]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"tokens": ((1, VOCABULARY),)}, "datum 1 holds a token outside the vocabulary of 320: 320"),
        ({"tokens": ((1, -1),)}, "datum 1 holds a token outside the vocabulary of 320: -1"),
        ({"weights": ((1.0, float("nan")),)}, "datum 1 has a weight in soft_targets that is not finite"),
        ({"loss_inputs": {"q": ((1.0, float("inf")),)}}, r"datum 1 has a value in soft_targets.loss_inputs\['q'\]"),
    ],
)
def test_candidates_that_cannot_be_used(adapter: LocalAdapter, change: dict[str, Any], says: str) -> None:
    """Are refused by the number of the datum."""
    inputs = {"q": (0.0,)} if "loss_inputs" in change else {}
    fine = Datum(ModelInput((5,)), (6,), (1.0,), inputs)
    targets = SoftTargets(**{"tokens": ((1, 2),), "weights": ((0.5, 0.5),), **change})
    with pytest.raises(DataError, match=says):
        adapter.forward([fine, Datum(ModelInput((5,)), (6,), (1.0,), soft_targets=targets)], "cross_entropy", None)


def test_what_the_session_computes_is_not_taken_from_the_data(adapter: LocalAdapter) -> None:
    """An entropy in loss_inputs would be a number that no gradient comes from."""
    datum = Datum(ModelInput((5,)), (6,), (1.0,), {"entropy": (1.0,)})
    with pytest.raises(DataError, match="'entropy', which the session computes"):
        adapter.forward([datum], "entropy", None)
