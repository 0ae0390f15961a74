"""Scorers: plain functions from an item and a model's answer to `Scored`, `Failed` or `Skipped`.

A wrong answer is `Scored(0.0)`. `Skipped` means that the item has nothing to compare with, `Failed` that the item
itself is broken; neither is ever a zero.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, cast

import msgspec

from crucible.data.dataset import Dataset
from crucible.data.items import Item
from crucible.data.numbers import final_number
from crucible.data.records import NOT_JSON, leaves, parse_record
from crucible.data.schema import violation
from crucible.errors import DataError
from crucible.ir import Failed, Outcome, Scored, Skipped, did_you_mean

__all__ = [
    "Normalisation",
    "Scorer",
    "exact_match",
    "field_f1",
    "number_match",
    "resolve_scorers",
    "schema_compliance",
    "score_bounds",
    "scorer_names",
]

Scorer = Callable[[Item, str], Outcome]
"""Scores one answer. Whatever it raises becomes `Failed` for that item.

A function whose scores have a lowest and a highest value says so by an attribute: `mine.bounds = (0.0, 1.0)`.
"""

AnyScorer = TypeVar("AnyScorer", bound=Scorer)

_NO_ANSWER = Skipped("the item has no expected answer")


class Normalisation(msgspec.Struct, frozen=True):
    """What may differ between two texts that count as the same. Letters, digits, signs and punctuation always count.

    Args:
        strip: White space at both ends.
        collapse: How much white space stands between words.
        casefold: Upper and lower case.

    Texts are always compared in Unicode's composed form (NFC): an accented letter is the same, however it is encoded.
    """

    strip: bool = True
    collapse: bool = False
    casefold: bool = False

    def __call__(self, text: str) -> str:
        """Return the text without what does not count."""
        text = unicodedata.normalize("NFC", text)
        if self.casefold:
            text = unicodedata.normalize("NFC", text.casefold())
        if self.collapse:
            text = re.sub(r"\s+", " ", text)
        return text.strip() if self.strip else text


def _from_0_to_1(scorer: AnyScorer) -> AnyScorer:
    scorer.__dict__["bounds"] = (0.0, 1.0)
    return scorer


@_from_0_to_1
def exact_match(item: Item, output: str, *, normalise: Callable[[str], str] = Normalisation()) -> Outcome:  # noqa: B008  # a frozen value
    """Score 1.0 if the answer is the expected text, else 0.0.

    Args:
        item: Skipped without an expected answer.
        output: The model's answer.
        normalise: Applied to both texts; by default only white space at the ends does not count.
    """
    if item.expected is None:
        return _NO_ANSWER
    return Scored(float(normalise(output) == normalise(item.expected)))


@_from_0_to_1
def number_match(item: Item, output: str) -> Outcome:
    """Score 1.0 if the answer comes to the same number as the expected one, else 0.0; no number is 0.0.

    See `numbers.final_number` for how a number is found: `#### 1,000` matches `so it is $1000.`
    """
    if item.expected is None:
        return _NO_ANSWER
    wanted = final_number(item.expected)
    if wanted is None:
        return Failed("the expected answer has no number")
    return Scored(float(final_number(output) == wanted))


@_from_0_to_1
def field_f1(item: Item, output: str) -> Outcome:
    """Score how many fields of the expected JSON object the answer has right: F1 over (path, value), 0.0 to 1.0.

    Nested values count by their leaves, such as `address.city` or `tags[0]`; 1 and 1.0 are equal, 1 and true are not.
    An answer that is no JSON object scores 0.0. Two empty objects score 1.0.
    """
    if item.expected is None:
        return _NO_ANSWER
    wanted_leaves = leaves(parse_record(item.expected))
    if wanted_leaves is None:
        return Failed("the expected answer is no JSON object")
    given_leaves = leaves(parse_record(output))
    if given_leaves is None:
        return Scored(0.0)
    total = len(wanted_leaves) + len(given_leaves)
    return Scored(2 * len(wanted_leaves & given_leaves) / total if total else 1.0)


def schema_compliance(schema: dict[str, Any]) -> Scorer:
    """Return a scorer: 1.0 if the answer is JSON that fits the schema, else 0.0.

    The whole answer must be the JSON value; white space around it does not count, a code fence does.

    Args:
        schema: A JSON Schema.

    Raises:
        DataError: The schema is not sound.
        MissingExtra: jsonschema is not installed.
    """
    problem = violation(schema, what="answer_schema")

    @_from_0_to_1
    def scorer(item: Item, output: str) -> Outcome:  # noqa: ARG001  # the item does not matter
        value = parse_record(output)
        return Scored(float(value is not NOT_JSON and not problem(value)))

    scorer.__name__ = "schema_compliance"
    return scorer


def _schema_compliance_of(dataset: Dataset) -> Scorer:
    if dataset.answer_schema is None:
        raise DataError(
            f"schema_compliance needs to know the schema of the answers, and {dataset.name} has none: "
            "give the dataset the option answer_schema, or leave the scorer out"
        )
    return schema_compliance(dataset.answer_schema)


_SCORERS: Mapping[str, Scorer] = {"exact_match": exact_match, "field_f1": field_f1, "number_match": number_match}
_OF_DATASET: Mapping[str, Callable[[Dataset], Scorer]] = {"schema_compliance": _schema_compliance_of}


def score_bounds(scorer: Scorer) -> tuple[float, float] | None:
    """Return the lowest and the highest score that a scorer can give; None if it does not say."""
    return getattr(scorer, "bounds", None)


def scorer_names() -> tuple[str, ...]:
    """Return the names that `resolve_scorers` knows, sorted."""
    return tuple(sorted({*_SCORERS, *_OF_DATASET}))


def resolve_scorers(scorers: Iterable[str | Scorer] | Mapping[str, Scorer], dataset: Dataset) -> dict[str, Scorer]:
    """Return scorers by name.

    Args:
        scorers: Names, functions (which go by their own name), or functions by name.
        dataset: What they will score; `schema_compliance` takes the schema from it.

    Raises:
        DataError: A name is unknown or occurs twice, there is no scorer, or the dataset lacks what a scorer needs.
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
