"""Learning from rewards on the one training loop: numbers, resume, staleness, penalties, and what goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any, cast

import pytest
from tests.train.rl.made import letters

from crucible.backends import LocalBackend, Sample, Sampler, SamplingParams, Session, SgdParams
from crucible.data import Item
from crucible.errors import Cancelled, CheckpointError, DataError, TrainError
from crucible.ir import LoraConfig
from crucible.text import ModelInput, load_tokenizer
from crucible.train import Callbacks, Trainer, TrainResult
from crucible.train.rl import (
    Env,
    EnvGroupBuilder,
    ItemEnv,
    Observation,
    Problems,
    Reinforcement,
    RLConfig,
    StepResult,
    roll_out,
    train_rl,
    train_rl_flat,
)
from crucible.train.training_record import TrainState

Configure = Callable[..., LoraConfig]
Settings = Callable[..., RLConfig]


def trained(
    config: LoraConfig, settings: RLConfig, problems: Any, workspace: Path, **more: Any
) -> tuple[TrainResult, list[Sample]]:
    """Train, and return the result and greedy answers of the last weights."""
    reward = None if isinstance(problems, Problems) else letters
    with Trainer.start(config, workspace=workspace) as trainer:
        result = train_rl(trainer, problems, settings, reward=reward, **more)
        answers = trainer.create_sampler().sample(["Ticket: the lamp", "Note:"], SamplingParams(max_tokens=8))
    return result, answers


def of_steps(result: TrainResult, name: str) -> list[float]:
    """One metric of every step."""
    return [record["metrics"][name] for record in result.history]  # type: ignore[typeddict-item]


def test_the_flat_training_takes_the_same_steps(
    config: Configure, settings: Settings, problems: list[Item], tmp_path: Path
) -> None:
    """Rewards and weights of `train_rl_flat` are those of the full one, to the bit."""
    how, rl = config(max_steps=3), settings(temperature=0.8, format_coef=0.3)
    result, answers = trained(how, rl, problems, tmp_path)
    rewards, sampler = train_rl_flat(how, rl, problems, letters)
    assert rewards == of_steps(result, "rl/reward")
    again = sampler.sample(["Ticket: the lamp", "Note:"], SamplingParams(max_tokens=8))
    assert [sample.logprobs for sample in again] == [sample.logprobs for sample in answers]


def test_what_is_told_of_a_step(config: Configure, settings: Settings, problems: list[Item], tmp_path: Path) -> None:
    """On the weights that sampled, sampler and training agree: the divergence is 0 but for rounding."""
    result, _ = trained(config(max_steps=2), settings(algorithm="ppo", post_kl=True), problems, tmp_path)
    for record in result.history:
        metrics = record["metrics"]  # type: ignore[typeddict-item]
        assert -0.1 <= metrics["rl/reward"] < 1
        assert metrics["rl/reward_std"] > 0
        assert abs(metrics["rl/kl_sample_train_v1"]) < 1e-5
        assert 0 <= metrics["rl/kl_sample_train_v2"] < 1e-9
        assert 0 <= metrics["rl/discrepancy"] <= metrics["rl/discrepancy_max"] < 1e-4
        assert metrics["rl/entropy"] > 0
        assert metrics["rl/kl_pre_post_v2"] > 1e-6
        assert metrics["rl/clipped"] == 0
        assert (metrics["rl/groups"], metrics["rl/failed"], metrics["rl/staleness"]) == (3, 0, 0)
        assert metrics["rl/turns"] == 1
        assert 0 < metrics["rl/answer_tokens"] <= 5
        assert 0 <= metrics["rl/env/correct"] <= 1
    assert result.items == 8
    assert result.stop_reason == "all 2 steps are taken"


@pytest.mark.parametrize("algorithm", ["importance_sampling", "ppo", "cispo", "dro", "reinforce", "grpo"])
def test_every_algorithm_makes_the_better_answers_likelier(
    config: Configure, settings: Settings, problems: list[Item], tmp_path: Path, algorithm: str
) -> None:
    """After a step on one batch, answers above the mean of their group have gained on those below it."""
    how, rl = config(max_steps=1, optimizer="sgd", learning_rate=0.5, grad_clip_norm=0.0), settings(algorithm=algorithm)
    with closing(LocalBackend().start_session(how)) as session:
        made = Problems.of_items(problems, letters, session.tokenizer, how, rl, session.window)
        objective = Reinforcement(made, how, rl)
        window = next(iter(objective.windows(session, TrainState(None))))
        data = [datum for batch in window.batches for datum in batch.data]
        before = session.forward(data, "cross_entropy").result().logprobs
        for batch in window.batches:
            objective.send(session, batch)
        session.optim_step(SgdParams(learning_rate=0.5)).result()
        after = session.forward(data, "cross_entropy").result().logprobs
    gained = sum(
        advantage * (late - early)
        for datum, olds, news in zip(data, before, after, strict=True)
        for advantage, early, late in zip(datum.loss_inputs["advantages"], olds, news, strict=True)
        if early is not None and late is not None
    )
    assert gained > 0


def test_an_interrupted_training_ends_as_an_uninterrupted_one(
    config: Configure,
    settings: Settings,
    problems: list[Item],
    tmp_path: Path,
    stopping_at: Callable[[int], AbstractContextManager[None]],
) -> None:
    """Rollouts, rewards, losses and weights are equal to the bit, two steps an iteration, validated, over an epoch."""
    how = config(max_steps=6, validation_fraction=0.25, eval_every=2, save_every=2)
    rl = settings(substeps=2, algorithm="ppo")
    whole, answers = trained(how, rl, problems, tmp_path / "whole")
    with stopping_at(3):
        trained(how, rl, problems, tmp_path / "parts")
    again, later = trained(how, rl, problems, tmp_path / "parts", resume=True)
    assert again.history == whole.history
    assert again.validation == whole.validation
    assert [each.logprobs for each in later] == [each.logprobs for each in answers]
    assert len(set(of_steps(whole, "rl/reward"))) > 1


def test_a_resumed_training_must_be_the_same(
    config: Configure, settings: Settings, problems: list[Item], tmp_path: Path
) -> None:
    """Other settings and other problems are refused by name."""
    trained(config(max_steps=1), settings(), problems, tmp_path)
    for rl, items in ((settings(group_size=5), problems), (settings(), problems[:5])):
        with pytest.raises(CheckpointError):
            trained(config(max_steps=1), rl, items, tmp_path, resume=True)


def test_a_sampler_may_lag_and_checkpoints_wait_for_it(
    config: Configure, settings: Settings, problems: list[Item], tmp_path: Path
) -> None:
    """With max_staleness 1 every second iteration samples with the weights of the one before, and says so."""
    how = config(max_steps=5)
    rl = settings(max_staleness=1)
    result, answers = trained(how, rl, problems, tmp_path / "whole")
    assert of_steps(result, "rl/staleness") == [0, 1, 0, 1, 0]
    divergence = of_steps(result, "rl/kl_sample_train_v2")
    assert [value > 1e-7 for value in divergence] == [False, True, False, True, False]
    assert [checkpoint.step for checkpoint in result.checkpoints] == [2, 4, 5]
    with Trainer.start(how, workspace=tmp_path / "parts") as trainer:

        def stop(record: Any) -> None:
            if record["step"] == 3:
                raise Cancelled("enough")

        with pytest.raises(Cancelled):
            train_rl(trainer, problems, rl, reward=letters, callbacks=Callbacks(on_step_end=stop))
    again, later = trained(how, rl, problems, tmp_path / "parts", resume=True)
    assert again.history == result.history
    assert [each.logprobs for each in later] == [each.logprobs for each in answers]


def test_steps_of_an_iteration_share_its_rollouts(
    config: Configure, settings: Settings, problems: list[Item], tmp_path: Path
) -> None:
    """Each trains on its part; only the first has the weights that sampled."""
    result, _ = trained(config(max_steps=4), settings(substeps=2), problems, tmp_path)
    rewards = of_steps(result, "rl/reward")
    assert rewards[0] == rewards[1] != rewards[2] == rewards[3]
    assert ["rl/discrepancy" in record["metrics"] for record in result.history] == [True, False] * 2  # type: ignore[typeddict-item]
    assert of_steps(result, "rl/kl_sample_train_v2")[1] > 1e-7


def test_requests_of_a_step_add_up_to_one(
    config: Configure, settings: Settings, problems: list[Item], tmp_path: Path
) -> None:
    """A step in requests of three sequences is the step in one request, but for rounding."""
    one, _ = trained(config(max_steps=1), settings(), problems, tmp_path / "one")
    many, _ = trained(config(max_steps=1), settings(minibatch_size=3), problems, tmp_path / "many")
    for first, second in zip(one.history, many.history, strict=True):
        assert second["loss"] == pytest.approx(first["loss"], abs=1e-6)
        assert second["gradient_norm"] == pytest.approx(first["gradient_norm"], rel=1e-4)


@pytest.mark.slow
def test_a_penalty_keeps_the_policy_near_its_base(
    config: Configure, settings: Settings, problems: list[Item], base: Path, tmp_path: Path
) -> None:
    """`rl/kl_policy_base` is 0 before the first step; a heavy penalty keeps it smaller than none would."""
    how = config(max_steps=6, learning_rate=1e-2)
    untuned = LocalBackend().create_sampler(str(base))
    free, _ = trained(how, settings(kl_coef=1e-9), problems, tmp_path / "free", base=untuned)
    held, _ = trained(how, settings(kl_coef=5.0), problems, tmp_path / "held", base=untuned)
    assert of_steps(free, "rl/kl_policy_base")[0] == pytest.approx(0, abs=1e-5)
    assert abs(of_steps(held, "rl/kl_policy_base")[-1]) < abs(of_steps(free, "rl/kl_policy_base")[-1])


@pytest.mark.slow  # that a stage goes on from a model pins it, too
def test_a_penalty_is_for_leaving_what_the_training_began_with(
    config: Configure, settings: Settings, problems: list[Item], base: Path, tmp_path: Path
) -> None:
    """Without a base: the trainer's first weights, of a fresh adapter the base model's."""
    untuned = LocalBackend().create_sampler(str(base))
    given, _ = trained(config(max_steps=2), settings(kl_coef=0.1), problems, tmp_path / "given", base=untuned)
    own, _ = trained(config(max_steps=2), settings(kl_coef=0.1), problems, tmp_path / "own")
    assert of_steps(own, "rl/kl_policy_base") == pytest.approx(of_steps(given, "rl/kl_policy_base"), abs=1e-5)


def test_an_objective_with_a_penalty_needs_a_base(config: Configure, settings: Settings) -> None:
    """`train_rl` has one of its own, an objective has not."""
    made = Problems.of_builders([Group(Fixed(1.0))])
    with pytest.raises(TrainError, match="kl_coef: needs the base model: pass base="):
        Reinforcement(made, config(), settings(kl_coef=0.1))


def test_texts_end_answers(config: Configure, settings: Settings, problems: list[Item]) -> None:
    """With `stop` the same draws are as long as their first such text lets them be, and such an answer has ended."""
    how = config(max_steps=1)
    told: list[Mapping[str, float]] = []
    with closing(LocalBackend().start_session(how)) as session:
        for stop in ((), ("e", "a", "t", "i", "o", " ")):
            made = Problems.of_items(problems, letters, session.tokenizer, how, settings(), session.window)
            objective = Reinforcement(made, how, settings(stop=stop))
            told.append(next(iter(objective.windows(session, TrainState(None)))).metrics)
    free, ended = told
    assert ended["rl/answer_tokens"] < free["rl/answer_tokens"]
    assert ended["rl/cut"] < free["rl/cut"]


@pytest.mark.slow
def test_a_bonus_keeps_answers_surprising(
    config: Configure, settings: Settings, problems: list[Item], tmp_path: Path
) -> None:
    """With `entropy_coef` samples end more surprising than without."""
    how = config(max_steps=6, learning_rate=1e-2)
    free, _ = trained(how, settings(), problems, tmp_path / "free")
    wide, _ = trained(how, settings(entropy_coef=1.0), problems, tmp_path / "wide")
    assert of_steps(wide, "rl/entropy")[0] == of_steps(free, "rl/entropy")[0]
    assert of_steps(wide, "rl/entropy")[-1] > of_steps(free, "rl/entropy")[-1]


class Fixed:
    """An environment with the same reward for any answer, or one that fails."""

    def __init__(self, reward: float, *, fails: bool = False) -> None:
        self.reward = reward
        self.fails = fails

    def initial_observation(self) -> Observation:
        """Show two tokens."""
        return Observation((5, 6))

    def step(self, action: Sample) -> StepResult:
        """Give the reward."""
        if self.fails:
            raise RuntimeError("the tool broke")
        return StepResult(self.reward, episode_done=True)


class Group(EnvGroupBuilder):
    """A group of given environments."""

    def __init__(self, *envs: Env) -> None:
        self.envs = envs

    def make_envs(self) -> Sequence[Env]:
        """Return them."""
        return self.envs


def decisions(heard: Callable[[str], list[Any]]) -> list[Any]:
    """Everything that is decided from now on."""
    return heard("crucible_trace.decision.made")


def test_uniform_rewards_are_told_and_move_nothing_by_themselves(
    config: Configure, settings: Settings, tmp_path: Path, heard: Callable[[str], list[Any]]
) -> None:
    """Where every group is constant one is kept: the step is taken, its gradient is 0, and that is said."""
    told = decisions(heard)
    made = Problems.of_builders([Group(Fixed(0.5), Fixed(0.5))] * 3)
    result, _ = trained(config(max_steps=1), settings(), made, tmp_path)
    assert result.history[0]["gradient_norm"] == 0
    assert of_steps(result, "rl/constant_groups") == [3]
    assert any("All rewards are uniform. There will be no gradient" in str(event.metadata) for event in told)


def test_uniform_rewards_are_not_said_to_have_no_gradient_where_something_else_has_one(
    config: Configure, settings: Settings, tmp_path: Path, heard: Callable[[str], list[Any]]
) -> None:
    """A bonus moves the weights, and what is told names it; so is a temperature that the ratio knows nothing of."""
    told = decisions(heard)
    made = Problems.of_builders([Group(Fixed(0.5), Fixed(0.5))])
    result, _ = trained(config(max_steps=1), settings(entropy_coef=0.5, temperature=0.7), made, tmp_path)
    assert result.history[0]["gradient_norm"] > 0
    said = " ".join(str(event.metadata) for event in told)
    assert "There will be no gradient but that of entropy_coef" in said
    assert "draws answers at a temperature of 0.7" in said


@pytest.mark.parametrize("algorithm", ["reinforce", "grpo"])
def test_uniform_rewards_have_no_gradient_whatever_weighs_them(
    config: Configure, settings: Settings, tmp_path: Path, algorithm: str
) -> None:
    """Not by weights that are all 0, and not by a division by a deviation of 0."""
    made = Problems.of_builders([Group(Fixed(0.5), Fixed(0.5))] * 3)
    result, _ = trained(config(max_steps=1), settings(algorithm=algorithm), made, tmp_path)
    assert result.history[0]["gradient_norm"] == 0


def test_constant_groups_are_left_out(config: Configure, settings: Settings, tmp_path: Path) -> None:
    """Their tokens are not trained on; their rewards are reported."""
    telling, constant = Group(Fixed(1.0), Fixed(0.0)), Group(Fixed(0.25), Fixed(0.25))
    both, _ = trained(config(max_steps=1), settings(), Problems.of_builders([telling, constant]), tmp_path / "a")
    assert of_steps(both, "rl/constant_groups") == [1]
    assert of_steps(both, "rl/reward") == [0.375]
    with_all, _ = trained(config(max_steps=1), settings(), Problems.of_builders([telling, telling]), tmp_path / "b")
    assert both.history[0]["tokens"] < with_all.history[0]["tokens"]


def test_rollouts_that_fail_are_told_and_too_many_end_the_training(
    config: Configure, settings: Settings, tmp_path: Path, heard: Callable[[str], list[Any]]
) -> None:
    """Up to `max_failed_frac` the others are trained on; beyond it the first failure is in the message."""
    told = decisions(heard)
    some = Problems.of_builders([Group(Fixed(1.0), Fixed(0.0), Fixed(0.5, fails=True))] * 2)
    result, _ = trained(config(max_steps=1), settings(), some, tmp_path / "some")
    assert of_steps(result, "rl/failed") == [2]
    assert any("left out 2 of 6 rollouts of iteration 0" in str(event.metadata) for event in told)
    with pytest.raises(TrainError, match=r"step 1: 2 of 6 rollouts of iteration 0 failed.*the tool broke") as caught:
        trained(config(max_steps=1), settings(max_failed_frac=0.2), some, tmp_path / "many")
    assert caught.value.step == 1
    none = Problems.of_builders([Group(Fixed(1.0, fails=True))] * 2)
    with pytest.raises(TrainError, match="2 of 2 rollouts"):
        trained(config(max_steps=1), settings(max_failed_frac=0.99), none, tmp_path / "none")


class Disagreeing:
    """A real session whose samplers report log-probabilities that are off by so much."""

    def __init__(self, session: Session, by: float) -> None:
        self._session = session
        self._by = by

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def create_sampler(self) -> Sampler:
        """Return the session's, with its log-probabilities moved."""
        sampler: Any = self._session.create_sampler()
        by = self._by

        class Moved:
            model = sampler.model

            def sample_groups(self, prompts: Any, params: Any = None, *, num_samples: int) -> list[list[Sample]]:
                groups = sampler.sample_groups(prompts, params, num_samples=num_samples)
                return [
                    [
                        Sample(
                            each.text,
                            each.tokens,
                            each.stop_reason,
                            tuple(value - by for value in each.logprobs),
                            each.prompt_tokens,
                            truncated_prompt=each.truncated_prompt,
                        )
                        for each in group
                    ]
                    for group in groups
                ]

        return cast("Sampler", Moved())


