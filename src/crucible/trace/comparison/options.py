"""How two chains are compared: `DiffOptions`, and `RUN_NOISE`, what two runs never have in common."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from crucible.errors import SpecError
from crucible.ir import did_you_mean
from crucible.trace.event import Event

__all__ = ["NESTED_FIELDS", "RUN_NOISE", "DiffOptions", "MatchBy"]

MatchBy = Literal["auto", "id", "position", "content"]
"""What makes two events the same one."""

RUN_NOISE = (
    "metadata.duration_ns",
    "metadata.duration_us",
    "metadata.duration_ms",
    "metadata.duration_s",
    "metadata.path",
    "chain.metadata.run_id",
)
"""What differs between two runs of the same experiment although nothing else happened: durations, the folder of a
checkpoint and the run's id. Nothing is ignored unless it is asked for: `DiffOptions(ignore=RUN_NOISE)`."""

_CHAIN_FIELDS = ("chain.name", "chain.description", "chain.created_at", "chain.updated_at")

_WHOLE = (*Event.__struct_fields__, *_CHAIN_FIELDS)
NESTED_FIELDS = ("metadata", "extra", "chain.metadata", "chain.extra")
_STEPS = tuple(name + mark for name in NESTED_FIELDS for mark in (".", "["))


class DiffOptions(msgspec.Struct, frozen=True):
    """How to compare.

    Args:
        match_by: `id`, `position` (the first with the first, and so on) or `content`. `auto` matches by id where more
            than half of the shorter chain's events have an id that an event of the same type bears in the other chain,
            else by content: the ids of two runs are random.
        ignore_timestamps: Whether times (of events, and the two of the chain) count as equal.
        ignore: What else counts as equal: fields of events (`reasoning`), paths into their metadata or unknown keys
            (`metadata.duration_ns`, `metadata.batches` with all below it, `extra.host`), or the chain's own
            (`chain.name`, `chain.metadata.run_id`). See `RUN_NOISE`.
        min_similarity: From 0 to 1: how alike the words of two events must be to pass for one that was reworded.
        max_comparisons: About how many pairs of texts a round of looking for rewordings compares, at least 1. Beyond
            it, only events at about the same place are compared. As many pairs of events with the same words are
            compared by what else they say; beyond it, such events are paired in their order. `Diff.notes` says so.

    Raises:
        SpecError: A value is out of range, or `ignore` names what no event has.
    """

    match_by: MatchBy = "auto"
    ignore_timestamps: bool = True
    ignore: tuple[str, ...] = ()
    min_similarity: float = 0.6
    max_comparisons: int = 1_000_000

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        ways = get_args(MatchBy)
        if self.match_by not in ways:
            hint = did_you_mean(str(self.match_by), ways)
            raise SpecError(f"match_by must be one of {', '.join(ways)}, got {self.match_by!r}{hint}", path="match_by")
        if not 0 <= self.min_similarity <= 1:
            raise SpecError(f"expected a number from 0 to 1, got {self.min_similarity!r}", path="min_similarity")
        if self.max_comparisons < 1:
            raise SpecError(f"expected at least 1, got {self.max_comparisons!r}", path="max_comparisons")
        if isinstance(self.ignore, str):
            raise SpecError(f"expected a tuple of fields, got the string {self.ignore!r}", path="ignore", code="type")
        for place, name in enumerate(self.ignore):
            if name not in (*_WHOLE, *NESTED_FIELDS) and not name.startswith(_STEPS):
                hint = did_you_mean(name, (*_WHOLE, *NESTED_FIELDS))
                message = f"{name!r} is no field of an event and no path into its metadata{hint}"
                raise SpecError(message, path=f"ignore[{place}]", code="unknown_key")

    def ignores(self, name: str) -> bool:
        """Return whether a field or path counts as equal, itself or with all above it."""
        if self.ignore_timestamps and name in ("timestamp", "chain.created_at", "chain.updated_at"):
            return True
        return any(name == each or name.startswith((f"{each}.", f"{each}[")) for each in self.ignore)
