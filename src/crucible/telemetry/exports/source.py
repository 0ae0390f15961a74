"""Which experiment a record is of, as far as a file of records says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

__all__ = ["Source", "Sources", "source_lookup"]


class Source(msgspec.Struct, frozen=True):
    """The experiment, or the run, that records are of.

    Args:
        experiment_id: Its id; empty: that of the record (`run_id`).
        experiment_name: Its name.
        tags: Its tags.
    """

    experiment_id: str = ""
    experiment_name: str = ""
    tags: tuple[str, ...] = ()


Sources = Source | Mapping[str, Source] | None
"""One source for all records, one by `run_id` for records of many recordings, or none."""

_NOBODY = Source()


def source_lookup(sources: Sources) -> Callable[[str], Source]:
    """Return the function that finds a record's source by its `run_id`."""
    if sources is None or isinstance(sources, Source):
        one = sources or _NOBODY
        return lambda _run_id: one
    known = dict(sources)
    return lambda run_id: known.get(run_id, _NOBODY)
