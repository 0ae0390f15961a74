"""An evaluation's record with what it says: opened, held against what is asked now, and taken up where it ended."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crucible import events
from crucible.data.evaluating.about import About, about_path, differences, read_about, write_about
from crucible.data.evaluating.items import RecordedItems
from crucible.data.evaluating.line import Line, encode_line
from crucible.data.evaluating.record import Record
from crucible.data.evaluating.tally import Tally
from crucible.errors import ContractError, DataError

__all__ = ["Recording"]


class Recording:
    """The measurements so far, on the disk and as a tally.

    Args:
        path: The record; None: a file without a name.
        configuration: What decides which answers and scores come out.
        tally: Where the measurements are counted.
        repeats: Measurements an item.
        resume: Go on from a record that is there; False: one that is there is refused.

    Raises:
        StoreError: The record cannot be opened, or is damaged.
        ContractError: It is of another configuration, another process writes it, or it is there and was not to be.
    """

    def __init__(
        self, path: Path | None, configuration: Mapping[str, Any], tally: Tally, repeats: int, *, resume: bool
    ) -> None:
        self.path = path
        self.tally = tally
        self.digests = array("Q")
        self.resumed = 0
        self.notes: list[str] = []
        self._repeats = repeats
        self._configuration = dict(configuration)
        self._record = Record(path)
        try:
            self._load(path, resume=resume)
        except BaseException:
            self._record.close()
            raise

    def wants(self, slot: int, *, retry_failed: bool) -> bool:
        """Return whether a slot is still to be measured."""
        return not self._record.has(slot) or (retry_failed and self.tally.failed(slot))

    def answered(self, slot: int) -> Line | None:
        """Return what is recorded of a slot, if the model has answered."""
        return self._record.line(slot) if self._record.has(slot) and self.tally.answered(slot) else None

    def add(self, slots: Sequence[int], lines: Sequence[Line], digests: Sequence[int]) -> None:
        """Write measurements; when this returns, they survive the end of the process.

        Raises:
            StoreError: They cannot be written.
            DataError: An item cannot be written as JSON.
        """
        self._record.append(slots, [_encoded(line) for line in lines])
        for slot, line, digest in zip(slots, lines, digests, strict=True):
            self.tally.put(slot, line)
            self._note_digest(line.n, digest)

    def sync(self) -> None:
        """Make everything so far survive a loss of power, too."""
        self._record.sync()

    def end(self, status: str, reason: str) -> RecordedItems:
        """Leave the record in order and on the disk, say how the evaluation ended, and return what reads it.

        Raises:
            StoreError: It cannot be written.
        """
        self._record.settle()
        if self._record.path is not None:
            write_about(self._record.path, About(self._configuration, status=status, reason=reason))
        return RecordedItems(*self._record.read())

    def close(self) -> None:
        """Let go of the file, so that another process may go on with it."""
        self._record.close()

    def _load(self, path: Path | None, *, resume: bool) -> None:
        if path is None:
            return
        about = read_about(path)
        is_new = about is None and path.stat().st_size == 0
        if not is_new:
            self._refuse_other(path, about, resume=resume)
            for number, offset, line in self._record.load():
                self._take(line, offset, f"{path}:{number}")
            self._tell(path)
        if about is None or about.status != "open":
            write_about(path, About(self._configuration))

    def _refuse_other(self, path: Path, about: About | None, *, resume: bool) -> None:
        if not resume:
            raise ContractError(f"{path} is there already and resume is off; take another record, or move it away")
        if about is None:
            raise ContractError(
                f"{path} has measurements, and {about_path(path).name}, which says of what, is not there; bring it "
                "back, or take another record"
            )
        if found := differences(about.configuration, self._configuration):
            raise ContractError(
                f"{path} is the record of another evaluation: {'; '.join(found)}; evaluate as it was recorded, or take "
                "another record"
            )

    def _take(self, line: Line, offset: int, where: str) -> None:
        repeat = line.repeat or 0
        if repeat >= self._repeats:
            raise ContractError(
                f"{where}: repeat {repeat + 1} of an item is recorded and {self._repeats} are asked for now; ask for "
                "as many as were recorded, or more"
            )
        slot = line.n * self._repeats + repeat
        self._record.put(slot, offset)
        self.tally.put(slot, line)
        self._note_digest(line.n, int(line.digest, 16))

    def _note_digest(self, place: int, digest: int) -> None:
        grown = place + 1 - len(self.digests)
        if grown > 0:
            self.digests.extend([0] * grown)
        self.digests[place] = digest

    def _tell(self, path: Path) -> None:
        self.resumed = self.tally.measured
        if torn := self._record.torn_bytes:
            note = (
                f"{torn} bytes of a torn line were cut off the end of {path}: its writer was ended in the middle of it"
            )
            self.notes.append(note)
            events.decision("repaired the record of an evaluation", note, alternatives=["refuse the record"])
        if self.resumed:
            events.decision(
                f"go on after {self.resumed:,} recorded measurements",
                f"{path} is a record of the same evaluation",
                alternatives=["measure them again"],
            )


def _encoded(line: Line) -> bytes:
    try:
        return encode_line(line)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f'item "{line.id}" cannot be recorded, because it is no JSON: {error}') from error
