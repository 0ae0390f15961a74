"""Measure, on this machine, now: what importing costs, what an unheard event costs, what an empty stage costs.

Each figure is the best of several rounds: other work on the machine only makes a figure worse.
"""

import importlib.util
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crucible import events, ir, pipeline

# What an experimenter would import to get at part of the same things; measured where they are installed.
PEERS = ("pydantic", "sqlalchemy", "inspect_ai", "pydantic_evals", "mlflow", "tinker_cookbook", "transformers", "torch")


def import_ms(module: str, rounds: int = 7) -> float:
    """Return the best wall time of `import module` in a fresh interpreter, in ms, without that interpreter's start."""
    code = f"import time; start = time.perf_counter_ns(); import {module}; print(time.perf_counter_ns() - start)"
    times: list[int] = []
    for _ in range(rounds):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        times.append(int(done.stdout.split()[-1]))
    return min(times) / 1e6


def best_ns(call: Callable[[], object], count: int, rounds: int = 5) -> float:
    """Return the best mean duration of a call over `count` calls, in ns, the loop itself included."""
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter_ns()
        for _ in range(count):
            call()
        best = min(best, (time.perf_counter_ns() - start) / count)
    return best


def emit_ns(listeners: int) -> float:
    """Return the cost of one `events.emit` with two measurements, heard by this many handlers, in ns."""
    names = [f"bench-{index}" for index in range(listeners)]
    for name in names:
        events.attach(name, "crucible_train.batch.stop", lambda _event: None)
    try:
        measurements, metadata = {"step": 1, "loss": 0.5}, {"model": "tuned"}
        return best_ns(lambda: events.emit("crucible_train.batch.stop", measurements, metadata), 100_000)
    finally:
        for name in names:
            events.detach(name)


def span_ns() -> float:
    """Return the cost of one span that nobody hears, in ns."""

    def call() -> None:
        with events.span("crucible_data.evaluation"):
            pass

    return best_ns(call, 50_000)


def stages_per_s(stages: int = 200, *, store: bool = False) -> float:
    """Return how many stages that do nothing the runner carries out a second, best of three runs."""

    @pipeline.stage("nothing")
    def nothing(context: pipeline.Context, _options: Any) -> pipeline.Context:
        return context

    definitions = tuple(ir.StageDef(name="nothing") for _ in range(stages))
    experiment = ir.Experiment(id="bench", backend=ir.BackendRef(id="local"), pipeline=definitions)
    registry = pipeline.Registry(nothing, installed=False)
    best = 0.0
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            recorder = None
            if store:
                from crucible.store import open_store

                opened = open_store(folder)
                recorder = opened.runs
            runner = pipeline.Runner(registry, recorder)
            start = time.perf_counter()
            runner.run(experiment, workspace=Path(folder)).raise_for_status()
            best = max(best, stages / (time.perf_counter() - start))
            if store:
                opened.close()
    return best


def machine() -> str:
    """Return what the figures were measured on, in words."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(": ")[2] for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0] if names else model
    return f"{os.cpu_count()} x {model}, {platform.system()}, Python {platform.python_version()}"


def main() -> None:
    """Print the figures as the rows of a Markdown table."""
    print(f"{datetime.now(UTC):%Y-%m-%d}, `make bench`, {machine()}\n\n| what | figure |\n| --- | --- |")
    for module in ("crucible", "crucible.pipeline", *PEERS):
        if importlib.util.find_spec(module.partition(".")[0]) is not None:
            print(f"| `import {module}`, best of 7 fresh interpreters | {import_ms(module):.0f} ms |", flush=True)
    print(f"| `events.emit`, nobody listening | {emit_ns(0):.0f} ns |")
    print(f"| `events.emit`, one handler that does nothing | {emit_ns(1):.0f} ns |")
    print(f"| `events.span`, nobody listening | {span_ns():.0f} ns |")
    print(f"| stages that do nothing, no store | {stages_per_s():.0f} a second |", flush=True)
    print(f"| stages that do nothing, every state change durable in SQLite | {stages_per_s(store=True):.0f} a second |")


if __name__ == "__main__":
    main()
