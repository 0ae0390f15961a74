from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from crucible import stats
from crucible.data.drift import DriftRules, compare_samples
from crucible.data.drift.categories import counted, permuted_p, psi_of_counts
from crucible.data.drift.numbers import numeric_test, psi
from crucible.errors import DataError


def normal(seed: int, n: int, shift: float = 0.0) -> list[float]:
    """Return so many normal numbers."""
    return (np.random.default_rng(seed).normal(size=n) + shift).tolist()


def test_an_empty_or_small_sample_is_never_drift() -> None:
    """The predecessor compared with an empty baseline, found a KS distance of 1, and cried drift at every start."""
    for current in ([], normal(1, 99, 5.0)):
        found = compare_samples({"x": normal(0, 500)}, {"x": current})
        assert (found.status, found.drifted, found.tests) == ("nothing_tested", (), ())
        assert found.wording == (
            f"Nothing was tested for drift. Not tested: x, 500 values in the reference and {len(current)} in the "
            "current sample, and 100 are needed in each."
        )
    assert compare_samples([], []).wording == "Nothing was tested for drift."


def test_a_shift_is_found_and_no_shift_is_not_called_absent() -> None:
    """Words claim no more than the numbers do."""
    found = compare_samples({"x": normal(0, 300), "y": normal(1, 300)}, {"x": normal(2, 300, 1.0), "y": normal(3, 300)})
    assert found.drifted == ("x",)
    assert found.wording.startswith("Drift was found in x (2 tests at alpha 0.05, holm correction): x mean ")
    same = compare_samples({"y": normal(1, 300)}, {"y": normal(3, 300)})
    assert same.wording == (
        "No drift found in y (1 test at alpha 0.05); a change too small for these samples remains possible."
    )
    assert same.status == "no_drift_found"


@pytest.mark.parametrize("method", ["ks", "mannwhitney"])
def test_the_tests_of_numbers_are_those_of_scipy(method: Any) -> None:
    """Statistic and p-value, exact up to 500 values a side."""
    for n in (120, 700):
        x, y = np.array(normal(0, n)), np.array(normal(1, n, 0.2))
        (found,) = compare_samples({"x": x.tolist()}, {"x": y.tolist()}, rules=DriftRules(method=method)).tests
        if method == "ks":
            expected = scipy_stats.ks_2samp(x, y, method="exact" if n <= 500 else "asymp")
        else:
            expected = scipy_stats.mannwhitneyu(y, x, method="asymptotic")
        assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-12)


def test_the_energy_distance_is_that_of_scipy_and_its_p_value_that_of_a_permutation_test() -> None:
    """`scipy.stats.energy_distance`, permuted by `scipy.stats.permutation_test` to the error of the draw."""
    x, y = np.array(normal(0, 60)), np.round(np.array(normal(1, 40, 0.35)), 1)
    statistic, p = numeric_test(x, y, DriftRules(method="energy", resamples=4_999), [1])
    assert statistic == pytest.approx(scipy_stats.energy_distance(x, y), rel=1e-9)
    expected = scipy_stats.permutation_test(
        (x, y), scipy_stats.energy_distance, alternative="greater", n_resamples=999, rng=np.random.default_rng(2)
    )
    assert p == pytest.approx(expected.pvalue, abs=0.03)


def test_chi_squared_and_g_are_those_of_scipy() -> None:
    """The statistic is scipy's, and under permutation large counts have scipy's p-value."""
    table = np.array([[60, 30, 110], [45, 50, 105]])
    for name, lambda_ in (("chi_square", "pearson"), ("g", "log-likelihood")):
        statistic, p = permuted_p(table, name, 20_000, [3])
        expected: Any = scipy_stats.chi2_contingency(table, correction=False, lambda_=lambda_)
        assert statistic == pytest.approx(expected.statistic, rel=1e-12)
        assert p == pytest.approx(expected.pvalue, abs=0.01)


