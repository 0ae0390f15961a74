"""A public fake for tests and examples: a sampler whose answers were written beforehand.

It never poses as a model: its name is `scripted` in every event and report, and a prompt without an answer is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crucible import events
from crucible.backends.records import Sample, SamplingParams
from crucible.errors import BackendError
from crucible.text import ModelInput

__all__ = ["ScriptedSampler"]


class ScriptedSampler:
    """Answers each prompt from a script; a fake, and plainly named as one.

    Stop strings are honoured and `max_tokens` is not, for a script has no tokens: answers have no `tokens` and no
    `logprobs`, and `prompt_tokens` is 0.

    Args:
        answers: A function from prompt to answer, or a mapping of them. A prompt is what was asked with: text, or
            tokens as a `ModelInput`, which has an answer of its own.
    """

    model = "scripted"
    tokenizer = None
    device = None
    dtype = None

    def __init__(self, answers: Callable[[Any], str] | Mapping[Any, str]) -> None:
        self._answers = answers

    def sample(self, prompts: Sequence[str | ModelInput], params: SamplingParams | None = None) -> list[Sample]:
        """Return the scripted answer to each prompt.

        Raises:
            BackendError: The mapping has no answer for a prompt.
        """
        stop = (params or SamplingParams()).stop
        with events.span("req_llm.request", {"model": self.model, "backend": "scripted"}) as span:
            samples = [self._answer(prompt, stop) for prompt in prompts]
            span.measure(
                prompts=len(prompts),
                prompt_tokens=0,
                completion_tokens=0,
            )
        return samples

    def sample_groups(
        self, prompts: Sequence[str | ModelInput], params: SamplingParams | None = None, *, num_samples: int
    ) -> list[list[Sample]]:
        """Return the scripted answer to each prompt `num_samples` times.

        Raises:
            BackendError: The mapping has no answer for a prompt.
        """
        return [[sample] * num_samples for sample in self.sample(prompts, params)]

    async def asample(self, prompts: Sequence[str | ModelInput], params: SamplingParams | None = None) -> list[Sample]:
        """`sample` for async code; a script never waits."""
        return self.sample(prompts, params)

    def logprobs(self, prompts: Sequence[str | ModelInput]) -> list[list[float | None]]:
        """A script has no probabilities.

        Raises:
            BackendError: Always.
        """
        raise BackendError(f"a scripted sampler has no logprobs (asked for {len(prompts)} prompts)", backend="scripted")

    def top_logprobs(self, prompts: Sequence[str | ModelInput], k: int) -> list[list[list[tuple[int, float]]]]:
        """A script has no probabilities.

        Raises:
            BackendError: Always.
        """
        raise BackendError(
            f"a scripted sampler has no top_logprobs (asked for {k} a token of {len(prompts)} prompts)",
            backend="scripted",
        )

    def _answer(self, prompt: str | ModelInput, stop: tuple[str, ...]) -> Sample:
        if callable(self._answers):
            text = self._answers(prompt)
        elif prompt in self._answers:
            text = self._answers[prompt]
        else:
            raise BackendError(f"the script has no answer for the prompt {prompt!r}", backend="scripted")
        ends = [text.index(string) for string in stop if string in text]
        return Sample(text[: min(ends)] if ends else text, (), "stop", None, 0, truncated_prompt=False)
