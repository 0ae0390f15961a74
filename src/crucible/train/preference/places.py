"""The places of a preference training: what one holds, all that there are, and how many items became none."""

from __future__ import annotations

import msgspec

from crucible.text import Datum

__all__ = ["Counts", "PreferenceData", "Preferred"]


class Preferred(msgspec.Struct, frozen=True):
    """What one place in a batch holds.

    Attributes:
        item_id: The item's id, for messages.
        asks: What items with the same prompt share.
        first: The chosen answer; of kto the answer that is judged.
        second: The rejected answer; of kto an answer to another prompt, by which the divergence is estimated.
        is_tie: Neither answer is better: each counts half as the chosen one.
        desirable: Of kto: whether the answer is desirable; None of pairs.
        share: What it counts: of kto ½ for each side of a tie.
    """

    item_id: str
    asks: str
    first: Datum
    second: Datum
    is_tie: bool = False
    desirable: bool | None = None
    share: float = 1.0

    @property
    def tokens(self) -> int:
        """Input tokens of both."""
        return len(self.first) + len(self.second)


class Counts(msgspec.Struct, frozen=True):
    """What became of the items that are not trained on as they are.

    Attributes:
        ties: Items whose label is Tie.
        alike: Items whose two answers are the same, which say nothing; left out.
        truncated: Items whose prompt was shortened.
        refused: Items left out because an answer does not fit.
    """

    ties: int = 0
    alike: int = 0
    truncated: int = 0
    refused: int = 0


class PreferenceData(msgspec.Struct, frozen=True):
    """Everything a preference training reads.

    Attributes:
        train: What to train on, at least one.
        validation: What is held out.
        counts: What became of the others.
        digest: SHA-256 of what the items say.
        synthetic: Items are made up.
    """

    train: tuple[Preferred, ...]
    validation: tuple[Preferred, ...]
    counts: Counts
    digest: str
    synthetic: bool
