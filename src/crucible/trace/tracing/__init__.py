"""Chains out of running code: blocks and functions that tell when they begin, end or fail."""

from crucible.trace.tracing.block import Block
from crucible.trace.tracing.traced import Traced, enclosing, traced_stage, traced_training

__all__ = ["Block", "Traced", "enclosing", "traced_stage", "traced_training"]
