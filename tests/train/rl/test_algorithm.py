"""Algorithms by name, and settings that go together or not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from crucible.backends import losses
from crucible.errors import SpecErrors
from crucible.ir import LoraConfig
from crucible.train.rl import ALGORITHMS, RLConfig, find_algorithm
from crucible.train.rl.algorithm import ALIASES
from crucible.train.rl.settings import config_refusals


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_every_algorithm_is_a_loss_that_there_is(name: str) -> None:
    """Its loss is registered, and takes the settings that it is sent with."""
    settings = RLConfig(algorithm=name)
    losses.resolve(settings.rule.loss, settings.loss_config)


def test_other_names_mean_the_same() -> None:
    """An alias is read and the first name written."""
    for alias, name in ALIASES.items():
        assert RLConfig(algorithm=alias).algorithm == name
        assert find_algorithm(alias) is ALGORITHMS[name]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("dqn", "which is not offered, for it learns the values of actions"),
        ("a2c", "which is not offered, for it needs a critic"),
        ("grop", 'did you mean "grpo"'),
    ],
)
def test_what_is_not_offered_is_refused_in_one_sentence_that_says_what_is(name: str, words: str) -> None:
    """The message names it, says why, and what there is."""
    with pytest.raises(SpecErrors) as caught:
        RLConfig(algorithm=name)
    (error,) = caught.value.errors
    assert error.path == "algorithm"
    assert f'"{name}"' in error.message
    assert words in error.message
    assert "use one of importance_sampling, ppo, cispo, dro, reinforce, grpo" in error.message


def test_epsilon_is_the_clip_on_both_sides() -> None:
    """`epsilon_high` sets the upper side apart; without either it is 0.2."""
    assert RLConfig(algorithm="ppo").loss_config == {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2}
    both = RLConfig(algorithm="grpo", epsilon=0.1, epsilon_high=0.3)
    assert both.loss_config == {"clip_low_threshold": 0.9, "clip_high_threshold": 1.3}
    assert RLConfig(algorithm="dro", dro_beta=0.5).loss_config == {"beta": 0.5}
    assert RLConfig().loss_config == {}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"epsilon": 0.1}, "epsilon"),
        ({"algorithm": "dro", "epsilon_high": 0.1}, "epsilon_high"),
        ({"algorithm": "ppo", "dro_beta": 0.1}, "dro_beta"),
        ({"algorithm": "reinforce", "substeps": 2}, "substeps"),
        ({"algorithm": "reinforce", "max_staleness": 1}, "max_staleness"),
        ({"kl_discount": 0.5}, "kl_discount"),
        ({"algorithm": "reinforce", "entropy_coef": 0.5}, "entropy_coef"),
        ({"stop": [""]}, "stop"),
    ],
)
def test_settings_that_change_nothing_or_contradict_each_other_are_named(given: dict[str, object], field: str) -> None:
    """Each is a problem of that field; the defaults have none."""
    assert [name for name, _ in RLConfig(**given).problems()] == [field]
    assert RLConfig().problems() == []


@pytest.mark.parametrize(
    ("changes", "given", "steps"),
    [
        ({"max_steps": 10}, {}, 10),
        ({"max_steps": 10}, {"substeps": 4}, 8),
        ({"max_steps": 1000}, {"episodes": 33}, 3),
        ({"max_steps": 1000}, {"episodes": 32, "substeps": 2}, 4),
        ({"max_steps": 1000, "epochs": 2}, {}, 6),
        ({"max_steps": 5, "epochs": 2}, {"episodes": 10**6}, 5),
        ({"max_steps": 1000}, {"episodes": 40}, 3),  # an epoch's last iteration has two problems, of 8 answers
        ({"max_steps": 1000}, {"episodes": 48}, 4),
        ({"max_steps": 1000}, {"episodes": 400}, 30),
    ],
)
def test_a_training_is_as_long_as_its_shortest_limit(
    config: Callable[..., LoraConfig],
    settings: Callable[..., RLConfig],
    changes: dict[str, int],
    given: dict[str, int],
    steps: int,
) -> None:
    """In whole iterations of 4 problems of 4 answers, over 10 problems."""
    how = config(batch_size=4, **changes)
    assert settings(**given).steps_in_all(how, 10) == steps


@pytest.mark.parametrize("metric", ["validation_reward", "validation_correct", "validation_format", "rl/reward"])
def test_watching_a_reward_for_the_smallest_is_refused(config: Callable[..., LoraConfig], metric: str) -> None:
    """`mode` is min unless it is said, and the worst checkpoint would be kept; failures may well be the fewer."""
    ((field, why),) = config_refusals(config(early_stopping={"metric": metric}))
    assert field == "early_stopping.mode"
    assert f"a larger {metric} is better" in why
    assert "say mode: max" in why
    assert config_refusals(config(early_stopping={"metric": metric, "mode": "max"})) == []
    assert config_refusals(config(early_stopping={"metric": "validation_failed"})) == []
