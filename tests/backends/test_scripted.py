"""The scripted sampler: a public fake that never poses as a model."""

from __future__ import annotations

import asyncio

import pytest

from crucible import events
from crucible.backends import Sampler, SamplingParams, ScriptedSampler
from crucible.errors import BackendError
from crucible.text import ModelInput


def test_a_mapping_answers_and_is_named_scripted() -> None:
    """Answers come in the order of the prompts; the event says that they were scripted."""
    sampler = ScriptedSampler({"a": "1", "b": "2"})
    assert isinstance(sampler, Sampler)
    with events.collect("req_llm.*") as seen:
        samples = sampler.sample(["b", "a"])
    assert [sample.text for sample in samples] == ["2", "1"]
    assert samples[0].tokens == ()
    assert samples[0].logprobs is None
    assert [event.name for event in seen] == ["req_llm.request.start", "req_llm.request.stop"]
    assert seen[1].metadata == {"model": "scripted", "backend": "scripted"}
    assert seen[1].measurements["prompts"] == 2


def test_a_function_answers_and_stop_strings_hold() -> None:
    """The first stop string of the answer ends it."""
    sampler = ScriptedSampler(lambda prompt: prompt + " yes; no. end")
    answer = asyncio.run(sampler.asample(["?"], SamplingParams(stop=(".", ";"))))
    assert answer[0].text == "? yes"


def test_a_prompt_without_an_answer_is_an_error() -> None:
    """A fake invents nothing."""
    with pytest.raises(BackendError, match="no answer for the prompt 'c'"):
        ScriptedSampler({"a": "1"}).sample(["c"])
    with pytest.raises(BackendError, match="no logprobs"):
        ScriptedSampler({}).logprobs(["c"])


def test_a_prompt_of_tokens_has_an_answer_of_its_own() -> None:
    """A script has no tokenizer, so tokens are what they are; a function is given them as they came."""
    tokens = ModelInput((5, 6))
    sampler = ScriptedSampler({"a": "1", tokens: "2"})
    assert [sample.text for sample in sampler.sample([tokens, "a"])] == ["2", "1"]
    assert [group[1].text for group in sampler.sample_groups([tokens], num_samples=2)] == ["2"]
    assert ScriptedSampler(lambda prompt: str(len(prompt))).sample([tokens])[0].text == "2"
    with pytest.raises(BackendError, match=r"no answer for the prompt ModelInput\(tokens=\(7,\)\)"):
        sampler.sample([ModelInput((7,))])


def test_a_script_has_no_likeliest_tokens() -> None:
    """It says so by name."""
    with pytest.raises(BackendError, match="scripted sampler has no top_logprobs"):
        ScriptedSampler({"a": "1"}).top_logprobs(["a"], 3)
