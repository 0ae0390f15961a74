"""Target log-probabilities: equal to the whole-vocabulary computation, whatever is asked for."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from crucible.backends.local_base import LoadedBase
from crucible.backends.scoring import packed_layout, target_logprobs, threads_for, tokens_per_group

INPUTS = [[3, 4, 5, 6, 7], [8, 9], [10, 11, 12]]
TARGETS = [[4, 5, 6, 7, 8], [9, 10], [11, 12, 13]]
ASKED = [[0, 4], [1], [0, 1, 2]]


def plainly(model: torch.nn.Module) -> list[float]:
    """One sequence at a time, no padding, all logits."""
    found = []
    for tokens, targets, asked in zip(INPUTS, TARGETS, ASKED, strict=True):
        with torch.no_grad():
            logprobs = model(torch.tensor([tokens])).logits[0].log_softmax(-1)
        found += [logprobs[place, targets[place]].item() for place in asked]
    return found


def test_padding_and_selection_change_nothing(base: LoadedBase) -> None:
    """A ragged batch gives each sequence the numbers that it has alone."""
    with torch.no_grad():
        found = target_logprobs(base.model, INPUTS, TARGETS, ASKED, pad_id=0, device="cpu")
    assert found.tolist() == pytest.approx(plainly(base.model), abs=1e-5)


def test_a_model_of_another_architecture_goes_through_its_own_head() -> None:
    """Only known architectures get the short cut past the full logits."""
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=16, n_layer=1, n_head=2, n_positions=32)).eval()
    with torch.no_grad():
        found = target_logprobs(model, INPUTS, TARGETS, ASKED, pad_id=0, device="cpu")
    assert found.tolist() == pytest.approx(plainly(model), abs=1e-5)


def test_the_short_cut_is_the_model(base: LoadedBase) -> None:
    """The same model without the short cut gives the same numbers."""
    other = copy.deepcopy(base.model)
    other.config.model_type = "unknown-architecture"
    with torch.no_grad():
        short = target_logprobs(base.model, INPUTS, TARGETS, ASKED, pad_id=0, device="cpu")
        long = target_logprobs(other, INPUTS, TARGETS, ASKED, pad_id=0, device="cpu")
    assert torch.allclose(short, long, atol=1e-6)


def test_the_size_of_a_forward_pass_follows_the_vocabulary() -> None:
    """Logits stay near 1 GiB, within sane bounds."""
    assert tokens_per_group(600) == 16384
    assert tokens_per_group(128_000) == 2**28 // 128_000
    assert tokens_per_group(10_000_000) == 1024


def test_a_packed_pass_of_a_large_model_takes_few_tokens(base: LoadedBase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its matrices are large enough with them, and few activations are kept; other devices take many."""
    assert tokens_per_group(128_000, base.model) == 16384
    layout = packed_layout(base.model, device="cpu")
    assert layout is not None
    monkeypatch.setattr("crucible.backends.scoring.packed_layout", lambda *_, **__: large)
    large = dataclasses.replace(layout, weights=41_000_000)
    assert tokens_per_group(128_000, base.model) == 1024
    assert tokens_per_group(128_000, base.model, device="cuda") == 16384


def test_a_tiny_model_is_scored_on_one_thread(base: LoadedBase, monkeypatch: pytest.MonkeyPatch) -> None:
    """The count of multiplications is that of the layers times the tokens; other devices are left alone."""
    told: list[int | None] = []
    monkeypatch.setattr("crucible.backends.scoring.fitting_threads", told.append)
    threads_for(base.model, 10, device="cpu")
    threads_for(base.model, 10, device="cuda")
    weights = sum(parameter.numel() for name, parameter in base.model.named_parameters() if "_proj" in name)
    assert told == [10 * weights, None]


def test_the_padded_path_computes_in_bfloat16_when_asked() -> None:
    """An architecture that is not packed takes part in mixed precision all the same."""
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=16, n_layer=1, n_head=2, n_positions=32)).eval()
    with torch.no_grad():
        whole = target_logprobs(model, INPUTS, TARGETS, ASKED, pad_id=0, device="cpu")
        mixed = target_logprobs(model, INPUTS, TARGETS, ASKED, pad_id=0, device="cpu", mixed_precision=True)
    assert mixed.dtype == torch.float32
    assert not torch.equal(whole, mixed)
    assert torch.allclose(whole, mixed, atol=0.1)