@pytest.mark.parametrize(("by", "limit", "ends"), [(0.5, 0.1, True), (0.05, 0.1, False), (0.5, None, False)])
def test_a_sampler_that_is_not_the_policy_ends_the_training(
    config: Configure, settings: Settings, problems: list[Item], tmp_path: Path, by: float, limit: float, ends: bool
) -> None:
    """On the same weights more nats apart than the limit is an error with the figures; less is told."""
    how, rl = config(max_steps=1), settings(discrepancy_limit=limit)
    session = cast("Session", Disagreeing(LocalBackend().start_session(how), by))
    with Trainer(how, session, tmp_path, "adapter") as trainer:
        if ends:
            with pytest.raises(TrainError, match=r"0\.5 nats apart in the mean.*limit is 0\.1 \(discrepancy_limit\)"):
                train_rl(trainer, problems, rl, reward=letters)
        else:
            result = train_rl(trainer, problems, rl, reward=letters)
            assert of_steps(result, "rl/discrepancy") == [pytest.approx(by, abs=1e-3)]


def test_held_out_problems_choose_the_checkpoint_and_stop_early(
    config: Configure, settings: Settings, problems: list[Item], tmp_path: Path
) -> None:
    """Their likeliest answers are scored; early stopping and targets name what is reported."""
    how = config(
        max_steps=20,
        validation_fraction=0.25,
        eval_every=1,
        learning_rate=1e-9,
        early_stopping={"metric": "validation_reward", "mode": "max", "patience": 2},
        quality_targets={"validation_correct": 2.0, "rl/reward": -0.1},
    )
    result, _ = trained(how, settings(), problems, tmp_path)
    assert result.stopped_early
    assert result.steps == 3  # weights stay as they are, so that nothing gets better after the first
    assert result.initial_validation is not None
    assert result.validation[0]["metrics"]["validation_reward"] == result.initial_validation["validation_reward"]
    assert set(result.validation[0]["metrics"]) >= {"validation_format", "validation_failed", "rl/reward"}
    assert result.quality is not None
    assert [each.passed for each in result.quality.assessments] == [False, True]
    assert result.kept.metrics["validation_reward"] == result.validation[0]["metrics"]["validation_reward"]