def test_a_permutation_p_is_exact_where_all_tables_can_be_counted() -> None:
    """Of 2 x 2 tables it is Fisher's, by the order of chi squared; here 4 of 4 against 0 of 4: 2 of 70 deals."""
    _, p = permuted_p(np.array([[4, 0], [0, 4]]), "chi_square", 50_000, [0])
    assert p == pytest.approx(2 / 70, abs=0.003)


def test_a_p_value_is_never_zero() -> None:
    """1 is added above and below (Phipson and Smyth)."""
    _, p = permuted_p(np.array([[500, 0], [0, 500]]), "g", 999, [0])
    assert p == 1 / 1_000


def test_psi_counts_the_maximum_and_what_lies_beyond() -> None:
    """The predecessor's last bin left the maximum out, and values outside the reference's range fell nowhere."""
    reference = np.arange(100.0)
    assert psi(reference, reference) == 0.0
    beyond = np.concatenate([reference[:90], np.full(10, 1e9)])  # the last tenth moved up without end
    assert psi(reference, beyond) == 0.0
    p, q = np.array([10] * 10), np.array([19, 1] + [10] * 8)
    moved = np.concatenate([np.full(count, 10.0 * place + 5) for place, count in enumerate(q)])
    smooth_p, smooth_q = (p + 0.5) / 105, (q + 0.5) / 105
    assert psi(reference, moved) == pytest.approx(float(((smooth_p - smooth_q) * np.log(smooth_p / smooth_q)).sum()))
    assert psi_of_counts(p, q) == pytest.approx(psi(reference, moved))


def test_psi_decides_nothing_by_a_constant() -> None:
    """Most pairs of samples of 100 of one distribution have a PSI above the customary .1; its test knows better."""
    rules = DriftRules(method="psi", resamples=199)
    tests = [
        compare_samples({"x": normal(seed, 100)}, {"x": normal(5_000 + seed, 100)}, rules=rules).tests[0]
        for seed in range(60)
    ]
    assert sum(one.psi is not None and one.psi > 0.1 for one in tests) > 40
    assert sum(one.found for one in tests) <= 7


def test_kinds_are_read_off_the_values() -> None:
    """Numbers, truth values and 0 and 1, few words, many texts, and mixtures that are not tested."""
    rng = np.random.default_rng(0)

    def rows() -> list[dict[str, Any]]:
        return [
            {
                "number": float(rng.normal()),
                "right": int(rng.integers(2)),
                "flag": bool(rng.integers(2)),
                "word": str(rng.choice(["a", "b", "c"])),
                "text": " ".join(rng.choice(["one", "two", "three", "four"], size=8)),
                "mixed": int(rng.integers(9)) if rng.random() < 0.5 else "x",
                "nested": {"deep": float(rng.normal())},
            }
            for _ in range(120)
        ]

    before, after = rows(), rows()
    names = ["number", "right", "flag", "word", "text", "mixed", "nested.deep"]
    found = compare_samples(before, after, fields=names)
    assert [(one.name, one.kind, one.test) for one in found.tests] == [
        ("number", "numeric", "ks"),
        ("right", "categorical", "chi_square"),
        ("flag", "categorical", "chi_square"),
        ("word", "categorical", "chi_square"),
        ("text (length)", "text", "ks"),
        ("text (content)", "text", "mmd"),
        ("nested.deep", "numeric", "ks"),
    ]
    assert [(one.field, one.reason) for one in found.untested] == [
        ("mixed", "its values are of the types int, str; say its kind")
    ]
    default = compare_samples(before, after)
    assert [one.name for one in default.tests] == ["number", "right", "flag", "nested.deep"]
    said = compare_samples(before, after, fields=["mixed"], kinds={"mixed": "categorical"})
    assert [one.kind for one in said.tests] == ["categorical"]
    with pytest.raises(DataError, match="word: not all values are numbers"):
        compare_samples(before, after, fields=["word"], kinds={"word": "numeric"})


