"""What to do with the events of one name, worked out once from the registry and the name."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from crucible.events.registry import EventInfo, event_info, on_change
from crucible.telemetry.enriching.categories import CATEGORY_OF_PREFIX, MEASURED, SUMMED, TOLD, Rules

__all__ = ["Plan", "plan_of", "plans"]

_MOST_PLANS = 10_000  # a program that makes names up goes on, more slowly


class Plan:
    """What to do with the events of one name.

    A start has no duration, cost or outcome yet, and no tokens: its end repeats what was known when it began, and
    would count it twice.

    Args:
        name: The event's name, dotted.
    """

    __slots__ = (
        "ends_well",
        "is_priced",
        "is_stop",
        "is_training",
        "keeps_status",
        "loss_field",
        "measured_marks",
        "measured_numbers",
        "success",
        "told_marks",
        "told_numbers",
        "told_words",
        "units",
        "verdict_keys",
    )

    def __init__(self, name: str) -> None:
        info = event_info(name)
        category = _category(name, info)
        last = name.rpartition(".")[2]
        is_start = last == "start"
        measured, told = _rules(name, category)
        if is_start:
            measured, told = (msgspec.structs.replace(rules, marks={}) for rules in (measured, told))
        self.measured_numbers = measured.numbers
        self.measured_marks = measured.marks
        self.told_numbers = told.numbers
        self.told_words = told.words
        self.told_marks = told.marks
        self.units: Mapping[str, str] = info.measurements if info is not None else {}
        """Units by measurement, as the registry has them."""
        self.is_stop = last == "stop"
        self.ends_well = True if self.is_stop and info is not None else None
        """What a silence about the outcome means: a `.stop` that the registry knows went well."""
        self.success = False if last == "exception" else None
        """What the name alone says of the outcome."""
        self.is_priced = category not in SUMMED
        """Whether tokens make a cost here; not where they are sums over requests that are priced themselves."""
        self.is_training = category == "training"
        self.verdict_keys = ("status",) if "success" in told.words else ("status", "success")
        """Keys that say how it went in a word; in an attack, `success` is that of the attacker."""
        self.keeps_status = category == "deployment"
        loss_field = measured.numbers.get("loss", "")
        self.loss_field = loss_field if self.units.get("loss") == "nat" and not is_start else ""
        """The field whose exponential is a perplexity where the event says that the loss is a cross-entropy; empty if
        the registry does not say that it is in nats."""


plans: dict[str, Plan] = {}
"""Plans by name, for a quick look; they are forgotten when the registry changes."""

on_change(plans.clear)


def plan_of(name: str) -> Plan:
    """Return the plan for a name, made now if there is none yet."""
    plan = plans.get(name)
    if plan is None:
        plan = Plan(name)
        if len(plans) < _MOST_PLANS:
            plans[name] = plan
    return plan


def _category(name: str, info: EventInfo | None) -> str:
    category = info.category if info is not None else CATEGORY_OF_PREFIX.get(name.partition(".")[0], "")
    return category if category in MEASURED else ""


def _rules(name: str, category: str) -> tuple[Rules, Rules]:
    measured, told = MEASURED[category], TOLD[category]
    if category == "training":
        parts = name.split(".")
        if "validation" in parts:
            numbers = {**measured.numbers, "loss": "val_loss", "accuracy": "val_accuracy"}
            measured = msgspec.structs.replace(measured, numbers=numbers)
        if "checkpoint" in parts:
            told = msgspec.structs.replace(told, words={**told.words, "path": "checkpoint_path"})
    return measured, told
