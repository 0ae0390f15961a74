# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (transformers and PEFT models are untyped)
"""From a transformers model, with or without PEFT's layers in it, to the tensors that a packed pass works on.

Whatever is not known to be computed exactly as here makes the model one without a layout: another architecture, a hook,
a trained base weight, a LoRA variant, an adapter that is merged or switched off.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from peft.tuners.lora import Linear as LoraLinear
from torch import nn

from crucible.backends.adapter import SeededDropout
from crucible.backends.engine.decoder_layer import DecoderLayer, Norm
from crucible.backends.engine.fan import Adapter, Fan, Linear

__all__ = ["ARCHITECTURES", "Layout", "layout_of"]

ARCHITECTURES = {
    "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
}
"""Model types that are computed as here, each with transformers' class for it."""


class _UnknownError(Exception):
    """A part of the model is not computed as here; never leaves this module."""


@dataclass(frozen=True)
class Layout:
    """A decoder as a packed pass sees it.

    Args:
        embed: From token ids to the stream.
        positions: transformers' module of rotary angles.
        layers: The layers, first to last.
        norm: The last norm.
        head: (V, H) weight of the output layer; None where it is adapted, and `head_module` is called.
        head_module: The output layer itself.
        width: Query heads times head size.
        reach: Tokens that attention looks back over at most; None: all.
        weights: Multiplications for one token: entries of all matrices that a token meets, the head left out.
    """

    embed: nn.Module
    positions: Any
    layers: tuple[DecoderLayer, ...]
    norm: Norm
    head: torch.Tensor | None
    head_module: Any
    width: int
    reach: int | None
    weights: int


def layout_of(model: Any) -> Layout | None:
    """Return the layout of a transformers causal language model, or None where it has none.

    Args:
        model: The model, in evaluation mode but for the adapter's dropout.
    """
    kind = getattr(getattr(model, "config", None), "model_type", None)
    if ARCHITECTURES.get(str(kind)) != type(model).__name__ or model.training:
        return None
    try:
        return _read(model)
    except (_UnknownError, AttributeError):
        return None


def _read(model: Any) -> Layout:
    config, inner = model.config, model.model
    if config.hidden_act != "silu" or any(map(_is_hooked, model.modules())):
        raise _UnknownError
    layers = tuple(_layer(layer) for layer in inner.layers)
    output = model.get_output_embeddings()
    if type(output) is nn.Linear and _bias(output) is not None:
        raise _UnknownError
    head = output.weight if type(output) is nn.Linear and not output.weight.requires_grad else None
    _check_frozen(model, layers, (inner.embed_tokens, output))
    first = layers[0]
    return Layout(
        embed=inner.embed_tokens,
        positions=inner.rotary_emb,
        layers=layers,
        norm=_norm(inner.norm),
        head=head,
        head_module=output,
        width=first.queries_keys_values.layers[0].weight.shape[0],
        reach=_reach(config),
        weights=sum(linear.weight.numel() for layer in layers for fan in _fans(layer) for linear in fan.layers),
    )


def _layer(module: Any) -> DecoderLayer:
    attention, mlp = module.self_attn, module.mlp
    size = attention.head_dim
    has_norms = hasattr(attention, "q_norm")
    return DecoderLayer(
        before_attention=_norm(module.input_layernorm),
        queries_keys_values=_fan(attention.q_proj, attention.k_proj, attention.v_proj),
        query_norm=_norm(attention.q_norm) if has_norms else None,
        key_norm=_norm(attention.k_norm) if has_norms else None,
        output=_fan(attention.o_proj),
        before_mlp=_norm(module.post_attention_layernorm),
        gate_up=_fan(mlp.gate_proj, mlp.up_proj),
        down=_fan(mlp.down_proj),
        head_size=size,
        scale=attention.scaling,
    )


def _norm(module: Any) -> Norm:
    if not type(module).__name__.endswith("RMSNorm"):
        raise _UnknownError
    return Norm(module.weight, module.variance_epsilon)


def _fan(*modules: Any) -> Fan:
    layers: list[Linear] = []
    scales: set[float] = set()
    dropouts: list[nn.Module] = []
    for module in modules:
        if type(module) is nn.Linear:
            layers.append(Linear(module.weight, module.bias, None))
            continue
        name = _only_adapter(module)
        base = module.get_base_layer()
        layers.append(Linear(base.weight, base.bias, Adapter(module.lora_A[name].weight, module.lora_B[name].weight)))
        scales.add(module.scaling[name])
        dropouts.append(module.lora_dropout[name])
    if len(scales) > 1 or len({type(each) for each in dropouts}) > 1:
        raise _UnknownError
    dropout = dropouts[0] if dropouts else None
    if not (dropout is None or isinstance(dropout, nn.Identity | SeededDropout)) and dropout.training:
        raise _UnknownError
    return Fan(tuple(layers), scales.pop() if scales else 1.0, dropout if isinstance(dropout, SeededDropout) else None)


def _only_adapter(module: Any) -> str:
    """Return the name of a LoRA layer's adapter, where it has one of the plain kind, switched on."""
    if not isinstance(module, LoraLinear) or module.merged or module.disable_adapters or module.fan_in_fan_out:
        raise _UnknownError
    names = list(module.lora_A)
    if len(names) != 1 or list(module.active_adapters) != names or module.lora_variant:
        raise _UnknownError
    name = names[0]
    if type(module.get_base_layer()) is not nn.Linear or _bias(module.lora_B[name]) is not None:
        raise _UnknownError
    return name


def _is_hooked(module: nn.Module) -> bool:
    return any(vars(module)[name] for name in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks"))


def _bias(module: Any) -> torch.Tensor | None:
    return module.bias


def _check_frozen(model: Any, layers: Iterable[DecoderLayer], whole: Iterable[nn.Module]) -> None:
    """Refuse a model in which anything but the adapters is trained: only they would get a gradient."""
    trained = {id(matrix) for layer in layers for fan in _fans(layer) for matrix in fan.parameters}
    trained |= {id(parameter) for module in whole for parameter in module.parameters()}
    if any(parameter.requires_grad and id(parameter) not in trained for parameter in model.parameters()):
        raise _UnknownError


def _fans(layer: DecoderLayer) -> tuple[Fan, ...]:
    return (layer.queries_keys_values, layer.output, layer.gate_up, layer.down)


def _reach(config: Any) -> int | None:
    """Return the sliding window, where any layer has one."""
    kinds = getattr(config, "layer_types", None)
    if kinds is not None and all(kind == "full_attention" for kind in kinds):
        return None
    return getattr(config, "sliding_window", None)
