"""An experiment of 50 stages, about 13 kB of JSON: read, checked, written, hashed."""

from collections.abc import Iterator

from benchmarks import document
from benchmarks.clock import Figure, timed
from benchmarks.peers import DOCUMENTS
from benchmarks.topic import Scale

BOTH = "`ir.from_json`, then `ir.validate`"
READ = "`ir.from_json` alone"
WRITE = "`ir.to_json`"

PEERS = DOCUMENTS
AGAINST = {document.DECODE: (BOTH, READ), document.ENCODE: (WRITE,)}
ROUNDS = None


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield Crucible's figures."""
    from crucible import ir

    text = document.text(scale.document_stages)
    experiment = ir.from_json(text, ir.Experiment)
    if not ir.is_valid(experiment):
        raise SystemExit(f"the document of the benchmark is not valid: {ir.errors(experiment)}")
    budget = scale.budget
    yield timed(BOTH, "µs", lambda: ir.validate(ir.from_json(text, ir.Experiment)), budget)
    yield timed(READ, "µs", lambda: ir.from_json(text, ir.Experiment), budget)
    yield timed("`ir.validate` alone", "µs", lambda: ir.validate(experiment), budget)
    yield timed(WRITE, "µs", lambda: ir.to_json(experiment), budget, note="every field, defaults too")
    yield timed("`ir.content_hash`", "µs", lambda: ir.content_hash(experiment), budget)
