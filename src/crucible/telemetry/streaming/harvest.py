"""What a batch of records told, as lists that the accumulators go through in tight loops."""

from __future__ import annotations

from typing import Any

__all__ = ["Harvest", "SecondHarvest"]


class SecondHarvest:
    """What the records of one second told; `fields` are those in which tokens may be."""

    __slots__ = ("costs", "events", "fields", "latencies")

    def __init__(self) -> None:
        self.events = 0
        self.latencies: list[float] = []
        self.costs: list[float] = []
        self.fields: list[dict[str, Any]] = []


class Harvest:
    """What a batch told, in order of arrival, and by second since 1970 UTC."""

    __slots__ = ("costs", "latencies", "seconds")

    def __init__(self) -> None:
        self.costs: list[float] = []
        self.latencies: list[float] = []
        self.seconds: dict[int, SecondHarvest] = {}
