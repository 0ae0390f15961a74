"""A sampler on a fake service: what goes over the wire, and that its answers are the model's."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.backends.tinker.fake import FakeTinkerService, Fault
from tests.backends.tinker.fake.wire import encode_samples

from crucible import events
from crucible.backends import AdamParams, LocalBackend, Sampler, SamplingParams, TinkerBackend
from crucible.backends.tinker import TinkerSampler, TinkerSession
from crucible.errors import BackendError, BackendTimeout, BadResponse, DataError
from crucible.text import Datum, ModelInput

PROMPTS = ["ticket 1:", "ticket 22: help", "printer"]
GREEDY = SamplingParams(max_tokens=5)


@pytest.fixture
def sampler(backend: TinkerBackend, config: Any) -> TinkerSampler:
    """The base model."""
    return backend.create_sampler(config.base_model)


def test_answers_are_the_models(sampler: TinkerSampler, base_folder: Path) -> None:
    """Greedy, they are those of the local backend: text, tokens, stop reason, log-probabilities."""
    assert isinstance(sampler, Sampler)
    assert (sampler.device, sampler.dtype, sampler.window) == ("tinker", None, 64)
    mine, theirs = (
        sampler.sample(PROMPTS, GREEDY),
        LocalBackend().create_sampler(str(base_folder)).sample(PROMPTS, GREEDY),
    )
    for one, other in zip(mine, theirs, strict=True):
        assert (one.text, one.tokens, one.stop_reason) == (other.text, other.tokens, other.stop_reason)
        assert (one.prompt_tokens, one.truncated_prompt) == (other.prompt_tokens, other.truncated_prompt)
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-5)


def test_logprobs_are_the_models(sampler: TinkerSampler, base_folder: Path) -> None:
    """One a token, None for the first; of text and of tokens."""
    local = LocalBackend().create_sampler(str(base_folder))
    mine, theirs = sampler.logprobs(PROMPTS), local.logprobs(PROMPTS)
    for one, other in zip(mine, theirs, strict=True):
        assert one[0] is None
        assert one[1:] == pytest.approx(other[1:], abs=1e-5)
    tokens = ModelInput(tuple(local.tokenizer.encode(PROMPTS[0])))
    assert sampler.logprobs([tokens, ModelInput((9,))]) == [mine[0], [None]]


def test_a_sampler_keeps_its_weights(session: TinkerSession, data: list[Datum]) -> None:
    """Whatever training does meanwhile, and after the session is closed."""
    before = session.create_sampler()
    expected = before.logprobs(PROMPTS)
    for _ in range(3):
        session.forward_backward(data)
        session.optim_step(AdamParams(learning_rate=0.05)).result()
    after = session.create_sampler()
    session.close()
    assert before.logprobs(PROMPTS) == expected
    assert after.logprobs(PROMPTS) != expected
    assert after.model == "tests/tiny-llama+lora-r4"


def test_weights_of_a_checkpoint(
    backend: TinkerBackend, session: TinkerSession, data: list[Datum], tmp_path: Path
) -> None:
    """What the service keeps can be sampled from by its path."""
    session.forward_backward(data)
    session.optim_step(AdamParams(learning_rate=0.05))
    path = session.save_checkpoint(tmp_path / "a").result()
    remote = json.loads((path / "remote.json").read_text())["path"]
    found = backend.create_sampler("tests/tiny-llama", checkpoint=remote)
    for one, other in zip(found.logprobs(PROMPTS), session.create_sampler().logprobs(PROMPTS), strict=True):
        assert one[1:] == pytest.approx(other[1:], abs=1e-5)


def test_the_fields_of_a_request(service: FakeTinkerService, sampler: TinkerSampler) -> None:
    """Temperature, seed, most tokens and stop strings; without any, `stop` is left out and the end token counts."""
    sampler.sample(["ticket"], SamplingParams(max_tokens=3, temperature=0.5, seed=4, stop=("\n", "x")))
    sampler.sample(["ticket"], SamplingParams(max_tokens=3))
    bodies = [json.loads(request.body) for request in service.seen("/asample")]
    asked = bodies[0]["sampling_params"]
    assert (asked["max_tokens"], asked["temperature"], asked["stop"]) == (3, 0.5, ["\n", "x"])
    assert 0 <= asked["seed"] < 2**31
    assert bodies[1]["sampling_params"]["temperature"] == 0
    assert "stop" not in bodies[1]["sampling_params"]
    assert bodies[0]["prompt"]["chunks"][0]["tokens"] == sampler.tokenizer.encode("ticket")


def test_what_ends_an_answer(service: FakeTinkerService, sampler: TinkerSampler) -> None:
    """Tokens go with the end token beside them; [] switches all off; both kinds at once are not on the wire."""
    eos = sampler.tokenizer.eos_id
    for params in (
        SamplingParams(max_tokens=2, stop_tokens=(9,), top_k=5, top_p=0.5, temperature=1.0),
        SamplingParams(max_tokens=2, stop_tokens=(9,), ignore_eos=True),
        SamplingParams(max_tokens=2, ignore_eos=True),
    ):
        sampler.sample(["ticket"], params)
    asked = [json.loads(request.body)["sampling_params"] for request in service.seen("/asample")]
    assert [each["stop"] for each in asked] == [[9, eos], [9], []]
    assert (asked[0]["top_k"], asked[0]["top_p"]) == (5, 0.5)
    with pytest.raises(BackendError, match="stop strings or stop tokens, not both"):
        sampler.sample(["ticket"], SamplingParams(max_tokens=2, stop=("x",), stop_tokens=(9,)))


def test_the_likeliest_tokens_are_one_request_a_prompt(
    service: FakeTinkerService, sampler: TinkerSampler, base_folder: Path
) -> None:
    """With one token drawn, which nobody asked for; a prompt of one token asks for nothing. They are the models'."""
    local = LocalBackend().create_sampler(str(base_folder))
    found, expected = (each.top_logprobs([*PROMPTS, ModelInput((9,))], 4) for each in (sampler, local))
    for rows, others in zip(found, expected, strict=True):
        for row, other in zip(rows, others, strict=True):
            assert [token for token, _ in row] == [token for token, _ in other]
            assert [value for _, value in row] == pytest.approx([value for _, value in other], abs=1e-5)
    asked = [json.loads(request.body) for request in service.seen("/asample")]
    assert [(each["topk_prompt_logprobs"], each["sampling_params"]["max_tokens"]) for each in asked] == [(4, 1)] * 3


