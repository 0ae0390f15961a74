"""What every reader hands over, whatever its format: measurements with all their metrics, made into conditions here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from crucible.errors import StatsError
from crucible.ir import Failed, Outcome, did_you_mean
from crucible.stats.conditions.observations import Condition, Observation
from crucible.stats.readers.asked import Asked

__all__ = ["MOST", "Measured", "ReadFile", "check_metadata", "choose_metric", "conditions_of", "fingerprint"]

MOST = 5_000_000
"""Measurements that one file may hold."""

_ASKED_CHARACTERS = 1000  # summaries cut what was asked; the beginning is enough to see that it is another question


class Measured(msgspec.Struct, frozen=True):
    """One measurement of one item by all metrics of a file.

    Args:
        item: Id of the item; its place in the file where it has none.
        outcomes: By metric.
        place: Where it stands, such as `line 12`.
        repeat: Which repeat it is; empty where the file does not say.
        prompt: Under which prompt; empty where the file does not say.
        cluster: What the item belongs to.
        group: Which condition it belongs to, where a file has several.
        fingerprint: Of what was asked; empty where the file does not say.
    """

    item: str
    outcomes: dict[str, Outcome]
    place: str
    repeat: str = ""
    prompt: str = ""
    cluster: str = ""
    group: str = ""
    fingerprint: str = ""


class ReadFile(msgspec.Struct, frozen=True):
    """What was read of one file.

    Args:
        path: The file.
        format: One of `FORMATS`.
        conditions: One, or one for each group of a table.
        metrics: All that the file has, in its order.
        notes: What a reader of the result should know of the file, one sentence each.
    """

    path: str
    format: str
    conditions: tuple[Condition, ...]
    metrics: tuple[str, ...]
    notes: tuple[str, ...] = ()


def fingerprint(asked: str) -> str:
    """Return a short hash of what was asked; empty for nothing."""
    text = asked[:_ASKED_CHARACTERS]
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest() if text else ""


def choose_metric(path: str, metrics: Sequence[str], asked: Asked, *, preferred: Sequence[str] = ()) -> str:
    """Return the one metric to compare.

    Args:
        path: The file, for the error.
        metrics: All that it has.
        asked: Names one, or leaves it open.
        preferred: Those of them whose names say that they are scores.

    Raises:
        StatsError: None is there, the named one is not, or there are several and none was named.
    """
    known = ", ".join(metrics) or "none"
    if asked.metric:
        if asked.metric in metrics:
            return asked.metric
        raise StatsError(f'{path}: no metric "{asked.metric}"{did_you_mean(asked.metric, metrics)}; it has: {known}')
    if not metrics:
        raise StatsError(f"{path}: nothing in it is a score")
    if len(metrics) == 1:
        return metrics[0]
    if len(preferred) == 1:
        return preferred[0]
    raise StatsError(f"{path}: {len(metrics)} metrics to choose from: {known}; name one with --metric")


def check_metadata(path: str, measured: Sequence[Measured], asked: Asked, what: str) -> None:
    """Check that the keys of metadata that the caller named are there.

    Args:
        path: The file, for the error.
        measured: All measurements of the file.
        asked: Names the keys.
        what: What the file calls a measurement.

    Raises:
        StatsError: No measurement has one of them.
    """
    for role in ("cluster", "prompt"):
        key = getattr(asked, role)
        if key and not any(getattr(one, role) for one in measured):
            raise StatsError(f'{path}: no {what} has "{key}" in its metadata')


def conditions_of(
    path: str, label: str, metric: str, measured: Iterable[Measured], *, by_item: bool, asked: Asked
) -> tuple[Condition, ...]:
    """Return the conditions of one file, one for each group, in the order in which they first come.

    Args:
        path: The file.
        label: What the condition is called where there are no groups.
        metric: Which metric.
        measured: All measurements of the file.
        by_item: Whether items have ids of their own.
        asked: Whether ids are trusted.

    Raises:
        StatsError: An item is measured twice and nothing tells the two apart; with both places.
    """
    groups: dict[str, list[Observation]] = {}
    places: dict[tuple[str, str, str, str], str] = {}
    for one in measured:
        key = (one.group, one.item, one.repeat, one.prompt)
        if key in places:
            raise StatsError(f"{path}: {_twice(one, places[key], one.place)}")
        places[key] = one.place
        outcome = one.outcomes.get(metric) or Failed(f'no score "{metric}" was recorded')
        seen = "" if asked.trusts_ids else one.fingerprint
        groups.setdefault(one.group, []).append(
            Observation(one.item, outcome, one.repeat, one.prompt, one.cluster, seen)
        )
    if not groups:
        raise StatsError(f"{path} holds no measurements: there is nothing to compare")
    return tuple(
        Condition(group or label, metric, tuple(found), source=path, by_item=by_item) for group, found in groups.items()
    )


def _twice(one: Measured, first: str, second: str) -> str:
    which = "".join(f", {name} {value}" for name, value in (("repeat", one.repeat), ("prompt", one.prompt)) if value)
    return (
        f'item "{one.item}"{which} is measured twice ({first} and {second}); name what tells the two apart: '
        "--repeat for repeats of the item, --group for conditions, --prompt for prompts"
    )
