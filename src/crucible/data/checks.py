"""Checks of examples before anything is spent on them: fields that are missing, values that must be unique.

A value is missing if it is None or text without a visible character; 0, false and an empty list are values.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, cast

import msgspec

from crucible.data.checks_examples import EXAMPLES, Examples, row_id
from crucible.data.dataset import Dataset
from crucible.data.overlap import input_key

__all__ = ["CheckRules", "Issue", "IssueKind", "RowProblem", "Tally", "check_examples", "find_issues"]

# Letters and marks without a shape: fillers of Hangul and Khmer, the blank of Braille, joiners, variation selectors.
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0" + "".join(map(chr, range(0xFE00, 0xFE10))))

IssueKind = Literal["missing", "not_a_mapping", "duplicate", "too_few", "checker"]


class CheckRules(msgspec.Struct, frozen=True):
    """What is asked of examples.

    Args:
        required_fields: Fields in which every example has a value.
        allow_blank: Text of white space alone is a value; otherwise it is missing.
        unique_fields: Fields whose values occur once in a source. Ids are compared exactly; other text without case
            and white space, as for the overlap of training and test.
        min_examples: Fewest examples of a source.
    """

    required_fields: tuple[str, ...] = ("input", "output")
    allow_blank: bool = False
    unique_fields: tuple[str, ...] = ()
    min_examples: int = 0


class RowProblem(msgspec.Struct, frozen=True):
    """What a checker has against an example.

    Args:
        index: Place of the example in its source, from 0; None: the source as a whole.
        problem: In words, for people; it is stored, so it should not quote what must stay private.
        fields: The fields concerned.
    """

    index: int | None
    problem: str
    fields: tuple[str, ...] = ()


class Issue(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with an example.

    Args:
        source: `examples`, or the dataset's name in the run, such as `train`.
        index: Place of the example in its source, from 0; None: the source as a whole.
        id: The example's id; None where it has none.
        kind: `missing`, `not_a_mapping`, `duplicate`, `too_few` or `checker`.
        problem: In words.
        fields: The fields concerned, in the order in which they are required.
    """

    source: str
    index: int | None
    id: str | None
    kind: IssueKind
    problem: str
    fields: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """Place and id in words, such as `train[3] (id "a")`."""
        place = self.source if self.index is None else f"{self.source}[{self.index}]"
        return place if self.id is None else f'{place} (id "{self.id}")'

    def to_dict(self) -> dict[str, Any]:
        """Return the issue as JSON values; `missing` lists the fields that are, and is empty for other kinds."""
        missing = list(self.fields) if self.kind == "missing" else []
        return {**msgspec.structs.asdict(self), "fields": list(self.fields), "missing": missing}


class Tally:
    """Counts issues, and keeps the first of them.

    Args:
        keep: Most issues to keep; the others are counted only.
    """

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self.kept: list[Issue] = []
        self.total = 0
        self.by_kind: Counter[str] = Counter()
        self.by_field: Counter[str] = Counter()

    def add(self, issue: Issue) -> None:
        """Count one more."""
        self.total += 1
        self.by_kind[issue.kind] += 1
        self.by_field.update(issue.fields)
        if len(self.kept) < self._keep:
            self.kept.append(issue)


def check_examples(
    examples: Dataset | Sequence[Any],
    rules: CheckRules = CheckRules(),  # noqa: B008  # a frozen value
    problems: Sequence[RowProblem] = (),
) -> list[Issue]:
    """Return what is wrong with a dataset, or with a list of mappings, in the order of the examples.

    Args:
        examples: What is checked; the `output` of a dataset's item is its expected answer.
        rules: What is asked of it.
        problems: What a checker found, in any order.
    """
    if isinstance(examples, Dataset):
        return list(find_issues(Examples(examples.split, examples.items, examples), rules, problems))
    return list(find_issues(Examples(EXAMPLES, examples), rules, problems))


def find_issues(examples: Examples, rules: CheckRules, problems: Sequence[RowProblem] = ()) -> Iterator[Issue]:
    """Return the issues of one source in the order of its examples; those of the source as a whole come last.

    Args:
        examples: What is checked.
        rules: What is asked of it.
        problems: What a checker found, in any order.
    """
    by_index: dict[int | None, list[RowProblem]] = {}
    for each in problems:
        by_index.setdefault(each.index, []).append(each)
    source = examples.source
    seen: dict[str, dict[bytes, int]] = {field: {} for field in rules.unique_fields}
    for index, row in enumerate(examples.rows()):
        own = row_id(row)
        for kind, problem, fields in _of_row(index, row, rules, seen):
            yield Issue(source=source, index=index, id=own, kind=kind, problem=problem, fields=fields)
        for each in by_index.get(index, ()):
            yield Issue(source=source, index=index, id=own, kind="checker", problem=each.problem, fields=each.fields)
    count = len(examples.values)
    if count < rules.min_examples:
        problem = f"{count} examples, at least {rules.min_examples} are asked for"
        yield Issue(source=source, index=None, id=None, kind="too_few", problem=problem)
    for each in by_index.get(None, ()):
        yield Issue(source=source, index=None, id=None, kind="checker", problem=each.problem, fields=each.fields)


def _of_row(
    index: int, row: object, rules: CheckRules, seen: Mapping[str, dict[bytes, int]]
) -> Iterator[tuple[IssueKind, str, tuple[str, ...]]]:
    if not isinstance(row, Mapping):
        yield "not_a_mapping", f"an example is a mapping from field to value, this is a {type(row).__name__}", ()
        return
    fields = cast("Mapping[str, Any]", row)
    missing = tuple(name for name in rules.required_fields if _is_missing(fields.get(name), rules.allow_blank))
    if missing:
        yield "missing", f"no value in {', '.join(missing)}", missing
    for name, places in seen.items():
        value = fields.get(name)
        if not _is_missing(value, rules.allow_blank):
            first = places.setdefault(_key(name, value), index)
            if first != index:
                yield "duplicate", f"{name} is that of example {first} too", (name,)


def _is_missing(value: object, allow_blank: bool) -> bool:
    return value is None or (isinstance(value, str) and not (value if allow_blank else any(map(_is_visible, value))))


def _is_visible(character: str) -> bool:
    """Return whether a reader sees anything: no white space, no control and format characters, no fillers."""
    return not (character.isspace() or character in _UNSEEN or unicodedata.category(character) in ("Cc", "Cf"))


def _key(field: str, value: object) -> bytes:
    """Return a digest, so that a long text is not kept twice."""
    plain = input_key(value) if isinstance(value, str) and field != "id" else value
    try:
        text = msgspec.json.encode(plain, order="deterministic")
    except (TypeError, ValueError, OverflowError):
        text = repr(plain).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16).digest()
