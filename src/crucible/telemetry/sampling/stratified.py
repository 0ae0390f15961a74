"""Events of each stratum with a probability of its own: all failures, say, and a tenth of the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crucible.errors import SpecError, SpecErrors
from crucible.ir import did_you_mean
from crucible.store import StoredEvent
from crucible.telemetry.enriching.scalars import word
from crucible.telemetry.sampling.draws import Draws
from crucible.telemetry.sampling.reading import is_start, value_of
from crucible.telemetry.sampling.settings import StratifiedSettings
from crucible.telemetry.sampling.verdict import DROPPED, Verdict, weighted

__all__ = ["StratifiedSampler"]

_UNKNOWN = "unknown"
_OUTCOMES = {True: "success", False: "failure", None: _UNKNOWN}


class StratifiedSampler:
    """Keeps the events of each stratum with a probability of its own.

    By `success` the strata are `success`, `failure` and `unknown`; by anything else they are its values as text
    (`true` and `false` of a truth value), and `unknown` where an event has none. An event that opens a span in the
    stratum `unknown`, whose end may be in any other, is kept with the lowest of all rates, so that no start is kept
    without its end.

    Args:
        rates: Probability by stratum.
        seed: The same seed keeps the same of the same events.
        default: Probability in the strata that `rates` does not name.
        by: What makes a stratum: `success`, `name`, `stage`, `condition`, or what a field, the metadata or the
            measurements have by that name.

    Raises:
        SpecErrors: A value is out of range, or by `success` a stratum is none of the three.
    """

    __slots__ = ("_by", "_default", "_draws", "_lowest", "_rates", "settings")

    def __init__(self, rates: Mapping[str, float], seed: int = 0, default: float = 1.0, by: str = "success") -> None:
        self.settings = StratifiedSettings(rates=dict(rates), seed=seed, default=default, by=by)
        if problems := _problems(self.settings):
            raise SpecErrors("StratifiedSampler", problems)
        self._rates = self.settings.rates
        self._default = self.settings.default
        self._lowest = min(self._default, *self._rates.values())
        self._by = by
        self._draws = Draws(seed)

    def offer(self, record: StoredEvent) -> Verdict:
        """Say whether a record is kept."""
        stratum = self.stratum(record)
        rate = self._rates.get(stratum, self._default)
        if stratum == _UNKNOWN and is_start(record):
            rate = self._lowest
        return weighted(record, rate) if self._draws.of(record) < rate else DROPPED

    def stratum(self, record: StoredEvent) -> str:
        """Return the stratum of a record."""
        if self._by == "success":
            return _OUTCOMES[record.success]
        value = word(value_of(record, self._by))
        if value is None:
            return _UNKNOWN
        return str(value).lower() if isinstance(value, bool) else str(value)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings, which `sampler_from` reads."""
        return {"type": "stratified", **self.settings.model_dump()}


def _problems(settings: StratifiedSettings) -> list[SpecError]:
    problems: list[SpecError] = []
    for stratum, rate in settings.rates.items():
        path = f"rates.{stratum}"
        if not 0 <= rate <= 1:
            problems.append(SpecError(f"expected a probability from 0 to 1, got {rate!r}", path=path, code="range"))
        if settings.by == "success" and stratum not in _OUTCOMES.values():
            hint = did_you_mean(stratum, _OUTCOMES.values())
            message = f"by success the strata are success, failure and unknown, got {stratum!r}{hint}"
            problems.append(SpecError(message, path=path, code="choice"))
    return problems
