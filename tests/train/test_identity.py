"""What a training is: checkpoints of earlier versions go on, and no training goes on as another one."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from crucible.backends import Session
from crucible.ir import LoraConfig, to_dict
from crucible.train.examples import Example, TrainingData
from crucible.train.identity import identity_of, origin_of
from crucible.train.objective import Objective
from crucible.train.supervised import Supervised

SESSION = cast("Session", SimpleNamespace(base_digest="b", trainable_parameters=7))
OF_OLD = ("data", "base_digest")
"""What the checkpoints had beside the configuration when there was no other objective than answers."""


def supervised(config: LoraConfig) -> Supervised:
    """Return an objective of one item."""
    example = cast("Example", None)
    return Supervised(TrainingData((example,), (), 0, 0, "d", synthetic=False), config)


def test_checkpoints_of_supervised_trainings_are_named_as_they_were_before_there_were_others(
    configure: Callable[..., LoraConfig],
) -> None:
    """Nothing is added to what they say, so that those of earlier versions are gone on from; hooks may differ."""
    config = configure()
    own = identity_of(config, supervised(config), SESSION, None)
    assert own.keys() - (to_dict(config).keys() - {"gradient_hooks"}) == set(OF_OLD)
    hooked = configure(gradient_hooks=("norm",))
    assert identity_of(hooked, supervised(hooked), SESSION, None) == own


def test_another_kind_of_training_or_beginning_is_another_training(configure: Callable[..., LoraConfig]) -> None:
    """And an adapter that was never trained says so."""
    config = configure()
    objective = supervised(config)
    own = identity_of(config, objective, SESSION, None)
    assert identity_of(config, objective, SESSION, "a") == {**own, "adapter": "a"}
    other: Any = SimpleNamespace(kind="reinforcement", material=objective.material, identity={"gamma": 1})
    found = identity_of(config, cast("Objective", other), SESSION, None)
    assert found == {**own, "objective": "reinforcement", "gamma": 1}
    assert origin_of(config, SESSION, None, model="m")["data"] is None
    assert origin_of(config, SESSION, objective.material, model="m")["data"]["sha256"] == "d"
