"""How a LoRA training is configured: two spellings of one field, what each optimiser has, layers by name or group."""

from __future__ import annotations

from typing import Any

import pytest

from crucible import ir
from crucible.errors import SpecError, SpecErrors, UnknownKeyWarning

SPELLINGS = [
    ("rank", "lora_rank", 3),
    ("alpha", "lora_alpha", 5.0),
    ("dropout", "lora_dropout", 0.25),
    ("grad_clip_norm", "max_grad_norm", 2.0),
    ("validation_fraction", "validation_split", 0.5),
    ("checkpoint_interval", "checkpoint_every", 7),
]
both = pytest.mark.parametrize(("first", "second", "value"), SPELLINGS)


def read(**values: Any) -> ir.LoraConfig:
    """Return a configuration read from plain data."""
    return ir.LoraConfig.read({"base_model": "m", **values})


def problems(**values: Any) -> list[str]:
    """Return the problems of a configuration, by constructor and by reading, which say the same."""
    with pytest.raises(SpecErrors) as built:
        ir.LoraConfig(base_model="m", **values)
    with pytest.raises(SpecErrors) as caught:
        read(**values)
    assert [str(error) for error in built.value.errors] == [str(error) for error in caught.value.errors]
    return [str(error) for error in caught.value.errors]


@both
def test_either_name_will_do_and_the_first_is_written(first: str, second: str, value: float) -> None:
    """Built or read, the value, its text, its hash and its schema know the first name alone."""
    config = read(**{second: value})
    assert config == read(**{first: value}) == ir.LoraConfig(base_model="m", **{second: value})
    assert ir.content_hash(config) == ir.content_hash(read(**{first: value}))
    assert (ir.to_dict(config)[first], second in ir.to_dict(config)) == (value, False)
    assert [(each.path, each.b) for each in ir.diff(read(), config)] == [(first, value)]
    properties = ir.json_schema(ir.LoraConfig)["properties"]
    assert (first in properties, second in properties) == (True, False)
    assert ir.from_yaml(ir.to_yaml(config), ir.LoraConfig) == config


@both
def test_both_names_at_once_are_an_error(first: str, second: str, value: float) -> None:
    """Even with one value, since it would be somebody's guess which of them counts."""
    expected = f"{second}: is another name of {first}, which is given, too; leave one of them out"
    assert problems(**{first: value, second: value}) == [expected]
    assert ir.errors({"base_model": "m", first: value, second: value}, ir.LoraConfig) == [expected]


@both
def test_null_under_a_second_name_reads_leniently_as_the_default(first: str, second: str, value: float) -> None:
    """As it does under the first one."""
    with pytest.warns(UnknownKeyWarning, match=second):
        config = ir.from_dict({"base_model": "m", second: None}, ir.LoraConfig, strict=False)
    assert getattr(config, first) == ir.LoraConfig.model_fields[first].default != value


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"rank": 0}, "rank: rank must be positive, got 0"),
        ({"lora_rank": 0}, "lora_rank: lora_rank must be positive, got 0"),
        ({"learning_rate": 0}, "learning_rate: learning_rate must be positive, got 0"),
        ({"alpha": -1.0}, "alpha: alpha must be positive, got -1.0"),
        ({"dropout": 1.5}, "dropout: dropout must be between 0 and 1, got 1.5"),
        ({"lora_rnk": 1}, 'lora_rnk: unknown key; did you mean "lora_rank"?'),
        ({"optimizer": "sdg"}, 'got "sdg"; did you mean "sgd"?'),
        ({"momentum": 0.9}, "momentum is a setting of sgd and rmsprop, and the optimizer is adamw; choose another"),
        ({"optimizer": "sgd", "beta1": 0.5}, "beta1 is a setting of adamw and adam, and the optimizer is sgd"),
        ({"optimizer": "sgd", "beta2": 0.5}, "beta2 is a setting of adamw and adam, and the optimizer is sgd"),
        ({"optimizer": "sgd", "eps": 0.5}, "eps is a setting of adamw, adam and rmsprop, and the optimizer is sgd"),
        ({"early_stopping": {"patience": 0}}, "early_stopping.patience: patience must be positive, got 0"),
        ({"target_modules": []}, "target_modules must contain at least one item"),
        ({"target_modules": ["q_proj", " "]}, "target_modules must name layers, got an empty name at place 1"),
        ({"target_modules": ["q_proj", "q_proj"]}, 'target_modules names "q_proj" twice'),
        ({"target_modules": ["all-linear"]}, "must be null, or left out, for all linear layers but the head"),
        ({"max_checkpoints": 1}, "max_checkpoints must be at least 2, got 1"),
        ({"renderer": ""}, "renderer must be a non-empty string"),
    ],
)
def test_what_does_not_fit_is_named(values: dict[str, Any], complaint: str) -> None:
    """One problem, under the name that was given."""
    (found,) = problems(**values)
    assert complaint in found


def test_a_setting_that_says_the_default_asks_for_nothing() -> None:
    """The full form of a configuration, which says every field, reads back whatever its optimiser."""
    for optimizer in ("adamw", "adam", "sgd", "rmsprop"):
        config = ir.LoraConfig(base_model="m", optimizer=optimizer)
        assert ir.from_dict(ir.to_dict(config), ir.LoraConfig) == config


def test_groups_of_layers_are_opened() -> None:
    """Attention and MLP stand for the names of their layers in models of the Llama family; each layer is named once."""
    assert read(target_modules=["attention"]).target_modules == ("q_proj", "k_proj", "v_proj", "o_proj")
    mixed = read(target_modules=["up_proj", "mlp", "lm_head"]).target_modules
    assert mixed == ("up_proj", "gate_proj", "down_proj", "lm_head")


def test_the_settings_of_adam_are_in_the_usual_words() -> None:
    """Whoever asks for them of another optimiser is told."""
    config = ir.LoraConfig(base_model="m", learning_rate=0.5, weight_decay=0.25, grad_clip_norm=2.0, beta2=0.75)
    assert config.adam_params() == {
        "lr": 0.5,
        "beta1": 0.9,
        "beta2": 0.75,
        "eps": 1e-8,
        "weight_decay": 0.25,
        "max_grad_norm": 2.0,
    }
    with pytest.raises(SpecError, match="is sgd, which has no settings of Adam"):
        ir.LoraConfig(base_model="m", optimizer="sgd").adam_params()


@pytest.mark.parametrize("asked", [{"eval_every": 3}, {"early_stopping": {"patience": 2}}])
def test_validations_need_held_out_items(asked: dict[str, Any]) -> None:
    """`validate` says so; the value itself can be built, because a caller may hold items out in another way."""
    (name,) = asked
    assert ir.errors(read(**asked)) == [f"{name} needs held-out items to go by; set validation_fraction above 0"]
    assert ir.errors(read(**asked, validation_fraction=0.2)) == []
    assert ir.errors({"base_model": "m", **asked, "validation_split": 0.2}, ir.LoraConfig) == []
