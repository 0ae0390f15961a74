"""Counts of the tokens that requests took and gave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

__all__ = ["TokenSummary", "TokenTotals"]


class TokenSummary(msgspec.Struct, frozen=True):
    """Tokens of the events that told any.

    Args:
        count: Events that told tokens.
        total_prompt: Tokens of prompts.
        total_completion: Tokens of completions.
        total: Tokens, as told, or prompt and completion where no total was told.
        mean_prompt: By event of `count`; None of nothing.
        mean_completion: By event of `count`; None of nothing.
        mean_total: By event of `count`; None of nothing.
    """

    count: int
    total_prompt: int
    total_completion: int
    total: int
    mean_prompt: float | None
    mean_completion: float | None
    mean_total: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures by name; of nothing, only `count` 0."""
        return msgspec.to_builtins(self) if self.count else {"count": 0}


class TokenTotals:
    """The tokens told so far, counted exactly."""

    __slots__ = ("completion", "count", "prompt", "total")

    def __init__(self) -> None:
        self.count = 0
        self.prompt = 0
        self.completion = 0
        self.total = 0

    def add(self, fields: Mapping[str, Any]) -> None:
        """Take in the tokens that a record's fields tell, if any."""
        self.add_many((fields,))

    def add_many(self, many: Iterable[Mapping[str, Any]]) -> list[int]:
        """Take in the tokens that the fields of records tell, and return the total of each record that told any.

        Read are `prompt_tokens`, `completion_tokens` and `total_tokens`, whole numbers of 0 or more and below
        2^63; anything else counts as not told.
        """
        totals: list[int] = []
        prompts = completions = 0
        for fields in many:
            total: Any = fields.get("total_tokens")
            prompt: Any = fields.get("prompt_tokens")
            completion: Any = fields.get("completion_tokens")
            if (
                type(total) is not int
                or type(prompt) is not int
                or type(completion) is not int
                or (total | prompt | completion) >> 63
            ):
                if total is None and prompt is None and completion is None:
                    continue
                total, prompt, completion = _understood(total, prompt, completion)
                if total is None:
                    continue
            totals.append(total)
            prompts += prompt
            completions += completion
        self.count += len(totals)
        self.prompt += prompts
        self.completion += completions
        self.total += sum(totals)
        return totals

    def merge(self, other: TokenTotals) -> None:
        """Take in everything that another one saw; the other stays as it is."""
        self.count += other.count
        self.prompt += other.prompt
        self.completion += other.completion
        self.total += other.total

    def copy(self) -> TokenTotals:
        """Return one that goes on from here by itself."""
        twin = TokenTotals()
        twin.merge(self)
        return twin

    def summary(self) -> TokenSummary:
        """Return what is known now."""
        means = [value / self.count if self.count else None for value in (self.prompt, self.completion, self.total)]
        return TokenSummary(self.count, self.prompt, self.completion, self.total, *means)


def _understood(*counts: Any) -> tuple[int | None, int, int]:
    """Return total (None if none of the three is a count), prompt and completion."""
    total, prompt, completion = (
        count if type(count) is int and not count >> 63 else None  # 0 or more, and below 2^63
        for count in counts
    )
    if total is None and (prompt is not None or completion is not None):
        total = (prompt or 0) + (completion or 0)
    return total, prompt or 0, completion or 0