@pytest.mark.parametrize(
    ("likeliest", "says"),
    [
        (None, "sent no topk_prompt_logprobs.*local backend"),
        ([[], [(5, -1.0), (6, -2.0)]], "a prompt of 3 tokens got 2 rows of 2 likeliest tokens, and 2 were asked for"),
        ([[], [(5, -1.0)], [(6, -2.0)]], "got 3 rows of 1 likeliest tokens, and 2 were asked for"),
    ],
)
def test_a_service_that_does_not_say_what_is_likeliest(
    service: FakeTinkerService, sampler: TinkerSampler, likeliest: Any, says: str
) -> None:
    """As some that speak the protocol do not: an error that names it, not an empty answer."""
    raw = encode_samples([([9], [-1.0], "length")], [None, -1.0, -2.0], likeliest)
    service.faults.add("/retrieve_future", Fault(status=200, raw=raw), times=1)
    with pytest.raises(BadResponse, match=says):
        sampler.top_logprobs([ModelInput((5, 6, 7))], 2)


def test_an_answer_that_goes_on_behind_the_end_token_is_cut(service: FakeTinkerService, sampler: TinkerSampler) -> None:
    """Whatever a service makes of stop strings, text ends where the model ended it."""
    eos = sampler.tokenizer.eos_id
    raw = encode_samples([([9, 10, eos, 11], [-1.0, -2.0, -3.0, -4.0], "length")], None)
    service.faults.add("/retrieve_future", Fault(status=200, raw=raw), times=3)
    [found] = sampler.sample(["ticket"], SamplingParams(max_tokens=4, stop=("x",)))
    assert (found.tokens, found.stop_reason, found.logprobs) == ((9, 10, eos), "stop", (-1.0, -2.0, -3.0))
    assert found.text == sampler.tokenizer.decode([9, 10])
    [whole] = sampler.sample(["ticket"], SamplingParams(max_tokens=4, ignore_eos=True))
    assert whole.tokens == (9, 10, eos, 11)
    [stopped] = sampler.sample(["ticket"], SamplingParams(max_tokens=4, stop_tokens=(10,)))
    assert (stopped.tokens, stopped.text) == ((9, 10), sampler.tokenizer.decode([9]))


def test_seeds_repeat_and_differ(service: FakeTinkerService, sampler: TinkerSampler) -> None:
    """The same seed gives the same answers; equal prompts of one call have seeds of their own, or those given."""
    drawn = SamplingParams(max_tokens=6, temperature=1.5, seed=11)
    first, again = sampler.sample(["ticket"] * 3, drawn), sampler.sample(["ticket"] * 3, drawn)
    assert [one.tokens for one in first] == [one.tokens for one in again]
    assert len({one.tokens for one in first}) > 1
    sampler.sample(["a", "b"], SamplingParams(max_tokens=1, temperature=1.0, seeds=(5, 6)))
    seeds = [json.loads(request.body)["sampling_params"]["seed"] for request in service.seen("/asample")[-2:]]
    assert sorted(seeds) == [5, 6]
    with pytest.raises(DataError, match="1 seeds came for 2 prompts"):
        sampler.sample(["a", "b"], SamplingParams(max_tokens=2, temperature=1.0, seeds=(5,)))


