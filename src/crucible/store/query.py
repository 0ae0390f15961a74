"""Which runs are wanted: a query as plain data, and looking up a metric by its dotted path."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal, cast

import msgspec

from crucible.errors import SpecError
from crucible.pipeline.records import RunStatus

__all__ = ["MetricFilter", "RunQuery", "metric_at"]

Comparison = Literal["<", "<=", "==", "!=", ">=", ">"]

_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
}
_FILTER = re.compile(r"\s*(?P<path>[^<>=!]+?)\s*(?P<compare><=|>=|==|!=|=|<|>)\s*(?P<value>[^<>=!\s].*?)\s*")
_MISSING = object()


class MetricFilter(msgspec.Struct, frozen=True):
    """A condition on a metric; a run without the metric does not fulfil it, nor does one where it is of another kind.

    Args:
        path: Dotted, such as `train.final_loss`, `bench.contrasts.0.p` or `evaluate.tuned.exact_match.mean`.
        compare: How.
        value: With what: a number, a text, a truth value or None.
    """

    path: str
    compare: Comparison
    value: float | str | bool | None

    @classmethod
    def parse(cls, text: str) -> MetricFilter:
        """Read a condition such as `score>=0.5` or `train.model == rank16`; `=` is `==`.

        Raises:
            SpecError: `text` is no condition.
        """
        found = _FILTER.fullmatch(text)
        if found is None:
            raise SpecError(
                f'a condition on a metric must be a path, one of < <= == != >= > and a value, got "{text}"; '
                "write for instance train.final_loss<0.5",
                code="filter",
            )
        try:
            value = msgspec.json.decode(found["value"], type=float | str | bool | None)
        except msgspec.MsgspecError:
            value = found["value"]
        return cls(found["path"], cast("Any", {"=": "=="}.get(found["compare"], found["compare"])), value)

    def accepts(self, metrics: Mapping[str, Any]) -> bool:
        """Return whether the metrics of a run fulfil the condition."""
        found = metric_at(metrics, self.path, _MISSING)
        if found is _MISSING:
            return False
        try:
            return _COMPARE[self.compare](found, self.value)
        except TypeError:
            return False


class RunQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs, in which order; the default is all of them, the latest first.

    Args:
        limit: At most so many; None for all.
        experiment_id: Only runs of this experiment.
        status: Only runs that stand so; empty for any.
        since: Only runs that started then or later, aware.
        until: Only runs that started before, aware.
        tag: Only runs of experiments with this tag.
        metrics: Only runs that fulfil all of these.
        order_by: Path of the metric to order by; runs where it is no number come last. None: the start.
        descending: The latest or the largest first.
    """

    limit: int | None = None
    experiment_id: str | None = None
    status: tuple[RunStatus, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    tag: str | None = None
    metrics: tuple[MetricFilter, ...] = ()
    order_by: str | None = None
    descending: bool = True


def metric_at(metrics: Any, path: str, default: Any = None) -> Any:
    """Return what lies at a dotted path, or `default`.

    Names of metrics may hold dots themselves: of `evaluate.tuned.mean`, the longest name that leads somewhere is taken.
    In a list, a part is a place from 0.

    Args:
        metrics: JSON value.
        path: Such as `bench.contrasts.0.p`.
        default: For a path that leads nowhere.
    """
    if not path:
        return metrics
    parts = path.split(".")
    if isinstance(metrics, list):
        entries = cast("list[Any]", metrics)
        place = int(parts[0]) if parts[0].isdecimal() else len(entries)
        return metric_at(entries[place], ".".join(parts[1:]), default) if place < len(entries) else default
    if not isinstance(metrics, Mapping):
        return default
    known = cast("Mapping[str, Any]", metrics)
    for count in range(len(parts), 0, -1):
        name = ".".join(parts[:count])
        if name in known:
            found = metric_at(known[name], ".".join(parts[count:]), _MISSING)
            if found is not _MISSING:
                return found
    return default
