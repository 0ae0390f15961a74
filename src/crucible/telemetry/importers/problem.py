"""What could not be read: a `Problem` with its place, and the list that collects them.

A reader reports and goes on; only a path that is missing or cannot be opened at all is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, overload

import msgspec

__all__ = ["Problem", "ProblemKind", "Problems", "shown"]

ProblemKind = Literal["torn", "damaged", "left_out"]
"""`torn`: the end of a file is not whole, as a crash or a writer at work leaves it; `damaged`: something is none of
what the format allows; `left_out`: it was understood, but is not taken over."""

_LISTED = 1000  # a file of nothing but damage must not fill the memory


class Problem(msgspec.Struct, frozen=True):
    """Something that could not be read; the rest was.

    Args:
        kind: Its kind.
        path: The file or folder.
        message: The whole thing in a sentence, without the place.
        line: Its number, counted from 1, in a file of lines.
        offset_bytes: Where it begins, in a file of records.
    """

    kind: ProblemKind
    path: str
    message: str
    line: int | None = None
    offset_bytes: int | None = None

    def __str__(self) -> str:
        place = "" if self.line is None else f":{self.line}"
        if self.offset_bytes is not None:
            place = f" at byte {self.offset_bytes}"
        return f"{self.path}{place}: {self.message}"


class Problems(Sequence[Problem]):
    """The problems of a reading, in the order in which they were met, each once however often it is met.

    At most 1,000 are kept; `is_cut` says whether there were more.
    """

    def __init__(self) -> None:
        self._found: dict[Problem, None] = {}
        self.is_cut = False

    def report(
        self,
        kind: ProblemKind,
        path: Path | str,
        message: str,
        *,
        line: int | None = None,
        offset_bytes: int | None = None,
    ) -> None:
        """Take one more; the arguments are those of `Problem`."""
        problem = Problem(kind, shown(str(path)), shown(message), line, offset_bytes)
        if len(self._found) < _LISTED:
            self._found[problem] = None
        elif problem not in self._found:
            self.is_cut = True

    def take(self, others: Problems) -> None:
        """Take all of another list."""
        for problem in others:
            self.report(
                problem.kind, problem.path, problem.message, line=problem.line, offset_bytes=problem.offset_bytes
            )
        self.is_cut = self.is_cut or others.is_cut

    @overload
    def __getitem__(self, index: int) -> Problem: ...
    @overload
    def __getitem__(self, index: slice) -> list[Problem]: ...
    def __getitem__(self, index: int | slice) -> Problem | list[Problem]:
        return list(self._found)[index]

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Problem]:
        return iter(list(self._found))

    def __repr__(self) -> str:
        return f"Problems({list(self._found)!r})"


def shown(text: str) -> str:
    """Return a text that can be printed and stored whatever bytes a file's name has."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
