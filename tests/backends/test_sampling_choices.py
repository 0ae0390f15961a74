"""What a sampler is asked beside its prompts: nucleus, top-k, tokens as prompts, several answers, ends of answers."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.generation.logits_process import TopKLogitsWarper, TopPLogitsWarper

from crucible.backends import SamplingParams
from crucible.backends.decoding import _among, _choose
from crucible.backends.local_base import LoadedBase
from crucible.backends.local_sampler import LocalSampler
from crucible.errors import DataError
from crucible.text import ModelInput

PROMPTS = ["ticket 1:", "ticket 2: the printer", "ticket 3: the printer on floor 3"]


@pytest.fixture(scope="module")
def sampler(base: LoadedBase) -> LocalSampler:
    """The base model's own sampler."""
    return LocalSampler(base, model="tiny")


def allowed(logits: torch.Tensor) -> torch.Tensor:
    """Which tokens may be drawn."""
    return torch.isfinite(logits)


@given(
    st.lists(st.floats(-8, 8, width=32), min_size=2, max_size=12, unique=True),
    st.integers(1, 12),
    st.floats(0.05, 0.99),
)
def test_the_tokens_that_may_be_drawn_are_those_of_transformers(values: list[float], top_k: int, top_p: float) -> None:
    """Top-k first, then the nucleus of what is left, as transformers' two warpers do it."""
    logits = torch.tensor([values])
    expected = TopKLogitsWarper(min(top_k, len(values)))(None, logits)  # pyright: ignore[reportArgumentType]
    own = _among(logits, top_k, 1.0)
    assert torch.equal(allowed(own), allowed(expected))
    ordered = own.softmax(-1).sort(descending=True).values.cumsum(-1)
    if (ordered - top_p).abs().min() > 1e-5:  # at the very edge rounding decides
        both = TopPLogitsWarper(top_p)(None, expected)  # pyright: ignore[reportArgumentType]
        assert torch.equal(allowed(_among(logits, top_k, top_p)), allowed(both))


@pytest.mark.parametrize("temperature", [1e-10, 1e-38, 1e-44, 5e-324])
def test_a_temperature_next_to_0_is_greedy(sampler: LocalSampler, temperature: float) -> None:
    """However little it is, no number overflows."""
    drawn = sampler.sample(PROMPTS, SamplingParams(max_tokens=4, temperature=temperature, seed=1))
    greedy = sampler.sample(PROMPTS, SamplingParams(max_tokens=4))
    assert [answer.tokens for answer in drawn] == [answer.tokens for answer in greedy]


def test_one_likeliest_token_is_greedy_at_any_temperature(sampler: LocalSampler) -> None:
    """top_k 1, and a nucleus that the likeliest token fills, leave one token to draw."""
    greedy = sampler.sample(PROMPTS, SamplingParams(max_tokens=6))
    for narrow in (SamplingParams(max_tokens=6, temperature=5.0, top_k=1, seed=1),
                   SamplingParams(max_tokens=6, temperature=1.0, top_p=1e-6, seed=1)):  # fmt: skip
        assert [sample.tokens for sample in sampler.sample(PROMPTS, narrow)] == [sample.tokens for sample in greedy]


def test_draws_outside_of_the_nucleus_never_come() -> None:
    """Four tokens of probability .5 .3 .15 .05: top_p .7 leaves the first two, in their proportion."""
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log().expand(4000, 4)
    draws = torch.rand(4000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    counts = torch.bincount(_choose(logits, draws, SamplingParams(temperature=1.0, top_p=0.7)), minlength=4)
    assert counts[2:].tolist() == [0, 0]
    assert counts[0].item() / 4000 == pytest.approx(0.625, abs=0.025)


def test_tokens_as_a_prompt_are_read_as_they_are(sampler: LocalSampler) -> None:
    """The tokens of a text get the answer and the log-probabilities of the text."""
    tokens = [ModelInput(tuple(sampler.tokenizer.encode(prompt))) for prompt in PROMPTS]
    params = SamplingParams(max_tokens=5)
    assert sampler.sample(tokens, params) == sampler.sample(PROMPTS, params)
    assert sampler.logprobs(tokens) == sampler.logprobs(PROMPTS)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [(ModelInput(()), "prompt 0 is empty"), (ModelInput((1, 10**6)), "prompt 0 holds the token 1000000"),
     (ModelInput((-1,)), "prompt 0 holds the token -1")],
)  # fmt: skip
def test_tokens_that_are_none_of_the_model_are_refused(sampler: LocalSampler, prompt: ModelInput, message: str) -> None:
    """By prompt and token, before anything is computed."""
    for ask in (sampler.sample, sampler.logprobs):
        with pytest.raises(DataError, match=message):
            ask([prompt])


