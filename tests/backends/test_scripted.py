"""The scripted sampler: a public fake that never poses as a model."""

from __future__ import annotations

import asyncio

import pytest

from crucible import events
from crucible.backends import Sampler, SamplingParams, ScriptedSampler
from crucible.errors import BackendError


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
