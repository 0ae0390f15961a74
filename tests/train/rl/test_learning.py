"""A policy learns: the reward of problems that it has never seen rises, over seeds, by a paired test."""

from __future__ import annotations

from pathlib import Path

import pytest

from crucible import stats
from crucible.backends import Sampler, SamplingParams
from crucible.data import Dataset, field_f1, load
from crucible.ir import LoraConfig, Scored
from crucible.train import RLConfig, Trainer, train_rl

SEEDS = range(5)


def mean_reward(sampler: Sampler, tickets: Dataset) -> float:
    """The mean share of right fields of the answers that the policy draws, as it drew them in training."""
    drawn = SamplingParams(max_tokens=48, temperature=1.0, seed=0)
    answers = sampler.sample([ticket.input for ticket in tickets], drawn)
    outcomes = [field_f1(ticket, answer.text) for ticket, answer in zip(tickets, answers, strict=True)]
    return sum(outcome.value for outcome in outcomes if isinstance(outcome, Scored)) / len(tickets)


def before_and_after(seed: int, workspace: Path) -> tuple[float, float]:
    """Show the form of an answer in 60 steps, then learn from rewards alone; both are scored on unseen tickets."""
    tickets, unseen = load("tickets", limit=2000), load("tickets", split="test", limit=200)
    shown = LoraConfig(
        base_model="crucible/tiny",
        rank=16,
        learning_rate=5e-3,
        batch_size=16,
        max_steps=60,
        schedule="cosine",
        warmup_steps=10,
        seed=seed,
    )
    with Trainer.start(shown, workspace=workspace / "shown") as trainer:
        trainer.train(tickets)
        first = trainer.save("shown").local_path
        before = mean_reward(trainer.create_sampler(), unseen)
    rewarded = shown.model_copy(
        update={
            "dropout": 0.0,
            "learning_rate": 2e-3,
            "batch_size": 8,
            "max_steps": 25,
            "schedule": "constant",
            "warmup_steps": 0,
        }
    )
    with Trainer.start(rewarded, workspace=workspace / "rewarded", adapter=first) as trainer:
        train_rl(trainer, tickets, RLConfig(algorithm="grpo", group_size=8, max_tokens=48), reward="field_f1")
        return before, mean_reward(trainer.create_sampler(), unseen)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_reward_rises_on_unseen_problems(tmp_path: Path) -> None:
    """Five seeds, each its own first training and its own rollouts: p < 0.05 of the paired test, upwards."""
    pairs = [before_and_after(seed, tmp_path / str(seed)) for seed in SEEDS]
    result = stats.compare_paired([before for before, _ in pairs], [after for _, after in pairs])
    assert result.p < 0.05, (pairs, result)
    assert sum(after - before for before, after in pairs) > 0, pairs