def test_several_answers_to_a_prompt(sampler: LocalSampler) -> None:
    """Each prompt is answered so often, in order, with draws of its own; one seed a prompt makes them repeatable."""
    params = SamplingParams(max_tokens=8, temperature=1.0, seeds=(7, 8, 9))
    groups = sampler.sample_groups(PROMPTS, params, num_samples=4)
    assert [len(group) for group in groups] == [4, 4, 4]
    assert len({sample.tokens for group in groups for sample in group}) > 3
    assert [group[0].tokens for group in groups] == [sample.tokens for sample in sampler.sample(PROMPTS, params)]
    assert groups == sampler.sample_groups(PROMPTS, params, num_samples=4)
    alone = sampler.sample_groups(
        PROMPTS[1:2], SamplingParams(max_tokens=8, temperature=1.0, seeds=(8,)), num_samples=4
    )
    assert [sample.tokens for sample in alone[0]] == [sample.tokens for sample in groups[1]]


def test_several_answers_are_those_of_as_many_prompts(sampler: LocalSampler) -> None:
    """Reading a prompt once for all its answers changes nothing: greedy answers are those of the prompt alone."""
    params = SamplingParams(max_tokens=8)
    groups = sampler.sample_groups(PROMPTS, params, num_samples=3)
    for group, alone in zip(groups, sampler.sample(PROMPTS, params), strict=True):
        assert [sample.tokens for sample in group] == [alone.tokens] * 3
        assert group[2].logprobs == pytest.approx(alone.logprobs, abs=1e-5)


def test_no_answer_cannot_be_asked_for(sampler: LocalSampler) -> None:
    """At least one a prompt."""
    with pytest.raises(DataError, match="num_samples must be at least 1, got 0"):
        sampler.sample_groups(PROMPTS, num_samples=0)


def test_a_stop_token_ends_an_answer(sampler: LocalSampler) -> None:
    """The answer ends with it; its text does not hold it."""
    whole = sampler.sample(PROMPTS[:1], SamplingParams(max_tokens=8))[0]
    end = whole.tokens[3]
    first = whole.tokens.index(end)
    sample = sampler.sample(PROMPTS[:1], SamplingParams(max_tokens=8, stop_tokens=(end,)))[0]
    assert sample.tokens == whole.tokens[: first + 1]
    assert (sample.stop_reason, sample.text) == ("stop", sampler.tokenizer.decode(list(whole.tokens[:first])))


def test_an_answer_can_go_on_after_the_end_token(sampler: LocalSampler, base: LoadedBase) -> None:
    """With ignore_eos only max_tokens and stops end it."""
    whole = sampler.sample(PROMPTS[:1], SamplingParams(max_tokens=8, ignore_eos=True))[0]
    assert (len(whole.tokens), whole.stop_reason) == (8, "length")
    end = whole.tokens[0]
    ends_at_once = LocalSampler(base, model="tiny")
    assert end not in base.stop_ids
    stopped = ends_at_once.sample(PROMPTS[:1], SamplingParams(max_tokens=8, ignore_eos=True, stop_tokens=(end,)))[0]
    assert (stopped.tokens, stopped.stop_reason) == ((end,), "stop")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"top_k": 0}, "top_k must be at least 1"), ({"top_p": 0.0}, "top_p must be above 0"), ({"top_p": 1.5}, "top_p"),
     ({"stop": "ab"}, "stop is a tuple of strings, got the string 'ab'")],
)  # fmt: skip
def test_settings_out_of_range_are_refused(wrong: dict[str, object], message: str) -> None:
    """By name, with what came."""
    with pytest.raises((ValueError, TypeError), match=message):
        SamplingParams(**wrong)  # pyright: ignore[reportArgumentType]
