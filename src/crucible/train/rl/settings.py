"""How a policy is trained on rewards: everything beside the `LoraConfig`."""

from __future__ import annotations

import math
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from crucible.ir import LoraConfig, Model
from crucible.ir.model import Seq
from crucible.train.rl.algorithm import Algorithm, algorithm_problem, find_algorithm
from crucible.train.rl.problem import FORMAT_COEF

__all__ = ["RLConfig", "config_refusals"]

_EPSILON: Final = 0.2
_DRO_BETA: Final = 0.05
_BETTER_LARGER: Final = ("validation_reward", "validation_correct", "validation_format", "rl/reward")


def _algorithm(name: str) -> str:
    problem = algorithm_problem(name)
    if problem is not None:
        raise PydanticCustomError("choice", "{problem}", {"problem": problem})
    return find_algorithm(name).name


class RLConfig(Model):
    """Configuration of learning from rewards.

    An iteration draws `group_size` answers to each of its problems with the weights of the moment, and takes `substeps`
    optimiser steps on them.
    """

    algorithm: Annotated[str, AfterValidator(_algorithm)] = Field(
        default="importance_sampling",
        description="importance_sampling, ppo, cispo, dro, reinforce or grpo.",
    )
    group_size: int = Field(default=8, ge=2, le=10**5, description="Answers drawn a problem.")
    groups_per_batch: int | None = Field(
        default=None, ge=1, le=10**6, description="Problems an iteration; null: batch_size."
    )
    episodes: int | None = Field(
        default=None, ge=1, le=10**12, description="Answers drawn in all; null: until max_steps or epochs."
    )
    substeps: int = Field(default=1, ge=1, le=10**4, description="Optimiser steps an iteration, each on its share.")
    minibatch_size: int | None = Field(
        default=None, ge=1, le=10**6, description="Sequences a request; null: all of a step in one."
    )
    max_staleness: int = Field(
        default=0, ge=0, le=10**4, description="Iterations that the weights which sample may lag; 0: never."
    )
    gamma: float = Field(default=1.0, gt=0, le=1, description="Discount of later rewards, a token.")
    epsilon: float | None = Field(
        default=None, gt=0, lt=1, description=f"Clip of the ratio: ppo, cispo, grpo. null: {_EPSILON}."
    )
    epsilon_high: float | None = Field(
        default=None, gt=0, le=100, description="Clip of the ratio from above; null: epsilon."
    )
    dro_beta: float | None = Field(default=None, ge=0, description=f"Weight of dro's square. null: {_DRO_BETA}.")
    kl_coef: float = Field(default=0.0, ge=0, le=1e6, description="Penalty for leaving the base model.")
    kl_discount: float = Field(default=0.0, ge=0, le=1, description="Share that a token bears of the next's penalty.")
    entropy_coef: float = Field(
        default=0.0, ge=0, le=1e3, description="Bonus for entropy, of the whole distribution at each token; local only."
    )
    advantage_scale: Literal["none", "std"] | None = Field(
        default=None, description="Divide advantages by nothing or by the group's deviation; null: the algorithm's."
    )
    temperature: float = Field(
        default=1.0,
        gt=0,
        le=100,
        description="Of the answers that are trained on; other than 1 they are not drawn from the policy itself.",
    )
    max_tokens: int = Field(default=64, ge=1, le=10**6, description="Most tokens of an answer.")
    stop: Seq[str] = Field(default=(), description="Texts that end an answer.")
    format_coef: float = Field(
        default=FORMAT_COEF, ge=0, le=1, description="What an answer that does not end loses, of 1."
    )
    max_failed_frac: float = Field(
        default=0.5, ge=0, lt=1, description="Share of an iteration's rollouts that may fail; more ends the training."
    )
    discrepancy_limit: float | None = Field(
        default=0.1,
        gt=0,
        description="Most nats a token, in the mean, between sampler and training on the same weights; null: any.",
    )
    post_kl: bool = Field(default=False, description="Measure how far each iteration moved the policy: one more pass.")

    @property
    def rule(self) -> Algorithm:
        """What the algorithm's name means."""
        return find_algorithm(self.algorithm)

    @property
    def scale(self) -> Literal["none", "std"]:
        """What advantages are divided by."""
        return self.advantage_scale or self.rule.scale

    @property
    def loss_config(self) -> dict[str, float]:
        """The settings of the algorithm's loss."""
        if self.rule.clips:
            low, high = 1 - self.clip[0], 1 + self.clip[1]
            return {"clip_low_threshold": low, "clip_high_threshold": high}
        if self.rule.loss == "dro":
            return {"beta": _DRO_BETA if self.dro_beta is None else self.dro_beta}
        return {}

    @property
    def clip(self) -> tuple[float, float]:
        """How far the ratio may lie below and above 1."""
        low = _EPSILON if self.epsilon is None else self.epsilon
        return low, low if self.epsilon_high is None else self.epsilon_high

    def problems_an_iteration(self, config: LoraConfig) -> int:
        """Return how many problems an iteration has."""
        return self.groups_per_batch or config.batch_size

    def steps_in_all(self, config: LoraConfig, problems: int) -> int:
        """Return the optimiser steps of a whole training: the least that `max_steps`, `epochs` and `episodes` allow.

        Iterations are whole: `max_steps` is rounded down to them, and at least one is taken.

        Args:
            config: With `max_steps` and `epochs`.
            problems: How many problems there are to train on, at least 1.
        """
        each = self.problems_an_iteration(config)
        iterations = [config.max_steps // self.substeps]
        if config.epochs is not None:
            iterations.append(config.epochs * math.ceil(problems / each))
        if self.episodes is not None:
            epochs, rest = divmod(
                math.ceil(self.episodes / self.group_size), problems
            )  # an epoch's last may be smaller
            iterations.append(epochs * math.ceil(problems / each) + math.ceil(rest / each))
        return max(1, min(iterations)) * self.substeps

    def problems(self) -> list[tuple[str, str]]:
        """Return the settings that would change nothing or cannot be carried out together, as (field, what to do)."""
        rule = self.rule
        found: list[tuple[str, str]] = []
        if not rule.clips:
            message = f"is read by ppo, cispo and grpo, and the algorithm is {self.algorithm}; leave it out"
            found += [(name, message) for name in ("epsilon", "epsilon_high") if getattr(self, name) is not None]
        if self.dro_beta is not None and rule.loss != "dro":
            found.append(("dro_beta", f"is read by dro, and the algorithm is {self.algorithm}; leave it out"))
        if not rule.corrects:
            message = f"{self.algorithm} corrects nothing for samples of older weights; use importance_sampling, or"
            if self.substeps > 1:
                found.append(("substeps", f"{message} substeps: 1"))
            if self.max_staleness > 0:
                found.append(("max_staleness", f"{message} max_staleness: 0"))
            if self.entropy_coef:
                found.append(("entropy_coef", f"{self.algorithm} weighs tokens by advantages; use importance_sampling"))
        if self.kl_discount and not self.kl_coef:
            found.append(("kl_discount", "there is no penalty to share: set kl_coef above 0, or leave it out"))
        if not all(self.stop):
            found.append(("stop", "an empty text would end every answer at once"))
        return found


def config_refusals(config: LoraConfig) -> list[tuple[str, str]]:
    """Return what a `LoraConfig` says that learning from rewards does not carry out, as (field, what to do)."""
    default = LoraConfig.model_fields
    said = {
        "loss": "the algorithm says which loss is minimised; leave it out, and choose by algorithm",
        "accumulation_steps": "an iteration has as many problems as groups_per_batch says; raise that instead",
        "train_on": "what the policy wrote is trained on, and nothing else; leave it out",
    }
    found = [(name, why) for name, why in said.items() if getattr(config, name) != default[name].default]
    stopping = config.early_stopping
    if stopping is not None and stopping.mode == "min" and stopping.metric in _BETTER_LARGER:
        why = f"is min, and a larger {stopping.metric} is better: the worst checkpoint would be kept; say mode: max"
        found.append(("early_stopping.mode", why))
    return found
