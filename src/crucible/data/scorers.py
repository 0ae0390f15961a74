"""Scorers by name: what `evaluate` and a document's `scorers` may say. The scorers themselves are in `scoring`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal, cast

from crucible.data.argument import chirality, claim_consistency, valid_citations
from crucible.data.dataset import Dataset
from crucible.data.judges import embedder, entailer, missing_judge
from crucible.data.sandbox import Sandbox
from crucible.data.scoring.bleu import bleu, chrf
from crucible.data.scoring.choice_match import choice_match
from crucible.data.scoring.citations import citation_check, citation_match
from crucible.data.scoring.code import code_passes
from crucible.data.scoring.entailment import at_least, entailment, passes_all
from crucible.data.scoring.math_match import math_match
from crucible.data.scoring.number_match import number_match
from crucible.data.scoring.record_match import field_f1, json_match, schema_compliance
from crucible.data.scoring.rouge import rouge1, rouge2, rouge_l
from crucible.data.scoring.scorer import Scorer, score_bounds
from crucible.data.scoring.similarity import semantic_similarity
from crucible.data.scoring.text_match import exact_match
from crucible.data.scoring.token_f1 import token_f1
from crucible.data.scoring.yes_no import boolean_match
from crucible.errors import DataError, require
from crucible.ir import did_you_mean

__all__ = ["Scorer", "resolve_scorers", "score_bounds", "scorer_names", "scorer_problem"]

ENTAILS: Final = 0.75
IS_SIMILAR: Final = 0.70
"""From which score on an answer passes as entailed, and as similar, for the scorers whose name ends in `_pass`."""


def _schema_compliance_of(dataset: Dataset) -> Scorer:
    if dataset.answer_schema is None:
        raise DataError(
            f"schema_compliance needs to know the schema of the answers, and {dataset.name} has none: "
            "give the dataset the option answer_schema, or leave the scorer out"
        )
    return schema_compliance(dataset.answer_schema)


def _code_passes_of(dataset: Dataset) -> Scorer:
    del dataset
    Sandbox().check()
    return code_passes


def _overall_pass_of(dataset: Dataset) -> Scorer:
    del dataset
    return passes_all([(entailment(entailer()), ENTAILS), (semantic_similarity(embedder()), IS_SIMILAR)])


def _needing(module: str, scorer: Scorer) -> Callable[[Dataset], Scorer]:
    """Return what gives out a scorer where its package is installed: its absence is found before any question."""

    def checked(dataset: Dataset) -> Scorer:
        del dataset
        require(module, extra="data", feature=scorer.__name__)
        return scorer

    return checked


_SCORERS: Mapping[str, Scorer] = {
    "boolean_match": boolean_match,
    "chirality": chirality,
    "choice_match": choice_match,
    "citation_accuracy": citation_check(),
    "citation_f1": citation_match("f1"),
    "citation_precision": citation_match("precision"),
    "citation_recall": citation_match("recall"),
    "claim_consistency": claim_consistency,
    "exact_match": exact_match,
    "field_f1": field_f1,
    "json_match": json_match,
    "math_match": math_match,
    "number_match": number_match,
    "token_f1": token_f1,
    "valid_citations": valid_citations,
}
_OF_DATASET: Mapping[str, Callable[[Dataset], Scorer]] = {
    "bleu": _needing("sacrebleu", bleu),
    "chrf": _needing("sacrebleu", chrf),
    "code_passes": _code_passes_of,
    "entailment": lambda _: entailment(entailer()),
    "entailment_pass": lambda _: at_least(entailment(entailer()), ENTAILS, name="entailment_pass"),
    "overall_pass": _overall_pass_of,
    "rouge1": _needing("rouge_score", rouge1),
    "rouge2": _needing("rouge_score", rouge2),
    "rouge_l": _needing("rouge_score", rouge_l),
    "schema_compliance": _schema_compliance_of,
    "semantic_similarity": lambda _: semantic_similarity(embedder()),
    "similarity_pass": lambda _: at_least(semantic_similarity(embedder()), IS_SIMILAR, name="similarity_pass"),
}
_JUDGES: Mapping[str, tuple[Literal["entailment", "similarity"], ...]] = {
    "entailment": ("entailment",),
    "entailment_pass": ("entailment",),
    "overall_pass": ("entailment", "similarity"),
    "semantic_similarity": ("similarity",),
    "similarity_pass": ("similarity",),
}
"""Scorers that ask judges, with which."""


def scorer_names() -> tuple[str, ...]:
    """Return the names that `resolve_scorers` knows, sorted."""
    return tuple(sorted({*_SCORERS, *_OF_DATASET}))


def scorer_problem(name: str) -> str | None:
    """Return why a scorer could not be used, and what to do; None where nothing is known to be amiss.

    A name that is unknown, or whose judge is nowhere. What only the dataset can tell is left to `resolve_scorers`.
    """
    known = scorer_names()
    if name not in known:
        return f'unknown scorer "{name}"; known: {", ".join(known)}{did_you_mean(name, known)}'
    problems = (missing_judge(kind) for kind in _JUDGES.get(name, ()))
    found = next((problem for problem in problems if problem is not None), None)
    return None if found is None else f'"{name}" {found}' if found.startswith("needs") else found


def resolve_scorers(scorers: Iterable[str | Scorer] | Mapping[str, Scorer], dataset: Dataset) -> dict[str, Scorer]:
    """Return scorers by name.

    Args:
        scorers: Names, functions (which go by their own name), or functions by name.
        dataset: What they will score; `schema_compliance` takes the schema from it.

    Raises:
        DataError: A name is unknown or occurs twice, there is no scorer, or the dataset lacks what a scorer needs, or
            this machine does (`code_passes`).
        MissingExtra: A scorer needs a package that is not installed.
    """
    if isinstance(scorers, str):
        raise DataError(f'scorers is a list of names, got the text "{scorers}"; write ["{scorers}"]')
    pairs: list[tuple[str, str | Scorer]]
    if isinstance(scorers, Mapping):
        pairs = list(cast("Mapping[str, Scorer]", scorers).items())
    else:
        pairs = [(scorer if isinstance(scorer, str) else _own_name(scorer), scorer) for scorer in scorers]
    if not pairs:
        raise DataError(f"there is no scorer; known: {', '.join(scorer_names())}")
    found: dict[str, Scorer] = {}
    for name, scorer in pairs:
        if name in found:
            raise DataError(f'two scorers are called "{name}"; give them as a mapping from name to function')
        found[name] = _by_name(scorer, dataset) if isinstance(scorer, str) else scorer
    return found


def _by_name(name: str, dataset: Dataset) -> Scorer:
    if name in _OF_DATASET:
        return _OF_DATASET[name](dataset)
    if name not in _SCORERS:
        known = scorer_names()
        raise DataError(f'unknown scorer "{name}"; known: {", ".join(known)}{did_you_mean(name, known)}')
    return _SCORERS[name]


def _own_name(scorer: Scorer) -> str:
    name = getattr(scorer, "__name__", None)
    if not isinstance(name, str):
        raise DataError(f"the scorer {scorer!r} has no name; give scorers as a mapping from name to function")
    return name
