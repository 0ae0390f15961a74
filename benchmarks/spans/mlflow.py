import logging
import os
import tempfile
from pathlib import Path

from benchmarks import spans

if __name__ == "__main__":
    os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "false"
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        mlflow.set_tracking_uri(f"sqlite:///{Path(folder) / 'mlflow.db'}")
        mlflow.create_experiment("bench", artifact_location=(Path(folder) / "artifacts").as_uri())
        mlflow.set_experiment("bench")

        def make(count: int) -> None:
            with mlflow.start_span("chain"):
                for _ in range(count):
                    with mlflow.start_span("event", attributes=spans.ATTRIBUTES):
                        pass

        note = "start_span, tracking store in SQLite, traces of 11 spans"
        spans.report("mlflow-skinny", "durable", note, make, batch=10)
        if not mlflow.MlflowClient().search_traces(locations=[mlflow.get_experiment_by_name("bench").experiment_id]):
            raise SystemExit("mlflow: no trace was kept")
