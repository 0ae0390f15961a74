"""Did the data change: `compare_samples` is the front door, usable alone with rows or columns that a caller has."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from crucible.data.drift.categories import counted, permuted_p, psi_of_counts
from crucible.data.drift.columns import Pair, columns_of, kind_of, paired
from crucible.data.drift.numbers import numeric_test, psi
from crucible.data.drift.result import DriftResult, FieldTest, Untested
from crucible.data.drift.rules import DriftRules, Kind
from crucible.data.drift.texts import content_test
from crucible.errors import DataError, MissingExtra
from crucible.ir import did_you_mean
from crucible.stats import correct

__all__ = ["Sample", "compare_samples"]

Sample: TypeAlias = Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]]
"""Columns by name, or rows."""


def compare_samples(
    reference: Sample,
    current: Sample,
    *,
    fields: Sequence[str] | None = None,
    kinds: Mapping[str, Kind] | None = None,
    rules: DriftRules | None = None,
) -> DriftResult:
    """Test whether two independent samples have the same distribution, field by field.

    Numbers are tested by the rules' method, categories by chi squared under permutation, texts by their length and by
    their character n-grams. Where values are missing on a side, how often they are is tested as well. All tests are
    corrected for each other. A field with fewer than `min_samples` values on a side is not tested, and an empty sample
    is never drift.

    Args:
        reference: What the data was like.
        current: What it is like now.
        fields: What to look at; None: everything numeric.
        kinds: Of fields whose kind is not to be read off their values: `numeric`, `categorical` or `text`.
        rules: How to compare; None: Kolmogorov-Smirnov, alpha .05, at least 100 values, Holm's correction.

    Raises:
        DataError: A field is in neither sample, a value is infinite, or a value does not fit a kind that was given.
        MissingExtra: scipy is not installed.
    """
    rules = rules or DriftRules()
    before, after = _columns(reference), _columns(current)
    names = list(dict.fromkeys([*before, *after]))
    for name in [*(fields or ()), *(kinds or ())]:
        if name not in names:
            known = ", ".join(names) or "none"
            raise DataError(f'no field "{name}"{did_you_mean(name, names)} in either sample; they have: {known}')
    tests: list[FieldTest] = []
    untested: list[Untested] = []
    for name in names if fields is None else dict.fromkeys(fields):
        if fields is None and name not in (kinds or {}) and not _are_numbers(before.get(name), after.get(name)):
            continue
        pair = paired(name, before.get(name), after.get(name))
        kind = (kinds or {}).get(name) or kind_of(pair)
        try:
            tests += _missing(pair, rules)
            found = _tested(pair, kind, rules)
        except ModuleNotFoundError as error:
            raise MissingExtra("stats", feature="crucible.data.drift") from error
        if isinstance(found, Untested):
            untested.append(found)
        else:
            tests += found
    adjusted = correct([one.p for one in tests], rules.correction)
    done = [msgspec.structs.replace(one, p_adjusted=p) for one, p in zip(tests, adjusted, strict=True)]
    return DriftResult(rules, tuple(done), tuple(untested))


def _columns(sample: Sample) -> Mapping[str, Sequence[Any]]:
    if isinstance(sample, Mapping):
        return {name: list(column) for name, column in sample.items()}
    return columns_of(sample)


def _tested(pair: Pair, kind: Kind | None, rules: DriftRules) -> list[FieldTest] | Untested:
    n, m = len(pair.reference), len(pair.current)
    least = rules.min_samples
    if min(n, m) < least:
        reason = f"{n} values in the reference and {m} in the current sample, and {least} are needed in each"
        return Untested(pair.field, reason, n, m)
    if kind is None:
        types = sorted({type(value).__name__ for value in (*pair.reference, *pair.current)})
        return Untested(pair.field, f"its values are of the types {', '.join(types)}; say its kind", n, m)
    if len({str(value) for value in (*pair.reference, *pair.current)}) == 1:
        return Untested(pair.field, "all values of both samples are the same", n, m)
    if kind == "numeric":
        return [_numeric(pair, "value", rules)]
    if kind == "categorical":
        return [_categorical(pair, "value", rules)]
    return _text(pair, rules)


def _numeric(pair: Pair, aspect: str, rules: DriftRules, kind: str = "numeric") -> FieldTest:
    import numpy as np

    sides: list[Any] = []
    for side in (pair.reference, pair.current):
        try:
            sides.append(np.array([float(value) for value in side], dtype=np.float64))
        except (TypeError, ValueError) as error:
            raise DataError(f"{pair.field}: not all values are numbers: {error}") from error
    statistic, p = numeric_test(sides[0], sides[1], rules, _seed(rules, pair.field, aspect))
    before, after = (f"mean {side.mean():.4g}, median {np.median(side):.4g}" for side in sides)
    return FieldTest(
        field=pair.field,
        aspect=aspect,
        kind=kind,
        test=rules.method,
        statistic=statistic,
        p=p,
        p_adjusted=p,
        alpha=rules.alpha,
        n_reference=len(sides[0]),
        n_current=len(sides[1]),
        reference=before,
        current=after,
        psi=psi(sides[0], sides[1]),
    )


def _categorical(pair: Pair, aspect: str, rules: DriftRules) -> FieldTest:
    statistic = rules.method if rules.method in ("psi", "g") else "chi_square"
    names, table = counted(pair.reference, pair.current)
    value, p = permuted_p(table, statistic, rules.resamples, _seed(rules, pair.field, aspect))
    shares = table / table.sum(axis=1, keepdims=True)  # (2, k)
    change = shares[1] - shares[0]
    most = int((abs(change) + 1e-9 * (change > 0)).argmax())  # of two categories, the one that grew
    return FieldTest(
        field=pair.field,
        aspect=aspect,
        kind="categorical",
        test=statistic,
        statistic=value,
        p=p,
        p_adjusted=p,
        alpha=rules.alpha,
        n_reference=int(table[0].sum()),
        n_current=int(table[1].sum()),
        reference=f"{100 * shares[0, most]:.3g} % are {names[most]}",
        current=f"{100 * shares[1, most]:.3g} %",
        psi=float(psi_of_counts(table[0], table[1])),
    )


def _text(pair: Pair, rules: DriftRules) -> list[FieldTest]:
    before, after = ([str(value) for value in side] for side in (pair.reference, pair.current))
    lengths = Pair(pair.field, [len(text) for text in before], [len(text) for text in after], 0, 0)
    tests: list[FieldTest] = []
    if len({*lengths.reference, *lengths.current}) > 1:
        tests.append(_numeric(lengths, "length", rules, "text"))
    statistic, p, told = content_test(before, after, rules, _seed(rules, pair.field, "content"))
    content = FieldTest(
        field=pair.field,
        aspect="content",
        kind="text",
        test="mmd",
        statistic=statistic,
        p=p,
        p_adjusted=p,
        alpha=rules.alpha,
        n_reference=min(len(before), rules.max_texts),
        n_current=min(len(after), rules.max_texts),
        current=told,
    )
    return [*tests, content]


def _missing(pair: Pair, rules: DriftRules) -> list[FieldTest]:
    """Test how often the values of a field are missing, where any is and both samples are large enough."""
    sides = ((pair.reference, pair.missing_reference), (pair.current, pair.missing_current))
    totals = [len(there) + lost for there, lost in sides]
    if not any(lost for _, lost in sides) or min(totals) < rules.min_samples or not any(there for there, _ in sides):
        return []
    flags = [["missing"] * lost + ["given"] * len(there) for there, lost in sides]
    return [_categorical(Pair(pair.field, flags[0], flags[1], 0, 0), "missing", rules)]


def _are_numbers(*columns: Sequence[Any] | None) -> bool:
    """Tell whether a field is numeric: all that is there are numbers, and something is."""
    there = [value for column in columns for value in column or () if value is not None]
    return bool(there) and all(isinstance(value, (int, float)) for value in there)


def _seed(rules: DriftRules, field: str, aspect: str) -> list[int]:
    return [rules.seed, zlib.crc32(f"{field}/{aspect}".encode(errors="replace"))]
