"""What may be asked of a telemetry experiment when it starts: checked, kept with it, and made into parts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from crucible.errors import SpecError
from crucible.ir import from_dict
from crucible.store import ExperimentInfo
from crucible.telemetry.alerts import Alert, AlertRules
from crucible.telemetry.anomalies import AnomalyConfig
from crucible.telemetry.enrichment import CustomEnricher, Enricher
from crucible.telemetry.known import refuse_unknown
from crucible.telemetry.prices import PriceTable
from crucible.telemetry.recorder_options import RecorderOptions
from crucible.telemetry.sampling import Sampler, sampler_from
from crucible.telemetry.streaming import MetricsConfig

__all__ = ["Making"]

_OF_THE_EXPERIMENT = ("sampler", "prices", "sample_size", "metrics_config")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Making:
    """What is asked of an experiment.

    Args:
        hypothesis: What it is to show.
        condition: The arm that its events belong to unless their metadata names another one.
        tags: Words to find it by.
        metadata: Anything else; JSON values.
        sample_size: Stop by itself after so many events; None: never.
        metrics: What is counted: latency, cost, success_rate, tokens, custom fields.
        sampler: Decides which events are kept; None: all of them.
        prices: What tokens cost; None: nobody knows.
        enrichers: Functions that find more in an event.
        anomalies: What to watch for what is out of the ordinary, and what to do about it.
        alerts: Rules to be told by.
        on_alert: Called with each alert, on the recorder's thread.
        recorder: How it is written.
    """

    hypothesis: str | None = None
    condition: str = "default"
    tags: Sequence[str] = ()
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    sample_size: int | None = None
    metrics: MetricsConfig = dataclasses.field(default_factory=MetricsConfig)
    sampler: Sampler | None = None
    prices: PriceTable | None = None
    enrichers: Sequence[CustomEnricher] = ()
    anomalies: AnomalyConfig | None = None
    alerts: AlertRules | None = None
    on_alert: Sequence[Callable[[Alert], None]] = ()
    recorder: RecorderOptions = dataclasses.field(default_factory=RecorderOptions)

    @classmethod
    def of(cls, name: str, asked: Mapping[str, Any]) -> Making:
        """Return what a caller asks for.

        Raises:
            SpecError: The name is empty, a word is unknown, or a value cannot be.
        """
        if not isinstance(name, str) or not name.strip():  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may not check types
            raise SpecError(f"an experiment has a name, got {name!r:.80}", path="name")
        values = dict(asked)
        if "metrics_config" in values:
            wanted: Any = values.pop("metrics_config")
            if not isinstance(wanted, (Mapping, MetricsConfig, type(None))):
                raise SpecError(f"it is a mapping of switches, got {wanted!r:.80}", path="metrics_config", code="type")
            values["metrics"] = MetricsConfig.of(wanted)  # pyright: ignore[reportUnknownArgumentType]  # a caller's
        if isinstance(values.get("sampler"), Mapping):
            values["sampler"] = sampler_from(values["sampler"])
        if isinstance(values.get("prices"), Mapping):
            values["prices"] = PriceTable.from_dict(values["prices"])
        if isinstance(values.get("anomalies"), Mapping):
            values["anomalies"] = from_dict(values["anomalies"], AnomalyConfig, source="anomalies")
        if isinstance(values.get("alerts"), Mapping):
            values["alerts"] = AlertRules.from_dict(values["alerts"], source="alerts")
        _refuse_unknown(values)
        if isinstance(values.get("recorder"), Mapping):
            values["recorder"] = RecorderOptions(**values["recorder"])
        made = cls(**values)
        _check(made)
        size = made.sample_size
        if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 1):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SpecError(f"sample_size is a count of events, 1 at least; got {size!r:.80}", path="sample_size")
        return made

    @classmethod
    def again(cls, info: ExperimentInfo, asked: Mapping[str, Any]) -> Making:
        """Return what was asked of an experiment that is joined, with what a caller may add.

        Raises:
            SpecError: A word is unknown, or a value is the experiment's own.
        """
        if own := [name for name in _OF_THE_EXPERIMENT if name in asked]:
            raise SpecError(f"{own[0]} is the experiment's own; leave it out when joining", path=own[0])
        kept = {
            name: info.settings[name] for name in ("sampler", "prices", "metrics_config") if info.settings.get(name)
        }
        return cls.of(info.name, {**kept, "sample_size": info.sample_size, **asked})

    def info(self) -> dict[str, Any]:
        """Return what is kept of it with the experiment."""
        settings: dict[str, Any] = {"metrics_config": msgspec.to_builtins(self.metrics)}
        if self.sampler is not None:
            settings["sampler"] = self.sampler.to_dict()
        if self.prices is not None:
            settings["prices"] = self.prices.to_dict()
        if self.anomalies is not None:
            settings["anomalies"] = self.anomalies.model_dump(mode="json", exclude_none=True)
        if self.alerts is not None:
            settings["alerts"] = self.alerts.model_dump(mode="json", exclude_none=True)
        return {
            "hypothesis": self.hypothesis,
            "condition": self.condition,
            "tags": tuple(self.tags),
            "metadata": dict(self.metadata),
            "sample_size": self.sample_size,
            "settings": settings,
        }

    def enricher(self) -> Enricher:
        """Return what finds latency, cost and the rest."""
        return Enricher(prices=self.prices, custom=self.enrichers)


def _refuse_unknown(values: Mapping[str, Any]) -> None:
    known = [field.name for field in dataclasses.fields(Making)]
    known[known.index("metrics")] = "metrics_config"
    refuse_unknown([name for name in values if name != "metrics"], known, "an experiment is not asked for")


def _check(made: Making) -> None:
    """Refuse what is of another kind than it must be, before anything of it is used."""
    texts = [("condition", made.condition), ("hypothesis", made.hypothesis)]
    for name, text in texts:
        if not isinstance(text, str) and (text is not None or name == "condition"):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SpecError(f"it is a text, got {text!r:.80}", path=name, code="type")
    kinds: list[tuple[str, Any, type | tuple[type, ...], str]] = [
        ("metadata", made.metadata, Mapping, "a mapping"),
        ("recorder", made.recorder, RecorderOptions, "RecorderOptions"),
        ("prices", made.prices, (PriceTable, type(None)), "a PriceTable, or a mapping of one"),
        ("anomalies", made.anomalies, (AnomalyConfig, type(None)), "an AnomalyConfig, or a mapping of one"),
        ("alerts", made.alerts, (AlertRules, type(None)), "AlertRules, or a mapping of them"),
    ]
    for name, value, kind, words in kinds:
        if not isinstance(value, kind):
            raise SpecError(f"it is {words}, got {value!r:.80}", path=name, code="type")
    if made.sampler is not None and not hasattr(made.sampler, "offer"):
        example = '{"type": "uniform", "rate": 0.1}'
        raise SpecError(f"it is a sampler, or a mapping such as {example}; got {made.sampler!r:.80}", path="sampler")
    tags: Any = made.tags
    if not isinstance(tags, (list, tuple, set)) or not all(isinstance(tag, str) for tag in tags):  # pyright: ignore[reportUnknownVariableType]
        raise SpecError(f"tags are a list of words, got {tags!r:.80}", path="tags")
