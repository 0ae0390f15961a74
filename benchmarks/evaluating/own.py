"""Crucible's side: evaluations of a scripted model with a record, in this process, or in one of its own.

`python -m benchmarks.evaluating.own RECORD COUNT` evaluates so many and tells in JSON how long that took, how long
going on from the finished record takes, and what memory it needed.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import evaluating
from benchmarks.scalars.own import ROOT, peak_bytes


class Questions:
    """The questions, made when they are asked for; none is held.

    Args:
        count: How many.
    """

    name = "bench"
    split = "test"

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Any]:
        from crucible.data import Item

        return (Item(str(i), evaluating.question(i), evaluating.answer(i)) for i in range(self.count))


def evaluated(record: Path | None, count: int, **options: Any) -> Any:
    """Evaluate so many questions, as a user would."""
    from crucible.backends.scripted import ScriptedSampler
    from crucible.data import evaluate

    sampler = ScriptedSampler(evaluating.answered)
    return evaluate(sampler, Questions(count), ["exact_match"], record=record, **options)


def found(record: Path) -> int:
    """Return how many right answers a reader of its own finds in a record."""
    from crucible.data import read_record

    return sum(item.outcomes["exact_match"].value == 1.0 for item in read_record(record))


def alone(record: Path, count: int) -> dict[str, Any]:
    """Return what a process of its own says of evaluating so many.

    Raises:
        SystemExit: It failed, or a reader does not find every answer.
    """
    command = [sys.executable, "-m", "benchmarks.evaluating.own", str(record), str(count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the process that evaluates failed: {done.stderr.strip().splitlines()[-1:]}")
    if (right := found(record)) != count:
        raise SystemExit(f"{count:,} questions were asked, and a reader finds {right:,} right answers")
    return json.loads(done.stdout)


def main(record: Path, count: int) -> None:
    """Evaluate so many, go on from the finished record, and print times in ns and peaks in bytes."""
    evaluated(None, 100)  # all that is imported late is there now
    before = peak_bytes()
    start = time.perf_counter_ns()
    evaluated(record, count)
    taken = time.perf_counter_ns() - start
    peak = peak_bytes()
    start = time.perf_counter_ns()
    result = evaluated(record, count)
    again = time.perf_counter_ns() - start
    if result.resumed != count:
        raise SystemExit(f"{count:,} were recorded, and {result.resumed:,} were found again")
    print(json.dumps({"taken": taken, "again": again, "before": before, "peak": peak}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
