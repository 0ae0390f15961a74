"""One side of a comparison, measured in a process of its own; `python -m benchmarks.side TOPIC` is Crucible's."""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.clock import Figure
from benchmarks.peers import QUIET
from benchmarks.topic import Scale, topic

ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = 3_600  # the soak alone takes ten minutes, and reads thirty million events afterwards


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a measuring process said.

    Args:
        figures: What it measured, as far as it came.
        failure: Why it stopped early, in a line; empty if it did not.
    """

    figures: tuple[Figure, ...]
    failure: str = ""


def ask(python: Path, module: str, arguments: Sequence[str] = (), *, seconds: float) -> Answer:
    """Run a measuring module in an interpreter and collect its figures.

    Args:
        python: The interpreter.
        module: The module.
        arguments: What to pass to it.
        seconds: Time to repeat each figure.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:  # a peer that is killed may still write
        command = [str(python), "-m", module, *arguments]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                cwd=ROOT,
                env=_settings(home, seconds),
                timeout=LIMIT_S,
            )
        except subprocess.TimeoutExpired:
            return Answer((), f"took longer than {LIMIT_S} s")
    figures = figures_in(done.stdout)
    if done.returncode == 0 and figures:
        return Answer(figures)
    said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return Answer(figures, said[-1][:300] if said else f"exit status {done.returncode}, no figures")


def figures_in(output: str) -> tuple[Figure, ...]:
    """Return the figures that a process printed; other lines are its own affair."""
    return tuple(Figure(**json.loads(line)) for line in output.splitlines() if line.startswith('{"name"'))


def _settings(home: str, seconds: float) -> dict[str, str]:
    """Return the environment of a measuring process: nothing of the user's that steers it, a home of its own."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("CRUCIBLE_", "PYTHON", "PREFECT_"))
    }
    return {**kept, **QUIET, "HOME": home, "BENCH_SECONDS": str(seconds)}


def main(name: str) -> None:
    """Print Crucible's figures of a topic, each as soon as it is known."""
    found = version("crucible-ml")
    for figure in topic(name).measure(Scale()):
        dataclasses.replace(figure, version=found).report()


if __name__ == "__main__":
    main(sys.argv[1])
