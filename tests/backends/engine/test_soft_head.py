"""Several candidates a position and the entropy: those of the whole vocabulary's logits, with their gradient."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch

from crucible.backends.distribution import candidate_logprobs
from crucible.backends.engine import head, soft_head
from crucible.backends.engine.candidates import lay_out
from crucible.backends.engine.decoder_layer import Norm
from crucible.backends.engine.layout import ARCHITECTURES
from crucible.backends.engine.soft_head import head_distribution, logits_distribution
from crucible.backends.scoring import packed_layout, target_logprobs

INPUTS = [[3, 4, 5, 6, 7], [8, 9], list(range(20, 37))]
ASKED = [[0, 4], [1], list(range(3, 17))]
CANDIDATES = [
    [[(place * 7 + 3 * k) % 90 for k in range(1 + place % 4)] for place in asked] for asked in ASKED
]  # 1 to 4 of them
ROWS = sum(len(each) for rows in CANDIDATES for each in rows)
FACTORS = torch.tensor([(-1.0) ** place * (place % 5 + 0.5) for place in range(ROWS)])
SLOPES = torch.tensor([0.3 * (place % 3) - 0.2 for place in range(ROWS)])


def alone(model: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Each sequence by itself through transformers and PEFT, all logits: candidates, and each one's entropy."""
    logprobs, entropies = [], []
    for tokens, asked, rows in zip(INPUTS, ASKED, CANDIDATES, strict=True):
        whole = model(torch.tensor([tokens]), use_cache=False).logits[0].log_softmax(-1)
        for place, candidates in zip(asked, rows, strict=True):
            logprobs.append(whole[place, torch.tensor(candidates)])
            entropies.append(-(whole[place].exp() * whole[place]).sum().expand(len(candidates)))
    return torch.cat(logprobs), torch.cat(entropies)


