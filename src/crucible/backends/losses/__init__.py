"""Losses of a session, by name: what training minimises, as a sum over tokens and data and never a mean.

`get(name)` is a loss as sessions call it: a function of the targets' log-probabilities and of what lies beside them.
`bce`, `mae`, `mse`, `kl_divergence` and `cross_entropy` of this package are the same measures as plain functions of
predictions and targets. `importance_sampling`, `ppo`, `cispo` and `dro` train a policy on what it sampled; `entropy`
is a term for a `composite`. `register` adds one of your own; a function that needs whole sequences at once belongs into
`forward_backward_custom`.
"""

from crucible.errors import require as _require

_require("torch", extra="train", feature="crucible.backends.losses")  # before the parts below ask for it themselves

from crucible.backends.loss_terms import COMPUTED  # noqa: E402
from crucible.backends.losses.composite import Composite, composite  # noqa: E402
from crucible.backends.losses.custom import CustomLoss, gradient_of  # noqa: E402
from crucible.backends.losses.loss import Loss, NamedLoss, check_inputs, evaluate, requirements  # noqa: E402
from crucible.backends.losses.predictions import bce, cross_entropy, kl_divergence, mae, mse  # noqa: E402
from crucible.backends.losses.registry import get, names, register, resolve  # noqa: E402
from crucible.backends.losses.registry import names as list  # noqa: A004, E402  # the field's word for it

__all__ = [
    "COMPUTED",
    "Composite",
    "CustomLoss",
    "Loss",
    "NamedLoss",
    "bce",
    "check_inputs",
    "composite",
    "cross_entropy",
    "evaluate",
    "get",
    "gradient_of",
    "kl_divergence",
    "list",
    "mae",
    "mse",
    "names",
    "register",
    "requirements",
    "resolve",
]
