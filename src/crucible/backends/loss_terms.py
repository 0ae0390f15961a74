"""What losses read, and the settings of those that train a policy on what it sampled: names, defaults, ranges.

Nothing here imports PyTorch: a service that computes these losses itself is sent the same settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from crucible.errors import BackendError
from crucible.ir import did_you_mean

__all__ = ["COMPUTED", "POLICY_INPUTS", "POLICY_SETTINGS", "check_policy_settings", "policy_settings"]

COMPUTED: Final = ("entropy",)
"""Inputs that a session computes where a loss requires them, in place of reading them from the data: `entropy` (M,) of
the whole distribution at each target's position, in nats, differentiable."""

POLICY_INPUTS: Final = ("logprobs", "advantages")
"""What each of these losses reads of `Datum.loss_inputs`: the sampler's log-probability of the token, and how much
better than expected it turned out."""

POLICY_SETTINGS: Final[dict[str, dict[str, float]]] = {
    "importance_sampling": {},
    "ppo": {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2},
    "cispo": {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2},
    "dro": {"beta": 0.05},
}
"""The losses by name, each with its settings and their defaults."""


def policy_settings(name: str, changes: Mapping[str, float]) -> dict[str, float]:
    """Return the settings of a loss, with those of a request in place of the defaults.

    Args:
        name: Of `POLICY_SETTINGS`, or a loss without settings.
        changes: The request's `loss_config`.

    Raises:
        BackendError: The loss has no such setting, or a value is outside of its range.
    """
    known = POLICY_SETTINGS.get(name, {})
    for setting in changes:
        if setting not in known:
            raise BackendError(
                f"loss_config: the loss {name!r} has no setting {setting!r}{did_you_mean(setting, known)}; "
                f"it has: {', '.join(sorted(known)) or 'none'}"
            )
    found = {**known, **changes}
    check_policy_settings(name, found)
    return found


def check_policy_settings(name: str, settings: Mapping[str, float]) -> None:
    """Refuse settings that no loss has a meaning for.

    Args:
        name: The loss, for the message.
        settings: `clip_low_threshold`, `clip_high_threshold`, `beta`, where it has them.

    Raises:
        BackendError: The thresholds are not 0 <= low <= 1 <= high, or beta is not 0 or more; or one is not finite, or
            no number.
    """
    for setting, value in cast("Mapping[str, object]", settings).items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise BackendError(f"loss_config: {setting} of {name} must be a number, got {value!r:.80}")
    if "clip_low_threshold" in settings:
        low, high = settings["clip_low_threshold"], settings["clip_high_threshold"]
        if not 0 <= low <= 1 <= high < float("inf"):
            raise BackendError(
                f"loss_config: {name} clips ratios of probabilities, so it needs 0 <= clip_low_threshold <= 1 <= "
                f"clip_high_threshold, got {low} and {high}; 0.8 and 1.2 are an epsilon of 0.2"
            )
    if "beta" in settings and not 0 <= settings["beta"] < float("inf"):
        raise BackendError(f"loss_config: beta of {name} must be 0 or more and finite, got {settings['beta']}")
