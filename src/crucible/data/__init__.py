"""Datasets, scoring of answers, evaluation: what is asked, what was answered, and how right it was.

Training and reporting stay out. Nothing here is made up behind a real name: data that is not there is a `DataError`.
"""

from crucible.data.checks import CheckRules, Issue, RowProblem, check_examples
from crucible.data.checks_checker import Checker, checker_names
from crucible.data.checks_stage import DataChecksStage
from crucible.data.dataset import Dataset, Provenance
from crucible.data.evaluation import EvalResult, ItemResult, aevaluate, evaluate
from crucible.data.items import Item
from crucible.data.load import dataset_names, load
from crucible.data.numbers import final_number
from crucible.data.options import DatasetOptions, FieldMap
from crucible.data.order import batches, permutation
from crucible.data.overlap import input_key, overlap
from crucible.data.scorers import (
    Normalisation,
    Scorer,
    exact_match,
    field_f1,
    number_match,
    resolve_scorers,
    schema_compliance,
    score_bounds,
    scorer_names,
)
from crucible.data.summary import Summary, summarise
from crucible.data.tickets import TICKET_SCHEMA, make_tickets, pretraining_texts
from crucible.errors import DataError

__all__ = [
    "TICKET_SCHEMA",
    "CheckRules",
    "Checker",
    "DataChecksStage",
    "DataError",
    "Dataset",
    "DatasetOptions",
    "EvalResult",
    "FieldMap",
    "Issue",
    "Item",
    "ItemResult",
    "Normalisation",
    "Provenance",
    "RowProblem",
    "Scorer",
    "Summary",
    "aevaluate",
    "batches",
    "check_examples",
    "checker_names",
    "dataset_names",
    "evaluate",
    "exact_match",
    "field_f1",
    "final_number",
    "input_key",
    "load",
    "make_tickets",
    "number_match",
    "overlap",
    "permutation",
    "pretraining_texts",
    "resolve_scorers",
    "schema_compliance",
    "score_bounds",
    "scorer_names",
    "summarise",
]
