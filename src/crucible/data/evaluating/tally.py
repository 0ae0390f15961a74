"""What the measurements come to so far: scores, outcomes and tokens by slot, in arrays of a few bytes each.

A slot that is measured again takes the place of what it was, so that counts never count a measurement twice.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping

from crucible.data.evaluating.line import Line
from crucible.data.scorers import Scorer, score_bounds
from crucible.data.summary import Counts, Summary, summarise_items
from crucible.errors import DataError
from crucible.ir import Failed, Outcome, Scored
from crucible.stats.bench.scores import FailurePolicy

__all__ = ["Tally"]

_SCORED, _FAILED, _SKIPPED = 1, 2, 3
_ANSWERED, _CUT, _SHORTENED = 1, 2, 4
_FIRST_SLOTS = 64


class Tally:
    """Counts, scores and tokens of the measurements so far.

    Args:
        scorers: Functions by name.
        repeats: Measurements an item.
    """

    def __init__(self, scorers: Mapping[str, Scorer], repeats: int) -> None:
        self.measured = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self._scorers = scorers
        self._repeats = repeats
        self._scores = {name: array("d") for name in scorers}
        self._kinds = {name: bytearray() for name in scorers}
        self._flags = bytearray()
        self._is_measured = bytearray()
        self._read = array("I")
        self._written = array("I")

    def put(self, slot: int, line: Line) -> None:
        """Take in one measurement."""
        self._grow(slot)
        self.measured += not self._is_measured[slot]
        self.prompt_tokens += line.prompt_tokens - self._read[slot]
        self.completion_tokens += line.completion_tokens - self._written[slot]
        self._is_measured[slot] = 1
        self._read[slot], self._written[slot] = line.prompt_tokens, line.completion_tokens
        answered = _ANSWERED if line.output is not None else 0
        cut = _CUT if line.stop_reason == "length" else 0
        self._flags[slot] = answered | cut | (_SHORTENED if line.truncated_prompt else 0)
        for name, outcome in line.scores.items():
            self._scores[name][slot], self._kinds[name][slot] = _kept(outcome)

    def failed(self, slot: int) -> bool:
        """Return whether a scorer has no score of a measurement because something failed."""
        return any(kinds[slot] == _FAILED for kinds in self._kinds.values())

    def answered(self, slot: int) -> bool:
        """Return whether the model has answered."""
        return bool(self._flags[slot] & _ANSWERED)

    @property
    def answers(self) -> int:
        """Count of answers."""
        return sum(map(bool, map(_ANSWERED.__and__, self._flags)))

    @property
    def cut_answers(self) -> int:
        """Count of answers that were cut at `max_tokens`."""
        return sum(map(bool, map(_CUT.__and__, self._flags)))

    @property
    def truncated_prompts(self) -> int:
        """Count of prompts that lost their beginning."""
        return sum(map(bool, map(_SHORTENED.__and__, self._flags)))

    def summaries(self, failures: FailurePolicy, level: float) -> dict[str, Summary]:
        """Return the summary of each scorer.

        Args:
            failures: What failed measurements are in the means.
            level: Coverage of the intervals.

        Raises:
            MissingExtra: scipy is not installed.
        """
        return {
            name: summarise_items(
                array("d", self._of_items(name, failures)),
                _counts(self._kinds[name]),
                failures=failures,
                level=level,
                bounds=score_bounds(scorer),
                repeats=self._repeats,
            )
            for name, scorer in self._scorers.items()
        }

    def refuse_failures(self) -> None:
        """Refuse recorded failures, as the policy `abort` does.

        Raises:
            DataError: There are some.
        """
        for name, kinds in self._kinds.items():
            if count := kinds.count(_FAILED):
                raise DataError(
                    f"{count} recorded measurements have no {name} because they failed (failures: abort); "
                    "retry_failed makes them again"
                )

    def _of_items(self, name: str, failures: FailurePolicy) -> Iterator[float]:
        """Yield the mean score of each item that has one, in the dataset's order."""
        counted = (_SCORED, _FAILED) if failures is FailurePolicy.ZERO else (_SCORED,)
        pairs: Iterable[tuple[float, int]] = zip(self._scores[name], self._kinds[name], strict=True)
        if self._repeats == 1:
            yield from (score for score, kind in pairs if kind in counted)
            return
        scores, kinds, k = self._scores[name], self._kinds[name], self._repeats
        for first in range(0, len(scores), k):
            found = [scores[slot] for slot in range(first, min(first + k, len(scores))) if kinds[slot] in counted]
            if found:
                yield math.fsum(found) / len(found)

    def _grow(self, slot: int) -> None:
        size = len(self._flags)
        if slot < size:
            return
        missing = max(slot + 1, size + size // 8, _FIRST_SLOTS) - size
        nothing = bytes(missing)
        for each in (self._flags, self._is_measured, *self._kinds.values()):
            each.extend(nothing)
        for tokens in (self._read, self._written):
            tokens.extend([0] * missing)
        for scores in self._scores.values():
            scores.extend([0.0] * missing)


def _kept(outcome: Outcome) -> tuple[float, int]:
    if isinstance(outcome, Scored):
        return outcome.value, _SCORED
    return 0.0, _FAILED if isinstance(outcome, Failed) else _SKIPPED


def _counts(kinds: bytearray) -> Counts:
    return Counts(kinds.count(_SCORED), kinds.count(_FAILED), kinds.count(_SKIPPED))
