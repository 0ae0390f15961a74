"""SkyRL tx on its JAX backend, driven through the Tinker SDK: two requests a step, submitted ahead and then waited for.

Its loss is the mean over sequences of each one's mean, so its last loss is not comparable; it compiles a program for
every new shape of a batch, which the first steps pay for. Memory is that of the server's processes.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from benchmarks.clock import RATE, Figure
from benchmarks.train import RATE_LR, SEED, Case, batches, side, source

START_S = 180.0


def mend() -> None:
    """Replace the one import that release 0.3.0 gets wrong on Python 3.11, in its own environment."""
    from importlib.util import find_spec

    spec = find_spec("skyrl")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        file = Path(place) / "tinker" / "types.py"
        text = file.read_text(encoding="utf-8")
        old = "from typing import Annotated, Any, Literal, TypedDict\n"
        if old in text:
            new = "from typing import Annotated, Any, Literal\nfrom typing_extensions import TypedDict\n"
            file.write_text(text.replace(old, new), encoding="utf-8")


@contextlib.contextmanager
def server(model: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run the server on a free port of the loopback; its processes are ended at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = model.parent
    log = home / "server.log"
    environment = Path(sys.executable).parent.parent
    uv = shutil.which("uv", path=str(environment / "bin")) or "uv"
    command = [
        uv, "run", "--active", "--no-project", "-m", "skyrl.tinker.api",
        "--base-model", str(model), "--backend", "jax",
        "--backend-config", '{"max_lora_adapters": 2, "max_lora_rank": 16}',
        "--host", "127.0.0.1", "--port", str(port),
        "--checkpoints-base", str(home / "checkpoints"), "--database-url", f"sqlite:///{home}/tinker.db",
    ]  # fmt: skip
    settings = {
        **os.environ, "VIRTUAL_ENV": str(environment), "JAX_PLATFORMS": "cpu", "HF_HUB_OFFLINE": "1", "UV_OFFLINE": "1"
    }  # fmt: skip
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, env=settings, stdout=file, stderr=subprocess.STDOUT, cwd=home, start_new_session=True
        )
    try:
        begun = time.monotonic()
        while "Starting background engine" not in log.read_text(encoding="utf-8", errors="replace"):
            if process.poll() is not None or time.monotonic() - begun > START_S:
                raise SystemExit(f"the server did not start: {log.read_text(errors='replace')[-300:]}")
            time.sleep(0.5)
        yield port, process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def peak_of(group: int) -> float:
    """Return the largest resident sizes of a process group's members, summed, in bytes."""
    found = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            if os.getpgid(int(status.parent.name)) == group:
                kept = re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="utf-8"))
                found += int(kept[1]) * 1024 if kept else 0
    return float(found)


def train(case: Case, folder: Path) -> None:
    """Train and report one case."""
    import tinker
    from tinker import types

    mend()
    with server(folder) as (port, process):
        service = tinker.ServiceClient(base_url=f"http://127.0.0.1:{port}", api_key="tml-benchmark")
        client = service.create_lora_training_client(base_model=str(folder), rank=case.rank, seed=SEED)
        params = types.AdamParams(learning_rate=RATE_LR)
        begun = batches(case)
        data = [
            [
                types.Datum(
                    model_input=types.ModelInput.from_ints(example.tokens[:-1]),
                    loss_fn_inputs={
                        "target_tokens": example.tokens[1:],
                        "weights": [0.0] * (example.prompt - 1) + [1.0] * (len(example.tokens) - example.prompt),
                    },
                )
                for example in batch
            ]
            for batch in begun
        ]
        for _ in range(2):  # the first pass compiles a program for every shape
            start = time.perf_counter_ns()
            waiting = []
            for batch in data:
                waiting += [client.forward_backward(batch, "cross_entropy"), client.optim_step(params)]
            for request in waiting:
                request.result()
            taken = time.perf_counter_ns() - start
        tokens = sum(len(example.tokens) - 1 for batch in begun for example in batch)
        rate = tokens / taken * 1e9
        peak = peak_of(process.pid) / 1e6
    note = "; ".join(filter(None, ["pipelined", source() if case.kind == "ragged" else ""]))
    found = f"{version('skyrl')} with tinker {version('tinker')}"
    Figure(case.rate, RATE, rate, rate, rate, len(data), found, note).report()
    Figure(case.peak, "MB", peak, peak, peak, 1, found, "server only").report()


if __name__ == "__main__":
    side("benchmarks.train.skyrl", train, sys.argv[1:])