@pytest.mark.parametrize(
    ("changes", "given", "words"),
    [
        ({"loss": "mse"}, {}, "loss: the algorithm says which loss"),
        ({"accumulation_steps": 2}, {}, "accumulation_steps: an iteration has as many problems"),
        ({}, {"substeps": 9}, "substeps: "),
        ({"max_steps": 1}, {"substeps": 2}, "substeps: an iteration takes 2 steps and max_steps is 1"),
        ({}, {"algorithm": "reinforce", "substeps": 2}, "corrects nothing for samples of older weights"),
        ({}, {"max_tokens": 200}, "max_tokens=200 leaves no room for a prompt in 160 tokens"),
        ({"max_length": 4}, {}, "max_tokens=5 leaves no room for a prompt in 4 tokens"),
        ({"early_stopping": {"metric": "rl/reward", "mode": "max"}}, {}, "early_stopping"),
    ],
)
def test_what_cannot_be_carried_out_is_refused_before_anything_is_drawn(
    config: Configure,
    settings: Settings,
    problems: list[Item],
    tmp_path: Path,
    changes: dict[str, Any],
    given: dict[str, Any],
    words: str,
) -> None:
    """Each by its name, with what to do."""
    with pytest.raises((TrainError, DataError)) as caught:
        trained(config(**changes), settings(**given), problems, tmp_path)
    assert words in str(caught.value)


