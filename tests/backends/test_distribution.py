"""The likeliest tokens behind each token: those of the whole vocabulary, whatever path computes them."""

from __future__ import annotations

import copy

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from crucible.backends.distribution import likeliest_tokens
from crucible.backends.engine import likeliest
from crucible.backends.local_base import LoadedBase

INPUTS = [[3, 4, 5, 6, 7], [8, 9], [10, 11, 12]]


def plainly(model: torch.nn.Module, k: int) -> list[list[list[tuple[int, float]]]]:
    """One sequence at a time, all logits, sorted."""
    found = []
    for tokens in INPUTS:
        with torch.no_grad():
            logprobs = model(torch.tensor([tokens])).logits[0].log_softmax(-1)
        values, places = logprobs.sort(-1, descending=True)
        rows = zip(places[:, :k].tolist(), values[:, :k].tolist(), strict=True)
        found.append([list(zip(*row, strict=True)) for row in rows])
    return found


def check_same(found: list[list[list[tuple[int, float]]]], expected: list[list[list[tuple[int, float]]]]) -> None:
    """The same tokens in the same order, with the same log-probabilities to 1e-5."""
    assert [len(rows) for rows in found] == [len(tokens) for tokens in INPUTS]
    for rows, others in zip(found, expected, strict=True):
        for row, other in zip(rows, others, strict=True):
            assert [token for token, _ in row] == [token for token, _ in other]
            assert [value for _, value in row] == pytest.approx([value for _, value in other], abs=1e-5)


@pytest.mark.parametrize("k", [1, 5, 320])
def test_they_are_the_models(base: LoadedBase, k: int) -> None:
    """Likeliest first, from one to the whole vocabulary."""
    check_same(likeliest_tokens(base.model, INPUTS, k, pad_id=0, device="cpu"), plainly(base.model, k))


def test_a_model_that_is_not_packed_gives_the_same(base: LoadedBase) -> None:
    """Through its own code, padded; and one of another architecture."""
    other = copy.deepcopy(base.model)
    other.config.model_type = "unknown-architecture"
    check_same(likeliest_tokens(other, INPUTS, 4, pad_id=0, device="cpu"), plainly(base.model, 4))
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=16, n_layer=1, n_head=2, n_positions=32)).eval()
    check_same(likeliest_tokens(model, INPUTS, 3, pad_id=0, device="cpu"), plainly(model, 3))


def test_logits_are_made_some_rows_at_a_time(base: LoadedBase, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few: never more rows of logits than that are there at once."""
    expected = likeliest_tokens(base.model, INPUTS, 4, pad_id=0, device="cpu")
    rows: list[int] = []
    whole = likeliest.logits_likeliest

    def noted(logits: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
        rows.append(len(logits))
        return whole(logits, k)

    monkeypatch.setattr(likeliest, "logit_rows", lambda *_: 3)
    monkeypatch.setattr(likeliest, "logits_likeliest", noted)
    check_same(likeliest_tokens(base.model, INPUTS, 4, pad_id=0, device="cpu"), expected)
    assert rows == [3, 3, 3, 1]
