"""Live chains: an append-only file of JSON lines that a crash costs its last line at most."""

from crucible.trace.live.reader import LiveProblem, LiveRead, LiveReader, read_live
from crucible.trace.live.writer import LiveChain

__all__ = ["LiveChain", "LiveProblem", "LiveRead", "LiveReader", "read_live"]