def test_prompts_that_do_not_fit_are_shortened_or_left_out(
    config: Configure, settings: Settings, problems: list[Item], tmp_path: Path
) -> None:
    """As `on_overflow` says, and counted; where none fits, it is an error."""
    long = [*problems[:3], Item("long", "Ticket: " + "very " * 60 + "long", "e")]
    cut, _ = trained(config(max_steps=1, max_length=60), settings(), long, tmp_path / "cut")
    out, _ = trained(config(max_steps=1, max_length=60, on_overflow="refuse"), settings(), long, tmp_path / "out")
    assert (cut.items, cut.truncated, cut.refused) == (4, 1, 0)
    assert (out.items, out.truncated, out.refused) == (3, 0, 1)
    with pytest.raises(DataError, match="none of the 1 prompts leaves room"):
        trained(config(max_length=60, on_overflow="refuse"), settings(), long[3:], tmp_path / "none")


def test_a_reward_is_named_once(config: Configure, settings: Settings, problems: list[Item], tmp_path: Path) -> None:
    """Items need one, and problems of one's own have theirs; an empty dataset is an error."""
    with Trainer.start(config(), workspace=tmp_path) as trainer:
        with pytest.raises(TrainError, match="items need a reward"):
            train_rl(trainer, problems, settings())
        with pytest.raises(TrainError, match="leave reward out"):
            train_rl(trainer, Problems.of_builders([Group(Fixed(1.0))]), settings(), reward="exact_match")
        with pytest.raises(DataError, match="unknown scorer"):
            train_rl(trainer, problems, settings(), reward="exactly")
        with pytest.raises(DataError, match="empty"):
            train_rl(trainer, [], settings(), reward="exact_match")
        with pytest.raises(DataError, match="no problem"):
            Problems.of_builders([])


