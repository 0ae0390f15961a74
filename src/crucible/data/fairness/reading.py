"""The items of an evaluation as members of groups: outcomes from its file of scores, groups from the dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec

from crucible.data.dataset import Dataset
from crucible.data.evaluating.items import read_record
from crucible.data.evaluating.line import Line
from crucible.data.fairness.measures import Subject
from crucible.data.fairness.settings import FairnessOptions
from crucible.data.items import Item
from crucible.data.records import NOT_JSON, parse_record
from crucible.errors import ContractError, DataError
from crucible.ir import did_you_mean
from crucible.stats.bench.scores import FailurePolicy, failed_repeats, outcomes_of, read_items
from crucible.stats.comparing.sides import values_of
from crucible.stats.wording import show_count

__all__ = ["Found", "field_of", "group_of", "read_subjects"]


class Found(msgspec.Struct, frozen=True):
    """What was read.

    Args:
        subjects: The items that belong to a group, in the file's order.
        scorer: Whose scores they have; None where none was asked for.
        cautions: What was left out, one sentence each.
    """

    subjects: tuple[Subject, ...]
    scorer: str | None
    cautions: tuple[str, ...]


def read_subjects(
    path: Path, dataset: Dataset, group_by: Sequence[str], metrics: Sequence[str], options: FairnessOptions
) -> Found:
    """Read an evaluation.

    Args:
        path: Its file of scores.
        dataset: The items that were asked.
        group_by: Fields that name the group.
        metrics: What will be compared: answers are read for binary metrics, scores for `score`.
        options: Where answers stand and what they mean.

    Raises:
        ContractError: There is no such scorer, or an item of the file is not in the dataset.
        DataError: No item has the fields.
        StatsError: An item failed under `abort`, or the file is empty.
        StoreError: The file cannot be read.
    """
    first, repeats = _first_lines(path)
    items = {item.id: item for item in dataset}
    if strange := [key for key in first if key not in items]:
        raise ContractError(f'item "{strange[0]}" of the evaluation is not in the dataset {dataset.name}')
    is_binary = any(name != "score" for name in metrics)
    scorer, scores, cautions = _scores(path, first, options) if "score" in metrics else (None, {}, [])
    subjects: list[Subject] = []
    for key, line in first.items():
        if (group := group_of(items[key], group_by)) is not None:
            answers = (_answer(line, items[key], place) for place in (options.prediction, options.truth))
            predicted, actual = (_side(answer, options) if is_binary else None for answer in answers)
            subjects.append(Subject(group, predicted, actual, scores.get(key)))
    if not subjects:
        raise DataError(_ungrouped(items.values(), group_by))
    if lost := len(first) - len(subjects):
        cautions.append(f"{lost} of {len(first)} items have no {' and '.join(group_by)} and were left out")
    if is_binary:
        cautions += _unread(subjects)
        if repeats:
            cautions.append(f"items were asked several times: the first answer counts, {repeats} others do not")
    return Found(tuple(subjects), scorer, tuple(cautions))


def _first_lines(path: Path) -> tuple[dict[str, Line], int]:
    """Return the first measurement of each item, and how many others there are."""
    first: dict[str, Line] = {}
    repeats = 0
    for line in read_record(path).lines():
        repeats += line.id in first
        first.setdefault(line.id, line)
    return first, repeats


def _ungrouped(items: Iterable[Item], group_by: Sequence[str]) -> str:
    """Return what to say where no item has the fields that name its group."""
    known = sorted({name for item in items for name in item.metadata})
    hint = did_you_mean(group_by[0], known)
    return f"no item has {' and '.join(group_by)}{hint}; their metadata has: {', '.join(known) or 'nothing'}"


def _unread(subjects: Sequence[Subject]) -> list[str]:
    """Return how many answers and right answers are neither positive nor negative."""
    counts = {
        "answer": sum(one.predicted is None for one in subjects),
        "right answer": sum(one.actual is None for one in subjects),
    }
    return [f"{n} of {len(subjects)} items have no {what} that can be read" for what, n in counts.items() if n]


def group_of(item: Item, fields: Sequence[str]) -> str | None:
    """Return the label of an item's group, such as `f`, or `f & de` for two fields; None where it lacks one.

    Args:
        item: The item.
        fields: Of its metadata, with or without `metadata.` in front, dots between nested ones.
    """
    values: list[str] = []
    for field in fields:
        value = field_of(item.metadata, field.removeprefix("metadata."))
        if value is None or isinstance(value, (dict, list)):
            return None
        values.append(str(value).lower() if isinstance(value, bool) else str(value))
    return " & ".join(values)


def field_of(values: object, path: str) -> Any:
    """Return a value by a dotted path; a key that has dots itself is found as well. Nothing there: `None`."""
    if not isinstance(values, Mapping):
        return None
    inside = cast("Mapping[str, Any]", values)
    if path in inside:
        return inside[path]
    head, dot, rest = path.partition(".")
    return field_of(inside.get(head), rest) if dot else None


def _scores(path: Path, first: Mapping[str, Line], options: FairnessOptions) -> tuple[str, dict[str, float], list[str]]:
    """Return the scorer, its scores by item, and what is to be said of those that failed."""
    known = list(next(iter(first.values())).scores) if first else []
    scorer = options.scorer or (known[0] if known else "")
    if scorer not in known:
        raise ContractError(f'the evaluation does not score "{scorer}"; it scores: {", ".join(known) or "nothing"}')
    items = read_items(path)
    policy = FailurePolicy(options.failures)
    outcomes = outcomes_of(items, scorer, path.stem, policy)
    scores = values_of(outcomes, policy, path.stem)
    cautions: list[str] = []
    if missing := len(outcomes) - len(scores):
        cautions.append(f"{missing} of {len(outcomes)} items have no {scorer}: they failed or were skipped")
    if lost := failed_repeats(items, scorer):
        cautions.append(f"{show_count(lost, 'repeat of an item', 'repeats of items')} failed ({options.failures})")
    return scorer, scores, cautions


def _answer(line: Line, item: Item, path: str) -> Any:
    """Return what stands at a path; None where nothing does."""
    head, _, rest = path.partition(".")
    value: Any = {"output": line.output, "expected": line.expected, "metadata": item.metadata}[head]
    if not rest or value is None:
        return value
    if isinstance(value, str):
        value = parse_record(value)
        if value is NOT_JSON:
            return None
    return field_of(value, rest)


def _side(answer: Any, options: FairnessOptions) -> bool | None:
    """Return whether an answer is the positive one; None where there is none, or it is neither."""
    if answer is None or isinstance(answer, (dict, list)) or options.positive is None:
        return None
    text = str(answer).strip().casefold()
    if text in {word.strip().casefold() for word in options.positive}:
        return True
    if options.negative is None or text in {word.strip().casefold() for word in options.negative}:
        return False
    return None
