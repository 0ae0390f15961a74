"""Learning from rewards: environments, rollouts of groups, data of what they were worth, and the training on it.

`train_rl` trains on the items of a dataset with a scorer, or on environments of one's own; `Reinforcement` is the
objective that the one training loop carries out, `flat.train_rl_flat` the same on one page. Importing this room imports
no PyTorch.
"""

from crucible.train.rl.advantages import compute_advantages, discounted_future_sum, remove_constant_reward_groups
from crucible.train.rl.algorithm import ALGORITHMS, Algorithm, algorithm_problem, find_algorithm
from crucible.train.rl.data import Origin, assemble_training_data, full_tokens, trajectory_to_data
from crucible.train.rl.divergence import (
    Discrepancy,
    discrepancy,
    incorporate_kl_penalty,
    pre_post_divergence,
    reference_logprobs,
    sample_train_divergence,
)
from crucible.train.rl.env import Env, EnvGroupBuilder
from crucible.train.rl.flat import train_rl_flat
from crucible.train.rl.objective import Reinforcement
from crucible.train.rl.observation import Observation, StepResult
from crucible.train.rl.problem import ItemEnv, ProblemEnv, ProblemGroupBuilder
from crucible.train.rl.problems import Problems
from crucible.train.rl.prompting import prompt_observation, question_observation
from crucible.train.rl.rollout import roll_out
from crucible.train.rl.settings import RLConfig
from crucible.train.rl.training import train_rl
from crucible.train.rl.trajectory import RolloutFailure, Rollouts, Trajectory, TrajectoryGroup, Transition

__all__ = [
    "ALGORITHMS",
    "Algorithm",
    "Discrepancy",
    "Env",
    "EnvGroupBuilder",
    "ItemEnv",
    "Observation",
    "Origin",
    "ProblemEnv",
    "ProblemGroupBuilder",
    "Problems",
    "RLConfig",
    "Reinforcement",
    "RolloutFailure",
    "Rollouts",
    "StepResult",
    "Trajectory",
    "TrajectoryGroup",
    "Transition",
    "algorithm_problem",
    "assemble_training_data",
    "compute_advantages",
    "discounted_future_sum",
    "discrepancy",
    "find_algorithm",
    "full_tokens",
    "incorporate_kl_penalty",
    "pre_post_divergence",
    "prompt_observation",
    "question_observation",
    "reference_logprobs",
    "remove_constant_reward_groups",
    "roll_out",
    "sample_train_divergence",
    "train_rl",
    "train_rl_flat",
    "trajectory_to_data",
]
