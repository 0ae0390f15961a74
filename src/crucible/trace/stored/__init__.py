"""Chains in the run store: `TraceStore`, and chains and events as its rows. Needs the database libraries."""

from crucible.trace.stored.found import ChainFilter, ChainInfo, Found, Hit
from crucible.trace.stored.trace_store import TraceStore

__all__ = ["ChainFilter", "ChainInfo", "Found", "Hit", "TraceStore"]
