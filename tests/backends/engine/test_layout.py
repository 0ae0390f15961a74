"""Which models have a layout: only those that are known to be computed as the engine computes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import peft
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from crucible import events
from crucible.backends import scoring
from crucible.backends.engine.layout import layout_of
from crucible.backends.engine.parity import agrees


def test_another_architecture_has_none() -> None:
    """GPT-2 goes through its own code."""
    assert layout_of(GPT2LMHeadModel(GPT2Config(vocab_size=9, n_embd=8, n_layer=1, n_head=2)).eval()) is None


def test_a_subclass_of_a_known_model_has_none(build_decoder: Callable[..., Any]) -> None:
    """Its own code may do anything."""
    model = build_decoder("llama")
    model.__class__ = type("Mine", (type(model),), {})
    assert layout_of(model) is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda model: model.train(),
        lambda model: model.model.norm.register_forward_hook(lambda *_: None),
        lambda model: model.model.norm.weight.requires_grad_(),
        lambda model: setattr(model.config, "hidden_act", "gelu"),
        lambda model: model.model.layers[0].mlp.up_proj.merge(),
        lambda model: model.model.layers[0].mlp.up_proj.enable_adapters(enabled=False),
        lambda model: model.model.layers[0].mlp.up_proj.lora_dropout.update({"default": torch.nn.Dropout(0.5)}),
    ],
    ids=["training", "hook", "trained base", "activation", "merged", "switched off", "dropout of PEFT"],
)
def test_what_is_not_known_has_none(spoil: Callable[[Any], object], build_decoder: Callable[..., Any]) -> None:
    """Each of these changes what the model computes, or what needs a gradient."""
    model = build_decoder("llama")
    assert layout_of(model) is not None
    spoil(model)
    assert layout_of(model) is None


@pytest.mark.filterwarnings("ignore:Already found a `peft_config`:UserWarning")  # that is the point
def test_a_second_adapter_has_none(build_decoder: Callable[..., Any]) -> None:
    """Only one adapter is computed."""
    model = build_decoder("llama")
    settings = peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")
    peft.inject_adapter_in_model(settings, model, "other")
    assert layout_of(model) is None


def test_a_variant_of_lora_has_none(build_decoder: Callable[..., Any]) -> None:
    """DoRA is another function of the same matrices."""
    model = build_decoder("llama", None)
    settings = peft.LoraConfig(r=2, target_modules=["q_proj"], use_dora=True, task_type="CAUSAL_LM")
    peft.inject_adapter_in_model(settings, model, "default")
    assert layout_of(model.eval()) is None


def test_a_layout_that_computes_something_else_is_found_out(
    build_decoder: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A layer left out, say: the model goes through its own code then, and the trace is told why."""
    model = build_decoder("llama")
    layout = layout_of(model)
    assert layout is not None
    assert agrees(model, layout, device="cpu")
    wrong = dataclasses.replace(layout, layers=layout.layers[1:])
    assert not agrees(model, wrong, device="cpu")
    monkeypatch.setattr(scoring, "layout_of", lambda _: wrong)
    said: list[dict[str, Any]] = []
    names = ["crucible_trace.decision.made"]
    events.attach("listener", names, lambda event: said.append(dict(event.metadata)))
    try:
        assert scoring.packed_layout(model, device="cpu") is None
    finally:
        events.detach("listener")
    assert "llama" in said[0]["reasoning"]