def test_missing_values_are_a_change_of_their_own() -> None:
    """None and NaN are left out of the values, and how often they come is tested."""
    full, holes = normal(0, 400), [None if i % 4 else x for i, x in enumerate(normal(1, 800))]
    found = compare_samples({"x": full}, {"x": holes})
    assert found.drifted == ("x (missing)",)
    assert "x (missing) 0 % are missing became 75 %" in found.wording
    nan = compare_samples({"x": full}, {"x": [math.nan if x is None else x for x in holes]})
    assert nan.drifted == ("x (missing)",)


def test_values_that_are_all_the_same_are_not_tested() -> None:
    """There is nothing that a test could see; two different constants are drift."""
    same = compare_samples({"x": [1.5] * 100}, {"x": [1.5] * 100})
    assert same.untested[0].reason == "all values of both samples are the same"
    for method in ("ks", "mannwhitney", "energy", "psi", "chi_square", "g"):
        assert compare_samples({"x": [1.5] * 100}, {"x": [2.5] * 100}, rules=DriftRules(method=method)).drifted


def test_the_content_of_texts_is_compared_at_equal_lengths() -> None:
    """Other words of the same length, and which n-grams became more frequent."""
    rng = np.random.default_rng(0)
    before = ["".join(rng.choice(list("abcd"), size=30)) for _ in range(150)]
    after = ["".join(rng.choice(list("abcz"), size=30)) for _ in range(150)]
    found = compare_samples({"t": before}, {"t": after}, fields=["t"])
    assert found.drifted == ("t (content)",)
    (content,) = found.tests
    assert "z" in content.current.split(";")[0]
    assert "d" in content.current.split(";")[1]


def test_all_tests_are_corrected_for_each_other() -> None:
    """Holm over the fields, as `stats.correct` does it."""
    before = {f"x{i}": normal(i, 150) for i in range(6)}
    after = {f"x{i}": normal(100 + i, 150, 0.05 * i) for i in range(6)}
    found = compare_samples(before, after)
    assert [one.p_adjusted for one in found.tests] == stats.correct([one.p for one in found.tests], "holm")


def test_rare_categories_are_counted_together() -> None:
    """Fifty at most, and the table keeps every value."""
    names, table = counted([str(i) for i in range(100)], [str(i % 7) for i in range(100)])
    assert (len(names), names[-1], table.sum()) == (51, "(any other)", 200)
    assert (table.sum(axis=0) > 0).all()


def test_the_same_seed_gives_the_same_p_values() -> None:
    """And another one others."""
    before, after = {"w": ["a", "b"] * 60}, {"w": ["a", "b", "a"] * 40}
    first, again, other = (
        compare_samples(before, after, fields=["w"], rules=DriftRules(seed=seed)).tests[0].p for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_what_cannot_be_compared_is_refused() -> None:
    """With the field and what to do."""
    with pytest.raises(DataError, match='no field "lenght"; did you mean "length"'):
        compare_samples({"length": [1]}, {"length": [2]}, fields=["lenght"])
    with pytest.raises(DataError, match="x: 1 values of the current are infinite"):
        compare_samples({"x": [1.0]}, {"x": [math.inf]})
    for wrong in ({"method": "kss"}, {"alpha": 0.0}, {"min_samples": 1}, {"resamples": 5}, {"ngram": 0}):
        with pytest.raises(DataError, match="must|unknown method"):
            DriftRules(**wrong)
    with pytest.raises(DataError, match="100 resamples cannot give a p-value below 0.001"):
        DriftRules(resamples=100, alpha=0.001)


def test_more_texts_than_are_compared_are_drawn_from_by_the_seed() -> None:
    """Texts of nothing count as texts; length still looks at all of them."""
    before, after = ["abcd efgh"] * 300 + [""] * 100, ["ijkl mnop qr"] * 400
    found = compare_samples(
        {"t": before}, {"t": after}, fields=["t"], kinds={"t": "text"}, rules=DriftRules(max_texts=50, resamples=999)
    )
    assert found.drifted == ("t (length)", "t (content)")
    assert [one.n_reference for one in found.tests] == [400, 50]
