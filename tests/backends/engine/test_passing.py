"""The packed pass: each sequence gets the numbers and the gradients that it has alone, in PEFT's own layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from crucible.backends.adapter import SeededDropout
from crucible.backends.engine.layout import ARCHITECTURES, layout_of
from crucible.backends.scoring import packed_layout, target_logprobs

INPUTS = [[3, 4, 5, 6, 7], [8, 9], [10, 11, 12], list(range(20, 37)), list(range(40, 57))]
TARGETS = [[4, 5, 6, 7, 8], [9, 10], [11, 12, 13], list(range(21, 38)), list(range(41, 58))]
ASKED = [[0, 4], [1], [0, 1, 2], list(range(17)), list(range(5, 12))]
FACTORS = [(-1.0) ** place * (place % 5 + 0.5) for place in range(sum(map(len, ASKED)))]


def alone(model: Any) -> torch.Tensor:
    """Each sequence by itself through transformers and PEFT, all logits."""
    parts = []
    for tokens, targets, asked in zip(INPUTS, TARGETS, ASKED, strict=True):
        logprobs = model(torch.tensor([tokens]), use_cache=False).logits[0].log_softmax(-1)
        parts.append(logprobs[torch.tensor(asked), torch.tensor([targets[place] for place in asked])])
    return torch.cat(parts)


def packed(model: Any, inputs: list[list[int]] = INPUTS, **more: Any) -> torch.Tensor:
    """All of them together through the engine."""
    assert packed_layout(model, device="cpu") is not None
    return target_logprobs(model, inputs, TARGETS, ASKED, pad_id=0, device="cpu", **more)


def largest_error(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> float:
    """The largest difference relative to each matrix's largest entry."""
    assert found.keys() == expected.keys()
    return max(((found[n] - expected[n]).abs().max() / expected[n].abs().max()).item() for n in expected)


@pytest.mark.parametrize("kind", ARCHITECTURES)
@pytest.mark.parametrize("key_heads", [4, 2])
def test_logprobs_and_adapter_gradients_are_pefts(
    kind: str, key_heads: int, build_decoder: Callable[..., Any], gradients_of: Callable[..., Any]
) -> None:
    """Of every architecture, with and without shared key heads: to 1e-5 of what PEFT gives each sequence alone."""
    model = build_decoder(kind, num_key_value_heads=key_heads)
    expected, found = alone(model), packed(model)
    assert torch.allclose(found, expected, atol=1e-5)
    assert largest_error(gradients_of(model, found, FACTORS), gradients_of(model, expected, FACTORS)) < 1e-5


@pytest.mark.parametrize(
    "targets",
    [["q_proj"], ["v_proj", "down_proj"], ["gate_proj"], ["o_proj", "up_proj"], ["lm_head", "k_proj"], ["lm_head"]],
)
def test_any_choice_of_layers_can_be_adapted(
    targets: list[str], build_decoder: Callable[..., Any], gradients_of: Callable[..., Any]
) -> None:
    """The head included, which then goes through its own module."""
    model = build_decoder("llama", targets)
    expected, found = alone(model), packed(model)
    assert torch.allclose(found, expected, atol=1e-5)
    assert largest_error(gradients_of(model, found, FACTORS), gradients_of(model, expected, FACTORS)) < 1e-5


@pytest.mark.parametrize("changes", [{"attention_bias": True, "mlp_bias": True}, {"tie_word_embeddings": True}])
def test_biases_and_a_tied_head_are_read(
    changes: dict[str, bool], build_decoder: Callable[..., Any], gradients_of: Callable[..., Any]
) -> None:
    """Whatever a Llama's configuration may say of its linear layers."""
    model = build_decoder("llama", **changes)
    expected, found = alone(model), packed(model)
    assert torch.allclose(found, expected, atol=1e-5)
    assert largest_error(gradients_of(model, found, FACTORS), gradients_of(model, expected, FACTORS)) < 1e-5


def test_adapted_embeddings_get_their_gradient(
    build_decoder: Callable[..., Any], gradients_of: Callable[..., Any]
) -> None:
    """The gradient then goes through all layers down to the embeddings."""
    model = build_decoder("llama", ["embed_tokens", "q_proj"])
    expected, found = alone(model), packed(model)
    assert torch.allclose(found, expected, atol=1e-5)
    assert largest_error(gradients_of(model, found, FACTORS), gradients_of(model, expected, FACTORS)) < 1e-5


