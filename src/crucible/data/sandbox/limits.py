"""What a program may use, and how it ended."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from crucible.errors import DataError

__all__ = ["Ending", "Finished", "ProgramLimits"]


class ProgramLimits(msgspec.Struct, frozen=True):
    """What one program may use. Whatever exceeds it is killed, or gets the error that a full machine would give.

    Args:
        cpu_s: Seconds of processor time of a process, at least 1.
        wall_s: Seconds until the program is killed, above 0.
        memory_bytes: Address space of a process; the program has at most `processes` times as much.
        file_bytes: Size of a file.
        disk_bytes: All files together; not enforced with `isolation="limits"`.
        processes: Processes and threads at once, the program itself included.
        open_files: Open files of a process.
        output_bytes: What it may print on each of both outputs before it is killed.

    Raises:
        DataError: A limit is not positive.
    """

    cpu_s: int = 5
    wall_s: float = 15.0
    memory_bytes: int = 512 << 20
    file_bytes: int = 16 << 20
    disk_bytes: int = 64 << 20
    processes: int = 16
    open_files: int = 128
    output_bytes: int = 1 << 20

    def __post_init__(self) -> None:
        for field in self.__struct_fields__:
            given = getattr(self, field)
            if not given > 0 or (field != "wall_s" and not isinstance(given, int)):
                raise DataError(f"the limit {field} is a whole number above 0 (wall_s any number), got {given!r}")


class Ending(StrEnum):
    """How a program ended."""

    REACHED_END = "reached_end"
    """Its last line was run, and it ended without an error."""
    STOPPED_EARLY = "stopped_early"
    """It raised, or left, before its last line."""
    KILLED = "killed"
    """A signal ended it: its own, or that of a broken interpreter."""
    CPU_TIME = "cpu_time"
    WALL_TIME = "wall_time"
    OUTPUT = "output"
    """It printed more than it may."""


class Finished(msgspec.Struct, frozen=True):
    """A program that was run.

    Args:
        ending: How it ended.
        exit_code: Of the program; None where a signal or the sandbox ended it.
        signal: Name of the signal that ended it, such as `SIGSEGV`; empty otherwise.
        stdout: What it printed, at most `output_bytes`; bytes that are no UTF-8 are replaced.
        stderr: Likewise; the traceback is its end.
        wall_s: Seconds from start to end, with that of the interpreter.
        cpu_s: Seconds of processor time.
        peak_bytes: Largest resident memory of one of its processes.
    """

    ending: Ending
    exit_code: int | None
    signal: str
    stdout: str
    stderr: str
    wall_s: float
    cpu_s: float
    peak_bytes: int

    @property
    def reached_end(self) -> bool:
        """Whether the program ran to its last line and ended well."""
        return self.ending is Ending.REACHED_END
