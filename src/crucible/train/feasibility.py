"""What a whole configuration asks for and no training could carry out, found before anything costs time.

Nothing here imports PyTorch: losses that were registered in this process are known to their registry, and the names of
the others are written down. What only the data or the machine can tell is for the run to say.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any, Final

from crucible.backends.loss_terms import COMPUTED, POLICY_INPUTS
from crucible.errors import DataError
from crucible.ir import LoraConfig, did_you_mean, validate
from crucible.ir.wording_text import show
from crucible.text import lookup_renderer
from crucible.train.quality import known_metrics

__all__ = ["LOSSES", "config_problems"]

LOSSES: Final = {
    "bce": (),
    "cispo": POLICY_INPUTS,
    "cross_entropy": (),
    "dro": POLICY_INPUTS,
    "entropy": COMPUTED,
    "importance_sampling": POLICY_INPUTS,
    "kl_divergence": ("reference_logprobs",),
    "mae": (),
    "mse": (),
    "ppo": POLICY_INPUTS,
}
"""The losses that are always there, with what each needs beside every token; a test holds it to their registry."""

_REGISTRY: Final = "crucible.backends.losses.registry"
Problem = tuple[str, str]


def config_problems(config: LoraConfig, backend: str = "local") -> list[Problem]:
    """Return what cannot be carried out, as (path in the configuration, what to do), in the order of the fields.

    Args:
        config: With the values that won.
        backend: Its name; one that says itself what it cannot do is asked.
    """
    found = [
        *((issue.path, issue.message) for issue in validate(config) if issue.severity == "error"),
        *_loss(config),
        *_metrics(config),
        *_renderer(config),
        *_of_backend(config, backend),
    ]
    order = list(LoraConfig.model_fields)
    return sorted(found, key=lambda problem: order.index(problem[0].partition(".")[0]))


def _loss(config: LoraConfig) -> Iterator[Problem]:
    registry: Any = sys.modules.get(_REGISTRY)  # not there: nobody has registered anything
    known = LOSSES if registry is None else {name: registry.get(name).requires for name in registry.names()}
    if config.loss not in known:
        hint = did_you_mean(config.loss, known)
        yield "loss", f"{show(config.loss)} is not registered{hint}; known: {', '.join(known)}"
    elif config.loss == "entropy":
        yield "loss", "entropy looks at no target, so no answer would be learned; use another loss here, or a composite"
    elif needed := ", ".join(name for name in known[config.loss] if name not in COMPUTED):
        message = (
            f"{config.loss} needs {needed} beside each token, which the items of a dataset do not hold; "
            "use another loss here, or forward_backward of a session with data that do"
        )
        yield "loss", message


def _metrics(config: LoraConfig) -> Iterator[Problem]:
    known, at_the_end = known_metrics(config), known_metrics(_holding_out(config, 0.0))
    for name in config.quality_targets or {}:
        if name not in known:
            yield "quality_targets", _unknown(name, known, config)
    stopping = config.early_stopping
    validated = tuple(name for name in known if name not in at_the_end)
    if stopping is not None and validated and stopping.metric not in validated:
        yield "early_stopping.metric", _unknown(stopping.metric, validated, config)


def _unknown(name: str, known: tuple[str, ...], config: LoraConfig) -> str:
    if name not in known_metrics(config) and name in known_metrics(_holding_out(config, 0.5)):
        return f"{show(name)} needs held-out items; set validation_fraction above 0"
    return f"{show(name)} is not reported by this training{did_you_mean(name, known)}; it reports: {', '.join(known)}"


def _holding_out(config: LoraConfig, share: float) -> LoraConfig:
    return config.model_copy(update={"validation_fraction": share})


def _renderer(config: LoraConfig) -> Iterator[Problem]:
    if config.renderer is not None:
        try:
            lookup_renderer(config.renderer)
        except DataError as error:
            yield "renderer", str(error)


def _of_backend(config: LoraConfig, backend: str) -> Iterator[Problem]:
    """Ask the class of a backend that tells what it cannot do; making one might need a key or a network."""
    for point in entry_points(group="crucible.backends", name=backend):
        try:
            tell = getattr(point.load(), "problems", None)
        except ImportError:
            return  # the run says what to install
        if tell is not None:
            yield from tell(config)
