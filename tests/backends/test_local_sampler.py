"""Samplers: greedy as transformers' generate, draws that repeat, windows, stops, snapshots, events."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from crucible import events
from crucible.backends import AdamParams, LocalBackend, Sampler, SamplingParams
from crucible.backends.decoding import _choose
from crucible.backends.local_base import LoadedBase
from crucible.backends.local_sampler import LocalSampler
from crucible.backends.local_session import LocalSession
from crucible.backends.prompts import cut_to_fit
from crucible.data import evaluate, load
from crucible.errors import DataError
from crucible.ir import LoraConfig
from crucible.text import Datum

PROMPTS = [f"ticket {i}:" + " the printer" * (i % 5) for i in range(12)]


@pytest.fixture(scope="module")
def sampler(base: LoadedBase) -> LocalSampler:
    """The base model's own sampler."""
    return LocalSampler(base, model="tiny")


@pytest.fixture(scope="module")
def tuned(base: LoadedBase, base_folder: Path, data: list[Datum]) -> LocalSampler:
    """A tuned model that writes end tokens."""
    with LocalSession(LoraConfig(base_model=str(base_folder), rank=4, dropout=0.0), base) as session:
        for _ in range(40):
            session.forward_backward(data)
            session.optim_step(AdamParams(learning_rate=0.01, grad_clip_norm=1.0))
        return session.create_sampler()


def generate(sampler: LocalSampler, prompt: str, max_tokens: int) -> list[int]:
    """What transformers' own generate answers, one prompt at a time."""
    tokens = sampler.tokenizer.encode(prompt)
    with torch.no_grad():
        found = sampler._weights.generate(
            torch.tensor([tokens]),
            attention_mask=torch.ones(1, len(tokens), dtype=torch.long),
            max_new_tokens=max_tokens,
            do_sample=False,
        )
    return found[0, len(tokens) :].tolist()


@pytest.mark.parametrize("which", ["sampler", "tuned"])
def test_greedy_equals_generate(which: str, request: pytest.FixtureRequest) -> None:
    """Batched, left-padded, with rows leaving the batch: the tokens of generate for each prompt alone, in order."""
    own: LocalSampler = request.getfixturevalue(which)
    samples = own.sample(PROMPTS, SamplingParams(max_tokens=16))
    assert [list(sample.tokens) for sample in samples] == [generate(own, prompt, 16) for prompt in PROMPTS]
    if which == "tuned":
        assert {sample.stop_reason for sample in samples} >= {"stop"}


def test_a_sampler_is_a_sampler(sampler: LocalSampler) -> None:
    """It satisfies the protocol."""
    assert isinstance(sampler, Sampler)
    assert (sampler.model, sampler.window, sampler.tokenizer.eos_id) == ("tiny", 64, 1)


def test_text_has_no_end_token_and_tokens_do(tuned: LocalSampler) -> None:
    """Text is what was written before the end token; tokens and logprobs hold the end token too."""
    sample = tuned.sample(["ticket 1: help"], SamplingParams(max_tokens=20))[0]
    assert sample.stop_reason == "stop"
    assert sample.tokens[-1] == tuned.tokenizer.eos_id
    assert sample.text == tuned.tokenizer.decode(list(sample.tokens[:-1])) == " floor 1"
    assert len(sample.logprobs) == len(sample.tokens)
    assert sample.prompt_tokens == len(tuned.tokenizer.encode("ticket 1: help"))


