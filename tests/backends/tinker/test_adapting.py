"""What a service can do of a configuration, and what is refused by name before anybody is asked."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from crucible.backends import TinkerBackend
from crucible.backends.tinker.adapting import adapter_problems, layer_groups, sdk_arguments
from crucible.errors import BackendError
from crucible.ir import LoraConfig

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP = ("gate_proj", "up_proj", "down_proj")


def config(**changes: Any) -> LoraConfig:
    """What a service can do, changed."""
    return LoraConfig(base_model="m", **{"dropout": 0.0, **changes})


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"alpha": 16.0}, "alpha", "is 16 and Tinker's adapters have alpha 32; set alpha: 32"),
        ({"dropout": 0.05}, "dropout", "is 0.05 and Tinker's adapters have no dropout; set dropout: 0"),
        ({"target_modules": ("q_proj",)}, "target_modules", "a part of the group attn.*add k_proj, o_proj, v_proj"),
        ({"target_modules": (*ATTENTION, "up_proj")}, "target_modules", "a part of the group mlp"),
        ({"target_modules": ("c_attn",)}, "target_modules", "c_attn is no layer that Tinker adapts"),
        ({"optimizer": "sgd"}, "optimizer", "sgd is not offered by Tinker; use adamw"),
        ({"optimizer": "rmsprop"}, "optimizer", "rmsprop is not offered by Tinker; use adamw"),
        ({"optimizer": "adam", "weight_decay": 0.1}, "weight_decay", "is coupled in adam"),
        ({"gradient_hooks": ("norm",)}, "gradient_hooks", "look at gradients, which a Tinker service keeps to itself"),
        ({"device": "cuda"}, "device", "a Tinker service chooses its own"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], field: str, says: str) -> None:
    """The field, what it is, what to do; a session is not opened, and nobody is asked."""
    import re

    [(found, message)] = adapter_problems(config(**changes))
    assert found == field
    assert re.search(says, message)
    backend = TinkerBackend("tml-x", base_url="http://127.0.0.1:9", window=8)
    with pytest.raises(BackendError, match=field):
        backend.start_session(config(**changes))
    assert backend.problems(config(**changes)) == [(field, message)]


def test_every_optimiser_is_offered_or_refused() -> None:
    """None falls through."""
    names = get_args(LoraConfig.model_fields["optimizer"].annotation)
    refused = {name for name in names if adapter_problems(config(optimizer=name))}
    assert set(names) - refused == {"adamw", "adam"}


def test_all_problems_come_together() -> None:
    """Not one at a time."""
    found = adapter_problems(config(alpha=1.0, dropout=0.5, optimizer="sgd"))
    assert [field for field, _ in found] == ["alpha", "dropout", "optimizer"]


@pytest.mark.parametrize(
    ("modules", "groups"),
    [
        (None, {"train_attn": True, "train_mlp": True, "train_unembed": False}),
        (ATTENTION, {"train_attn": True, "train_mlp": False, "train_unembed": False}),
        ((*MLP, "lm_head"), {"train_attn": False, "train_mlp": True, "train_unembed": True}),
        ((*ATTENTION, *MLP, "lm_head"), {"train_attn": True, "train_mlp": True, "train_unembed": True}),
    ],
)
def test_groups_of_layers(modules: tuple[str, ...] | None, groups: dict[str, bool]) -> None:
    """o_proj belongs to attention; no names means all linear layers but the head."""
    assert adapter_problems(config(target_modules=modules)) == []
    assert layer_groups(config(target_modules=modules)) == groups


def test_what_the_sdk_is_told() -> None:
    """Model, rank, seed and groups; there is no alpha on the wire."""
    assert sdk_arguments(config(rank=5, seed=3)) == {
        "base_model": "m",
        "rank": 5,
        "seed": 3,
        "train_attn": True,
        "train_mlp": True,
        "train_unembed": False,
    }
