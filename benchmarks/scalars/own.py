"""Crucible's side: scalars of an experiment in a store, in this process, or in one of its own that answers in JSON.

`python -m benchmarks.scalars.own STORE COUNT` says that it is ready, waits for a line, logs so many, one a call,
and tells when it began, when all were durable, and what memory it took.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks import scalars

ROOT = Path(__file__).resolve().parents[2]


class Logged:
    """An experiment of its own in a store.

    Args:
        store: What opens the store.
        scalars_a_call: How many series.
    """

    def __init__(self, store: str, scalars_a_call: int) -> None:
        from crucible.telemetry import Experiment

        self.store = store
        self.names = scalars.names(scalars_a_call)
        self.experiment: Any = Experiment.start("bench", store=store)
        self.log: Callable[[int, float], object] = self._one if scalars_a_call == 1 else self._many

    def _one(self, step: int, number: float) -> None:
        self.experiment.log_metric(self.names[0], number, step)

    def _many(self, step: int, number: float) -> None:
        self.experiment.log_metrics(dict.fromkeys(self.names, number), step)

    def finish(self) -> None:
        self.experiment.flush()

    def close(self) -> None:
        self.experiment.stop()

    def count(self) -> int:
        return found(self.store, self.experiment.id)

    def points(self) -> Sequence[tuple[int, float]]:
        from crucible.store import open_store

        with open_store(self.store) as store:
            return store.telemetry.points(self.experiment.id, self.names[0])


def found(store: str, experiment_id: str) -> int:
    """Return how many points a reader of its own reads of an experiment, all series together."""
    from crucible.store import open_store

    with open_store(store) as opened:
        names = opened.telemetry.series(experiment_id)
        return sum(len(opened.telemetry.point_arrays(experiment_id, name).steps) for name in names)


def together(store: str, processes: int, count: int) -> list[dict[str, Any]]:
    """Log from several processes at once into one store, and return what each of them said.

    Args:
        store: What opens the store.
        processes: How many.
        count: Scalars of each.

    Raises:
        SystemExit: One of them failed.
    """
    command = [sys.executable, "-m", "benchmarks.scalars.own", store, str(count)]
    pipe = subprocess.PIPE
    children = [subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) for _ in range(processes)]
    try:
        for child in children:
            child.stdout.readline()  # it is ready
        for child in children:
            with suppress(BrokenPipeError):  # it has ended, and its status says so
                child.stdin.write("go\n")
                child.stdin.flush()
        said = [child.communicate()[0] for child in children]
    finally:
        for child in children:
            child.kill()
            child.wait()
    if any(child.returncode for child in children):
        raise SystemExit(f"a process that logs ended with status {[child.returncode for child in children]}")
    return [json.loads(line) for line in said]


def peak_bytes() -> int:
    """Return the most memory that this process ever held at once."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = [line.split() for line in status.read_text(encoding="ascii").splitlines()]
        return next(int(line[1]) * 1024 for line in lines if line[0] == "VmHWM:")
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main(store: str, count: int) -> None:
    """Log so many scalars, and print when and with how much memory."""
    log = Logged(store, 1)
    numbers = [scalars.value(step) for step in range(10_000)]
    log.log(0, numbers[0])
    log.finish()  # all that is imported late is there now
    before = peak_bytes()
    print("ready", flush=True)
    sys.stdin.readline()
    begun_ns = time.monotonic_ns()
    for step in range(1, count):
        log.log(step, numbers[step % 10_000])
    log.finish()
    ended_ns = time.monotonic_ns()
    peak = peak_bytes()
    log.close()
    said = {"id": log.experiment.id, "begun_ns": begun_ns, "ended_ns": ended_ns, "before": before, "peak": peak}
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
