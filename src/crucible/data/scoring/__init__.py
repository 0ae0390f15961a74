"""Scoring of answers: which answer is right, how much of it, and how sure of it a model may be.

Scorers are plain functions `(item, answer) -> Scored | Failed | Skipped`; figures of a whole corpus (`corpus_bleu`,
`ece`, `pass_rates`) are plain functions over columns. `crucible.data.scorers` knows the scorers by name.
"""

from crucible.data.final_answer import boxed
from crucible.data.numbers import NumberFormat, Quantity, read_quantity
from crucible.data.scoring.bleu import CorpusScore, bleu, chrf, corpus_bleu, corpus_chrf
from crucible.data.scoring.brier import Brier, brier
from crucible.data.scoring.calibration import Calibration, CalibrationBin, calibration_error, ece
from crucible.data.scoring.choice_match import choice_match, read_choice
from crucible.data.scoring.citations import (
    CitationAccuracy,
    CitationScore,
    CitationWords,
    citation_accuracy,
    citation_check,
    citation_match,
    citation_score,
    read_citations,
)
from crucible.data.scoring.code import (
    CodeResults,
    ProblemResult,
    code_passes,
    extract_code,
    pass_rates,
    test_program,
)
from crucible.data.scoring.entailment import Entailer, at_least, entailment, passes_all
from crucible.data.scoring.latex import normal_latex
from crucible.data.scoring.math_match import math_match, read_math
from crucible.data.scoring.number_match import number_match
from crucible.data.scoring.pass_at_k import pass_at_k
from crucible.data.scoring.record_match import field_f1, json_match, schema_compliance
from crucible.data.scoring.rouge import rouge, rouge1, rouge2, rouge_l
from crucible.data.scoring.scorer import Scorer, bounded, references_of, score_bounds
from crucible.data.scoring.similarity import Embedder, FakeCharacterNgramEmbedder, cosine, semantic_similarity
from crucible.data.scoring.text_match import Normalisation, exact_match
from crucible.data.scoring.token_f1 import squad_f1, squad_words, token_f1
from crucible.data.scoring.yes_no import boolean_match, read_boolean

__all__ = [
    "Brier",
    "Calibration",
    "CalibrationBin",
    "CitationAccuracy",
    "CitationScore",
    "CitationWords",
    "CodeResults",
    "CorpusScore",
    "Embedder",
    "Entailer",
    "FakeCharacterNgramEmbedder",
    "Normalisation",
    "NumberFormat",
    "ProblemResult",
    "Quantity",
    "Scorer",
    "at_least",
    "bleu",
    "boolean_match",
    "bounded",
    "boxed",
    "brier",
    "calibration_error",
    "choice_match",
    "chrf",
    "citation_accuracy",
    "citation_check",
    "citation_match",
    "citation_score",
    "code_passes",
    "corpus_bleu",
    "corpus_chrf",
    "cosine",
    "ece",
    "entailment",
    "exact_match",
    "extract_code",
    "field_f1",
    "json_match",
    "math_match",
    "normal_latex",
    "number_match",
    "pass_at_k",
    "pass_rates",
    "passes_all",
    "read_boolean",
    "read_choice",
    "read_citations",
    "read_math",
    "read_quantity",
    "references_of",
    "rouge",
    "rouge1",
    "rouge2",
    "rouge_l",
    "schema_compliance",
    "score_bounds",
    "semantic_similarity",
    "squad_f1",
    "squad_words",
    "test_program",
    "token_f1",
]
