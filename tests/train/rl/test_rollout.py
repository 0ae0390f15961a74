"""Group rollouts: batched, repeatable, several turns, and failures that are counted."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.train.rl.made import act, letters

from crucible import pipeline
from crucible.backends import LocalBackend, Sample, Sampler, SamplingParams
from crucible.data import Item
from crucible.errors import BackendError, Cancelled, DataError
from crucible.text import ModelInput, Tokenizer
from crucible.train.rl import (
    Env,
    EnvGroupBuilder,
    ItemEnv,
    Observation,
    ProblemGroupBuilder,
    Rollouts,
    StepResult,
    Trajectory,
    roll_out,
)

PARAMS = SamplingParams(max_tokens=4, temperature=1.0)


class Echo:
    """A policy that answers with the last token it was shown, plus one a copy; it writes down what it was asked."""

    model = "echo"
    tokenizer = None

    def __init__(self, **broken: Any) -> None:
        self.calls: list[tuple[list[tuple[int, ...]], SamplingParams, int]] = []
        self._broken = broken

    def sample_groups(
        self, prompts: Sequence[ModelInput], params: SamplingParams, *, num_samples: int
    ) -> list[list[Sample]]:
        """Answer, or fail as it was told to."""
        shown = [prompt.tokens for prompt in prompts]
        self.calls.append((shown, params, num_samples))
        for tokens in shown:
            if tokens[-1] == self._broken.get("refuses"):
                raise DataError("that token is not known")
            if tokens[-1] == self._broken.get("loses"):
                raise BackendError("the service is gone")
        return [[self._answer(tokens, copy) for copy in range(num_samples)] for tokens in shown]

    def _answer(self, tokens: tuple[int, ...], copy: int) -> Sample:
        answer = act([tokens[-1] + copy])
        if tokens[-1] == self._broken.get("silent"):
            return Sample("", answer.tokens, "stop", None, 0, truncated_prompt=False)
        if tokens[-1] == self._broken.get("cuts"):
            return Sample("", answer.tokens, "stop", answer.logprobs, 0, truncated_prompt=True)
        return answer


class Count:
    """Shows a token, and after each answer one more, for some turns; the reward is what was answered."""

    def __init__(self, start: int, turns: int = 1, **broken: Any) -> None:
        self.shown: tuple[int, ...] = (start,)
        self.left = turns
        self.broken = broken

    def initial_observation(self) -> Observation:
        """Show the start."""
        if "first" in self.broken:
            raise ValueError("no question")
        return Observation(self.shown)

    def step(self, action: Sample) -> StepResult:
        """Take an answer."""
        if "step" in self.broken:
            raise RuntimeError("the tool broke")
        if "result" in self.broken:
            return self.broken["result"]
        self.left -= 1
        self.shown += (*action.tokens, 50 + self.left)
        following = Observation(self.shown) if self.left else None
        return StepResult(float(action.tokens[0]), not self.left, following, {"left": float(self.left)})


class Builder(EnvGroupBuilder):
    """A group of given environments."""

    def __init__(self, *envs: Env, rewards: Any = None) -> None:
        self.envs = envs
        self.rewards = rewards

    def make_envs(self) -> Sequence[Env]:
        """Return them."""
        return self.envs

    def compute_group_rewards(
        self, trajectories: Sequence[Trajectory], envs: Sequence[Env]
    ) -> Sequence[tuple[float, Mapping[str, float]]]:
        """Return what was given, or the default."""
        if isinstance(self.rewards, Exception):
            raise self.rewards
        return super().compute_group_rewards(trajectories, envs) if self.rewards is None else self.rewards


def roll(sampler: Any, *builders: EnvGroupBuilder, **more: Any) -> Rollouts:
    """Roll out with a fake policy."""
    return roll_out(sampler, builders, PARAMS, **{"seed": 1, **more})


def test_a_group_of_the_same_question_is_read_once_and_all_groups_are_one_call() -> None:
    """One call a turn: each prompt once, with as many answers as the group has members, and a seed of its own."""
    echo = Echo()
    found = roll(echo, Builder(Count(1), Count(1)), Builder(Count(9), Count(9)))
    ((shown, params, copies),) = echo.calls
    assert (shown, copies) == ([(1,), (9,)], 2)
    assert params.seeds is not None
    assert len(set(params.seeds)) == 2
    assert [group.total_rewards for group in found.groups] == [[1.0, 2.0], [9.0, 10.0]]
    assert (found.started, found.finished, found.failures) == (4, 4, ())


def test_episodes_of_several_turns_go_on_until_each_is_done() -> None:
    """All that are under way are asked together, each with what it was shown; rewards add up."""
    echo = Echo()
    found = roll(echo, Builder(Count(1, turns=3), Count(1, turns=1)))
    long, short = found.groups[0].trajectories
    assert [len(call[0]) for call in echo.calls] == [1, 1, 1]
    assert [turn.observation.tokens for turn in long.transitions] == [(1,), (1, 1, 52), (1, 1, 52, 52, 51)]
    assert [turn.reward for turn in long.transitions] == [1.0, 52.0, 51.0]
    assert [turn.episode_done for turn in long.transitions] == [False, False, True]
    assert (long.reward, long.ended, short.ended) == (104.0, "done", "done")


def test_an_episode_takes_no_more_turns_than_it_may() -> None:
    """What goes on for ever is ended, keeps its rewards, and says so."""
    found = roll(Echo(), Builder(Count(1, turns=10**6)), max_turns=3)
    (trajectory,) = found.groups[0].trajectories
    assert (len(trajectory.transitions), trajectory.ended) == (3, "turns")


def test_an_observation_that_leaves_no_room_ends_a_later_turn_and_fails_a_first() -> None:
    """Nothing is trained on a prompt that the sampler would have cut."""
    later = roll(Echo(), Builder(Count(1, turns=9)), window=9)
    assert (len(later.groups[0].trajectories[0].transitions), later.groups[0].trajectories[0].ended) == (3, "window")
    first = roll(Echo(), Builder(Count(1), Count(2)), window=4)
    assert first.finished == 0
    assert [failure.where for failure in first.failures] == ["sample", "sample"]
    assert "leaves no room for 4 in 4" in first.failures[0].error
    cut = roll(Echo(cuts=2), Builder(Count(1), Count(2)))
    assert [(failure.member, failure.where) for failure in cut.failures] == [(1, "sample")]


@pytest.mark.parametrize(
    ("broken", "where", "words"),
    [
        ({"first": True}, "initial_observation", "ValueError: no question"),
        ({"step": True}, "step", "RuntimeError: the tool broke"),
        ({"result": 1.0}, "step", "must return a StepResult, got float"),
        ({"result": StepResult(float("nan"), True)}, "step", "reward must be a finite number, got nan"),
        ({"result": StepResult(1.0, False)}, "step", "needs a next_observation"),
        ({"result": StepResult(1.0, True, None, {"x": float("inf")})}, "step", "metric x must be a finite"),
    ],
)
def test_an_environment_that_fails_is_left_out_and_counted(broken: dict[str, Any], where: str, words: str) -> None:
    """The others of its group stay; where it failed and why is written down, and it never counts as a reward of 0."""
    found = roll(Echo(), Builder(Count(1), Count(1, **broken), Count(1)), Builder(Count(5)))
    assert [len(group.trajectories) for group in found.groups] == [2, 1]
    assert (found.started, found.finished) == (4, 3)
    (failure,) = found.failures
    assert (failure.group, failure.member, failure.where) == (0, 1, where)
    assert words in failure.error


@pytest.mark.parametrize(
    ("rewards", "words"),
    [
        (ValueError("the judge is out"), "ValueError: the judge is out"),
        ([(1.0, {})], "1 rewards for 2 trajectories"),
        ([(1.0, {}), (float("inf"), {})], "finite number, got inf"),
    ],
)
def test_a_group_whose_rewards_fail_is_left_out_whole(rewards: Any, words: str) -> None:
    """What a group is worth is not guessed."""
    found = roll(Echo(), Builder(Count(1), Count(1), rewards=rewards), Builder(Count(5)))
    assert found.places == (1,)
    assert (found.started, found.finished) == (3, 1)
    (failure,) = found.failures
    assert (failure.group, failure.member, failure.where) == (0, None, "compute_group_rewards")
    assert words in failure.error


def test_final_rewards_of_a_group_add_up_with_those_of_its_steps() -> None:
    """A builder may compare its trajectories."""
    rewards = [(10.0, {"won": 1.0}), (-10.0, {"won": 0.0})]
    (group,) = roll(Echo(), Builder(Count(1), Count(1), rewards=rewards)).groups
    assert group.total_rewards == [11.0, -8.0]
    assert [metrics["won"] for metrics in group.metrics] == [1.0, 0.0]


def test_a_group_that_cannot_be_made_counts_as_one_rollout() -> None:
    """One that raises, and one without environments."""

    class Broken(EnvGroupBuilder):
        pass

    found = roll(Echo(), Broken(), Builder(), Builder(Count(1)))
    assert (found.started, found.finished, found.places) == (3, 1, (2,))
    assert [(failure.group, failure.where) for failure in found.failures] == [(0, "make_envs"), (1, "make_envs")]


def test_a_prompt_that_the_sampler_refuses_fails_alone() -> None:
    """A call that fails by one of its prompts is made anew for each."""
    found = roll(Echo(refuses=7), Builder(Count(1)), Builder(Count(7)), Builder(Count(3)))
    assert found.places == (0, 2)
    assert [(failure.group, failure.where) for failure in found.failures] == [(1, "sample")]


def test_a_sampler_that_is_gone_fails_all_and_is_not_asked_again_for_each() -> None:
    """It is for the caller to end the training: nothing came to an end."""
    echo = Echo(loses=7)
    found = roll(echo, Builder(Count(1)), Builder(Count(7)))
    assert (found.finished, len(found.failures), len(echo.calls)) == (0, 2, 1)
    assert "BackendError: the service is gone" in found.failures[0].error


def test_a_sampler_without_logprobs_is_a_failure() -> None:
    """What cannot be trained on is not taken for an answer."""
    found = roll(Echo(silent=7), Builder(Count(7)))
    assert "gives no log-probabilities" in found.failures[0].error


def test_environments_may_be_coroutines_and_wait_together() -> None:
    """All of a turn are awaited in one loop, so that a hundred tools that wait do so at once."""
    together = 0
    most = 0

    class Waiting(Count):
        async def step(self, action: Sample) -> StepResult:  # type: ignore[override]
            nonlocal together, most
            together += 1
            most = max(most, together)
            await asyncio.sleep(0.01)
            together -= 1
            if action.tokens[0] == 2:
                raise OSError("no answer")
            return super().step(action)

    found = roll(Echo(), Builder(Waiting(1), Waiting(1), Waiting(1)))
    assert most == 3
    assert found.groups[0].total_rewards == [1.0, 3.0]
    assert [(failure.member, failure.error) for failure in found.failures] == [(1, "OSError: no answer")]


def test_a_run_that_is_asked_to_stop_does() -> None:
    """`Cancelled` is no failure of an environment: it goes through, between turns and from inside of a step."""

    class Stopping(Count):
        def step(self, action: Sample) -> StepResult:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        roll(Echo(), Builder(Stopping(1)))
    with pipeline.cancellable() as cancellation:
        cancellation.request()
        with pytest.raises(Cancelled):
            roll(Echo(), Builder(Count(1)))


@pytest.fixture(scope="module")
def sampler(base: Path) -> Sampler:
    """The small base model."""
    return LocalBackend().create_sampler(str(base))


def builders(problems: Sequence[Item], tokenizer: Tokenizer, size: int) -> list[EnvGroupBuilder]:
    """Return a group a problem."""

    def made(item: Item) -> EnvGroupBuilder:
        return ProblemGroupBuilder(lambda: ItemEnv(item, letters, tokenizer), size)

    return [made(item) for item in problems]


def test_the_same_seed_rolls_out_the_same(sampler: Sampler, problems: list[Item]) -> None:
    """Tokens, log-probabilities and rewards are equal; another seed draws others, and members of a group differ."""
    tokenizer = sampler.tokenizer
    assert tokenizer is not None
    groups = builders(problems[:3], tokenizer, 3)
    first, again = (roll_out(sampler, groups, PARAMS, seed=5) for _ in range(2))
    other = roll_out(sampler, groups, PARAMS, seed=6)
    assert first == again
    assert first != other
    assert len({each.transitions[0].action.tokens for each in first.groups[0].trajectories}) > 1


def test_a_recorded_logprob_is_that_of_the_model(sampler: Sampler, problems: list[Item]) -> None:
    """What an answer carries is what the model gives its tokens behind the prompt."""
    tokenizer = sampler.tokenizer
    assert tokenizer is not None
    (group,) = roll_out(sampler, builders(problems[:1], tokenizer, 2), PARAMS, seed=5).groups
    for trajectory in group.trajectories:
        (transition,) = trajectory.transitions
        tokens = (*transition.observation.tokens, *transition.action.tokens)
        (scored,) = sampler.logprobs([ModelInput(tokens)])
        assert scored[len(transition.observation.tokens) :] == pytest.approx(transition.action.logprobs, abs=1e-4)


def test_rollouts_are_told(heard: Callable[[str], list[Any]], sampler: Sampler, problems: list[Item]) -> None:
    """One span: groups, trajectories, those that failed, the tokens written."""
    told = heard("crucible_train.rollout.stop")
    tokenizer = sampler.tokenizer
    assert tokenizer is not None
    found = roll_out(sampler, builders(problems[:2], tokenizer, 2), PARAMS, seed=5)
    (event,) = told
    written = sum(each.action_tokens for group in found.groups for each in group.trajectories)
    assert event.measurements["groups"] == 2
    assert event.measurements["trajectories"] == 4
    assert event.measurements["failed"] == 0
    assert event.measurements["completion_tokens"] == written


class Bare:
    """No environment at all: it has neither method."""


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"result": StepResult(1e200, True)}, "reward must be a finite number, got 1e+200; at most 1e+30"),
        ({"result": StepResult(10**400, True)}, "reward must be a finite number"),
        ({"result": StepResult("a lot", True)}, "reward must be a finite number, got 'a lot'"),  # type: ignore[arg-type]
        ({"result": StepResult(1.0, True, None, ["x"])}, "metrics must be a mapping"),  # type: ignore[arg-type]
        ({"result": StepResult(1.0, False, [1, 2])}, "expected an Observation with tokens, got [1, 2]"),  # type: ignore[arg-type]
        ({"result": StepResult(1.0, False, Observation(()))}, "needs a next_observation with tokens"),
    ],
)
def test_nothing_that_a_step_returns_ends_the_batch(broken: dict[str, Any], words: str) -> None:
    """Whatever type or size it has, it is a failure of that rollout alone, which says what came."""
    found = roll(Echo(), Builder(Count(1), Count(1, **broken)))
    assert (found.started, found.finished) == (2, 1)
    assert found.failures[0].where == "step"
    assert words in found.failures[0].error


def test_nothing_that_is_made_ends_the_batch() -> None:
    """An environment without its methods, and what is no list of environments."""

    class Number(EnvGroupBuilder):
        def make_envs(self) -> Any:
            return 5

    found = roll(Echo(), Number(), Builder(Count(1), Bare()))  # type: ignore[arg-type]
    assert (found.started, found.finished) == (3, 1)
    made, begun = found.failures
    assert made.where == "make_envs"
    assert "must return a list of environments, got 5" in made.error
    assert begun.where == "initial_observation"
    assert "no attribute 'initial_observation'" in begun.error
    with pytest.raises(DataError, match="max_turns must be at least 1, got 0"):
        roll(Echo(), Builder(Count(1)), max_turns=0)


def test_tokens_may_come_as_any_sequence_of_whole_numbers() -> None:
    """A list is what most people write; anything else than whole numbers fails that rollout alone."""

    class Shows(Count):
        def __init__(self, tokens: Any) -> None:
            super().__init__(1)
            self.shown = tokens

    found = roll(Echo(), Builder(Shows([4, 5]), Shows([4.5]), Shows(None)), Builder(Shows((4, 5))))
    assert [group.trajectories[0].transitions[0].observation.tokens for group in found.groups] == [(4, 5), (4, 5)]
    assert [(each.member, each.where) for each in found.failures] == [
        (1, "initial_observation"),
        (2, "initial_observation"),
    ]


def test_a_logprob_that_is_not_finite_is_a_failure() -> None:
    """It would end the training at the session instead."""

    class Unsure(Echo):
        def _answer(self, tokens: tuple[int, ...], copy: int) -> Sample:
            return act([tokens[-1] + copy], logprob=float("-inf") if copy else -1.0)

    found = roll(Unsure(), Builder(Count(1), Count(1)))
    assert found.finished == 1
    assert "log-probability that is not a finite number" in found.failures[0].error


def test_a_stop_from_inside_of_a_groups_reward_goes_through() -> None:
    """It is no failure of that group."""
    with pytest.raises(Cancelled):
        roll(Echo(), Builder(Count(1), rewards=Cancelled("enough")))


def test_environments_that_hang_end_when_the_run_is_asked_to_stop() -> None:
    """What waits for ever is cancelled there, and can clean up."""
    left: list[str] = []

    class Hanging(Count):
        async def step(self, action: Sample) -> StepResult:  # type: ignore[override]
            try:
                await asyncio.Event().wait()
            finally:
                left.append("cleaned up")
            return super().step(action)

    with pipeline.cancellable() as cancellation:
        timer = threading.Timer(0.1, cancellation.request)
        timer.start()
        with pytest.raises(Cancelled):
            roll(Echo(), Builder(Hanging(1), Hanging(1)))
        timer.join()
    assert left == ["cleaned up"] * 2
