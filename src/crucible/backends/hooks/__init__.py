"""Hooks that look at the accumulated gradient right before an optimiser step: how large, how distributed, how healthy.

`norm`, `distribution`, `flow` and `health` come with Crucible; `gradient_hooks` of a configuration names them, and
`session.add_gradient_hook(name, fn)` adds one of your own. A hook looks and changes nothing: your own gets a copy of
the gradient. Importing this room imports no PyTorch.
"""

from crucible.backends.hooks.distribution import Distribution, GradientDistribution, distribution
from crucible.backends.hooks.flow import GradientFlow, flow
from crucible.backends.hooks.gradients import Gradients, LayerGradients, layer_of, natural_order
from crucible.backends.hooks.health import GradientHealth, GradientIssue, health
from crucible.backends.hooks.norm import GradientNorms, norm
from crucible.backends.hooks.registered import (
    BUILT_IN,
    GradientHook,
    GradientHooks,
    HookReport,
    HookResult,
    ShowsGradients,
    attach,
    metrics_of,
)

__all__ = [
    "BUILT_IN",
    "Distribution",
    "GradientDistribution",
    "GradientFlow",
    "GradientHealth",
    "GradientHook",
    "GradientHooks",
    "GradientIssue",
    "GradientNorms",
    "Gradients",
    "HookReport",
    "HookResult",
    "LayerGradients",
    "ShowsGradients",
    "attach",
    "distribution",
    "flow",
    "health",
    "layer_of",
    "metrics_of",
    "natural_order",
    "norm",
]
