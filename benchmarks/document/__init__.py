"""The same experiment of 50 stages, about 13 kB of JSON, for every reader; run with the peer's own interpreter.

The peers' types have just the fields that the document uses, with the same types, words and ranges, and refuse unknown
keys. Crucible's own types have more fields.
"""

import json
import platform
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from benchmarks.clock import budget, timed

STAGES = 50
DECODE = "decode and validate"
ENCODE = "encode"


def experiment(stages: int = STAGES) -> dict[str, Any]:
    """Return the document as plain data."""
    return {
        "schema_version": 1,
        "id": "bench_document",
        "description": "A document to read, not to run.",
        "owner": "benchmarks",
        "tags": ["bench", "ir"],
        "experiment_type": "evaluation",
        "backend": {"id": "local", "profile": "default", "options": {"threads": 1}},
        "dataset": {"name": "scifact", "provider": "crucible_datasets", "split": "test", "options": {"limit": 100}},
        "reliability": {"stats": {"tests": ["bootstrap", "mcnemar"], "alpha": 0.05, "bootstrap_iterations": 10000}},
        "outputs": [{"name": "summary", "formats": ["markdown", "json"], "sink": "file"}],
        "pipeline": [_stage(index, stages) for index in range(stages)],
    }


def _stage(index: int, stages: int) -> dict[str, Any]:
    ends = {stages - 2: "bench", stages - 1: "report"}
    return {
        "name": ends.get(index, "evaluate"),
        "id": f"stage_{index:02d}",
        "needs": [f"stage_{index - 1:02d}"] if index else [],
        "enabled": True,
        "timeout_s": 30.5,
        "retry": {"attempts": 3, "wait_initial_s": 0.5, "wait_max_s": 10.0, "errors": ["TimeoutError"]},
        "on_error": "halt",
        "options": {"split": "test", "seed": index},
    }


def text(stages: int = STAGES) -> str:
    """Return the document as JSON text."""
    return json.dumps(experiment(stages))


def wrong() -> str:
    """Return the document with a word where a number belongs, to see how a reader words the problem."""
    data = experiment()
    data["pipeline"][0]["retry"]["wait_max_s"] = "ten"
    return json.dumps(data)


def report(distribution: str, decode: Callable[[str], Any], encode: Callable[[Any], object], note: str = "") -> None:
    """See that a reader keeps the document and refuses a wrong one; time both ways; print the figures.

    Args:
        distribution: Package whose version is reported; empty: the standard library.
        decode: Reads JSON text into a typed value.
        encode: Writes the value as JSON text or bytes.
        note: What a reader must know to compare the figures.
    """
    source = text()
    value = decode(source)
    kept = json.loads(encode(value))  # type: ignore[arg-type]
    if kept != experiment():
        raise SystemExit(f"{distribution or 'json'}: the document came back changed")
    try:
        decode(wrong())
        said = "takes a word for a number"
    except Exception as error:  # noqa: BLE001  # every reader has an error of its own
        said = " ".join(str(error).split())[:120]
    found = version(distribution) if distribution else platform.python_version()
    timed(
        DECODE, "µs", lambda: decode(source), budget(), version=found, note=f"{note}{'; ' * bool(note)}{said}"
    ).report()
    timed(ENCODE, "µs", lambda: encode(value), budget(), version=found, note=note).report()
