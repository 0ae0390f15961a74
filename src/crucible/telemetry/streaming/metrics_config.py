"""Which live figures an experiment wants: the switches of its `metrics_config`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from crucible.errors import SpecError

__all__ = ["MetricsConfig"]

_SWITCHES = ("latency", "cost", "success_rate", "tokens")


class MetricsConfig(msgspec.Struct, frozen=True):
    """What is kept beyond counts of events and the progress of training.

    Args:
        latency: Latencies, their average that forgets, and their windows.
        cost: Costs and their windows.
        success_rate: Reliability.
        tokens: Token counts and their windows.
        custom: Names of numbers to keep as well, looked up in a record's fields, metadata and measurements.
    """

    latency: bool = True
    cost: bool = True
    success_rate: bool = True
    tokens: bool = True
    custom: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: MetricsConfig | Mapping[str, Any] | None) -> MetricsConfig:
        """Return a configuration from what a user wrote; everything on and nothing custom for None.

        Raises:
            SpecError: A key is not known, a switch is not true or false, or `custom` is not a list of names.
        """
        if config is None or isinstance(config, MetricsConfig):
            return config or cls()
        for key, value in config.items():
            if key in _SWITCHES:
                if not isinstance(value, bool):
                    raise SpecError(f"got {value!r}, expected true or false", path=f"metrics_config.{key}", code="type")
            elif key != "custom":
                known = ", ".join((*_SWITCHES, "custom"))
                raise SpecError(f"not known, expected one of {known}", path=f"metrics_config.{key}", code="unknown_key")
        custom: Any = config.get("custom", ())
        names: list[Any] = [*custom] if isinstance(custom, (list, tuple)) else [None]
        if not all(isinstance(name, str) for name in names):
            raise SpecError(f"got {custom!r}, expected a list of names", path="metrics_config.custom", code="type")
        switches = {key: config[key] for key in _SWITCHES if key in config}
        return cls(**switches, custom=tuple(dict.fromkeys(names)))
