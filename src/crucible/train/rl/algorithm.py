"""The algorithms by name: which loss each means, what its advantages are divided by, and how its tokens are weighed.

All of them take the reward of a rollout less the mean of its group for what it was better than expected. What needs a
model of values, or learns without a policy, is refused by name.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from crucible.ir import did_you_mean

__all__ = ["ALGORITHMS", "ALIASES", "Algorithm", "algorithm_problem", "find_algorithm"]


class Algorithm(msgspec.Struct, frozen=True, kw_only=True):
    """What a name means.

    Attributes:
        name: The name.
        loss: The session's loss, with r = p / q, the ratio of the probabilities in training and in sampling.
        meaning: What is minimised, summed over tokens; A is the advantage.
        clips: Whether it reads `epsilon`.
        corrects: Whether the ratio corrects for samples of older weights.
        scale: What advantages are divided by: nothing, or the standard deviation of the group's rewards.
        per_answer: Whether each answer counts the same, however long; else each token does.
    """

    name: str
    loss: str
    meaning: str
    clips: bool = False
    corrects: bool = True
    scale: Literal["none", "std"] = "none"
    per_answer: bool = False


ALGORITHMS: Final[dict[str, Algorithm]] = {
    each.name: each
    for each in (
        Algorithm(name="importance_sampling", loss="importance_sampling", meaning="-r A"),
        Algorithm(name="ppo", loss="ppo", meaning="-min(r A, clip(r, 1 - epsilon, 1 + epsilon_high) A)", clips=True),
        Algorithm(name="cispo", loss="cispo", meaning="-A log p times clip(r) taken as a constant", clips=True),
        Algorithm(name="dro", loss="dro", meaning="-(A log p - dro_beta / 2 (log p - log q)^2)"),
        Algorithm(name="reinforce", loss="cross_entropy", meaning="-A log p", corrects=False),
        Algorithm(
            name="grpo",
            loss="ppo",
            meaning="that of ppo, A divided by the standard deviation of its group, each answer weighing the same",
            clips=True,
            scale="std",
            per_answer=True,
        ),
    )
}
"""What is offered, by name.

Source:
    ppo: Schulman et al. (2017), arXiv:1707.06347. cispo: MiniMax (2025), arXiv:2506.13585. dro: Richemond et al.
    (2024), arXiv:2405.19107. reinforce: Williams (1992), Machine Learning 8:229-256. grpo: Shao et al. (2024),
    arXiv:2402.03300.
"""

ALIASES: Final = {
    "is": "importance_sampling",
    "policy_gradient": "reinforce",
    "vpg": "reinforce",
    "dr_grpo": "ppo",
    "proximal_policy_optimization": "ppo",
    "group_relative_policy_optimization": "grpo",
}
"""Other names of what is offered. `dr_grpo` is ppo here: group-centred advantages that nothing divides."""

_REFUSED: Final = {
    "dqn": "learns the values of actions and has no policy that could be sampled",
    "a2c": "needs a critic, a model of values trained beside the policy",
    "a3c": "needs a critic, a model of values trained beside the policy",
    "sac": "needs two critics and actions that are numbers",
    "td3": "needs two critics and actions that are numbers",
    "ddpg": "needs a critic and actions that are numbers",
    "trpo": "needs second derivatives of the divergence",
}


def algorithm_problem(name: str) -> str | None:
    """Return why a name cannot be carried out, in one sentence; None if it can."""
    if name in ALGORITHMS or name in ALIASES:
        return None
    offered = ", ".join(ALGORITHMS)
    if name in _REFUSED:
        return f'is "{name}", which is not offered, for it {_REFUSED[name]}; use one of {offered}'
    return f'is "{name}", which is not known{did_you_mean(name, (*ALGORITHMS, *ALIASES))}; use one of {offered}'


def find_algorithm(name: str) -> Algorithm:
    """Return the algorithm of a name that `algorithm_problem` has nothing against, or of another name of it."""
    return ALGORITHMS[ALIASES.get(name, name)]
