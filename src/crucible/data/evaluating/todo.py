"""Which measurements are still to be made, in batches: what is not recorded, and what failed if that is asked for."""

from __future__ import annotations

from collections.abc import Iterator

from crucible.data.evaluating.line import fingerprint
from crucible.data.evaluating.measurement import Measurement
from crucible.data.evaluating.options import EvalOptions
from crucible.data.evaluating.questions import Questions, another_item
from crucible.data.evaluating.recording import Recording
from crucible.data.items import Item

__all__ = ["Todo"]


class Todo:
    """The measurements that are to be made.

    Args:
        questions: All items.
        recording: What is measured already.
        options: How to evaluate.

    Raises:
        ContractError: A recorded item is another one now.
    """

    def __init__(self, questions: Questions, recording: Recording, options: EvalOptions) -> None:
        self.reason = ""
        """Why items were left out; empty if none was."""
        self._questions = questions
        self._recording = recording
        self._options = options
        self._is_checked = questions.check(recording.digests, options.record)

    def batches(self) -> Iterator[list[Measurement]]:
        """Yield what is to be measured, in the dataset's order, the repeats of an item together.

        Raises:
            ContractError: A recorded item is another one now, of items that come only once.
        """
        most, size, batch = self._options.limits.items, self._options.batch_size, list[Measurement]()
        for place, item in enumerate(self._questions.items):
            if most is not None and place >= most:
                self.reason = f"items: the first {most:,} were asked"
                break
            for one in self._wanted(place, item):
                batch.append(one)
                if len(batch) == size:
                    yield batch
                    batch = []
        if batch:
            yield batch

    def _wanted(self, place: int, item: Item) -> list[Measurement]:
        repeats, recording, retry = self._options.repeats, self._recording, self._options.retry_failed
        first = place * repeats
        wanted = [slot for slot in range(first, first + repeats) if recording.wants(slot, retry_failed=retry)]
        if not wanted and self._is_checked:
            return []
        digest = fingerprint(item)
        if not self._is_checked and place < len(recording.digests) and recording.digests[place] not in (0, digest):
            raise another_item(place, item, self._options.record)
        return [Measurement(slot, place, slot - first, item, digest, recording.answered(slot)) for slot in wanted]
