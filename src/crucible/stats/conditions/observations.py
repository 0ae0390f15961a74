"""Measurements as they were made: items, repeats of them, what failed; one condition is one side of a comparison.

A failed measurement is a value of its own here and stays one until a named policy decides what it counts as. Nothing in
this module computes a test: `design` does, on what `Condition.item_means` returns.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, cast

import msgspec

from crucible.errors import StatsError
from crucible.ir import Failed, Outcome, Scored, Skipped
from crucible.stats.bench.scores import FailurePolicy, few

__all__ = ["Condition", "Counts", "Observation", "condition_of_scores", "policy_of"]

Key = TypeVar("Key")


class Observation(msgspec.Struct, frozen=True):
    """One measurement of one item under one condition.

    Args:
        item: Id of the item.
        outcome: What became of the measurement.
        repeat: Which repeat (epoch, sample, seed) of the item it is; empty where there is one.
        prompt: Under which prompt or template; empty where there is one.
        cluster: What the item belongs to with others that it may resemble, such as a passage or a subject; empty where
            all items are independent.
        fingerprint: Of what was asked, so that an id is known to mean the same item in two files; empty where the
            source does not say.
    """

    item: str
    outcome: Outcome
    repeat: str = ""
    prompt: str = ""
    cluster: str = ""
    fingerprint: str = ""


class Counts(msgspec.Struct, frozen=True):
    """What became of the measurements of one condition.

    Args:
        items: Distinct items, whatever became of them.
        attempted: Measurements that were tried: scored and failed.
        scored: Measurements that have a score.
        failed: Measurements that were tried and have none.
        skipped: Measurements that were not tried, on purpose.
    """

    items: int
    attempted: int
    scored: int
    failed: int
    skipped: int


class Condition(msgspec.Struct, frozen=True):
    """Everything that was measured under one condition: a model, a prompt, a version.

    Args:
        label: What the condition is called.
        metric: What the scores are called.
        observations: Each (item, repeat, prompt) once.
        is_share: Whether scores that are all 0 or 1 are right or wrong; False: numbers that happen to be 0 or 1.
        source: Where they come from, such as a file; empty where there is none.
        by_item: Whether `item` is an id that other conditions use for the same item. False: a mere place in a list, so
            that conditions are compared as independent samples.

    Raises:
        StatsError: A measurement comes twice, a score is no finite number, or an item is in two clusters, or in none
            where others are in one.
    """

    label: str
    metric: str
    observations: tuple[Observation, ...]
    is_share: bool = True
    source: str = ""
    by_item: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be counted."""
        seen: set[tuple[str, str, str]] = set()
        clusters: dict[str, str] = {}
        for one in self.observations:
            if isinstance(one.outcome, Scored) and not math.isfinite(one.outcome.value):
                raise StatsError(
                    f'{self._name}: the score of item "{one.item}" is {one.outcome.value}, expected a finite number; '
                    "record it as failed, or give it a score"
                )
            if (key := (one.item, one.repeat, one.prompt)) in seen:
                which = f" as repeat {one.repeat}" if one.repeat else ""
                which += f" of prompt {one.prompt}" if one.prompt else ""
                raise StatsError(
                    f'{self._name}: item "{one.item}" comes more than once{which}; number its repeats, or give it once'
                )
            seen.add(key)
            if clusters.setdefault(one.item, one.cluster) != one.cluster:
                raise StatsError(
                    f'{self._name}: item "{one.item}" is in the clusters "{clusters[one.item]}" and "{one.cluster}"; '
                    "a cluster must hold whole items"
                )
        without = [item for item, cluster in clusters.items() if not cluster]
        if without and len(without) < len(clusters):
            raise StatsError(
                f"{self._name}: {len(without)} of {len(clusters)} items are in no cluster ({few(without)}) and the "
                "others are in one; name one for each, such as its own id for an item that resembles no other"
            )

    @property
    def _name(self) -> str:
        return self.source or self.label

    @property
    def counts(self) -> Counts:
        """Attempted, scored, failed and skipped measurements."""
        kinds = Counter(type(one.outcome) for one in self.observations)
        items = len({one.item for one in self.observations})
        attempted = kinds[Scored] + kinds[Failed]
        return Counts(items, attempted, kinds[Scored], kinds[Failed], kinds[Skipped])

    @property
    def items(self) -> tuple[str, ...]:
        """Ids of all items, each once, in the order in which they first come."""
        return tuple(dict.fromkeys(one.item for one in self.observations))

    @property
    def has_repeats(self) -> bool:
        """Whether an item was measured more than once."""
        return len(self.items) < len(self.observations)

    @property
    def clusters(self) -> dict[str, str]:
        """Cluster by item id; empty where items are independent of each other."""
        found = {one.item: one.cluster for one in self.observations}
        return found if any(found.values()) else {}

    @property
    def fingerprints(self) -> dict[str, str]:
        """What was asked, by item id, as far as the source says."""
        return {one.item: one.fingerprint for one in self.observations if one.fingerprint}

    def by_position(self) -> Condition:
        """Return the condition with its items named by their order, so that the same places of two lists are paired."""
        places = {item: str(i) for i, item in enumerate(self.items, 1)}
        renamed = (msgspec.structs.replace(one, item=places[one.item]) for one in self.observations)
        return msgspec.structs.replace(self, observations=tuple(renamed), by_item=True)

    def item_means(self, failures: FailurePolicy | str = FailurePolicy.EXCLUDE) -> dict[str, float]:
        """Return each item's mean score over its repeats and prompts, by item id.

        Args:
            failures: `exclude` leaves a failed measurement out of its item's mean, and an item without any score out
                altogether; `zero` counts it as 0; `abort` refuses.

        Raises:
            StatsError: A measurement failed under `abort`, or the policy is unknown.
        """
        return {item: _mean(found) for item, found in self._values(failures, lambda one: one.item).items()}

    def cell_means(self, failures: FailurePolicy | str = FailurePolicy.EXCLUDE) -> dict[tuple[str, str], float]:
        """Return each item's mean score over its repeats under one prompt, by (item, prompt).

        Args:
            failures: As for `item_means`.

        Raises:
            StatsError: As for `item_means`.
        """
        found = self._values(failures, lambda one: (one.item, one.prompt))
        return {cell: _mean(values) for cell, values in found.items()}

    def _values(self, failures: FailurePolicy | str, key: Callable[[Observation], Key]) -> dict[Key, list[float]]:
        policy = policy_of(failures)
        if policy is FailurePolicy.ABORT:
            self._refuse_failures()
        values: dict[Key, list[float]] = {}
        for one in self.observations:
            if isinstance(one.outcome, Scored):
                values.setdefault(key(one), []).append(one.outcome.value)
            elif isinstance(one.outcome, Failed) and policy is FailurePolicy.ZERO:
                values.setdefault(key(one), []).append(0.0)
        return values

    def _refuse_failures(self) -> None:
        failed = [one.item for one in self.observations if isinstance(one.outcome, Failed)]
        if failed:
            raise StatsError(
                f"{len(failed)} measurements of {self.label} failed ({few(list(dict.fromkeys(failed)))}) and the "
                'policy is "abort"; mend them, or set failures to "exclude" or "zero"'
            )


