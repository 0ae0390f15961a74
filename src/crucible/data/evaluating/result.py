"""What an evaluation found: each measurement, the summaries over them, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from crucible.data.summary import Summary
from crucible.errors import DataError
from crucible.ir import Outcome, did_you_mean
from crucible.stats.conditions.observations import Condition, Observation

__all__ = ["EvalResult", "EvalStatus", "ItemResult"]

EvalStatus = Literal["completed", "limited"]
"""`limited`: a limit was reached before everything was measured."""


class ItemResult(msgspec.Struct, frozen=True):
    """What became of one measurement of one item.

    Args:
        id: The item's id.
        output: The model's answer; None if there is none.
        outcomes: Outcome by scorer.
        stop_reason: `stop` or `length` (the answer was cut at `max_tokens`); None without an answer.
        truncated_prompt: The prompt was longer than the model's window and lost its beginning.
        repeat: Which repeat of the item it is, from 0.
        prompt_tokens: Tokens that the model read.
        completion_tokens: Tokens that it wrote.
    """

    id: str
    output: str | None
    outcomes: dict[str, Outcome]
    stop_reason: str | None = None
    truncated_prompt: bool = False
    repeat: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class EvalResult(msgspec.Struct, frozen=True):
    """An evaluation of one model on one dataset.

    Args:
        model: The model's name.
        items: One result a measurement, in the dataset's order, the repeats of an item together. Read from the record
            when they are asked for, so that a large evaluation does not fill the memory.
        summaries: Summary by scorer, over what was measured.
        prompt_tokens: Tokens that the model read.
        completion_tokens: Tokens that it wrote.
        status: `completed`, or `limited` where a limit was reached first.
        reason: Which limit; empty if none was.
        not_reached: Measurements that were not made because of it, which count as nothing; None where the dataset does
            not say how long it is.
        repeats: Measurements an item.
        resumed: Measurements that were found in the record and not made again.
        cost_usd: What the answers cost; None where no prices were given.
        answers: Measurements that the model answered; the others have no output.
        cut_answers: Answers that were cut at `max_tokens`.
        truncated_prompts: Prompts that lost their beginning.
        notes: What a reader must know, one sentence each.
        record: The file that holds all measurements; None if nobody asked for one.
    """

    model: str
    items: Sequence[ItemResult]
    summaries: dict[str, Summary]
    prompt_tokens: int
    completion_tokens: int
    status: EvalStatus = "completed"
    reason: str = ""
    not_reached: int | None = 0
    repeats: int = 1
    resumed: int = 0
    cost_usd: float | None = None
    answers: int = 0
    cut_answers: int = 0
    truncated_prompts: int = 0
    notes: tuple[str, ...] = ()
    record: Path | None = None

    def condition(self, metric: str, *, label: str | None = None) -> Condition:
        """Return one scorer's outcomes as a side of a comparison, for `crucible.stats`.

        Args:
            metric: The scorer.
            label: What the side is called; default: the model's name.

        Raises:
            DataError: Nothing was scored by it.
        """
        if metric not in self.summaries:
            known = ", ".join(self.summaries)
            raise DataError(
                f'{self.model} was not scored by "{metric}"; it was by: {known}{did_you_mean(metric, self.summaries)}'
            )
        several = self.repeats > 1
        seen = tuple(
            Observation(item.id, item.outcomes[metric], str(item.repeat) if several else "") for item in self.items
        )
        source = str(self.record) if self.record else ""
        return Condition(label or self.model, metric, seen, source=source)
