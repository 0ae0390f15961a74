"""Learning from rewards on every backend: rollouts, the policy losses, agreement of sampler and training, resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crucible.backends import SamplingParams
from crucible.data import Item
from crucible.ir import Outcome, Scored
from crucible.train import Trainer, TrainResult
from crucible.train.rl import ItemEnv, ProblemGroupBuilder, RLConfig, roll_out, train_rl

PROBLEMS = [Item(f"p{number}", f"ticket {number}: help floor", "o") for number in range(4)]


def letters(item: Item, answer: str) -> Outcome:
    """The share of an answer's characters that are the letter which the item wants."""
    return Scored(answer.count(item.expected or "") / len(answer) if answer else 0.0)


def trained(under_test: Any, workspace: Path, *, resume: bool = False, **given: Any) -> TrainResult:
    """Train for two steps, on two problems of four answers each."""
    settings = RLConfig(**{"group_size": 4, "max_tokens": 6, **given})
    config = under_test.config(batch_size=2, max_steps=2, save_every=1, learning_rate=0.02)
    with Trainer.start(config, under_test.backend, workspace=workspace) as trainer:
        base = under_test.backend.create_sampler(under_test.base_model)
        return train_rl(trainer, PROBLEMS, settings, reward=letters, base=base, resume=resume)


def test_rollouts_repeat(under_test: Any) -> None:
    """The same seed draws the same tokens, each with its log-probability."""
    with under_test.session() as session:
        sampler = session.create_sampler()
        groups = [
            ProblemGroupBuilder(lambda item=item: ItemEnv(item, letters, session.tokenizer), 3) for item in PROBLEMS[:2]
        ]
        params = SamplingParams(max_tokens=5, temperature=1.0)
        first, again = (roll_out(sampler, groups, params, seed=4) for _ in range(2))
    assert first.finished == 6
    assert [each.transitions[0].action.tokens for group in first.groups for each in group.trajectories] == [
        each.transitions[0].action.tokens for group in again.groups for each in group.trajectories
    ]


@pytest.mark.parametrize(
    "algorithm",
    ["grpo", *(pytest.param(name, marks=pytest.mark.slow) for name in ("importance_sampling", "dro", "reinforce"))],
)
def test_algorithms_train_and_both_sides_agree(under_test: Any, tmp_path: Path, algorithm: str) -> None:
    """Sampler and training find the same probabilities with the same weights; the steps have a gradient."""
    result = trained(under_test, tmp_path, algorithm=algorithm, kl_coef=0.01)
    for record in result.history:
        metrics = record["metrics"]  # type: ignore[typeddict-item]
        assert metrics["rl/discrepancy"] < 1e-3
        assert abs(metrics["rl/kl_sample_train_v1"]) < 1e-3
        assert record["gradient_norm"] > 0
    first, last = (record["metrics"]["rl/kl_policy_base"] for record in result.history)  # type: ignore[typeddict-item]
    assert abs(first) < 1e-3
    assert abs(last) > abs(first)


@pytest.mark.slow
def test_a_training_goes_on_from_its_checkpoint(under_test: Any, tmp_path: Path) -> None:
    """What is trained already is not trained again, and nothing is lost."""
    whole = trained(under_test, tmp_path)
    again = trained(under_test, tmp_path, resume=True)
    assert again.history == whole.history
    assert again.steps == 2
