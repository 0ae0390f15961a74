"""From an event to what can be asked of it: latency, cost, success, and the fields of its category.

Runs on the recorder's writer thread, for every event: what a name needs is worked out once, and only keys that an
event has are looked at. A payload that is malformed is said to be, in `fields["malformed"]`, and nothing is raised.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import msgspec

from crucible.errors import UnpricedModelWarning
from crucible.events import Event
from crucible.telemetry.enriching.categories import COST, COUNTED, COUNTED_OTHERWISE, MEANS, OUTCOME, TIMED
from crucible.telemetry.enriching.custom import CustomEnrichers
from crucible.telemetry.enriching.enriched import CustomEnricher, Enriched, EnricherErrors
from crucible.telemetry.enriching.payload import (
    keep_means,
    keep_status,
    latency_ms,
    outcome,
    settle_odd,
    told_cost,
)
from crucible.telemetry.enriching.plan import plan_of, plans
from crucible.telemetry.enriching.readable import readable
from crucible.telemetry.enriching.scalars import Notes
from crucible.telemetry.enriching.tokens import read_tokens
from crucible.telemetry.prices import PriceTable

__all__ = ["CustomEnricher", "Enriched", "Enricher", "EnricherErrors"]

_MOST_MODELS = 1_000  # counted by name
_OTHERS = "(other models)"
_LARGEST_LOSS = math.log(1.7e308)  # beyond it a perplexity is no float
_LONGEST_NS = 2**63
_ANY_COUNT = COUNTED | COUNTED_OTHERWISE


class Enricher:
    """Finds in an event what can be asked of it; never raises. For one thread at a time.

    Args:
        prices: What tokens cost; None: only events that say their cost have one.
        custom: Called in this order, each with what was found before it.
    """

    def __init__(self, prices: PriceTable | None = None, custom: Sequence[CustomEnricher] = ()) -> None:
        self._prices = prices
        self._custom = CustomEnrichers(custom) if custom else None
        self._unpriced: dict[str, int] = {}

    @property
    def has_prices(self) -> bool:
        """Whether somebody said what tokens cost."""
        return self._prices is not None

    @property
    def unpriced(self) -> dict[str, int]:
        """How many events had tokens but no cost, by model: their share of any sum of costs is missing."""
        return dict(self._unpriced)

    @property
    def errors(self) -> dict[str, EnricherErrors]:
        """How often each custom enricher failed, by its name; those that never did are left out."""
        return {} if self._custom is None else dict(self._custom.errors)

    def __call__(self, event: Event) -> Enriched:
        """Return what can be asked of an event."""
        try:
            found = self._found(event)
        except Exception:  # noqa: BLE001  # a payload may be anything; look at it again, one value at a time
            found = self._found_in_wreck(event)
        if self._custom is not None:
            self._custom.add_to(found, event)
        return found

    def _found(self, event: Event) -> Enriched:  # noqa: C901, PLR0912, PLR0915  # one piece: a call costs what a key does
        name, measurements, metadata = event.name, event.measurements, event.metadata
        plan = plans.get(name) or plan_of(name)
        notes: Notes | None = None
        fields: dict[str, Any] = {}
        latency = cost = odd = None
        flags = 0
        numbers, marks = plan.measured_numbers, plan.measured_marks
        for key, value in measurements.items():
            if key in numbers:
                if value.__class__ is float or value.__class__ is int:
                    fields[numbers[key]] = value
                elif value is not None:
                    odd = [*(odd or ()), (key, value, numbers[key], True)]
            elif key in marks:
                flags |= marks[key]
        if odd is not None:
            settle_odd(odd, fields, notes := notes or Notes())
            odd = None
        numbers, words, marks = plan.told_numbers, plan.told_words, plan.told_marks
        for key, value in metadata.items():
            if key in words:
                if value.__class__ is str:
                    fields[words[key]] = value
                elif value is not None:
                    odd = [*(odd or ()), (key, value, words[key], False)]
            elif key in numbers:
                if value.__class__ is int or value.__class__ is float:
                    fields[numbers[key]] = value
                elif value is not None:
                    odd = [*(odd or ()), (key, value, numbers[key], True)]
            elif key in marks:
                flags |= marks[key]
        if odd is not None:
            settle_odd(odd, fields, notes := notes or Notes())

        success = plan.success
        if flags:
            if flags & TIMED:
                took: Any = measurements.get("duration_ns")
                if took.__class__ is int and 0 <= took < _LONGEST_NS:
                    latency = took / 1_000_000
                else:
                    latency = latency_ms(plan, measurements, notes := notes or Notes())
            if flags & COST:
                cost = told_cost(measurements, metadata, notes := notes or Notes())
            if flags & _ANY_COUNT:
                prompt: Any = measurements.get("prompt_tokens")
                answer: Any = measurements.get("completion_tokens")
                if (
                    not flags & COUNTED_OTHERWISE
                    and prompt.__class__ is int
                    and answer.__class__ is int
                    and prompt >= 0
                    and answer >= 0
                ):
                    fields["prompt_tokens"] = prompt
                    fields["completion_tokens"] = answer
                    fields["total_tokens"] = prompt + answer
                else:
                    read_tokens(measurements, metadata, fields, notes := notes or Notes())
                if cost is None and plan.is_priced and "prompt_tokens" in fields and "model" in fields:
                    cost = self._priced(fields)
            if flags & OUTCOME and plan.keeps_status:
                keep_status(measurements, metadata, fields)
            if flags & MEANS:
                keep_means(metadata, fields, notes := notes or Notes())
        if success is None:
            silence = True if plan.is_stop and event.span_id is not None else plan.ends_well
            success = outcome(plan, measurements, metadata, silence=silence) if flags & OUTCOME else silence
        if plan.is_training:
            loss = fields.get(plan.loss_field)
            if loss is not None and "perplexity" not in fields and metadata.get("loss_function") == "cross_entropy":
                fields["perplexity"] = (
                    math.inf if loss > _LARGEST_LOSS else 0.0 if loss < -_LARGEST_LOSS else math.exp(loss)
                )
            if latency and "tokens" in fields and "tokens_per_s" not in fields:
                fields["tokens_per_s"] = fields["tokens"] * 1_000 / latency
        if notes is not None and (said := notes.text()):
            fields["malformed"] = said
        return Enriched(latency, cost, success, fields)

    def _found_in_wreck(self, event: Event) -> Enriched:
        """Return what is found in what can be read of an event that could not be."""
        notes = Notes()
        found = Enriched(None, None, None, {})
        try:
            name = event.name if event.name.__class__ is str else str(event.name)
            measurements = readable("measurements", event.measurements, notes)
            metadata = readable("metadata", event.metadata, notes)
            found = self._found(msgspec.structs.replace(event, name=name, measurements=measurements, metadata=metadata))
        except Exception as error:  # noqa: BLE001  # nothing may stop the collection of what comes after
            notes.add(f"the event could not be read ({type(error).__name__})")
        said = [notes.text(), found.fields.get("malformed", "")]
        found.fields["malformed"] = "; ".join(each for each in said if each)
        return found

    def _priced(self, fields: dict[str, Any]) -> float | None:
        """Return what tokens cost; None if nobody says of what model they are, or knows its price, or told both counts.

        A request that told only the tokens of its prompt is priced if answers of the model cost nothing (an embedding).
        """
        model = fields["model"]
        if model.__class__ is not str:
            return None
        cost = None
        if self._prices is not None:
            provider = fields.get("provider")
            cost = self._prices.cost_usd(
                model,
                fields["prompt_tokens"],
                fields.get("completion_tokens", 0),
                cached_tokens=fields.get("cached_tokens", 0),
                provider=provider if isinstance(provider, str) else None,
            )
            if cost is not None and "completion_tokens" not in fields and self._prices.answers_cost(model, provider):
                return None
        if cost is None:
            self._miss_price(model)
        return cost

    def _miss_price(self, model: str) -> None:
        missed = self._unpriced
        if model in missed:
            missed[model] += 1
            return
        if len(missed) >= _MOST_MODELS:
            missed[_OTHERS] = missed.get(_OTHERS, 0) + 1
            return
        missed[model] = 1
        if self._prices is None:
            return
        message = (
            f"the price table ({self._prices.source}, {self._prices.date}) has no price for the model {model!r} where "
            "it is served; what it costs stays unknown until the table names it, or has an alias for it"
        )
        try:
            warnings.warn(message, UnpricedModelWarning, stacklevel=5)
        except UnpricedModelWarning:  # where warnings are errors; `unpriced` still says so, and collection goes on
            return
