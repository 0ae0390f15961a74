"""Several chains as one: those of a distributed run, ordered by cause and effect."""

from crucible.trace.merging.merger import By, merge

__all__ = ["By", "merge"]
