"""How far an evaluation may go: items, seconds, tokens, US dollars. What is not known is never guessed."""

from __future__ import annotations

import math

import msgspec

from crucible.errors import DataError
from crucible.telemetry.prices import PriceTable

__all__ = ["Limits", "Meter"]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Where to stop. An evaluation that reaches a limit ends well, keeps what it has, and can go on from there.

    No call begins once a limit is reached; calls under way are finished, because they are paid for, and may go beyond
    it.

    Args:
        items: The first so many items of the dataset.
        seconds: Wall time of this call of `evaluate`.
        tokens: Tokens read and written, those in the record included.
        cost_usd: US dollars, those of what is in the record included.
        prices: What tokens cost; needed for `cost_usd`, and enough to be told the cost.

    Raises:
        DataError: A limit is not above 0, or `cost_usd` comes without prices.
    """

    items: int | None = None
    seconds: float | None = None
    tokens: int | None = None
    cost_usd: float | None = None
    prices: PriceTable | None = None

    def __post_init__(self) -> None:
        for name in ("items", "seconds", "tokens", "cost_usd"):
            value: float | None = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise DataError(f"the limit {name} is a number above 0, got {value}; None is no limit")
        if self.cost_usd is not None and self.prices is None:
            raise DataError("the limit cost_usd needs prices, which nobody gave: pass a PriceTable of your provider's")


class Meter:
    """What was spent, against the limits.

    Args:
        limits: The limits.
        model: The sampler's name, by which prices are found.
        started_s: The monotonic clock at the start.

    Raises:
        DataError: The limit `cost_usd` is given and the model has no price.
    """

    def __init__(self, limits: Limits, model: str, started_s: float) -> None:
        self._limits = limits
        self._model = model
        self._started_s = started_s
        if limits.cost_usd is not None and self.cost_usd(0, 0) is None:
            raise DataError(
                f'the limit cost_usd cannot be held: the prices name no model "{model}", so that its cost is unknown; '
                "add its price, or an alias"
            )

    @property
    def counts_tokens(self) -> bool:
        """Whether a limit rests on counts of tokens."""
        return self._limits.tokens is not None or self._limits.cost_usd is not None

    def cost_usd(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """Return what so many tokens cost; None where no price is known."""
        prices = self._limits.prices
        return None if prices is None else prices.cost_usd(self._model, prompt_tokens, completion_tokens)

    def reached(self, prompt_tokens: int, completion_tokens: int, now_s: float) -> str:
        """Return which limit is reached and by what, in words; empty if none is.

        Args:
            prompt_tokens: Tokens read so far.
            completion_tokens: Tokens written so far.
            now_s: The monotonic clock.
        """
        limits = self._limits
        tokens = prompt_tokens + completion_tokens
        if limits.seconds is not None and now_s - self._started_s >= limits.seconds:
            return f"seconds: {now_s - self._started_s:.3g} of {limits.seconds:g} s were used"
        if limits.tokens is not None and tokens >= limits.tokens:
            return f"tokens: {tokens:,} of {limits.tokens:,} were used"
        if limits.cost_usd is not None:
            cost = self.cost_usd(prompt_tokens, completion_tokens) or 0.0
            if cost >= limits.cost_usd:
                return f"cost_usd: {cost:.4f} of {limits.cost_usd:g} US dollars were spent"
        return ""
