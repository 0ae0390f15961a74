import itertools
import logging
import sqlite3
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from benchmarks import scalars


class Run:
    """A run in the tracking store, which is one SQLite file; subclasses say by which call it is logged."""

    fresh = itertools.count()

    def __init__(self, path: Path, scalars_a_call: int) -> None:
        self.path = path
        self.names = scalars.names(scalars_a_call)
        self.run = mlflow.start_run(run_name=f"run{next(Run.fresh)}")

    def finish(self) -> None:
        mlflow.end_run()

    def close(self) -> None:
        pass

    def count(self) -> int:
        connection = sqlite3.connect(self.path)
        try:
            query = "SELECT count(*) FROM metrics WHERE run_uuid = ?"
            return connection.execute(query, [self.run.info.run_id]).fetchone()[0]
        finally:
            connection.close()

    def points(self) -> list[tuple[int, float]]:
        history = mlflow.MlflowClient().get_metric_history(self.run.info.run_id, self.names[0])
        return sorted((metric.step, metric.value) for metric in history)


class One(Run):
    """A scalar a call."""

    def log(self, step: int, number: float) -> None:
        mlflow.log_metric(self.names[0], number, step=step)


class Ten(Run):
    """Ten scalars of ten series a call."""

    def log(self, step: int, number: float) -> None:
        mlflow.log_metrics(dict.fromkeys(self.names, number), step=step)


class Thousand(Run):
    """A thousand scalars of one series a call."""

    def log(self, step: int, _number: float) -> None:
        now, first = int(time.time() * 1000), step * 1000
        many = [Metric(self.names[0], scalars.value(at), now, at) for at in range(first, first + 1000)]
        mlflow.MlflowClient().log_batch(self.run.info.run_id, metrics=many)


if __name__ == "__main__":
    import mlflow
    from mlflow.entities import Metric

    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        database = folder / "mlflow.db"
        mlflow.set_tracking_uri(f"sqlite:///{database}")
        mlflow.create_experiment("bench", artifact_location=(folder / "artifacts").as_uri())
        mlflow.set_experiment("bench")
        with mlflow.start_run():  # the first one opens the store
            mlflow.log_metric("warm", 1.0, step=0)
        note = "tracking store in SQLite"
        one = scalars.Way("one a call", lambda: One(database, 1), 500, place=folder, note=f"log_metric, {note}")
        ten = scalars.Way("ten a call", lambda: Ten(database, 10), 200, 10, place=folder, note=f"log_metrics, {note}")
        note = f"log_batch, {note}; read by get_metric_history"
        many = scalars.Way(
            "1,000 a call", lambda: Thousand(database, 1), 20, 1_000, place=folder, note=note, points=20_000
        )
        scalars.report([one, ten, many], version("mlflow-skinny"))
