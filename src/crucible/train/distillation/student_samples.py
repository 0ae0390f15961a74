"""What the student says itself, and how far from the teachers that is: the material of on-policy distillation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from crucible.backends import Sampler, SamplingParams
from crucible.errors import TrainError
from crucible.text import Datum
from crucible.train.distillation.teacher import Teacher, check_finite, mixed, shares
from crucible.train.rl.advantages import discounted_future_sum
from crucible.train.rl.data import trajectory_to_data
from crucible.train.rl.divergence import reference_logprobs
from crucible.train.rl.env import Env, EnvGroupBuilder
from crucible.train.rl.observation import Observation, StepResult
from crucible.train.rl.rollout import roll_out
from crucible.train.rl.trajectory import TrajectoryGroup

__all__ = ["Prompt", "StudentSamples", "draw", "kl_advantages"]


class Prompt(msgspec.Struct, frozen=True):
    """What the student is asked.

    Attributes:
        item_id: Of the item, for messages.
        asks: What items with the same input share.
        observation: Its tokens, and what ends an answer.
    """

    item_id: str
    asks: str
    observation: Observation


class StudentSamples(msgspec.Struct, frozen=True):
    """Answers of the student.

    Attributes:
        data: One a prompt and answer: weights are 1 on the student's own tokens, `loss_inputs["logprobs"]` the
            student's, `loss_inputs["advantages"]` what `kl_advantages` makes of the teachers'.
        prompts: Place of each one's prompt.
        reverse_kl: Mean of log q - log p over the student's tokens, nats: an estimate of KL(student || teacher).
        tokens: Tokens that the student wrote.
        failed: Answers that could not be drawn.
    """

    data: tuple[Datum, ...]
    prompts: tuple[int, ...]
    reverse_kl: float
    tokens: int
    failed: int


class _Asking:
    """An environment that asks, and has no opinion of the answer."""

    def __init__(self, observation: Observation) -> None:
        self._observation = observation

    def initial_observation(self) -> Observation:
        return self._observation

    def step(self, action: object) -> StepResult:
        del action
        return StepResult(0.0, episode_done=True)


class _Group(EnvGroupBuilder):
    """So many answers to one prompt."""

    def __init__(self, observation: Observation, size: int) -> None:
        self._observation = observation
        self._size = size

    def make_envs(self) -> Sequence[Env]:
        return [_Asking(self._observation) for _ in range(self._size)]


def draw(
    student: Sampler,
    teachers: Sequence[Teacher],
    prompts: Sequence[Prompt],
    *,
    group_size: int,
    max_tokens: int,
    kl_discount: float,
    seed: int,
) -> StudentSamples:
    """Let the student answer, from its own distribution, and the teachers say how likely each of its tokens is.

    Args:
        student: The weights of the moment.
        teachers: One or several.
        prompts: What to ask, at least one.
        group_size: Answers a prompt.
        max_tokens: Most tokens of an answer.
        kl_discount: As `kl_advantages` takes it.
        seed: Decides every draw.

    Raises:
        TrainError: No answer could be drawn; names the first failure.
        DataError: An answer does not fit a teacher's window.
        BackendError: A teacher does not answer, has no log-probabilities, or one that is no number.
        Cancelled: The run was asked to stop.
    """
    builders = [_Group(prompt.observation, group_size) for prompt in prompts]
    params = SamplingParams(max_tokens=max_tokens, temperature=1.0)
    rollouts = roll_out(student, builders, params, seed=seed, max_turns=1)
    data: list[Datum] = []
    places: list[int] = []
    for place, group in zip(rollouts.places, rollouts.groups, strict=True):
        for datum in _data_of(group):
            data.append(datum)
            places.append(place)
    if not data:
        first = rollouts.failures[0]
        raise TrainError(
            f"the student could not answer any of {len(prompts)} prompts; "
            f'the first, of the item "{prompts[first.group].item_id}": {first.error}'
        )
    share = shares(teachers)
    said = [reference_logprobs(teacher.sampler, data) for teacher in teachers]
    for teacher, own in zip(teachers, said, strict=True):
        check_finite(teacher, (value for values in own for value in values))
    scored = [
        _scored(datum, [mixed(each, share) for each in zip(*own, strict=True)], kl_discount)
        for datum, *own in zip(data, *said, strict=True)
    ]
    gaps = [gap for _, own in scored for gap in own]
    return StudentSamples(
        tuple(datum for datum, _ in scored),
        tuple(places),
        math.fsum(gaps) / len(gaps),
        len(gaps),
        rollouts.started - rollouts.finished,
    )


def kl_advantages(
    student: Sequence[float], teacher: Sequence[float], mask: Sequence[float], discount: float
) -> tuple[float, ...]:
    """Return -(log q - log p) of each token that the student wrote, 0 of the others.

    A token gains where the teacher finds it likelier than the student does, and nothing changes where both agree.
    `importance_sampling` on them follows the gradient of the mean KL(student || teacher) of the next token; at a
    discount of 1, that of whole answers.

    Args:
        student: (T,) log q, of the weights that wrote the tokens.
        teacher: (T,) log p.
        mask: (T,) not 0 on the student's own tokens.
        discount: Above 0, a token also answers for those after it, each one further on multiplied by this once more.

    Source:
        Lu and Thinking Machines Lab (2025), "On-Policy Distillation"; Agarwal et al. (2024), ICLR, "On-policy
        distillation of language models".
    """
    gains = [p - q if own else 0.0 for q, p, own in zip(student, teacher, mask, strict=True)]
    if discount > 0:
        sums = discounted_future_sum(gains, discount)
        gains = [value if own else 0.0 for value, own in zip(sums, mask, strict=True)]
    return tuple(gains)


def _data_of(group: TrajectoryGroup) -> list[Datum]:
    return [datum for trajectory in group.trajectories for datum in trajectory_to_data(trajectory, 0.0)]


def _scored(datum: Datum, teacher: Sequence[float], discount: float) -> tuple[Datum, list[float]]:
    """Return a datum with its advantages, and log q - log p of each of the student's tokens."""
    student = datum.loss_inputs["logprobs"]
    gains = kl_advantages(student, teacher, datum.weights, discount)
    gaps = [q - p for q, p, own in zip(student, teacher, datum.weights, strict=True) if own]
    return msgspec.structs.replace(datum, loss_inputs={**datum.loss_inputs, "advantages": gains}), gaps
