import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from benchmarks import scalars


class Tracked:
    """A run in a repository of its own."""

    def __init__(self, folder: Path, scalars_a_call: int) -> None:
        self.place = folder / str(time.monotonic_ns())
        self.place.mkdir()
        self.names = scalars.names(scalars_a_call)
        self.run = Run(
            repo=str(self.place), system_tracking_interval=None, log_system_params=False, capture_terminal_logs=False
        )
        self.hash = self.run.hash

    def log(self, step: int, number: float) -> None:
        self.run.track(number, name=self.names[0], step=step)

    def finish(self) -> None:
        self.run.close()
        self.run = None

    def close(self) -> None:
        pass

    def count(self) -> int:
        return len(self.points())

    def points(self) -> list[tuple[int, float]]:
        return self._read(self.names[0])

    def _read(self, name: str) -> list[tuple[int, float]]:
        metric = Run(run_hash=self.hash, repo=str(self.place)).get_metric(name, Context({}))
        metric.preload()
        steps, (numbers, _epochs, _times) = metric.data.items_list()
        return list(zip(steps, numbers, strict=True))


class TrackedTen(Tracked):
    """Ten scalars of ten series a call."""

    def log(self, step: int, number: float) -> None:
        self.run.track(dict.fromkeys(self.names, number), step=step)

    def count(self) -> int:
        return sum(len(self._read(name)) for name in self.names)


if __name__ == "__main__":
    from aim import Run
    from aim.storage.context import Context

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        note = "local repository in RocksDB, nothing of the system tracked"
        read = "read through a resumed run in this process, since RocksDB lets no other in before this one ends"
        one = scalars.Way(
            "one a call", lambda: Tracked(folder, 1), 10_000, place=folder, note=f"{note}; {read}", points=10_000
        )
        ten = scalars.Way("ten a call", lambda: TrackedTen(folder, 10), 1_000, 10, place=folder, note=note)
        scalars.report([one, ten], version("aim"))
