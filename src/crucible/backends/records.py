"""What goes into a session's or a sampler's requests, and what comes back.

Names and defaults follow Tinker where it has one, with two exceptions: sampling is greedy unless a temperature is asked
for, because an evaluation that repeats must not depend on luck, and Adam's decay rates and eps are PyTorch's (Tinker's:
beta2 0.95, eps 1e-12).
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = [
    "AdamParams",
    "ForwardBackwardOutput",
    "OptimStepOutput",
    "OptimizerParams",
    "RmspropParams",
    "Sample",
    "SamplingParams",
    "SessionStatus",
    "SgdParams",
]

SessionStatus = Literal["initializing", "ready", "training", "evaluating", "completed", "failed"]
"""What a session does: `initializing` until its weights are there; `ready` while no request is carried out;
`training` while one is that changes weights or their gradient, saves or loads them; `evaluating` while one only looks
at them; `completed` once it was closed after nothing failed; `failed` from the first request that failed on."""


_SEEDS = (-(2**63), 2**64)  # what generators take


class AdamParams(msgspec.Struct, frozen=True, kw_only=True):
    """One step of AdamW, whose weight decay is decoupled, or of Adam, whose is part of the gradient.

    Attributes:
        learning_rate: Step size, 0 or more.
        beta1: Decay rate of the first moment, in [0, 1).
        beta2: Decay rate of the second moment, in [0, 1).
        eps: Added to the root of the second moment, above 0.
        weight_decay: Share of each weight removed per unit of learning rate, 0 or more.
        grad_clip_norm: Largest Euclidean norm of the whole gradient; 0 turns clipping off.
        decoupled: Whether the decay is taken off the weights themselves (AdamW); else it is added to the gradient,
            which the moments then rescale (Adam). Without weight decay both are the same.

    Raises:
        ValueError: A value lies outside its range.
    """

    learning_rate: float = 1e-4
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    grad_clip_norm: float = 0.0
    decoupled: bool = True

    def __post_init__(self) -> None:
        _check_shares(self, "beta1", "beta2")
        _check_amounts(self, "learning_rate", "weight_decay", "grad_clip_norm")
        _check_above_zero(self, "eps")


class SgdParams(msgspec.Struct, frozen=True, kw_only=True):
    """One step of gradient descent, with momentum or without.

    Attributes:
        learning_rate: Step size, 0 or more.
        momentum: Share of the last direction that is kept, in [0, 1).
        weight_decay: Added to the gradient as so many times the weights, 0 or more.
        grad_clip_norm: Largest Euclidean norm of the whole gradient; 0 turns clipping off.

    Raises:
        ValueError: A value lies outside its range.
    """

    learning_rate: float = 1e-3
    momentum: float = 0.0
    weight_decay: float = 0.0
    grad_clip_norm: float = 0.0

    def __post_init__(self) -> None:
        _check_shares(self, "momentum")
        _check_amounts(self, "learning_rate", "weight_decay", "grad_clip_norm")


class RmspropParams(msgspec.Struct, frozen=True, kw_only=True):
    """One step of RMSprop: the gradient over the root of its running mean square, with momentum or without.

    Attributes:
        learning_rate: Step size, 0 or more.
        alpha: Decay rate of the mean square, in [0, 1).
        eps: Added to its root, above 0.
        momentum: Share of the last direction that is kept, in [0, 1).
        weight_decay: Added to the gradient as so many times the weights, 0 or more.
        grad_clip_norm: Largest Euclidean norm of the whole gradient; 0 turns clipping off.

    Raises:
        ValueError: A value lies outside its range.
    """

    learning_rate: float = 1e-2
    alpha: float = 0.99
    eps: float = 1e-8
    momentum: float = 0.0
    weight_decay: float = 0.0
    grad_clip_norm: float = 0.0

    def __post_init__(self) -> None:
        _check_shares(self, "alpha", "momentum")
        _check_amounts(self, "learning_rate", "weight_decay", "grad_clip_norm")
        _check_above_zero(self, "eps")


OptimizerParams = AdamParams | SgdParams | RmspropParams
"""What `optim_step` takes: which rule, and its settings for this step."""


def _check_shares(params: OptimizerParams, *names: str) -> None:
    for name in names:
        if not 0 <= getattr(params, name) < 1:
            raise _out_of_range(params, name, "in [0, 1)")


def _check_amounts(params: OptimizerParams, *names: str) -> None:
    for name in names:
        if not 0 <= getattr(params, name) < float("inf"):
            raise _out_of_range(params, name, "0 or more and finite")


def _check_above_zero(params: OptimizerParams, *names: str) -> None:
    for name in names:
        if not 0 < getattr(params, name) < float("inf"):
            raise _out_of_range(params, name, "above 0 and finite")


def _out_of_range(params: OptimizerParams, name: str, expected: str) -> ValueError:
    kind = type(params).__name__
    return ValueError(f"{kind}.{name} is out of range: expected {expected}, got {getattr(params, name)}")


class ForwardBackwardOutput(msgspec.Struct, frozen=True):
    """The answer to `forward` and `forward_backward`.

    Attributes:
        loss: The loss, summed over tokens and data (never averaged).
        logprobs: One list a datum, one natural-log probability a target token. `forward` fills every position;
            `forward_backward` computes those that the loss reads and leaves None where the weight is 0. All None for
            a datum with soft targets.
        metrics: Named `quantity:reduction` as Tinker's are: `loss:sum`, `input_tokens:sum`, `weighted_tokens:sum`, of a
            composite loss `loss/<name>:sum` of each part before its weight, of a custom loss what it reported.
        soft_logprobs: Empty where no datum has soft targets; else one list a datum: the natural-log probabilities of
            the K candidates of each position (none where `logprobs` would have None), and none of data without.
    """

    loss: float
    logprobs: list[list[float | None]]
    metrics: dict[str, float]
    soft_logprobs: list[list[list[float]]] = []


class OptimStepOutput(msgspec.Struct, frozen=True):
    """The answer to `optim_step`.

    Attributes:
        gradient_norm: Euclidean norm of the accumulated gradient, before clipping.
        step: Count of optimiser steps taken so far, this one included.
        metrics: What the session's gradient hooks found, `gradient/<hook>/<number>`; empty without hooks.
        hooks_ns: How long they took, in nanoseconds; part of the step's duration.
    """

    gradient_norm: float
    step: int
    metrics: dict[str, float] = {}
    hooks_ns: int = 0


class SamplingParams(msgspec.Struct, frozen=True, kw_only=True):
    """How answers are drawn.

    Attributes:
        max_tokens: Most tokens of an answer, at least 1.
        temperature: 0 takes the likeliest token each time; 1 draws from the model's own distribution.
        top_k: Draw among so many likeliest tokens only (tokens as likely as the last of them included); -1: all.
        top_p: Draw among the fewest likeliest tokens that together have this probability, in (0, 1]; after `top_k`.
        seed: Makes the draws of a call repeatable; None takes a fresh one from the system. Unused when greedy.
        seeds: One seed a prompt of the call, in their order, in place of `seed`: what is drawn for a prompt then
            depends on its own seed and not on its place in the call. Unused when greedy.
        stop: Strings that end an answer; they are cut from its text.
        stop_tokens: Tokens that end an answer, beside the model's own end tokens; the last one is cut from its text.
        ignore_eos: Go on after the model's own end tokens (Tinker's `stop=[]`).

    Raises:
        ValueError: A value lies outside its range.
    """

    max_tokens: int = 64
    temperature: float = 0.0
    top_k: int = -1
    top_p: float = 1.0
    seed: int | None = None
    seeds: tuple[int, ...] | None = None
    stop: tuple[str, ...] = ()
    stop_tokens: tuple[int, ...] = ()
    ignore_eos: bool = False

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise ValueError(f"SamplingParams.max_tokens must be at least 1, got {self.max_tokens}")
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"SamplingParams.temperature must be 0 or more and finite, got {self.temperature}")
        if self.top_k != -1 and self.top_k < 1:
            raise ValueError(f"SamplingParams.top_k must be at least 1, or -1 for all tokens, got {self.top_k}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"SamplingParams.top_p must be above 0 and at most 1, got {self.top_p}")
        if self.seed is not None and self.seeds is not None:
            raise ValueError("SamplingParams takes seed or seeds, not both")
        for seed in (self.seed, *(self.seeds or ())):
            if seed is not None and not _SEEDS[0] <= seed < _SEEDS[1]:
                raise ValueError(f"SamplingParams: a seed must be at least -2^63 and below 2^64, got {seed}")
        if isinstance(self.stop, str):  # its letters would be stops
            raise TypeError(f"SamplingParams.stop is a tuple of strings, got the string {self.stop!r}")
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
