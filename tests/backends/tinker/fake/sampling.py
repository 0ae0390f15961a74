"""Sampling requests as the local sampler carries them out."""

from __future__ import annotations

from typing import Any

from tests.backends.tinker.fake.wire import encode_samples

from crucible.backends.records import SamplingParams
from crucible.text import ModelInput

__all__ = ["answers"]


def answers(sampler: Any, body: dict[str, Any], count: int) -> bytes:
    """Return the answer to an `asample`, as protobuf."""
    prompt = ModelInput(tuple(token for chunk in body["prompt"]["chunks"] for token in chunk["tokens"]))
    asked: dict[str, Any] = body["sampling_params"]
    sequences: list[tuple[Any, Any, str]] = []
    for place in range(count):
        seed = None if asked.get("seed") is None else asked["seed"] + place
        stop: Any = asked.get("stop")
        stop = [stop] if isinstance(stop, str) else stop
        params = SamplingParams(
            max_tokens=asked.get("max_tokens") or 64,
            temperature=asked.get("temperature", 1.0),
            seed=seed,
            top_k=asked.get("top_k", -1),
            top_p=asked.get("top_p", 1.0),
            stop=tuple(part for part in stop or () if isinstance(part, str)),
            stop_tokens=tuple(part for part in stop or () if isinstance(part, int)),
            ignore_eos=stop is not None and not any(isinstance(part, str) for part in stop),
        )
        [answer] = sampler.sample([prompt], params)
        sequences.append((answer.tokens, answer.logprobs, answer.stop_reason))
    scored = sampler.logprobs([prompt])[0] if body.get("prompt_logprobs") else None
    wanted = body.get("topk_prompt_logprobs") or 0
    return encode_samples(sequences, scored, sampler.top_logprobs([prompt], wanted)[0] if wanted else None)
