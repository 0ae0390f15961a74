"""The whole of a soak: its processes are run, then every event is accounted for."""

import json
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.scalars import size_of
from benchmarks.side import ROOT
from benchmarks.soak.accounting import accounted
from benchmarks.soak.durations import percentile_ns
from benchmarks.soak.plan import Plan, Soaked, SoakError


def soak(folder: Path, plan: Plan) -> Soaked:
    """Emit, wait for everything, and account for every event.

    Args:
        folder: Where the store is made.
        plan: What to emit.

    Raises:
        SoakError: A process failed.
    """
    store = folder / "store"
    said = emitted(store, plan)
    begun = time.perf_counter()
    found, missing, doubled = accounted(store, said)
    reading_s = time.perf_counter() - begun
    first, last = min(each["begun_ns"] for each in said), max(each["ended_ns"] for each in said)
    durable = max(each["durable_ns"] for each in said)
    durations = [told for each in said for told in each["durations"]]
    return Soaked(
        emitted=sum(sum(each["sent"]) for each in said),
        found=found,
        missing=missing,
        doubled=doubled,
        dropped=sum(each["dropped"] for each in said),
        emitting_s=(last - first) / 1e9,
        durable_s=(durable - first) / 1e9,
        p50_us=percentile_ns(durations, 0.5) / 1e3,
        p99_us=percentile_ns(durations, 0.99) / 1e3,
        worst_ms=max(told["worst_ns"] for told in durations) / 1e6,
        rss_mb=tuple(max((each["rss_mb"] for each in said), key=max)),
        file_bytes=size_of(store),
        reading_s=reading_s,
    )


def emitted(store: Path, plan: Plan) -> list[dict[str, Any]]:
    """Run the processes and return what each said."""
    with tempfile.TemporaryDirectory() as words:
        children: list[subprocess.Popen[str]] = []
        try:
            for index in range(plan.processes):
                command = [sys.executable, "-m", "benchmarks.soak", "--process", str(index), "--store", str(store)]
                command += ["--seconds", str(plan.seconds), "--threads", str(plan.threads)]
                command += ["--rate", str(plan.rate / plan.processes)]
                with (Path(words) / str(index)).open("w") as errors:
                    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": errors}
                    children.append(subprocess.Popen(command, cwd=ROOT, text=True, **pipes))
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
        for index, child in enumerate(children):
            if child.returncode:
                raise SoakError(f"process {index} ended with status {child.returncode}: {_last_words(Path(words))}")
    return [json.loads(line) for line in said]


def _last_words(folder: Path) -> str:
    lines = [path.read_text(encoding="utf-8").strip().splitlines()[-1:] for path in sorted(folder.iterdir())]
    return "; ".join(line for each in lines for line in each) or "nothing was said"


def told(plan: Plan, soaked: Soaked) -> str:
    """Return the result in words."""
    rss = soaked.rss_mb
    shown = [rss[index * (len(rss) - 1) // 10] for index in range(11)] if len(rss) > 11 else rss
    verdict = "every event is there, once" if soaked.is_complete else "NOT every event is there, once"
    return "\n".join(
        [
            f"{plan.seconds:g} s at {plan.rate:,.0f} events/s, {plan.processes} processes of {plan.threads} threads",
            f"emitted {soaked.emitted:,}, found {soaked.found:,}: {verdict}",
            f"missing {soaked.missing:,}, doubled {soaked.doubled:,}, dropped {soaked.dropped:,}",
            f"durable {soaked.rate:,.0f} events/s; the last emitted after {soaked.emitting_s:.1f} s,"
            f" durable after {soaked.durable_s:.1f} s",
            f"caller p50 {soaked.p50_us:.1f} µs, p99 {soaked.p99_us:.1f} µs, worst {soaked.worst_ms:.1f} ms",
            f"memory of the larger process over time, MB: {', '.join(f'{value:.0f}' for value in shown)}",
            f"store {soaked.file_bytes / 1e6:,.0f} MB, {soaked.file_bytes / max(1, soaked.found):.0f} B an event",
            f"read and compared in {soaked.reading_s:.1f} s",
        ]
    )
