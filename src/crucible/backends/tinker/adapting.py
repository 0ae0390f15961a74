"""What a service can do of a `LoraConfig`, and the refusal of the rest by name.

Tinker's wire has a rank, a seed and three groups of layers. It has no scale (its adapters use alpha 32), no dropout,
and AdamW is its optimiser. No SDK here, so that a document can be checked without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from crucible.ir import LoraConfig

__all__ = ["ALPHA", "GROUPS", "adapter_problems", "layer_groups", "sdk_arguments"]

ALPHA: Final = 32.0
"""The scale that a service multiplies by, over the rank; there is no field for another on the wire."""

GROUPS: Final[dict[str, frozenset[str]]] = {
    "attn": frozenset({"q_proj", "k_proj", "v_proj", "o_proj"}),
    "mlp": frozenset({"gate_proj", "up_proj", "down_proj"}),
    "unembed": frozenset({"lm_head"}),
}
"""The layers that a service adapts together, by the names that transformers gives them."""

_OPTIMIZERS: Final = ("adamw", "adam")
Problem = tuple[str, str]


def adapter_problems(config: LoraConfig) -> list[Problem]:
    """Return what a service cannot do of a configuration, as (field, what to do), in the order of the fields.

    Args:
        config: The configuration.
    """
    found: list[Problem] = []
    if config.alpha != ALPHA:
        found.append(("alpha", f"is {config.alpha:g} and Tinker's adapters have alpha {ALPHA:g}; set alpha: {ALPHA:g}"))
    if config.dropout > 0:
        found.append(("dropout", f"is {config.dropout:g} and Tinker's adapters have no dropout; set dropout: 0"))
    if config.target_modules is not None:
        found += [("target_modules", problem) for problem in _module_problems(config.target_modules)]
    if config.optimizer not in _OPTIMIZERS:
        found.append(("optimizer", f"{config.optimizer} is not offered by Tinker; use adamw"))
    elif config.optimizer == "adam" and config.weight_decay > 0:
        found.append(("weight_decay", "is coupled in adam, which Tinker does not offer; use adamw, or 0"))
    if config.device != "cpu":
        found.append(("device", f"{config.device} is this machine's; a Tinker service chooses its own, leave it out"))
    if config.gradient_hooks:
        message = "look at gradients, which a Tinker service keeps to itself; leave them out, or use the backend local"
        found.append(("gradient_hooks", message))
    if getattr(config, "mixed_precision", None) not in (None, False, "no", "none"):
        found.append(("mixed_precision", "is the Tinker service's own affair; leave it out"))
    return found


def layer_groups(config: LoraConfig) -> dict[str, bool]:
    """Return the SDK's arguments that say which layers are adapted.

    None means all linear layers but the head, as everywhere in Crucible; the SDK's own default adapts the head too.

    Args:
        config: One without `adapter_problems`.
    """
    asked = None if config.target_modules is None else frozenset(config.target_modules)
    return {
        f"train_{group}": group != "unembed" if asked is None else layers <= asked for group, layers in GROUPS.items()
    }


def _module_problems(asked: Sequence[str]) -> list[str]:
    known = frozenset[str]().union(*GROUPS.values())
    choice = "; ".join(f"{group}: {', '.join(sorted(layers))}" for group, layers in GROUPS.items())
    odd = [name for name in asked if name not in known]
    if odd:
        return [f"{', '.join(odd)} is no layer that Tinker adapts; it adapts whole groups of layers ({choice})"]
    found: list[str] = []
    for group, layers in GROUPS.items():
        missing = sorted(layers - frozenset(asked))
        if missing and len(missing) < len(layers):
            found.append(f"has a part of the group {group}, which Tinker adapts whole; add {', '.join(missing)}")
    return found


def sdk_arguments(config: LoraConfig) -> dict[str, Any]:
    """Return the arguments of the SDK's `create_lora_training_client`."""
    return {"base_model": config.base_model, "rank": config.rank, "seed": config.seed, **layer_groups(config)}
