# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (the SDK is reached through `require`, so that it is optional)
"""Frozen weights on a Tinker service that answer prompts: the sampler of `TinkerBackend`."""

from __future__ import annotations

import asyncio
import functools
import importlib
from collections.abc import Callable, Sequence
from typing import Any

from crucible.backends.prompts import answer_room, check_window, cut_to_fit, prompt_tokens
from crucible.backends.records import Sample, SamplingParams
from crucible.backends.tinker.bridge import TelemetryBridge
from crucible.backends.tinker.connection import Connection, require_sdk
from crucible.backends.tinker.prompts import prompt_seeds
from crucible.backends.tinker.settings import BACKEND, TinkerSettings
from crucible.errors import BackendError, BadResponse, DataError
from crucible.text import ModelInput, Tokenizer

__all__ = ["TinkerSampler", "sdk_retry_config"]


class TinkerSampler:
    """A model on a service; its weights never change, whatever training does meanwhile.

    Args:
        connection: The service.
        client: The SDK's `SamplingClient`.
        model: Name for events and reports.
        tokenizer: The model's tokenizer.
        window: Most tokens of prompt and answer together.
    """

    def __init__(self, connection: Connection, client: Any, *, model: str, tokenizer: Tokenizer, window: int) -> None:
        self._connection = connection
        self._client = client
        self._model = model
        self._tokenizer = tokenizer
        self._window = window
        self._bridge = TelemetryBridge(connection)

    @property
    def model(self) -> str:
        """Name of the model."""
        return self._model

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer."""
        return self._tokenizer

    @property
    def device(self) -> str:
        """`tinker`: the service does not say where its weights live."""
        return BACKEND

    @property
    def dtype(self) -> str | None:
        """None: the service does not say."""
        return None

    @property
    def window(self) -> int:
        """Most tokens of prompt and answer together."""
        return self._window

    def sample(self, prompts: Sequence[str | ModelInput], params: SamplingParams | None = None) -> list[Sample]:
        """Return one answer a prompt, in the order of the prompts; all are under way at once.

        A prompt that leaves no room for `max_tokens` in the window loses its beginning and is marked.

        Args:
            prompts: Text, or tokens.
            params: How to draw; None is greedy with 64 tokens, or half the window where that is less.

        Raises:
            DataError: A prompt is empty or holds a token outside of the vocabulary, `max_tokens` leaves no room, or
                there are not as many `seeds` as prompts.
            BackendError: The service refused or failed, or there are stop strings and stop tokens, which it takes one
                kind of.
        """
        return [answers[0] for answers in self.sample_groups(prompts, params, num_samples=1)]

    def sample_groups(
        self, prompts: Sequence[str | ModelInput], params: SamplingParams | None = None, *, num_samples: int
    ) -> list[list[Sample]]:
        """Return `num_samples` answers a prompt, in the order of the prompts; each prompt is one request.

        Args:
            prompts: As for `sample`.
            params: As for `sample`.
            num_samples: Answers a prompt, at least 1.

        Raises:
            DataError: As for `sample`, or `num_samples` is below 1.
            BackendError: The service refused or failed, or there are stop strings and stop tokens, which it takes one
                kind of.
        """
        params = params or SamplingParams(max_tokens=max(1, min(64, self._window // 2)))
        if num_samples < 1:
            raise DataError(f"num_samples must be at least 1, got {num_samples}")
        with self._bridge.sampling(self._model) as span:
            room = answer_room(params, self._window)
            whole = [prompt_tokens(self._tokenizer, number, prompt) for number, prompt in enumerate(prompts)]
            kept = [cut_to_fit(self._tokenizer, tokens, room) for tokens in whole]
            answers = self._ask(kept, params, num_samples)
            found = [
                [self._record(one, params, len(fitted), truncated=len(fitted) < len(all_)) for one in sequences]
                for sequences, fitted, all_ in zip(answers, kept, whole, strict=True)
            ]
            span.measure(
                prompts=len(found),
                prompt_tokens=sum(map(len, kept)),
                completion_tokens=sum(len(one.tokens) for each in found for one in each),
            )
        return found

    async def asample(self, prompts: Sequence[str | ModelInput], params: SamplingParams | None = None) -> list[Sample]:
        """`sample` on a thread, so that the event loop goes on."""
        return await asyncio.to_thread(self.sample, prompts, params)

    async def asample_groups(
        self, prompts: Sequence[str | ModelInput], params: SamplingParams | None = None, *, num_samples: int
    ) -> list[list[Sample]]:
        """`sample_groups` on a thread, so that the event loop goes on."""
        return await asyncio.to_thread(self.sample_groups, prompts, params, num_samples=num_samples)

    def logprobs(self, prompts: Sequence[str | ModelInput]) -> list[list[float | None]]:
        """Return each prompt's token log-probabilities given the tokens before; the first token has None.

        Raises:
            DataError: A prompt is empty or longer than the window.
            BackendError: The service refused or failed.
        """
        tokens_N_T = [prompt_tokens(self._tokenizer, number, each) for number, each in enumerate(prompts)]  # noqa: N806
        check_window(tokens_N_T, self._window)
        sdk = require_sdk()

        def send(tokens: list[int]) -> Any:
            return self._client.compute_logprobs(sdk.ModelInput.from_ints(tokens))

        found: list[list[float | None]] = []
        with self._connection.border("logprobs"):
            pending = [None if len(tokens) == 1 else send(tokens) for tokens in tokens_N_T]
            for tokens, each in zip(tokens_N_T, pending, strict=True):
                values = [None] if each is None else self._settled("logprobs", each, functools.partial(send, tokens))
                found.append(_aligned(values, len(tokens)))
        return found

    def _ask(self, prompts_N_T: list[list[int]], params: SamplingParams, count: int) -> list[list[Any]]:  # noqa: N803
        seeds = prompt_seeds(len(prompts_N_T), params)
        sends = [
            functools.partial(self._send, tokens, params, count, seed)
            for tokens, seed in zip(prompts_N_T, seeds, strict=True)
        ]
        answers: list[list[Any]] = []
        with self._connection.border("sample"):
            pending = [send() for send in sends]
            for first, send in zip(pending, sends, strict=True):
                sequences = list(self._settled("sample", first, send).sequences)
                if len(sequences) != count:
                    raise BadResponse(f"{count} samples were asked for and {len(sequences)} came", backend=BACKEND)
                answers.append(sequences)
        return answers

    def _settled(self, request: str, pending: Any, send: Callable[[], Any]) -> Any:
        """Wait for an answer; a request that the service lost is sent again, for it changes nothing."""
        attempts = 1
        while True:
            try:
                return self._connection.settle(request, pending)
            except BackendError as error:
                lost = type(error.__cause__).__name__ == "RetryableException"
                if not lost or attempts > self._connection.settings.max_retries:
                    raise
                attempts += 1
                pending = send()

    def _send(self, tokens: list[int], params: SamplingParams, count: int, seed: int | None) -> Any:
        sdk = require_sdk()
        options: dict[str, Any] = {"max_tokens": params.max_tokens, "temperature": params.temperature, "seed": seed}
        options |= {"top_k": params.top_k, "top_p": params.top_p, "stop": self._stop(params)}
        return self._client.sample(
            prompt=sdk.ModelInput.from_ints(tokens), num_samples=count, sampling_params=sdk.SamplingParams(**options)
        )

    def _stop(self, params: SamplingParams) -> list[str] | list[int] | None:
        """Return what ends an answer as the wire has it: nothing but the end token is None, nothing at all is []."""
        if params.stop and params.stop_tokens:
            raise BackendError("Tinker takes stop strings or stop tokens, not both; give one kind", backend=BACKEND)
        if params.stop:
            return list(params.stop)
        if params.stop_tokens:
            return [*params.stop_tokens, *([] if params.ignore_eos else [self._tokenizer.eos_id])]
        return [] if params.ignore_eos else None

    def _record(self, sequence: Any, params: SamplingParams, prompt_length: int, *, truncated: bool) -> Sample:
        """Return our record of an answer; one that goes on behind an end token, as stop strings may make it, is cut."""
        tokens = [int(token) for token in sequence.tokens]
        logprobs = sequence.logprobs
        if min(tokens, default=0) < 0:  # above the tokenizer's vocabulary a model may have rows that only fill up
            raise BadResponse(f"a sample holds the token {min(tokens)}", backend=BACKEND)
        if logprobs is not None and len(logprobs) != len(tokens):
            raise BadResponse(f"a sample of {len(tokens)} tokens has {len(logprobs)} logprobs", backend=BACKEND)
        ends = {*params.stop_tokens, *([] if params.ignore_eos else [self._tokenizer.eos_id])}
        length = next((place + 1 for place, token in enumerate(tokens) if token in ends), len(tokens))
        ended = length > 0 and tokens[length - 1] in ends
        text = self._tokenizer.decode(tokens[: length - 1] if ended else tokens)
        cuts = [text.index(string) for string in params.stop if string in text]
        return Sample(
            text=text[: min(cuts)] if cuts else text,
            tokens=tuple(tokens[:length]),
            stop_reason="stop" if ended else sequence.stop_reason,
            logprobs=None if logprobs is None else tuple(float(value) for value in logprobs[:length]),
            prompt_tokens=prompt_length,
            truncated_prompt=truncated,
        )


def sdk_retry_config(settings: TinkerSettings) -> Any:
    """Return the SDK's `RetryConfig` that leaves retrying to us."""
    handler = importlib.import_module("tinker.lib.retry_handler")
    return handler.RetryConfig(enable_retry_logic=False, progress_timeout=settings.timeout_s + 3600)  # ours ends first


def _aligned(values: Sequence[float | None], count: int) -> list[float | None]:
    """Return one value a token; SkyRL leaves the first token's None out."""
    found = list(values)
    if len(found) == count - 1:
        found = [None, *found]
    if len(found) != count:
        raise BadResponse(f"a prompt of {count} tokens got {len(found)} logprobs", backend=BACKEND)
    return [None, *found[1:]]
