"""What goes into a session's or a sampler's requests, and what comes back.

Names and defaults follow Tinker where it has one, except that sampling is greedy unless a temperature is asked for:
an evaluation that repeats must not depend on luck.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["AdamParams", "ForwardBackwardOutput", "OptimStepOutput", "Sample", "SamplingParams"]


class AdamParams(msgspec.Struct, frozen=True, kw_only=True):
    """One step of AdamW with decoupled weight decay.

    Attributes:
        learning_rate: Step size, 0 or more.
        beta1: Decay rate of the first moment, in [0, 1).
        beta2: Decay rate of the second moment, in [0, 1).
        eps: Added to the root of the second moment, above 0.
        weight_decay: Share of each weight removed per unit of learning rate, 0 or more.
        grad_clip_norm: Largest Euclidean norm of the whole gradient; 0 turns clipping off.

    Raises:
        ValueError: A value lies outside its range.
    """

    learning_rate: float = 1e-4
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    grad_clip_norm: float = 0.0

    def __post_init__(self) -> None:
        in_range = {
            "learning_rate": 0 <= self.learning_rate < float("inf"),
            "beta1": 0 <= self.beta1 < 1,
            "beta2": 0 <= self.beta2 < 1,
            "eps": 0 < self.eps < float("inf"),
            "weight_decay": 0 <= self.weight_decay < float("inf"),
            "grad_clip_norm": 0 <= self.grad_clip_norm < float("inf"),
        }
        for name, fits in in_range.items():
            if not fits:
                raise ValueError(f"AdamParams.{name} is out of range: {getattr(self, name)}")


class ForwardBackwardOutput(msgspec.Struct, frozen=True):
    """The answer to `forward` and `forward_backward`.

    Attributes:
        loss: The loss, summed over tokens and data (never averaged).
        logprobs: One list a datum, one natural-log probability a target token. `forward` fills every position;
            `forward_backward` computes those that the loss reads and leaves None where the weight is 0.
        metrics: Named `quantity:reduction` as Tinker's are: `loss:sum`, `input_tokens:sum`, `weighted_tokens:sum`.
    """

    loss: float
    logprobs: list[list[float | None]]
    metrics: dict[str, float]


class OptimStepOutput(msgspec.Struct, frozen=True):
    """The answer to `optim_step`.

    Attributes:
        gradient_norm: Euclidean norm of the accumulated gradient, before clipping.
        step: Count of optimiser steps taken so far, this one included.
    """

    gradient_norm: float
    step: int


class SamplingParams(msgspec.Struct, frozen=True, kw_only=True):
    """How answers are drawn.

    Attributes:
        max_tokens: Most tokens of an answer, at least 1.
        temperature: 0 takes the likeliest token each time; 1 draws from the model's own distribution.
        seed: Makes the draws of a call repeatable; None takes a fresh one from the system. Unused when greedy.
        seeds: One seed a prompt of the call, in their order, in place of `seed`: what is drawn for a prompt then
            depends on its own seed and not on its place in the call. Unused when greedy.
        stop: Strings that end an answer; they are cut from its text.

    Raises:
        ValueError: A value lies outside its range.
    """

    max_tokens: int = 64
    temperature: float = 0.0
    seed: int | None = None
    seeds: tuple[int, ...] | None = None
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise ValueError(f"SamplingParams.max_tokens must be at least 1, got {self.max_tokens}")
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"SamplingParams.temperature must be 0 or more and finite, got {self.temperature}")
        if self.seed is not None and self.seeds is not None:
            raise ValueError("SamplingParams takes seed or seeds, not both")
        if not all(self.stop):
            raise ValueError("SamplingParams.stop holds an empty string, which would end every answer at once")


class Sample(msgspec.Struct, frozen=True):
    """One answer of a model.

    Attributes:
        text: The answer, without special tokens and without the stop string.
        tokens: What the model wrote, the end token or the tokens of the stop string included; empty from a backend
            without tokens.
        stop_reason: `"stop"`: an end token or a stop string came; `"length"`: `max_tokens` were used up.
        logprobs: Natural-log probability of each of `tokens` under the model (at temperature 1), or None where
            the backend has none.
        prompt_tokens: Tokens of the prompt that the model read.
        truncated_prompt: The prompt was longer than the window allows and lost its beginning.
    """

    text: str
    tokens: tuple[int, ...]
    stop_reason: Literal["stop", "length"]
    logprobs: tuple[float, ...] | None
    prompt_tokens: int
    truncated_prompt: bool
