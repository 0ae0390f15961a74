"""Datasets, scoring of answers, evaluation: what is asked, what was answered, and how right it was.

Training and reporting stay out. Nothing here is made up behind a real name: data that is not there is a `DataError`.
"""

from crucible.data import cache
from crucible.data.batching import Batches, Packing, Padding, Prefetched, length_batches, pack, padding, prefetch
from crucible.data.checks import CheckRules, Issue, RowProblem, check_examples
from crucible.data.checks_checker import Checker, checker_names
from crucible.data.checks_stage import DataChecksStage
from crucible.data.dataset import Dataset, Fold, Provenance
from crucible.data.evallog import write_eval_log
from crucible.data.evaluating import EvalOptions, Limits, RecordedItems, read_record
from crucible.data.evaluation import EvalResult, ItemResult, aevaluate, evaluate
from crucible.data.formats import format_names
from crucible.data.items import Item
from crucible.data.known import KNOWN, Known
from crucible.data.leaderboard import Leaderboard, Standing, leaderboard
from crucible.data.load import dataset_names, load
from crucible.data.numbers import final_number
from crucible.data.options import DatasetOptions, Dialect, FieldMap
from crucible.data.order import batches, permutation
from crucible.data.overlap import input_key, overlap
from crucible.data.scorers import resolve_scorers, scorer_names
from crucible.data.scoring import (
    Normalisation,
    NumberFormat,
    Scorer,
    exact_match,
    field_f1,
    number_match,
    schema_compliance,
    score_bounds,
)
from crucible.data.stream import DataStream
from crucible.data.summary import Summary, summarise
from crucible.data.tickets import TICKET_SCHEMA, make_tickets, pretraining_texts
from crucible.data.transforms import transform_names
from crucible.errors import DataError

__all__ = [
    "KNOWN",
    "TICKET_SCHEMA",
    "Batches",
    "CheckRules",
    "Checker",
    "DataChecksStage",
    "DataError",
    "DataStream",
    "Dataset",
    "DatasetOptions",
    "Dialect",
    "EvalOptions",
    "EvalResult",
    "FieldMap",
    "Fold",
    "Issue",
    "Item",
    "ItemResult",
    "Known",
    "Leaderboard",
    "Limits",
    "Normalisation",
    "NumberFormat",
    "Packing",
    "Padding",
    "Prefetched",
    "Provenance",
    "RecordedItems",
    "RowProblem",
    "Scorer",
    "Standing",
    "Summary",
    "aevaluate",
    "batches",
    "cache",
    "check_examples",
    "checker_names",
    "dataset_names",
    "evaluate",
    "exact_match",
    "field_f1",
    "final_number",
    "format_names",
    "input_key",
    "leaderboard",
    "length_batches",
    "load",
    "make_tickets",
    "number_match",
    "overlap",
    "pack",
    "padding",
    "permutation",
    "prefetch",
    "pretraining_texts",
    "read_record",
    "resolve_scorers",
    "schema_compliance",
    "score_bounds",
    "scorer_names",
    "summarise",
    "transform_names",
    "write_eval_log",
]
