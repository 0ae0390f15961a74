"""The losses by name. Every entry can be called; registering a name again replaces it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

import torch

from crucible.backends.loss_terms import POLICY_INPUTS, POLICY_SETTINGS
from crucible.backends.losses import policy, targets
from crucible.backends.losses.loss import Loss, NamedLoss
from crucible.errors import BackendError, SpecError
from crucible.ir import did_you_mean

__all__ = ["get", "is_replaced", "names", "register", "resolve"]

_registry: dict[str, NamedLoss] = {}
_own: dict[str, NamedLoss] = {}
_lock = threading.Lock()


def register(
    name: str,
    fn: Callable[..., torch.Tensor],
    requires: Iterable[str] = (),
    *,
    config: Mapping[str, float] | None = None,
) -> NamedLoss:
    """Add a loss, in place of one that had the name, and return it.

    Args:
        name: What requests call it, not empty.
        fn: `(logprobs, inputs) -> loss`, as `Loss` says, or what `composite` returned.
        requires: Names that every datum's `loss_inputs` must hold; `entropy` is what the session computes.
        config: Settings with their defaults, given to `fn` by keyword; a request changes them by `loss_config`.

    Raises:
        SpecError: The name is empty, or `fn` cannot be called.
    """
    if not name:
        raise SpecError("expected a name, got an empty one", path="name", code="loss")
    if not callable(fn):
        raise SpecError(
            f"the loss {name!r} must be a function of (logprobs, inputs), got {type(fn).__name__}",
            path="fn",
            code="loss",
        )
    needed: Iterable[str] = getattr(fn, "requires", ())  # a composite's
    entry = NamedLoss(name=name, fn=fn, requires=tuple(dict.fromkeys((*needed, *requires))), config=dict(config or {}))
    with _lock:
        _registry[name] = entry
    return entry


def get(name: str) -> NamedLoss:
    """Return the loss called `name`.

    Raises:
        BackendError: There is none of this name.
    """
    with _lock:
        found = _registry.get(name)
        known = sorted(_registry)
    if found is None:
        raise BackendError(f"unknown loss {name!r}{did_you_mean(name, known)}; known: {', '.join(known)}")
    return found


def names() -> tuple[str, ...]:
    """Return the names of all losses, sorted."""
    with _lock:
        return tuple(sorted(_registry))


def is_replaced(name: str) -> bool:
    """Say whether another loss was registered by the name of one of Crucible's own."""
    with _lock:
        return name in _own and _registry.get(name) is not _own[name]


def resolve(loss: str | Loss, config: Mapping[str, float] | None = None) -> Loss:
    """Return the loss that a request means.

    Args:
        loss: A name, or the loss itself.
        config: The request's `loss_config`.

    Raises:
        BackendError: The name or a setting is unknown, settings came for a function, which has none, or what came is
            neither a name nor a function.
    """
    found: Loss = get(loss) if isinstance(loss, str) else loss
    if not callable(found):
        raise BackendError(f"a loss is a name or a function of (logprobs, inputs), got {type(found).__name__}")
    if not config:
        return found
    if not isinstance(found, NamedLoss):
        raise BackendError(
            "loss_config needs a loss of the registry; bind the settings of a function with functools.partial"
        )
    return found.configured(config)


register("cross_entropy", targets.cross_entropy)
register("mse", targets.mse)
register("mae", targets.mae)
register("bce", targets.bce)
register("kl_divergence", targets.kl_divergence, ["reference_logprobs"])
register("entropy", targets.entropy, ["entropy"])
register("importance_sampling", policy.importance_sampling, POLICY_INPUTS)
register("ppo", policy.ppo, POLICY_INPUTS, config=POLICY_SETTINGS["ppo"])
register("cispo", policy.cispo, POLICY_INPUTS, config=POLICY_SETTINGS["cispo"])
register("dro", policy.dro, POLICY_INPUTS, config=POLICY_SETTINGS["dro"])
_own.update(_registry)
