"""Asking chains: text and regular expressions, conditions over every field, and groups.

A query is plain data, checked when it is read, and gives the same answer on a chain in memory and in the store;
`pushdown` (not imported here, for it needs SQLAlchemy) says what of it a database can answer.
"""

from crucible.trace.queries.aggregation import aggregate_by, count, mean_confidence
from crucible.trace.queries.condition import Condition
from crucible.trace.queries.searching import FilterFields, Filters, query, search, search_regex
from crucible.trace.queries.steps import Check, Gate

__all__ = [
    "Check",
    "Condition",
    "FilterFields",
    "Filters",
    "Gate",
    "aggregate_by",
    "count",
    "mean_confidence",
    "query",
    "search",
    "search_regex",
]