def test_attention_by_pytorch_s_own_function_is_the_same(
    build_decoder: Callable[..., Any], gradients_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What other devices than the CPU go through, here on the CPU."""
    model = build_decoder("qwen3")
    expected = packed(model)
    monkeypatch.setattr("crucible.backends.engine.attention._FORWARD", None)
    found = packed(model)
    assert torch.allclose(found, expected, atol=1e-5)
    assert largest_error(gradients_of(model, found, FACTORS), gradients_of(model, expected, FACTORS)) < 1e-5


def test_no_sequence_sees_another(build_decoder: Callable[..., Any]) -> None:
    """Other neighbours of the same lengths leave a sequence's numbers as they are, to the bit."""
    model = build_decoder("qwen3")
    others = [INPUTS[0], [1, 2], [3, 2, 1], *INPUTS[3:]]
    found, again = packed(model), packed(model, others)
    assert torch.equal(found[:2], again[:2])
    assert torch.equal(found[6:], again[6:])
    assert not torch.equal(found[2:6], again[2:6])


def test_the_same_call_gives_the_same_bits(build_decoder: Callable[..., Any], gradients_of: Callable[..., Any]) -> None:
    """Forward and backward, run to run."""
    model = build_decoder("llama")
    first, second = packed(model), packed(model)
    assert torch.equal(first, second)
    one, two = gradients_of(model, first, FACTORS), gradients_of(model, second, FACTORS)
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_no_graph_is_kept_below_the_lowest_adapter(build_decoder: Callable[..., Any]) -> None:
    """A model adapted in its last layer only has no backward step for the others."""
    model = build_decoder("llama", ["layers.1.self_attn.v_proj", "layers.1.mlp.up_proj"])
    steps, waiting = set[Any](), [packed(model).grad_fn]
    while waiting:
        step = waiting.pop()
        if step is not None and step not in steps:
            steps.add(step)
            waiting += [following for following, _ in step.next_functions]
    names = [step.name() for step in steps]
    assert names.count("_InwardBackward") == names.count("_OutwardBackward") == names.count("_HeadBackward") == 1


def test_without_gradients_nothing_is_kept(build_decoder: Callable[..., Any]) -> None:
    """Scoring gives the same numbers, without a graph."""
    model = build_decoder("llama")
    with torch.no_grad():
        scored = packed(model)
    assert not scored.requires_grad
    assert torch.allclose(scored, packed(model).detach(), atol=1e-6)


def test_dropout_s_gradient_is_that_of_the_masked_function(
    build_decoder: Callable[..., Any], gradients_of: Callable[..., Any]
) -> None:
    """With the generator put back, a small change of a weight changes the result as the gradient says."""
    model = build_decoder("llama")
    generator = torch.Generator().manual_seed(3)
    for name, module in list(model.named_modules()):
        if name.endswith("lora_dropout"):
            module["default"] = SeededDropout(0.3, generator).train()
    state = generator.get_state()
    plain = packed(model)
    generator.set_state(state)
    assert torch.equal(packed(model), plain)
    assert not torch.allclose(packed(model), plain, atol=1e-3)
    found = gradients_of(model, plain, FACTORS)
    factors = torch.tensor(FACTORS, dtype=torch.float64)
    for part in ("self_attn.q_proj.lora_A", "mlp.up_proj.lora_B", "mlp.down_proj.lora_A", "self_attn.o_proj.lora_A"):
        name = f"model.layers.0.{part}.default.weight"
        weight, direction = model.get_parameter(name), found[name] / found[name].norm()
        sums = []
        for step in (1e-2, -1e-2):
            with torch.no_grad():
                weight.add_(direction, alpha=step)
                generator.set_state(state)
                sums.append((packed(model).double() * factors).sum().item())
                weight.add_(direction, alpha=-step)
        assert (sums[0] - sums[1]) / 2e-2 == pytest.approx(found[name].norm().item(), rel=2e-2)


def test_a_sliding_window_is_respected(build_decoder: Callable[..., Any]) -> None:
    """Sequences within the window are packed; longer ones go through the model's own code and mask."""
    model = build_decoder("mistral", sliding_window=6)
    layout = layout_of(model)
    assert layout is not None
    assert layout.reach == 6
    padded = target_logprobs(model, INPUTS, TARGETS, ASKED, pad_id=0, device="cpu")
    assert torch.allclose(padded, alone(model), atol=1e-5)
    short = target_logprobs(model, INPUTS[:3], TARGETS[:3], ASKED[:3], pad_id=0, device="cpu")
    assert torch.allclose(short, alone(model)[:6], atol=1e-5)


def test_an_empty_question_has_an_empty_answer(build_decoder: Callable[..., Any]) -> None:
    """Nothing asked, nothing computed."""
    model = build_decoder("llama", None)
    assert target_logprobs(model, [[1, 2]], [[2, 3]], [[]], pad_id=0, device="cpu").shape == (0,)


def test_mixed_precision_is_near_and_its_gradients_are_float32(
    build_decoder: Callable[..., Any], gradients_of: Callable[..., Any]
) -> None:
    """bfloat16 products change a log-probability by little; results, adapters and gradients stay float32."""
    model = build_decoder("qwen3")
    whole, mixed = packed(model), packed(model, mixed_precision=True)
    assert mixed.dtype == torch.float32
    assert not torch.equal(whole, mixed)
    assert (whole - mixed).abs().max().item() < 0.15
    expected, found = gradients_of(model, whole, FACTORS), gradients_of(model, mixed, FACTORS)
    assert all(gradient.dtype == torch.float32 for gradient in found.values())
    for name in expected:
        cosine = torch.cosine_similarity(found[name].flatten(), expected[name].flatten(), dim=0)
        assert cosine.item() > 0.98
