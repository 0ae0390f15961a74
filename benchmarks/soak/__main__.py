"""`python -m benchmarks.soak`: soak, and say what came of it."""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.soak import Plan, soak, told
from benchmarks.soak.process import emit_steadily


def main(argv: Sequence[str] | None = None) -> int:
    """Soak and say what came of it; return 0 if every event is there once, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak",
        description="Emit events at a steady rate into one SQLite store, and account for every one.",
    )
    parser.add_argument("--seconds", type=float, default=Plan.seconds, help="how long to emit (default: 600)")
    parser.add_argument("--rate", type=float, default=Plan.rate, help="events a second of all (default: 50000)")
    parser.add_argument("--processes", type=int, default=Plan.processes, help="processes (default: 2)")
    parser.add_argument("--threads", type=int, default=Plan.threads, help="threads of each process (default: 4)")
    parser.add_argument("--process", type=int, help=argparse.SUPPRESS)  # its own children
    parser.add_argument("--store", help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    plan = Plan(given.seconds, given.rate, given.processes, given.threads)
    if given.process is not None:
        print(json.dumps(emit_steadily(given.process, given.store, plan)), flush=True)
        return 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        soaked = soak(Path(folder), plan)
    print(told(plan, soaked))
    return int(not soaked.is_complete)


if __name__ == "__main__":
    sys.exit(main())