def together(model: Any, **more: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """All of them in one call."""
    logprobs, entropy = candidate_logprobs(
        model, INPUTS, CANDIDATES, ASKED, pad_id=0, device="cpu", with_entropy=True, **more
    )
    assert entropy is not None
    return logprobs, entropy


def gradients(model: Any, found: tuple[torch.Tensor, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Of a sum of both with factors of both signs."""
    ((found[0] * FACTORS).sum() + (found[1] * SLOPES).sum()).backward()
    result = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return result


def check_equal(model: Any) -> None:
    """Values and gradients of every adapter matrix, to 1e-5 of its largest entry."""
    found, expected = together(model), alone(model)
    assert torch.allclose(found[0], expected[0], atol=1e-5)
    assert torch.allclose(found[1], expected[1], atol=1e-5)
    one, other = gradients(model, found), gradients(model, expected)
    assert one.keys() == other.keys()
    assert max(((one[n] - other[n]).abs().max() / other[n].abs().max()).item() for n in other) < 1e-5


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_values_and_adapter_gradients_are_pefts(kind: str, build_decoder: Callable[..., Any]) -> None:
    """Of every architecture that is packed."""
    model = build_decoder(kind)
    assert packed_layout(model, device="cpu") is not None
    check_equal(model)


def test_a_head_that_is_adapted_goes_through_its_own_module(build_decoder: Callable[..., Any]) -> None:
    """With the same numbers."""
    check_equal(build_decoder("llama", ["lm_head", "k_proj"]))


def test_a_model_that_is_not_packed_gives_the_same(build_decoder: Callable[..., Any]) -> None:
    """Padded, through transformers' own code."""
    model = build_decoder("llama")
    expected = together(model)
    other = copy.deepcopy(model)
    other.config.model_type = "unknown-architecture"
    assert packed_layout(other, device="cpu") is None
    found = together(other)
    assert torch.allclose(found[0], expected[0], atol=1e-5)
    assert torch.allclose(found[1], expected[1], atol=1e-5)
    one, two = gradients(other, found), gradients(model, expected)
    assert max(((one[n] - two[n]).abs().max() / two[n].abs().max()).item() for n in two) < 1e-5


def test_beyond_a_sliding_window_the_models_own_mask_holds(build_decoder: Callable[..., Any]) -> None:
    """Sequences longer than attention reaches are not packed."""
    check_equal(build_decoder("mistral", sliding_window=6))


def test_one_candidate_a_position_is_the_target(build_decoder: Callable[..., Any]) -> None:
    """To the bit what the head for single targets gives."""
    model = build_decoder("qwen3")
    targets = [[place % 90 for place in range(len(tokens))] for tokens in INPUTS]
    single = target_logprobs(model, INPUTS, targets, ASKED, pad_id=0, device="cpu")
    rows = [[(own[place],) for place in asked] for own, asked in zip(targets, ASKED, strict=True)]
    found, entropy = candidate_logprobs(model, INPUTS, rows, ASKED, pad_id=0, device="cpu")
    assert entropy is None
    assert torch.equal(found, single)


def test_logits_are_made_some_rows_at_a_time(
    build_decoder: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However small the pieces, forward and backward: the numbers stay."""
    model = build_decoder("llama")
    expected = together(model)
    kept = gradients(model, expected)
    seen: list[int] = []
    monkeypatch.setattr(soft_head, "logit_rows", lambda *_: seen.append(1) or 3)
    monkeypatch.setattr(soft_head, "_GATHERED", 5 * 32)
    found = together(model)
    assert seen == [1]
    assert torch.allclose(found[0], expected[0], atol=1e-6)
    again = gradients(model, found)
    assert max(((again[n] - kept[n]).abs().max() / kept[n].abs().max()).item() for n in kept) < 1e-5


def test_no_logits_are_kept_for_the_backward_pass() -> None:
    """What is saved is as wide as the stream, not as the vocabulary: memory does not grow with it."""
    x = torch.randn(6, 8, requires_grad=True)
    norm, weight = Norm(torch.ones(8), 1e-6), torch.randn(4000, 8)
    saved: list[tuple[int, ...]] = []
    candidates = lay_out([range(5)] * 6, device="cpu")

    def note(tensor: torch.Tensor) -> torch.Tensor:
        saved.append(tuple(tensor.shape))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        logprobs, entropy = head_distribution(x, norm, weight, candidates, torch.float32, with_entropy=True)
    assert entropy is not None
    assert sorted(saved) == [(6, 1), (6, 8), (6, 8), (6, 8), (4000, 8)]  # the last is the head itself
    assert logprobs.shape == (30,)


@pytest.mark.parametrize(("push", "expected"), [(0.0, 3.912023), (100.0, 0.0)])
def test_the_entropy_lies_between_certainty_and_log_v(push: float, expected: float) -> None:
    """Log V where all are as likely, 0 for a certain token; from the head and from logits."""
    x, norm, weight = torch.ones(2, 4), Norm(torch.ones(4), 0.0), torch.zeros(50, 4)
    weight[7] += push
    candidates = lay_out([[0], [1]], device="cpu")
    _, found = head_distribution(x, norm, weight, candidates, torch.float32, with_entropy=True)
    _, from_logits = logits_distribution(x @ weight.T, candidates, with_entropy=True)
    assert found is not None
    assert from_logits is not None
    assert found.tolist() == pytest.approx([expected] * 2, abs=1e-5)
    assert from_logits.tolist() == pytest.approx([expected] * 2, abs=1e-5)


def test_an_impossible_token_leaves_the_entropy_finite() -> None:
    """Logits of minus infinity have no share in it, and no gradient that is no number."""
    logits = torch.tensor([[0.0, 0.0, -torch.inf]], requires_grad=True)
    _, entropy = logits_distribution(logits, lay_out([[0]], device="cpu"), with_entropy=True)
    assert entropy is not None
    assert entropy.item() == pytest.approx(0.693147, rel=1e-5)
    entropy.sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_the_gradient_by_finite_differences(build_decoder: Callable[..., Any]) -> None:
    """Of both outputs, along the gradient of one adapter matrix."""
    model = build_decoder("llama")
    name = "model.layers.0.mlp.up_proj.lora_B.default.weight"
    found = gradients(model, together(model))[name]
    weight, direction = model.get_parameter(name), found / found.norm()
    sums = []
    for step in (1e-2, -1e-2):
        with torch.no_grad():
            weight.add_(direction, alpha=step)
            logprobs, entropy = together(model)
            sums.append(((logprobs * FACTORS).sum() + (entropy * SLOPES).sum()).double().item())
            weight.add_(direction, alpha=-step)
    assert (sums[0] - sums[1]) / 2e-2 == pytest.approx(found.norm().item(), rel=2e-2)


def test_nothing_asked_is_nothing_computed(build_decoder: Callable[..., Any]) -> None:
    """Empty tensors, without a pass."""
    model = build_decoder("llama", None)
    found = candidate_logprobs(model, [[1, 2]], [[]], [[]], pad_id=0, device="cpu", with_entropy=True)
    assert [None if each is None else each.shape for each in found] == [(0,), (0,)]


def test_mixed_precision_is_near(build_decoder: Callable[..., Any]) -> None:
    """bfloat16 products change little; results and gradients are float32."""
    model = build_decoder("qwen3")
    whole, mixed = together(model), together(model, mixed_precision=True)
    for one, other in zip(whole, mixed, strict=True):
        assert other.dtype == torch.float32
        assert (one - other).abs().max().item() < 0.15
    one, two = gradients(model, whole), gradients(model, mixed)
    for name in one:
        assert torch.cosine_similarity(one[name].flatten(), two[name].flatten(), dim=0).item() > 0.98


def test_rows_of_logits_follow_the_vocabulary() -> None:
    """Few of a large one, at least 16."""
    assert head.logit_rows(torch.device("cpu"), 2**20) == 16
    assert head.logit_rows(torch.device("cpu"), 2**11) == 2**10


def test_the_gradient_is_of_the_numbers_that_were_multiplied() -> None:
    """In bfloat16 a token that is sure has none: what the head's numbers lose there, they lose on both sides."""
    torch.manual_seed(0)
    norm = Norm(torch.ones(8), 1e-6)
    x = torch.randn(1, 8, requires_grad=True)
    weight = torch.randn(5, 8)
    weight[2] = 100 * x.detach()[0]
    logprobs, _ = head_distribution(x, norm, weight, lay_out([[2]], device="cpu"), torch.bfloat16, with_entropy=False)
    logprobs.sum().backward()
    assert logprobs.item() == 0
    assert x.grad is not None
    assert x.grad.abs().max().item() == 0
