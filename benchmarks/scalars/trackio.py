import contextlib
import itertools
import os
import sqlite3
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from benchmarks import scalars


class Run:
    """A run of a project of its own; each project is a file."""

    fresh = itertools.count()

    def __init__(self, folder: Path, scalars_a_call: int) -> None:
        self.project = f"bench{next(Run.fresh)}"
        self.path = folder / f"{self.project}.db"
        self.names = scalars.names(scalars_a_call)
        with contextlib.redirect_stdout(sys.stderr):
            trackio.init(project=self.project, name="run", embed=False, auto_log_gpu=False, auto_log_cpu=False)

    def log(self, step: int, number: float) -> None:
        trackio.log(dict.fromkeys(self.names, number), step=step)

    def finish(self) -> None:
        with contextlib.redirect_stdout(sys.stderr):
            trackio.finish()

    def close(self) -> None:
        pass

    def count(self) -> int:
        connection = sqlite3.connect(self.path)
        try:
            return connection.execute("SELECT count(*) FROM metrics").fetchone()[0] * len(self.names)
        finally:
            connection.close()

    def points(self) -> list[tuple[int, float]]:
        logs = SQLiteStorage.get_logs(self.project, "run")
        return [(row["step"], row[self.names[0]]) for row in logs]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ.update(TRACKIO_DIR=name, HF_HUB_OFFLINE="1")
        import trackio
        from trackio.sqlite_storage import SQLiteStorage

        def opened(count: int) -> Run:
            return Run(folder, count)

        note = "local, no dashboard; a thread writes every 0.5 s"
        one = scalars.Way(
            "one a call", lambda: opened(1), 50_000, place=folder, note=f"{note}; read by get_logs", points=50_000
        )
        ten = scalars.Way("ten a call", lambda: opened(10), 5_000, 10, place=folder, note=f"{note}; ten in a JSON row")
        scalars.report([one, ten], version("trackio"))
