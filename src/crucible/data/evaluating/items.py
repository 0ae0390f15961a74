"""The measurements of an evaluation as a sequence that is read from its record when it is asked for."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast, overload

from crucible.data.evaluating._bad_line import BadLine
from crucible.data.evaluating.line import Line, decode_line
from crucible.data.evaluating.pages import Pages
from crucible.data.evaluating.record import scan
from crucible.data.evaluating.result import ItemResult
from crucible.errors import StoreError

__all__ = ["RecordedItems", "read_record"]


class RecordedItems(Sequence[ItemResult]):
    """Measurements in a file, in the dataset's order; eight bytes of memory each.

    Equal to any sequence of the same measurements.

    Args:
        pages: The file.
        offsets: Where each line begins.
    """

    def __init__(self, pages: Pages, offsets: array[int]) -> None:
        self._pages = pages
        self._offsets = offsets

    def __len__(self) -> int:
        return len(self._offsets)

    def __iter__(self) -> Iterator[ItemResult]:
        for offset in self._offsets:
            yield _item(self._line_at(offset))

    @overload
    def __getitem__(self, index: int) -> ItemResult: ...
    @overload
    def __getitem__(self, index: slice) -> RecordedItems: ...
    def __getitem__(self, index: int | slice) -> ItemResult | RecordedItems:
        if isinstance(index, slice):
            return RecordedItems(self._pages, self._offsets[index])
        return _item(self._line_at(self._offsets[index]))

    def lines(self) -> Iterator[Line]:
        """Yield the lines as they are kept, with what was asked and expected.

        Raises:
            StoreError: The file was altered since, or cannot be read.
        """
        for offset in self._offsets:
            yield self._line_at(offset)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        others = cast("Sequence[object]", other)
        return len(self) == len(others) and all(mine == theirs for mine, theirs in zip(self, others, strict=True))

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # equal to lists, which have none either

    def __repr__(self) -> str:
        return f"RecordedItems({len(self)} measurements)"

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)  # a file that is open stays in its process

    def _line_at(self, offset: int) -> Line:
        try:
            return decode_line(self._pages.line_at(offset))
        except BadLine as error:
            raise StoreError(f"a measurement of the record cannot be read: {error}; it was altered since") from error


def read_record(path: Path | str) -> RecordedItems:
    """Return the measurements in a record, in the dataset's order, also of an evaluation that has not ended.

    A line that a crash left torn is left out; the file is not changed.

    Raises:
        StoreError: The file cannot be read, or is damaged in its midst.
    """
    path = Path(path)
    try:
        pages = Pages(os.open(path, os.O_RDONLY))
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror or error})") from error
    newest: dict[tuple[int, int], int] = {}
    for _, offset, line in scan(pages, path):
        newest[line.n, line.repeat or 0] = offset
    return RecordedItems(pages, array("q", (newest[key] for key in sorted(newest))))


def _item(line: Line) -> ItemResult:
    return ItemResult(
        line.id,
        line.output,
        line.scores,
        line.stop_reason,
        line.truncated_prompt,
        line.repeat or 0,
        line.prompt_tokens,
        line.completion_tokens,
    )
