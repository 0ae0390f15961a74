# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (the SDK is reached through `require`, so that it is optional)
"""Frozen weights on a Tinker service that answer prompts: the sampler of `TinkerBackend`."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from crucible.backends.prompt_sampler import PromptSampler
from crucible.backends.records import Sample, SamplingParams
from crucible.backends.tinker.bridge import TelemetryBridge
from crucible.backends.tinker.connection import Connection, require_sdk
from crucible.backends.tinker.prompts import aligned, prompt_seeds, top_rows
from crucible.backends.tinker.settings import BACKEND, TinkerSettings
from crucible.errors import BackendError, BadResponse
from crucible.events import Span
from crucible.text import Tokenizer

__all__ = ["TinkerSampler", "sdk_retry_config"]


class TinkerSampler(PromptSampler[Any]):
    """A model on a service; its weights never change, whatever training does meanwhile.

    All prompts of a call are under way at once, each as one request. Stop strings and stop tokens in one call are
    refused: the service takes one kind of them.

    Args:
        connection: The service.
        client: The SDK's `SamplingClient`.
        model: Name for events and reports.
        tokenizer: The model's tokenizer.
        window: Most tokens of prompt and answer together.
    """

    def __init__(self, connection: Connection, client: Any, *, model: str, tokenizer: Tokenizer, window: int) -> None:
        super().__init__(model=model, tokenizer=tokenizer, window=window)
        self._connection = connection
        self._client = client
        self._bridge = TelemetryBridge(connection)

    @property
    def device(self) -> str:
        """`tinker`: the service does not say where its weights live."""
        return BACKEND

    @property
    def dtype(self) -> str | None:
        """None: the service does not say."""
        return None

    def _span(self) -> AbstractContextManager[Span]:
        return self._bridge.sampling(self.model)

    def _token_logprobs(self, tokens_N_T: list[list[int]]) -> list[list[float | None]]:  # noqa: N803
        sdk = require_sdk()

        def send(tokens: list[int]) -> Any:
            return self._client.compute_logprobs(sdk.ModelInput.from_ints(tokens))

        answers = self._scored("logprobs", tokens_N_T, send)
        pairs = zip(tokens_N_T, answers, strict=True)
        return [aligned([None] if answer is None else answer, len(tokens)) for tokens, answer in pairs]

    def _likeliest(self, tokens_N_T: list[list[int]], k: int) -> list[list[list[tuple[int, float]]]]:  # noqa: N803
        sdk = require_sdk()

        def send(tokens: list[int]) -> Any:
            return self._client.sample(
                prompt=sdk.ModelInput.from_ints(tokens),
                num_samples=1,
                sampling_params=sdk.SamplingParams(max_tokens=1, temperature=0.0),
                include_prompt_logprobs=True,
                topk_prompt_logprobs=k,
            )

        answers = self._scored("top_logprobs", tokens_N_T, send)
        pairs = zip(tokens_N_T, answers, strict=True)
        return [
            [[]] if answer is None else top_rows(answer.topk_prompt_logprobs, len(tokens), k)
            for tokens, answer in pairs
        ]

    def _scored(self, request: str, tokens_N_T: list[list[int]], send: Callable[[list[int]], Any]) -> list[Any]:  # noqa: N803
        """Return the answers to one request a prompt; None for one of a single token, of which nothing is asked."""
        with self._connection.border(request):
            pending = [None if len(tokens) == 1 else send(tokens) for tokens in tokens_N_T]
            return [
                None if each is None else self._settled(request, each, functools.partial(send, tokens))
                for tokens, each in zip(tokens_N_T, pending, strict=True)
            ]

    def _draw(self, prompts_N_T: list[list[int]], params: SamplingParams, copies: int) -> list[list[Any]]:  # noqa: N803
        seeds = prompt_seeds(len(prompts_N_T), params)
        sends = [
            functools.partial(self._send, tokens, params, copies, seed)
            for tokens, seed in zip(prompts_N_T, seeds, strict=True)
        ]
        answers: list[list[Any]] = []
        with self._connection.border("sample"):
            pending = [send() for send in sends]
            for first, send in zip(pending, sends, strict=True):
                sequences = list(self._settled("sample", first, send).sequences)
                if len(sequences) != copies:
                    raise BadResponse(f"{copies} samples were asked for and {len(sequences)} came", backend=BACKEND)
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

    def _sample(self, drawn: Any, params: SamplingParams, prompt_tokens: int, *, truncated: bool) -> Sample:
        """Return our record of an answer; one that goes on behind an end token, as stop strings may make it, is cut."""
        tokens = [int(token) for token in drawn.tokens]
        logprobs = drawn.logprobs
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
            stop_reason="stop" if ended else drawn.stop_reason,
            logprobs=None if logprobs is None else tuple(float(value) for value in logprobs[:length]),
            prompt_tokens=prompt_tokens,
            truncated_prompt=truncated,
        )


def sdk_retry_config(settings: TinkerSettings) -> Any:
    """Return the SDK's `RetryConfig` that leaves retrying to us."""
    handler = importlib.import_module("tinker.lib.retry_handler")
    return handler.RetryConfig(enable_retry_logic=False, progress_timeout=settings.timeout_s + 3600)  # ours ends first