def policy_of(word: FailurePolicy | str) -> FailurePolicy:
    """Return the policy for failed measurements that a word names.

    Raises:
        StatsError: It names none.
    """
    try:
        return FailurePolicy(word)
    except ValueError as error:
        raise StatsError(f'unknown policy for failures "{word}"; known: {", ".join(FailurePolicy)}') from error


def condition_of_scores(
    label: str, scores: Mapping[Any, Any] | Iterable[Any], *, metric: str = "score", is_share: bool = True
) -> Condition:
    """Return the condition of scores that are already in memory.

    Args:
        label: What it is called.
        scores: By item id, or a column of them without ids. A score is a number, a truth value, an `Outcome`, None for
            a measurement that failed, or a list of these: the repeats of the item.
        metric: What the scores are called.
        is_share: Whether scores that are all 0 or 1 are right or wrong.

    Raises:
        StatsError: A score is none of these.
    """
    by_item = isinstance(scores, Mapping)
    named: Iterable[tuple[Any, Any]] = (
        cast("Mapping[Any, Any]", scores).items() if by_item else ((i, value) for i, value in enumerate(scores, 1))
    )
    found: list[Observation] = []
    for item, value in named:
        if isinstance(value, list | tuple):
            repeats = cast("list[Any]", value)
            found += [Observation(str(item), _outcome(one, item), str(i)) for i, one in enumerate(repeats, 1)]
        else:
            found.append(Observation(str(item), _outcome(value, item)))
    return Condition(label, metric, tuple(found), is_share=is_share, by_item=by_item)


def _outcome(value: Any, item: Any) -> Outcome:
    if isinstance(value, Scored | Failed | Skipped):
        return value
    if value is None:
        return Failed("no value was recorded")
    if isinstance(value, str | bytes):
        raise StatsError(f"the score of item {item!r} is {value!r}, expected a number, an outcome or None")
    try:
        return Scored(float(value))
    except (TypeError, ValueError, OverflowError) as error:
        raise StatsError(f"the score of item {item!r} is {value!r}, expected a number, an outcome or None") from error


def _mean(values: list[float]) -> float:
    """Return a mean that is exact where all values are the same, so that sides that agree do agree."""
    return values[0] if min(values) == max(values) else math.fsum(values) / len(values)
