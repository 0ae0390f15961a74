"""Citations: which sources an answer names, how many of them are right, and which it made up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal, cast, get_args

import msgspec

from crucible.data.items import Item
from crucible.data.records import parse_record
from crucible.data.scoring.scorer import Scorer, bounded
from crucible.data.summary import Summary, summarise
from crucible.errors import DataError
from crucible.ir import Failed, Outcome, Scored, Skipped, did_you_mean

__all__ = [
    "CitationAccuracy",
    "CitationFormat",
    "CitationScore",
    "CitationWords",
    "citation_accuracy",
    "citation_check",
    "citation_match",
    "citation_score",
    "read_citations",
]

CitationFormat = Literal["brackets", "parentheses", "json"]
Part = Literal["precision", "recall", "f1"]

_GROUP = {
    "brackets": re.compile(r"\[([^\[\]\n]{1,300})\](?!\()"),  # [text](address) is a link
    "parentheses": re.compile(r"\(([^()\n]{1,300})\)"),
}
_ID = {
    "brackets": re.compile(r"(?=[^\s,;]*\d)[\w.:#/-]+"),
    "parentheses": re.compile(r"(?=[^\s,;]*\d)(?=[^\s,;]*[^\W\d])[\w.:#/-]+"),  # (2020) is a year
}
_RANGE = re.compile(r"(\d{1,4})\s*[-–]\s*(\d{1,4})")
_LONGEST_RANGE = 50


class CitationWords(msgspec.Struct, frozen=True):
    """Where citations stand.

    Args:
        form: In the answer: `brackets` [1], [1, 3], [2-4], [doc-3]; `parentheses` (doc-3), (doc-3; doc-5); `json` a
            list of ids that is the whole answer, or the list `citations` of a JSON object.
        expected: Field of the item's metadata that lists the ids to cite.
        known: Field that lists the ids that the model was shown; what is cited beside them is made up. Where the
            item has no such field, nothing is called made up.
    """

    form: CitationFormat = "brackets"
    expected: str = "citations"
    known: str = "sources"

    def __post_init__(self) -> None:
        forms = get_args(CitationFormat)
        if self.form not in forms:
            raise DataError(
                f'unknown form of citations "{self.form}"; known: {", ".join(forms)}{did_you_mean(self.form, forms)}'
            )


_DEFAULT = CitationWords()


class CitationScore(msgspec.Struct, frozen=True):
    """How an answer's citations fare.

    Args:
        precision: Share of the cited ids that are expected; of none, 1.0 if none is expected, else 0.0.
        recall: Share of the expected ids that are cited; where none is expected, 1.0 if none is cited, else 0.0.
        f1: Their harmonic mean.
        cited: Distinct ids cited.
        expected: Distinct ids to cite.
        right: Ids that are both.
        invented: Cited ids that the model was never shown, sorted.
    """

    precision: float
    recall: float
    f1: float
    cited: int
    expected: int
    right: int
    invented: tuple[str, ...]


def read_citations(text: str, form: CitationFormat = "brackets") -> tuple[str, ...]:
    """Return the ids that an answer cites, each once, in order.

    An id holds a digit, so that `[sic]` is none; in parentheses a letter too, so that `(2020)` is none.

    Args:
        text: The answer.
        form: How it cites; see `CitationWords`.
    """
    if form == "json":
        return tuple(dict.fromkeys(_of_json(parse_record(text))))
    found: dict[str, None] = {}
    for group in _GROUP[form].findall(text):
        for part in re.split(r"[,;]", group):
            span = _RANGE.fullmatch(part.strip())
            if span and 0 < int(span[2]) - int(span[1]) <= _LONGEST_RANGE:
                found.update(dict.fromkeys(map(str, range(int(span[1]), int(span[2]) + 1))))
            elif _ID[form].fullmatch(part.strip().lstrip("^")):
                found[part.strip().lstrip("^")] = None
    return tuple(found)


def _of_json(value: Any) -> list[str]:
    if isinstance(value, dict):
        value = cast("dict[str, Any]", value).get("citations")
    if not isinstance(value, list):
        return []
    return [
        str(each) for each in cast("list[Any]", value) if isinstance(each, (str, int)) and not isinstance(each, bool)
    ]


def citation_score(cited: Iterable[str], expected: Iterable[str], known: Iterable[str] | None = None) -> CitationScore:
    """Return how well cited ids match the expected ones; order and repetition do not count.

    Args:
        cited: Ids that the answer cites.
        expected: Ids that it should cite.
        known: Ids that the model was shown; None: not known.
    """
    given, wanted = set(cited), set(expected)
    right = len(given & wanted)
    both_empty = float(not given and not wanted)
    return CitationScore(
        precision=right / len(given) if given else both_empty,
        recall=right / len(wanted) if wanted else both_empty,
        f1=2 * right / (len(given) + len(wanted)) if given or wanted else 1.0,
        cited=len(given),
        expected=len(wanted),
        right=right,
        invented=() if known is None else tuple(sorted(given - set(known))),
    )


def citation_match(part: Part = "f1", words: CitationWords = _DEFAULT) -> Scorer:
    """Return a scorer of citations, 0.0 to 1.0.

    Args:
        part: `precision`, `recall` or `f1`.
        words: How the answer cites, and where the item says which ids are right. An item without that is skipped.

    Raises:
        DataError: The part is unknown.
    """
    if part not in get_args(Part):
        raise DataError(f'unknown part "{part}" of a citation score; known: {", ".join(get_args(Part))}')

    @bounded(0.0, 1.0)
    def scorer(item: Item, output: str) -> Outcome:
        if words.expected not in item.metadata:
            return Skipped(f"the item does not say which citations are right ({words.expected})")
        try:
            return Scored(getattr(_scored(item, output, words), part))
        except DataError as error:
            return Failed(str(error))

    scorer.__name__ = f"citation_{part}"
    return scorer


def citation_check(words: CitationWords = _DEFAULT) -> Scorer:
    """Return a scorer: 1.0 where an answer cites something and every source that it cites is right, else 0.0.

    Right are the ids that the item expects; where it does not say which, those that the model was shown. Where it
    expects none, an answer that cites nothing is right. This is the accuracy over whole answers; `citation_match`
    grades parts of them.

    Args:
        words: How the answer cites, and where the item says which ids are right. An item that says neither is skipped.
    """

    @bounded(0.0, 1.0)
    def scorer(item: Item, output: str) -> Outcome:
        field = next((name for name in (words.expected, words.known) if name in item.metadata), None)
        if field is None:
            return Skipped(f"the item does not say which citations are right ({words.expected} or {words.known})")
        try:
            right = set(_ids(item, field))
        except DataError as error:
            return Failed(str(error))
        cited = set(read_citations(output, words.form))
        return Scored(float(cited <= right and (bool(cited) or not right)))

    scorer.__name__ = "citation_accuracy"
    return scorer


def _scored(item: Item, output: str, words: CitationWords) -> CitationScore:
    known = _ids(item, words.known) if words.known in item.metadata else None
    return citation_score(read_citations(output, words.form), _ids(item, words.expected), known)


def _ids(item: Item, field: str) -> list[str]:
    given = item.metadata[field]
    if not isinstance(given, (list, tuple)):
        raise DataError(f'item "{item.id}": "{field}" is a list of ids, got {given!r:.80}')
    return [str(each) for each in cast("Sequence[Any]", given)]


class CitationAccuracy(msgspec.Struct, frozen=True):
    """The citations of many answers.

    Args:
        precision: Mean over answers, with counts and interval.
        recall: Likewise.
        f1: Likewise.
        cited: Citations of all answers.
        expected: Citations that all answers should have.
        right: Those that are both.
        invented: Citations of sources that the model was never shown.
        with_invented: Share of answers with at least one, with counts and interval.
    """

    precision: Summary
    recall: Summary
    f1: Summary
    cited: int
    expected: int
    right: int
    invented: int
    with_invented: Summary


def citation_accuracy(
    items: Sequence[Item], outputs: Sequence[str], *, words: CitationWords = _DEFAULT, level: float = 0.95
) -> CitationAccuracy:
    """Return how right the citations of many answers are.

    Args:
        items: The items; each says in its metadata which ids are right.
        outputs: One answer an item, in the same order.
        words: How the answers cite; see `CitationWords`.
        level: Coverage of the intervals.

    Raises:
        DataError: The lengths differ, there is no item, or an item does not say which ids are right.
        MissingExtra: scipy is not installed.
    """
    if not items or len(items) != len(outputs):
        raise DataError(f"citations need one answer an item; got {len(items)} items, {len(outputs)} answers")
    for item in items:
        if words.expected not in item.metadata:
            raise DataError(f'item "{item.id}" does not say which citations are right: it has no "{words.expected}"')
    scores = [_scored(item, output, words) for item, output in zip(items, outputs, strict=True)]
    precision, recall, f1, with_invented = (
        summarise([Scored(value) for value in values], level=level, bounds=(0.0, 1.0))
        for values in zip(*((s.precision, s.recall, s.f1, float(bool(s.invented))) for s in scores), strict=True)
    )
    return CitationAccuracy(
        precision=precision,
        recall=recall,
        f1=f1,
        cited=sum(score.cited for score in scores),
        expected=sum(score.expected for score in scores),
        right=sum(score.right for score in scores),
        invented=sum(len(score.invented) for score in scores),
        with_invented=with_invented,
    )