def test_several_answers_a_prompt(sampler: TinkerSampler) -> None:
    """In one request each."""
    drawn = SamplingParams(max_tokens=4, temperature=1.5, seed=3)
    found = sampler.sample_groups(["ticket", "printer"], drawn, num_samples=3)
    assert asyncio.run(sampler.asample_groups(["ticket", "printer"], drawn, num_samples=3)) == found
    assert [len(each) for each in found] == [3, 3]
    assert len({one.tokens for one in found[0]}) > 1
    with pytest.raises(DataError, match="num_samples must be at least 1"):
        sampler.sample_groups(["ticket"], num_samples=0)


def test_prompts_that_do_not_fit(sampler: TinkerSampler) -> None:
    """Cut from the left and marked; an empty one and one that leaves no room are refused."""
    [found] = sampler.sample(["ticket " * 60], SamplingParams(max_tokens=10))
    assert (found.prompt_tokens, found.truncated_prompt) == (54, True)
    with pytest.raises(DataError, match="prompt 0 holds the token 400, outside of the vocabulary of 320"):
        sampler.sample([ModelInput((400,))], GREEDY)
    with pytest.raises(DataError, match="prompt 1 is empty"):
        sampler.sample(["a", ""], GREEDY)
    with pytest.raises(DataError, match="leaves no room"):
        sampler.sample(["a"], SamplingParams(max_tokens=64))
    with pytest.raises(DataError, match="the window holds 64"):
        sampler.logprobs(["ticket " * 60])


def test_prompts_are_asked_at_once_and_answered_in_order(service: FakeTinkerService, sampler: TinkerSampler) -> None:
    """All are on the service before the first answer is back."""
    service.faults.add("/retrieve_future", Fault(delay_s=0.3), times=3)
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.extend(sampler.sample(PROMPTS, GREEDY)))
    thread.start()
    thread.join(0.2)
    assert len(service.seen("/asample")) == 3
    thread.join()
    assert [one.tokens for one in found] == [sampler.sample([prompt], GREEDY)[0].tokens for prompt in PROMPTS]


def test_threads_and_tasks_may_share_one(sampler: TinkerSampler) -> None:
    """Each gets its own answer."""
    expected = sampler.sample(PROMPTS, GREEDY)

    async def main() -> list[Any]:
        return await asyncio.gather(*(sampler.asample([prompt], GREEDY) for prompt in PROMPTS * 3))

    assert [one[0] for one in asyncio.run(main())] == expected * 3


def test_a_request_that_the_service_lost_is_sent_again(service: FakeTinkerService, sampler: TinkerSampler) -> None:
    """410: sampling changes nothing, so the same is asked once more; in training that would be an error."""
    service.faults.add("/retrieve_future", Fault(status=410, body={"error": "gone"}), times=2)
    assert len(sampler.sample(["ticket"], GREEDY)) == 1
    assert len(service.seen("/asample")) == 3


@pytest.mark.parametrize(
    ("path", "fault", "kind"),
    [
        ("/asample", Fault(status=500), BackendError),
        ("/retrieve_future", Fault(status=410), BackendError),
        ("/retrieve_future", Fault(status=200, raw=b"\xff\xff"), BadResponse),
        ("/retrieve_future", Fault(status=200, raw=b""), BackendError),
        ("/asample", Fault(delay_s=2.0), BackendTimeout),
        ("/asample", Fault(status=402), BackendError),
        ("/asample", Fault(status=429), BackendError),
    ],
    ids=["500", "lost", "no protobuf", "no samples", "slow", "bill", "429"],
)
def test_what_goes_wrong_is_an_error(
    service: FakeTinkerService,
    connect: Callable[..., TinkerBackend],
    config: Any,
    path: str,
    fault: Fault,
    kind: type[BackendError],
) -> None:
    """Never an answer; the request is an event that says so."""
    sampler = connect(max_retries=1, timeout=1.5).create_sampler(config.base_model)
    service.faults.add(path, fault, times=50)
    with events.collect("req_llm.request.*") as heard, pytest.raises(kind):
        sampler.sample(["ticket"], GREEDY)
    assert [event.name for event in heard if event.metadata["backend"] == "tinker"] == [
        "req_llm.request.start",
        "req_llm.request.exception",
    ]
    service.faults.clear()