def test_logprobs_are_those_of_the_model(tuned: LocalSampler) -> None:
    """A sample's logprobs equal the scoring of prompt and answer together; the first prompt token has none."""
    sample = tuned.sample(["ticket 2:"], SamplingParams(max_tokens=3))[0]
    whole = tuned.tokenizer.encode("ticket 2:") + list(sample.tokens)
    with torch.no_grad():
        logprobs = tuned._weights(torch.tensor([whole])).logits[0].log_softmax(-1)
    expected = [logprobs[place, token].item() for place, token in enumerate(whole[1:])]
    assert list(sample.logprobs) == pytest.approx(expected[-len(sample.tokens) :], abs=1e-4)
    scored = tuned.logprobs(["ticket 2:", "t", "ticket 2:" + " help" * 5])
    assert scored[0][0] is None
    assert scored[0][1:] == pytest.approx(expected[: len(scored[0]) - 1], abs=1e-4)
    assert scored[1] == [None]
    assert len(scored[2]) == len(tuned.tokenizer.encode("ticket 2:" + " help" * 5))


def test_draws_repeat_with_the_seed_whatever_the_batch(sampler: LocalSampler, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed gives the same answers, also when other batches are formed; another seed gives others."""
    params = SamplingParams(max_tokens=12, temperature=1.0, seed=3)
    first = sampler.sample(PROMPTS, params)
    torch.rand(5)
    assert sampler.sample(PROMPTS, params) == first
    assert sampler.sample(PROMPTS, SamplingParams(max_tokens=12, temperature=1.0, seed=4)) != first
    monkeypatch.setattr("crucible.backends.local_sampler._ROWS", 2)
    assert [s.tokens for s in sampler.sample(PROMPTS, params)] == [s.tokens for s in first]


def test_a_prompt_with_a_seed_of_its_own_draws_alone(sampler: LocalSampler) -> None:
    """Whatever stands beside it in the call; the same prompt under another seed draws anew."""
    seeds = tuple(range(100, 100 + len(PROMPTS)))

    def drawn(start: int, stop: int, prompts: list[str] = PROMPTS) -> list[tuple[int, ...]]:
        params = SamplingParams(max_tokens=12, temperature=1.0, seeds=seeds[start:stop])
        return [sample.tokens for sample in sampler.sample(prompts[start:stop], params)]

    whole = drawn(0, len(PROMPTS))
    assert drawn(0, 5) + drawn(5, 6) + drawn(6, len(PROMPTS)) == whole
    same = drawn(0, len(PROMPTS), ["ticket"] * len(PROMPTS))
    assert len(set(same)) == len(PROMPTS)


def test_an_evaluation_draws_the_same_in_every_batch_size(sampler: LocalSampler) -> None:
    """At temperature 1, items answered three or sixteen at a time get the same answers; equal prompts differ."""
    data = load([(PROMPTS[index % 6], "x") for index in range(20)])
    params = SamplingParams(max_tokens=8, temperature=1.0, seed=5)
    small, large = (
        [item.output for item in evaluate(sampler, data, ["exact_match"], params=params, batch_size=size).items]
        for size in (3, 16)
    )
    assert small == large
    assert len(set(small)) == 20


def test_there_is_a_seed_for_each_prompt(sampler: LocalSampler) -> None:
    """A list of seeds that does not fit the prompts is refused."""
    with pytest.raises(DataError, match="1 seeds came for 2 prompts"):
        sampler.sample(["a", "b"], SamplingParams(max_tokens=2, temperature=1.0, seeds=(1,)))


def test_a_sampler_says_where_and_in_what_numbers_it_computes(sampler: LocalSampler, tuned: LocalSampler) -> None:
    """Also with merged weights."""
    assert {(each.device, each.dtype) for each in (sampler, tuned)} == {("cpu", "float32")}


def test_draws_without_a_seed_differ(sampler: LocalSampler) -> None:
    """None takes a fresh seed from the system each time."""
    params = SamplingParams(max_tokens=12, temperature=1.0)
    assert sampler.sample(PROMPTS, params) != sampler.sample(PROMPTS, params)


def test_draws_follow_the_distribution(sampler: LocalSampler) -> None:
    """First tokens of 4000 draws have the frequencies of the softmax at that temperature."""
    prompt, temperature = "ticket", 2.0
    with torch.no_grad():
        logits = sampler._weights(torch.tensor([sampler.tokenizer.encode(prompt)])).logits[0, -1]
    expected = (logits / temperature).softmax(-1)
    samples = sampler.sample([prompt] * 4000, SamplingParams(max_tokens=1, temperature=temperature, seed=1))
    counts = torch.bincount(torch.tensor([sample.tokens[0] for sample in samples]), minlength=320)
    spread = (expected * (1 - expected) / 4000).sqrt()
    assert ((counts / 4000 - expected).abs() < 5 * spread + 1e-3).all()


def test_a_draw_at_the_edge_stays_among_possible_tokens() -> None:
    """The smallest and the largest draw, even one rounded up to 1, give tokens of positive probability."""
    logits = torch.tensor([[-torch.inf, 0.0, 1.0, -torch.inf]]).expand(3, 4)
    chosen = _choose(logits, torch.tensor([0.0, 1 - 2**-53, 1.0], dtype=torch.float64), SamplingParams(temperature=1.0))
    assert chosen.tolist() == [1, 2, 2]


def test_several_threads_may_sample(sampler: LocalSampler) -> None:
    """Concurrent calls give what each gives alone."""
    params = [SamplingParams(max_tokens=10, temperature=1.0, seed=seed) for seed in range(4)]
    alone = [sampler.sample(PROMPTS, each) for each in params]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda each: sampler.sample(PROMPTS, each), params)) == alone


def test_a_cold_draw_is_greedy(sampler: LocalSampler) -> None:
    """At a very low temperature the likeliest token is all that is left."""
    cold = sampler.sample(PROMPTS, SamplingParams(max_tokens=8, temperature=1e-4, seed=0))
    assert [s.tokens for s in cold] == [s.tokens for s in sampler.sample(PROMPTS, SamplingParams(max_tokens=8))]


def test_a_stop_string_ends_the_answer(sampler: LocalSampler) -> None:
    """The text ends before it, also when it spans tokens, and nothing is written after it."""
    free = sampler.sample(["ticket 3:"], SamplingParams(max_tokens=20))[0]
    assert len(free.text) > 8
    stop = free.text[5:8]
    stopped = sampler.sample(["ticket 3:"], SamplingParams(max_tokens=20, stop=("never there", stop)))[0]
    assert stopped.text == free.text[: free.text.index(stop)]
    assert stopped.stop_reason == "stop"
    assert stopped.tokens == free.tokens[: len(stopped.tokens)]
    assert len(stopped.tokens) < 20
    assert sampler.sample(["ticket 3:"], SamplingParams(max_tokens=5, stop=("never there",)))[0].stop_reason == "length"


def test_end_tokens_still_count_beside_stop_strings(tuned: LocalSampler) -> None:
    """A stop string does not switch the end token off."""
    sample = tuned.sample(["ticket 1: help"], SamplingParams(max_tokens=20, stop=("never there",)))[0]
    assert sample.tokens[-1] == tuned.tokenizer.eos_id


def test_a_long_prompt_loses_its_beginning_and_is_marked(sampler: LocalSampler) -> None:
    """What the model reads is the end of the prompt that leaves room for the answer; others are not touched."""
    long = "start " + "the printer is broken " * 20
    samples = sampler.sample([long, "ticket"], SamplingParams(max_tokens=10))
    assert [sample.truncated_prompt for sample in samples] == [True, False]
    assert samples[0].prompt_tokens == 54
    kept = sampler.tokenizer.decode(sampler.tokenizer.encode(long)[-54:])
    assert sampler.sample([kept], SamplingParams(max_tokens=10))[0].tokens == samples[0].tokens


class _Started:
    """The base's tokenizer, as one that puts a start token before every text."""

    bos_id = 9

    def __init__(self, inner: object) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


def test_a_start_token_is_put_first_and_kept(base: LoadedBase) -> None:
    """Where the tokenizer has a start token, prompts begin with it, even truncated and empty ones."""
    started = LoadedBase(base.folder, base.model, _Started(base.tokenizer), "cpu")
    sampler = LocalSampler(started, model="started")
    assert cut_to_fit(sampler.tokenizer, [9, 1, 2, 3, 4], 3) == [9, 3, 4]
    assert cut_to_fit(sampler.tokenizer, [9, 1, 2], 1) == [2]
    empty = sampler.sample([""], SamplingParams(max_tokens=2))[0]
    assert empty.prompt_tokens == 1
    assert len(sampler.logprobs(["a"])[0]) == 2


@pytest.mark.parametrize(
    ("prompts", "params", "says"),
    [
        (["a", ""], None, "prompt 1 is empty"),
        (["a"], SamplingParams(max_tokens=64), "max_tokens=64 leaves no room for a prompt in a window of 64 tokens"),
    ],
)
def test_impossible_requests_are_refused(
    sampler: LocalSampler, prompts: list[str], params: SamplingParams | None, says: str
) -> None:
    """By name, and the request is reported as failed."""
    with events.collect("req_llm.*") as seen, pytest.raises(DataError, match=says):
        sampler.sample(prompts, params)
    assert [event.name for event in seen] == ["req_llm.request.start", "req_llm.request.exception"]


def test_logprobs_of_a_prompt_beyond_the_window_are_refused(sampler: LocalSampler) -> None:
    """Truncating would answer another question."""
    with pytest.raises(DataError, match="prompt 0 has .* tokens and the window holds 64"):
        sampler.logprobs(["the printer is broken " * 20])


def test_no_prompts_give_no_samples(sampler: LocalSampler) -> None:
    """An empty list is a list."""
    assert sampler.sample([]) == []
    assert sampler.sample([], SamplingParams(temperature=1.0, max_tokens=8)) == []
    assert sampler.logprobs([]) == []


def test_one_request_is_one_span(sampler: LocalSampler) -> None:
    """With counts of prompts and tokens, inside the caller's scope."""
    with events.collect("req_llm.request.*") as seen, events.scope(run_id="r"):
        samples = asyncio.run(sampler.asample(PROMPTS, SamplingParams(max_tokens=4)))
    assert [event.name for event in seen] == ["req_llm.request.start", "req_llm.request.stop"]
    stop = seen[1]
    assert stop.scope.run_id == "r"
    assert stop.metadata == {"model": "tiny", "backend": "local"}
    assert stop.measurements["prompts"] == len(PROMPTS)
    assert stop.measurements["prompt_tokens"] == sum(sample.prompt_tokens for sample in samples)
    assert stop.measurements["completion_tokens"] == sum(len(sample.tokens) for sample in samples)
    assert stop.measurements["duration_ns"] > 0


def test_a_sampler_keeps_its_weights_while_training_goes_on(
    base: LoadedBase, base_folder: Path, data: list[Datum]
) -> None:
    """It answers as it did when it was made; the next one has learnt."""
    config = LoraConfig(base_model=str(base_folder), rank=4)
    with LocalBackend().start_session(config) as session:
        assert session._base is base
        early = session.create_sampler()
        before = early.sample(PROMPTS, SamplingParams(max_tokens=6))
        for _ in range(20):
            session.forward_backward(data)
            session.optim_step(AdamParams(learning_rate=0.02))
        late = session.create_sampler()
    assert early.sample(PROMPTS, SamplingParams(max_tokens=6)) == before
    assert late.sample(PROMPTS, SamplingParams(max_tokens=6)) != before
    assert late.model == f"{base_folder}+lora-r4"


def test_an_evaluation_is_quick(sampler: LocalSampler) -> None:
    """200 prompts of 40 tokens each take processor seconds, not minutes (measured: under one)."""
    started = time.process_time()
    samples = sampler.sample([f"ticket {i}" for i in range(200)], SamplingParams(max_tokens=40))
    assert len(samples) == 200
    assert time.process_time() - started < 10