class Guess:
    """Guess in three turns: each answer is shown again behind what was said, a turn costs a tenth."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._shown = tuple(tokenizer.encode("Ticket: a letter?"))
        self._turns = 0

    def initial_observation(self) -> Observation:
        """Ask."""
        return Observation(self._shown)

    def step(self, action: Sample) -> StepResult:
        """Look for an e."""
        self._turns += 1
        found = "e" in action.text
        self._shown += (*action.tokens, *self._tokenizer.encode(" no."))
        done = found or self._turns == 3
        return StepResult(float(found) - 0.1, done, None if done else Observation(self._shown), {"found": float(found)})


def test_environments_of_several_turns_are_trained_on(
    config: Configure, settings: Settings, base: Path, tmp_path: Path
) -> None:
    """Turns of an episode merge into one datum, `gamma` credits each with what came after it."""
    tokenizer = load_tokenizer(base)

    class Fresh(EnvGroupBuilder):
        def make_envs(self) -> Sequence[Env]:
            return [Guess(tokenizer) for _ in range(4)]

    made = Problems.of_builders([Fresh(), Fresh()], [Fresh()])
    how = config(max_steps=2, batch_size=2, eval_every=2)
    result, _ = trained(how, settings(max_tokens=3, gamma=0.5), made, tmp_path)
    assert max(of_steps(result, "rl/turns")) > 1
    assert 0 <= of_steps(result, "rl/env/found")[0] <= 1
    assert result.validation[0]["metrics"]["validation_reward"] <= 0.9


def test_a_group_may_be_shown_different_things(sampler_of: Callable[[], Sampler]) -> None:
    """Observations that differ within a group are prompts of their own; their order is kept."""

    class Shows(Fixed):
        def __init__(self, token: int) -> None:
            super().__init__(1.0)
            self.token = token

        def initial_observation(self) -> Observation:
            return Observation((self.token, 9))

    builder = Group(Shows(5), Shows(6), Shows(5))
    (group,) = roll_out(sampler_of(), [builder], SamplingParams(max_tokens=2, temperature=1.0), seed=1).groups
    assert [each.transitions[0].observation.tokens[0] for each in group.trajectories] == [5, 6, 5]


@pytest.fixture
def sampler_of(base: Path) -> Callable[[], Sampler]:
    """Return a function that opens the small base model."""
    return lambda: LocalBackend().create_sampler(str(base))


def test_an_item_env_shows_the_item_as_it_was_rendered(base: Path) -> None:
    """A rendered observation is used as it is, and made once for a group."""
    shown = Observation((1, 2, 3))
    env = ItemEnv(Item("a", "Which?", "x"), letters, load_tokenizer(base), observation=shown)
    assert env.initial_observation() is shown
    assert ModelInput(shown.tokens).tokens == (1, 2, 3)
