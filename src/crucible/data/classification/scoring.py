"""Counting classes: from pairs of expected and answered class to precision, recall and F1 with their intervals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

import msgspec

from crucible.data.classification.labels import label_problem, read_label
from crucible.data.classification.result import Classification, ClassScores, Scores
from crucible.data.items import Item
from crucible.data.records import parse_record
from crucible.errors import DataError, require
from crucible.ir import Interval
from crucible.stats import wilson

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["classify", "classify_answers", "expected_classes"]

RESAMPLES = 2000
_MOST = 200  # classes; more are no classes, but answers in words
_TOGETHER = 2**22  # counts of resamples that are in memory at a time
_NONE = ""


def classify_answers(
    items: Iterable[Item],
    outputs: Iterable[str | None],
    *,
    labels: Sequence[str] | None = None,
    field: str | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Classification:
    """Return how well answers tell the classes of their items.

    Args:
        items: With expected answers; those without one are skipped.
        outputs: One answer an item, in the same order; None where there is none: skipped too.
        labels: The classes; None: those that the expected answers are.
        field: The field of a JSON answer that holds the class; None: the answer is text that says it.
        level: Coverage of the intervals.
        seed: Of the resamples.

    Raises:
        DataError: No item has a class and an answer, or the classes are amiss, as `expected_classes` says it.
        MissingExtra: numpy or scipy is not installed.
    """
    asked = [(item, output) for item, output in zip(items, outputs, strict=True)]
    usable = [(item, output) for item, output in asked if item.expected is not None and output is not None]
    expected, known = expected_classes((item for item, _ in usable), labels=labels, field=field)
    given = [_said(output, known, field) for _, output in usable]
    pairs = list(zip(expected, given, strict=True))
    return classify(pairs, labels=known, skipped=len(asked) - len(usable), level=level, seed=seed)


def expected_classes(
    items: Iterable[Item], *, labels: Sequence[str] | None = None, field: str | None = None
) -> tuple[list[str], list[str]]:
    """Return the class of each item that has an expected answer, and the classes that there are.

    Args:
        items: The items.
        labels: The classes; None: those that the expected answers are.
        field: The field of a JSON answer that holds the class; None: the answer is text that says it.

    Raises:
        DataError: An expected answer says none of the labels, or two classes are the same but for their case, or there
            are more than 200.
    """
    expected = [_expected(item, labels, field) for item in items if item.expected is not None]
    known = list(labels) if labels is not None else sorted(set(expected))
    if len(known) > _MOST:
        where, more = ("labels", "") if labels is not None else ("the expected answers", "; give labels")
        raise DataError(f"{where} are {len(known)} different ones, which are no classes, of which {_MOST} may be{more}")
    problem = label_problem(known)
    if problem is not None:
        raise DataError(f"the classes cannot be told apart: {problem}")
    return expected, known


def classify(
    pairs: Sequence[tuple[str, str | None]],
    *,
    labels: Sequence[str] | None = None,
    skipped: int = 0,
    level: float = 0.95,
    seed: int = 0,
) -> Classification:
    """Return precision, recall and F1 of classes.

    Means over classes and F1 itself are no means over items, so their intervals are percentiles of resamples: of the
    items, with replacement, which is one multinomial draw over the cells of the confusion matrix.

    Args:
        pairs: (expected class, answered class or None), at least one.
        labels: The classes in their order, each once; None: those that occur, sorted.
        skipped: Items that are left out, for the count.
        level: Coverage of the intervals, above 0 and below 1.
        seed: Of the resamples.

    Raises:
        DataError: There is no pair, one holds a class that is none of the labels, a label is there twice, or the level
            is out of range.
        MissingExtra: numpy or scipy is not installed.

    Source:
        Sokolova & Lapalme (2009), Information Processing & Management 45(4):427-437, for the means; undefined parts
        of the macro mean are 0, as in scikit-learn with zero_division=0. Efron & Tibshirani (1993), chapter 13.
    """
    require("scipy.stats", extra="stats", feature="the intervals of precision, recall and F1")
    if not pairs:
        raise DataError("there is no item with an expected class and an answer, so there is nothing to count")
    known = (
        list(labels) if labels is not None else sorted({name for pair in pairs for name in pair if name is not None})
    )
    if len(set(known)) < len(known):
        raise DataError(f"labels name a class twice, got {', '.join(known):.300}; leave one out")
    if not 0 < level < 1:
        raise DataError(f"level is the coverage of the intervals, above 0 and below 1, got {level}")
    for name in {name for pair in pairs for name in pair if name is not None} - set(known):
        raise DataError(f'"{name:.60}" is none of the classes {", ".join(known):.300}')
    counts = Counter(pairs)
    matrix = [[counts[(row, column)] for column in (*known, None)] for row in known]
    observed, (low, high) = _figures_with_limits(matrix, level, seed)
    scores = {name: _class(known, matrix, place, level) for place, name in enumerate(known)}
    method = f"percentile bootstrap, {RESAMPLES:,} resamples of the items"

    def interval(place: int) -> Interval:
        return Interval(low[place], high[place], level, method)

    def of(place: int, of_precision: Interval | None = None, of_recall: Interval | None = None) -> Scores:
        precision, recall, f1 = observed[place : place + 3]
        first, second, third = (interval(place + offset) for offset in range(3))
        return Scores(precision, recall, f1, of_precision or first, of_recall or second, third)

    total, right = len(pairs), sum(matrix[place][place] for place in range(len(known)))
    read = sum(given is not None for _, given in pairs)
    return Classification(
        classes={name: _with_f1(each, interval(6 + place)) for place, (name, each) in enumerate(scores.items())},
        macro=of(0),
        micro=of(3, wilson(right, read, level=level) if read else None, wilson(right, total, level=level)),
        accuracy=right / total,
        items=total,
        unread=total - read,
        skipped=skipped,
        confusion={
            row: {column: count for column, count in zip((*known, _NONE), matrix[place], strict=True) if count}
            for place, row in enumerate(known)
            if any(matrix[place])
        },
        accuracy_interval=wilson(right, total, level=level),
    )


def _class(known: Sequence[str], matrix: Sequence[Sequence[int]], place: int, level: float) -> ClassScores:
    right, support = matrix[place][place], sum(matrix[place])
    predicted = sum(matrix[row][place] for row in range(len(known)))
    return ClassScores(
        precision=right / predicted if predicted else None,
        recall=right / support if support else None,
        f1=2 * right / (support + predicted) if support + predicted else None,
        support=support,
        predicted=predicted,
        right=right,
        precision_interval=wilson(right, predicted, level=level) if predicted else None,
        recall_interval=wilson(right, support, level=level) if support else None,
    )


def _with_f1(scores: ClassScores, interval: Interval) -> ClassScores:
    return scores if scores.f1 is None else msgspec.structs.replace(scores, f1_interval=interval)


def _figures_with_limits(
    matrix: Sequence[Sequence[int]], level: float, seed: int
) -> tuple[list[float], tuple[list[float], list[float]]]:
    """Return the figures of the counts, and their lower and upper limits."""
    import numpy as np

    counts = np.array(matrix, dtype=np.int64)  # (K, K + 1)
    total = int(counts.sum())
    random, shares = np.random.default_rng(seed), counts.ravel() / total
    together = max(1, _TOGETHER // counts.size)
    sizes = [min(together, RESAMPLES - start) for start in range(0, RESAMPLES, together)]
    parts = (random.multinomial(total, shares, size=size).reshape(size, *counts.shape) for size in sizes)
    figures = np.concatenate([_figures(part) for part in parts])  # (R, 6 + K)
    tail = (1 - level) / 2
    low, high = np.quantile(figures, [tail, 1 - tail], axis=0).tolist()
    return _figures(counts[None])[0].tolist(), (low, high)


def _figures(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return macro and micro precision, recall and F1, then F1 by class (R, 6 + K), of matrices (R, K, K + 1)."""
    import numpy as np

    classes = counts.shape[1]
    right = counts[:, range(classes), range(classes)]  # (R, K)
    support, predicted = counts.sum(axis=2), counts[:, :, :classes].sum(axis=1)  # (R, K)
    parts = [_shares(right, predicted), _shares(right, support), _shares(2 * right, support + predicted)]
    there = np.maximum((support + predicted > 0).sum(axis=1), 1)  # (R,)
    macro = [part.sum(axis=1) / there for part in parts]
    all_right, read, all_items = right.sum(axis=1), predicted.sum(axis=1), support.sum(axis=1)
    micro = [_shares(all_right, read), _shares(all_right, all_items), _shares(2 * all_right, all_items + read)]
    return np.column_stack([*macro, *micro, parts[2]])


def _shares(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return part / whole, 0 where the whole is."""
    import numpy as np

    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)


def _expected(item: Item, labels: Sequence[str] | None, field: str | None) -> str:
    text = cast("str", item.expected)
    found = _field(text, field) if field is not None else text
    found = None if found is None else found.strip()
    if not found:
        what = f'no text or number as its field "{field}"' if field is not None else "no text, so it is no class"
        raise DataError(f'item "{item.id}": the expected answer "{text:.60}" has {what}')
    if labels is None:
        return found
    label = read_label(found, labels)
    if label is None:
        known = ", ".join(labels)
        raise DataError(f'item "{item.id}": the expected answer "{text:.60}" has none of the labels {known:.200}')
    return label


def _said(output: str, labels: Sequence[str], field: str | None) -> str | None:
    text = output if field is None else _field(output, field)
    return None if text is None else read_label(text, labels)


def _field(text: str, field: str) -> str | None:
    record = parse_record(text)
    value: Any = cast("dict[str, Any]", record).get(field) if isinstance(record, dict) else None
    return str(value) if isinstance(value, (str, int, float)) else None
