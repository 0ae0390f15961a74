"""Makes the files of `data/` with the tools whose files they are; run it by hand, it is no test.

In an environment of its own, since Crucible needs none of these:

    python -m venv peers
    peers/bin/python -m pip install mlflow-skinny==3.17.2 tensorboard==2.21.0 tensorboardX==2.6.5
    peers/bin/python tests/telemetry/importers/make_fixtures.py

What is written is said in `test_mlflow.py` and its neighbours, value by value. Identifiers and times of creation differ
from one call to the next. W&B no longer writes its history as JSONL (2026), so `wandb/` is in the form that its former
versions wrote and that a user makes of `run.scan_history()`; `predecessor/` is in the form of its source code.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import socket
import sys
from pathlib import Path

DATA = Path(__file__).parent / "data"
START_S = 1_700_000_000


def mlflow_store(folder: Path) -> None:
    """Write a file store: one living experiment with three runs, one deleted experiment."""
    os.environ |= {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_TRACKING_URI": folder.as_uri()}
    from mlflow.entities import Metric
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
    experiment = client.create_experiment("Caf\u00e9: one", artifact_location="file:///artifacts")
    run = client.create_run(experiment, start_time=START_S * 1000, run_name="first", tags={"team/area": "nlp"})
    run_id = run.info.run_id
    for step in range(5):
        client.log_metric(run_id, "train/loss", 1 / (step + 1), timestamp=START_S * 1000 + step, step=step)
    odd = [(math.nan, 0), (math.inf, 1), (-math.inf, 2), (0.25, 2)]
    client.log_batch(run_id, [Metric("odd", value, START_S * 1000, step) for value, step in odd])
    client.log_metric(run_id, "neg", -1e-300, timestamp=START_S * 1000, step=-5)
    client.log_param(run_id, "lr", 0.001)
    client.log_param(run_id, "prompt/text", "two\nlines \u00e9")
    client.set_terminated(run_id, end_time=START_S * 1000 + 2500)
    deleted = client.create_run(experiment, start_time=START_S * 1000, run_name="deleted")
    client.log_metric(deleted.info.run_id, "loss", 3.0, timestamp=START_S * 1000, step=0)
    client.set_terminated(deleted.info.run_id, status="FAILED", end_time=START_S * 1000 + 1)
    client.delete_run(deleted.info.run_id)
    client.create_run(experiment, start_time=START_S * 1000, run_name="running")
    gone = client.create_experiment("gone", artifact_location="file:///artifacts")
    client.create_run(gone, start_time=START_S * 1000, run_name="in the bin")
    client.delete_experiment(gone)


def tensorboardx_run(folder: Path) -> None:
    """Write TF1's form: scalars, and what is none; then a restart at step 3 in a second file."""
    from tensorboardX import SummaryWriter

    with SummaryWriter(str(folder)) as writer:
        for step in range(5):
            writer.add_scalar("train/loss", 1 / 2**step, step, walltime=START_S + step)
        for value, step in ((math.nan, 0), (math.inf, 1), (-math.inf, 2)):
            writer.add_scalar("odd", value, step, walltime=START_S)
        writer.add_histogram("weights", [1.0, 2.0, 3.0], 0, walltime=START_S)
        writer.add_text("note", "hello", 0, walltime=START_S)
    first = next(folder.iterdir())
    first.rename(folder / f"events.out.tfevents.{START_S}.host")
    with SummaryWriter(str(folder), purge_step=3) as writer:
        writer.add_scalar("train/loss", 100.0, 3, walltime=START_S + 10)
        writer.add_scalar("train/loss", 200.0, 5, walltime=START_S + 12)
    second = max(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    second.rename(folder / f"events.out.tfevents.{START_S + 10}.host")


def tensorboard_run(folder: Path) -> None:
    """Write TF2's form: scalars as tensors of several types, and a tensor that is no single number."""
    import numpy as np
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.plugins.histogram import summary_v2 as histograms
    from tensorboard.plugins.scalar import summary_v2 as scalars
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
    from tensorboard.util.tensor_util import make_tensor_proto

    writer = EventFileWriter(str(folder))

    def write(summary: summary_pb2.Summary, step: int) -> None:
        writer.add_event(event_pb2.Event(wall_time=START_S + step + 0.5, step=step, summary=summary))

    for step in range(3):
        write(scalars.scalar_pb("epoch_loss", 0.5 * step), step)
    write(histograms.histogram_pb("weights", [1.0, 2.0, 3.0]), 0)
    numbers = {
        "float64": np.float64(math.pi),
        "float32": np.float32(0.1),
        "float16": np.float16(1.5),
        "int64": np.int64(-(2**40)),
        "int32": np.int32(-7),
        "uint8": np.uint8(200),
        "bool": np.bool_(True),
    }
    for name, number in numbers.items():
        value = summary_pb2.Summary.Value(tag=f"types/{name}", tensor=make_tensor_proto(number))
        write(summary_pb2.Summary(value=[value]), 7)
    several = summary_pb2.Summary.Value(tag="several", tensor=make_tensor_proto(np.array([1.0, 2.0])))
    write(summary_pb2.Summary(value=[several]), 0)
    writer.close()
    next(folder.iterdir()).rename(folder / f"events.out.tfevents.{START_S}.host.v2")


def wandb_run(folder: Path) -> None:
    """Write a history with all that W&B puts into one, its config and its summary."""
    folder.mkdir(parents=True)
    rows = [
        {"_step": 0, "_timestamp": START_S + 0.5, "_runtime": 1, "loss": 1.0, "train": {"acc": 0.5, "deep": {"x": 1}}},
        {"_step": 1, "_timestamp": START_S + 1.5, "loss": "NaN", "word": "warm", "flag": True, "none": None},
        {"_step": 2, "_timestamp": START_S + 2.5, "loss": math.inf, "image": {"_type": "image-file", "path": "a.png"}},
        {
            "_step": 3,
            "_timestamp": START_S + 3.5,
            "loss": 0.25,
            "hist": {"_type": "histogram", "values": [1], "bins": [0]},
        },
    ]
    (folder / "wandb-history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "config.yaml").write_text(
        "wandb_version: 1\n\n_wandb:\n  desc: null\n  value:\n    t:\n      1:\n      - 1\n"
        "layers:\n  desc: null\n  value:\n  - 1\n  - 2\nlr:\n  desc: null\n  value: 1e-05\n"
    )
    (folder / "wandb-summary.json").write_text(json.dumps({"loss": 0.25, "_step": 3, "_timestamp": START_S + 3.5}))
    (folder / "wandb-metadata.json").write_text(
        json.dumps({"startedAt": "2023-11-14T22:13:20.250000", "program": "train.py", "host": "secret"})
    )


def predecessor_files(folder: Path) -> None:
    """Write an archive, an export of two experiments, and a pretty one."""
    folder.mkdir(parents=True)
    about = {
        "id": "0123456789abcdef",
        "name": "Baseline",
        "hypothesis": "smaller is enough",
        "condition": "control",
        "metadata": {"sampling_rate": 1.0},
        "tags": ["pilot"],
        "started_at": "2026-02-08T10:00:00.000000Z",
        "stopped_at": "2026-02-08T10:05:00.000000Z",
        "paused_at": None,
        "status": "stopped",
        "pause_count": 0,
    }
    step = {
        "event_id": "00112233445566778899aabbccddeeff",
        "event_name": ["crucible_train", "batch", "stop"],
        "timestamp": START_S * 1_000_000 + 1,
        "experiment_id": about["id"],
        "experiment_name": about["name"],
        "condition": "control",
        "tags": ["pilot"],
        "measurements": {"step": 4, "loss": 0.5, "duration": 2_000_000},
        "metadata": {"model": "tuned"},
        "latency_ms": 2.0,
        "cost_usd": None,
        "success": None,
        "epoch": 1,
        "loss": 0.5,
        "user_id": "u1",
    }
    call = {
        "event_name": "req_llm.request.stop",
        "timestamp": START_S * 1_000_000 + 2,
        "latency_ms": 12.5,
        "cost_usd": 0,
        "success": True,
    }
    archive = [{"type": "experiment_metadata", "data": about}] + [
        {"type": "event", "data": item} for item in (step, call)
    ]
    (folder / "archive.jsonl").write_text("".join(json.dumps(line) + "\n" for line in archive))
    other = call | {"experiment_id": "fedcba9876543210", "experiment_name": "Treatment", "condition": "treatment"}
    (folder / "export.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in (step, other, step | {"event_id": "ff"}))
    )
    (folder / "pretty.jsonl").write_text("".join(json.dumps(line, indent=2) + "\n" for line in (step, other)))


def main() -> None:
    """Make everything anew."""
    socket.gethostname = lambda: "host"
    sys.argv = ["make_fixtures.py"]
    shutil.rmtree(DATA, ignore_errors=True)
    made = Path("/tmp/fixtures")  # MLflow writes where it was into its files
    shutil.rmtree(made, ignore_errors=True)
    mlflow_store(made / "mlruns")
    tensorboardx_run(made / "tensorboard" / "one")
    tensorboard_run(made / "tensorboard" / "nested" / "two")
    wandb_run(made / "wandb" / "run-20231114_221320-abc123")
    predecessor_files(made / "predecessor")
    shutil.move(made, DATA)


if __name__ == "__main__":
    main()
