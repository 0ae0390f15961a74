"""Group rollouts: every environment of a batch, turn by turn, all answers of a turn asked for at once.

What fails is left out and counted, where it failed and why; it never ends the batch, and never passes for a reward
of 0. What is drawn depends on the seed, the places in the batch and the turn alone, so rollouts can be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from numbers import Real
from typing import Any, Final, Literal, cast

import msgspec

from crucible import events
from crucible.backends import Sample, Sampler, SamplingParams
from crucible.errors import DataError
from crucible.pipeline import check_cancelled
from crucible.pipeline.cancel import is_stop
from crucible.train.rl.asking import Prompt, ask
from crucible.train.rl.calling import call_each
from crucible.train.rl.env import Env, EnvGroupBuilder
from crucible.train.rl.observation import Observation, StepResult
from crucible.train.rl.trajectory import RolloutFailure, Rollouts, Trajectory, TrajectoryGroup, Transition

__all__ = ["roll_out"]

_LARGEST: Final = 1e30  # beyond it squares and 32 bits overflow


class _Episode:
    """One environment under way."""

    def __init__(self, group: int, member: int, env: Env) -> None:
        self.group = group
        self.member = member
        self.env = env
        self.observation: Observation | None = None
        self.transitions: list[Transition] = []
        self.ended: Literal["done", "window", "turns"] | None = None
        self.failure: RolloutFailure | None = None

    @property
    def is_open(self) -> bool:
        return self.ended is None and self.failure is None

    def fail(self, where: str, error: Exception) -> None:
        self.failure = _failure(self.group, self.member, where, error)


def roll_out(
    sampler: Sampler,
    builders: Sequence[EnvGroupBuilder],
    params: SamplingParams,
    *,
    seed: int,
    max_turns: int = 64,
    window: int | None = None,
) -> Rollouts:
    """Let a policy act in every environment of every group.

    Args:
        sampler: The policy; it must give tokens and their log-probabilities.
        builders: One a group.
        params: How answers are drawn; its seeds and stops are the environments' and the rollouts' own.
        seed: Decides every draw, together with the place of the group, of the environment in it, and the turn.
        max_turns: Most turns of an episode, at least 1.
        window: Most tokens of an observation and an answer together; None: what the sampler takes. An episode whose
            first observation leaves no room for `params.max_tokens` fails; one that comes to it later ends there.

    Returns:
        The trajectories by group, and what failed: the caller decides how many failures are too many.

    Raises:
        DataError: `max_turns` is below 1.
        Cancelled: The run was asked to stop.
    """
    if max_turns < 1:
        raise DataError(f"max_turns must be at least 1, got {max_turns}: an episode without a turn has no answer")
    with events.span("crucible_train.rollout", {"sampler": sampler.model}) as span:
        groups, failures = _make(builders)
        episodes = [episode for group in groups.values() for episode in group]
        _begin(episodes, params.max_tokens, window)
        for turn in range(max_turns):
            going = [episode for episode in episodes if episode.is_open]
            if not going:
                break
            check_cancelled()
            _turn(sampler, going, params, seed, turn)
            _look(going, params.max_tokens, window)
        for episode in episodes:
            if episode.is_open:
                episode.ended = "turns"
        failures += [episode.failure for episode in episodes if episode.failure is not None]
        kept: dict[int, TrajectoryGroup] = {}
        for place, group in groups.items():
            try:
                made = _group(builders[place], [episode for episode in group if episode.failure is None])
            except Exception as error:  # a stranger's reward; counted and told
                if is_stop(error):
                    raise
                failures.append(_failure(place, None, "compute_group_rewards", error))
                continue
            if made is not None:
                kept[place] = made
        started = len(episodes) + len(builders) - len(groups)
        found = Rollouts(tuple(kept.values()), tuple(failures), started, tuple(kept))
        span.measure(
            groups=len(found.groups),
            trajectories=found.finished,
            failed=found.started - found.finished,
            completion_tokens=sum(each.action_tokens for group in found.groups for each in group.trajectories),
        )
    return found


def _make(builders: Sequence[EnvGroupBuilder]) -> tuple[dict[int, list[_Episode]], list[RolloutFailure]]:
    """Return the episodes of each group that could be made, by its place, and the failures of the others."""
    groups: dict[int, list[_Episode]] = {}
    failures: list[RolloutFailure] = []
    made = call_each([builder.make_envs for builder in builders])
    for place, envs in enumerate(made):
        if isinstance(envs, Exception):
            failures.append(_failure(place, None, "make_envs", envs))
            continue
        try:
            members = list(envs)
        except TypeError:
            error = DataError(f"make_envs must return a list of environments, got {envs!r:.80}")
            failures.append(_failure(place, None, "make_envs", error))
            continue
        if members:
            groups[place] = [_Episode(place, member, env) for member, env in enumerate(members)]
        else:
            failures.append(_failure(place, None, "make_envs", DataError("there is no environment in the group")))
    return groups, failures


def _begin(episodes: Sequence[_Episode], max_tokens: int, window: int | None) -> None:
    shown = call_each([partial(_first_of, episode.env) for episode in episodes])  # one without the method fails alone
    for episode, observation in zip(episodes, shown, strict=True):
        if isinstance(observation, Exception):
            episode.fail("initial_observation", observation)
            continue
        try:
            episode.observation = _read(observation)
        except DataError as error:
            episode.fail("initial_observation", error)
    _look(episodes, max_tokens, window)


def _first_of(env: Env) -> Any:
    return env.initial_observation()


def _read(observation: Any) -> Observation:
    """Return an observation whose tokens are a tuple of whole numbers, whatever sequence they came as.

    Raises:
        DataError: It is no observation, or has no tokens.
    """
    try:
        if isinstance(observation, Observation) and len(observation.tokens):
            whole = tuple(token.__index__() for token in observation.tokens)
            stops = tuple(token.__index__() for token in observation.stop_tokens)
            return msgspec.structs.replace(observation, tokens=whole, stop=tuple(observation.stop), stop_tokens=stops)
    except (AttributeError, TypeError):
        pass
    raise DataError(f"expected an Observation with tokens, got {observation!r:.80}")


def _look(episodes: Sequence[_Episode], max_tokens: int, window: int | None) -> None:
    """End or fail the episodes whose observation leaves no room for an answer."""
    for episode in episodes:
        if not episode.is_open or episode.observation is None or window is None:
            continue
        if len(episode.observation.tokens) + max_tokens > window:
            _out_of_room(
                episode, f"of {len(episode.observation.tokens)} tokens leaves no room for {max_tokens} in {window}"
            )


def _out_of_room(episode: _Episode, why: str) -> None:
    if episode.transitions:
        episode.ended = "window"
    else:
        episode.fail("sample", DataError(f"the first observation {why}"))


def _turn(sampler: Sampler, going: Sequence[_Episode], params: SamplingParams, seed: int, turn: int) -> None:
    """Ask for one answer an episode, and hand each to its environment."""
    prompts: list[Prompt] = []
    for episode in going:
        assert episode.observation is not None  # noqa: S101  # an open episode has one
        prompts.append(Prompt(episode.group, episode.member, episode.observation))
    answered: list[tuple[_Episode, Sample]] = []
    for episode, answer in zip(going, ask(sampler, prompts, params, seed=seed, turn=turn), strict=True):
        if isinstance(answer, Exception):
            episode.fail("sample", answer)
        elif answer.truncated_prompt:
            _out_of_room(episode, f"leaves no room for {params.max_tokens} tokens in the sampler's window")
        else:
            answered.append((episode, answer))
    results = call_each([_stepping(episode.env, answer) for episode, answer in answered])
    for (episode, answer), result in zip(answered, results, strict=True):
        try:
            _take(episode, answer, result)
        except DataError as error:
            episode.fail("step", error)


def _stepping(env: Env, answer: Sample) -> Callable[[], Any]:
    return lambda: env.step(answer)


def _take(episode: _Episode, answer: Sample, result: Any) -> None:
    """Write a turn down.

    Raises:
        DataError: What the environment returned is no result of a step.
    """
    if isinstance(result, Exception):
        episode.fail("step", result)
        return
    if not isinstance(result, StepResult):
        raise DataError(f"step must return a StepResult, got {type(result).__name__}")
    _check("reward", result.reward)
    metrics = _checked_metrics(result.metrics)
    following: Observation | None = None
    if not result.episode_done:
        try:
            following = _read(result.next_observation)
        except DataError as error:
            raise DataError(f"an episode that is not done needs a next_observation with tokens: {error}") from error
    assert episode.observation is not None  # noqa: S101
    episode.transitions.append(
        Transition(episode.observation, answer, float(result.reward), result.episode_done, metrics)
    )
    episode.observation = following
    if result.episode_done:
        episode.ended = "done"


def _group(builder: EnvGroupBuilder, finished: Sequence[_Episode]) -> TrajectoryGroup | None:
    """Return a group with its final rewards; None where no episode of it came to an end.

    Raises:
        DataError: The rewards are not one finite number a trajectory.
    """
    if not finished:
        return None
    trajectories = tuple(Trajectory(tuple(each.transitions), each.ended or "done") for each in finished)
    (rewarded,) = call_each([lambda: builder.compute_group_rewards(trajectories, [each.env for each in finished])])
    if isinstance(rewarded, Exception):
        raise rewarded
    pairs: list[tuple[float, Mapping[str, float]]] = list(rewarded)
    if len(pairs) != len(trajectories):
        raise DataError(f"compute_group_rewards returned {len(pairs)} rewards for {len(trajectories)} trajectories")
    for reward, _ in pairs:
        _check("reward", reward)
    return TrajectoryGroup(
        trajectories,
        tuple(float(reward) for reward, _ in pairs),
        tuple(_checked_metrics(metrics) for _, metrics in pairs),
        tuple(builder.logging_tags()),
    )


def _checked_metrics(metrics: Any) -> dict[str, float]:
    if not isinstance(metrics, Mapping):
        raise DataError(f"metrics must be a mapping of names to numbers, got {metrics!r:.80}")
    found = cast("Mapping[Any, Any]", metrics)
    for name, value in found.items():
        _check(f"metric {name}", value)
    return {str(name): float(value) for name, value in found.items()}


def _check(what: str, value: Any) -> None:
    number: Any = value
    if not isinstance(value, Real) or not abs(number) <= _LARGEST:  # NaN is not at most anything
        raise DataError(f"the {what} must be a finite number, got {value!r:.80}; at most {_LARGEST:g} in size")


def _failure(group: int, member: int | None, where: str, error: Exception) -> RolloutFailure:
    return RolloutFailure(group, member, where, f"{type(error).__name__}: {error}")
