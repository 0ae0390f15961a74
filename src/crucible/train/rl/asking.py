"""Asking a sampler for the answers of a turn, in as few calls as the prompts allow.

A group that is shown one and the same observation is one prompt with several answers, so it is read once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from crucible.backends import Sample, Sampler, SamplingParams
from crucible.data.order import draw_seed
from crucible.errors import BackendError, DataError
from crucible.pipeline import check_cancelled
from crucible.pipeline.cancel import is_stop
from crucible.text import ModelInput
from crucible.train.rl.observation import Observation

__all__ = ["Prompt", "ask"]


class Prompt(msgspec.Struct, frozen=True):
    """What one environment shows.

    Attributes:
        group: Place of its group in the batch.
        member: Place in the group.
        observation: What is shown.
    """

    group: int
    member: int
    observation: Observation


class _Request(msgspec.Struct, frozen=True):
    """One prompt of a call, and the places of those who wait for its answers."""

    observation: Observation
    seed: int
    places: list[int]


def ask(
    sampler: Sampler, prompts: Sequence[Prompt], params: SamplingParams, *, seed: int, turn: int
) -> list[Sample | Exception]:
    """Return an answer to each prompt, or why there is none, in their order.

    A call that fails because of one of its prompts is made anew for each alone.

    Args:
        sampler: Who answers.
        prompts: Those of a turn.
        params: How answers are drawn; stops and seeds are set here.
        seed: Of the rollouts.
        turn: Which turn, from 0.

    Raises:
        Cancelled: The run was asked to stop; looked at before each call.
    """
    calls: dict[tuple[object, ...], list[_Request]] = {}
    for request in _requests(prompts, seed, turn):
        shown = request.observation
        calls.setdefault((shown.stop, shown.stop_tokens, len(request.places)), []).append(request)
    answers: list[Sample | Exception] = [DataError("was not asked")] * len(prompts)
    for requests in calls.values():
        for request, group in zip(requests, _call(sampler, requests, params), strict=True):
            for number, place in enumerate(request.places):
                answers[place] = group if isinstance(group, Exception) else _usable(group[number], sampler.model)
    return answers


def _requests(prompts: Sequence[Prompt], seed: int, turn: int) -> list[_Request]:
    """Return one request for each different observation of a group; its seed is that of its first environment."""
    found: dict[tuple[int, Observation], _Request] = {}
    for place, prompt in enumerate(prompts):
        key = (prompt.group, prompt.observation)
        if key not in found:
            own = draw_seed(seed, f"{prompt.group}/{prompt.member}/{turn}")
            found[key] = _Request(prompt.observation, own, [])
        found[key].places.append(place)
    return list(found.values())


def _call(sampler: Sampler, requests: Sequence[_Request], params: SamplingParams) -> Sequence[list[Sample] | Exception]:
    first = requests[0].observation
    how = msgspec.structs.replace(
        params,
        seed=None,
        seeds=tuple(request.seed for request in requests),
        stop=tuple(dict.fromkeys((*params.stop, *first.stop))),
        stop_tokens=tuple(dict.fromkeys((*params.stop_tokens, *first.stop_tokens))),
    )
    check_cancelled()
    inputs = [ModelInput(request.observation.tokens) for request in requests]
    try:
        return sampler.sample_groups(inputs, how, num_samples=len(requests[0].places))
    except DataError as error:  # of a prompt
        if len(requests) == 1:
            return [error]
        return [_call(sampler, [request], params)[0] for request in requests]
    except Exception as error:
        if is_stop(error):
            raise
        return [error] * len(requests)


def _usable(sample: Sample, model: str) -> Sample | Exception:
    """Return an answer that can be trained on, or what it lacks."""
    if sample.truncated_prompt:
        return sample
    if not sample.tokens:
        return BackendError(f"{model} answered without a token", backend=model)
    if sample.logprobs is None or len(sample.logprobs) != len(sample.tokens):
        return BackendError(
            f"{model} gives no log-probabilities of what it answers, which learning from rewards needs", backend=model
        )
    if not all(map(math.isfinite, sample.logprobs)):
        return BackendError(f"{model} gave a log-probability that is not a finite number", backend=model)
    return sample
