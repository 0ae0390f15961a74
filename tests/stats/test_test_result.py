"""A result says what was found and no more, and survives JSON."""

from __future__ import annotations

import json

import msgspec
import pytest

from crucible import stats
from crucible.stats import TestResult, Verdict
from crucible.stats.wording import decimals_for, show_number, show_p, show_percent

NO, YES = [0, 1, 0, 1, 1, 0, 0, 1], [1, 1, 0, 1, 0, 0, 0, 1]


@pytest.fixture
def none_found() -> TestResult:
    """Eight pairs, one won by each side."""
    return stats.compare_paired(NO, YES)


@pytest.fixture
def found() -> TestResult:
    """Forty pairs, ten won by the treatment, none by the baseline."""
    return stats.compare_paired([0] * 20 + [1] * 20, [1] * 10 + [0] * 10 + [1] * 20)


def test_no_difference_is_not_worded_as_equality(none_found: TestResult) -> None:
    """One sentence with n, p, interval, and what remains possible; no word of sameness."""
    text = none_found.wording
    assert text.startswith("No difference found: ")
    assert text.count(". ") == 0
    assert text.endswith(".")
    assert "on the same 8 items" in text
    assert "95 % interval" in text
    assert "p = 1" in text
    assert "a difference anywhere in that interval remains possible" in text
    for word in ("equal", "identical", "equivalent", "no effect", "are the same"):
        assert word not in text


def test_a_difference_is_worded_with_its_direction(found: TestResult) -> None:
    """Means of both sides and a signed difference."""
    assert found.verdict is Verdict.DIFFERENCE == "difference"
    assert found.wording == (
        "A difference was found: mean score is 0.750 for treatment and 0.500 for baseline on the same 40 items, a "
        "difference of +0.250 (95 % interval +0.140 to +0.402; McNemar's exact test, p = 0.0020)."
    )


def test_names_metric_and_failures_are_in_the_sentence(found: TestResult) -> None:
    """What was compared, by its own names, and what was left out."""
    named = msgspec.structs.replace(
        found, baseline="base", treatment="tuned", metric="exact_match", failures="2 of 42 items were left out"
    )
    assert "mean exact_match is 0.750 for tuned and 0.500 for base" in named.wording
    assert named.wording.endswith("; 2 of 42 items were left out.")


def test_a_correction_moves_the_verdict(found: TestResult) -> None:
    """The adjusted p-value decides, both are shown, and the interval's disagreement is said."""
    corrected = msgspec.structs.replace(found, p_adjusted=0.08, correction="holm", comparisons=40)
    assert corrected.verdict is Verdict.NO_DIFFERENCE_FOUND
    assert "p = 0.0020, p = 0.0800 after holm correction for 40 comparisons" in corrected.wording
    assert "the verdict is the test's, the interval alone would exclude 0" in corrected.wording


def test_an_exact_test_that_is_more_careful_than_its_interval_says_so() -> None:
    """Bentur's data: p = .07 and a score interval without 0; the sentence does not hide it."""
    result = stats.mcnemar(7, 1, 21)
    assert result.interval.high < 0.0
    assert result.wording.startswith("No difference found")
    assert "the interval alone would exclude 0" in result.wording


def test_a_wider_interval_than_alpha_asks_for_is_said() -> None:
    """A verdict at .05 beside a 99.9 % interval can differ."""
    result = stats.compare_paired([0] * 20, [1] * 6 + [0] * 14, level=0.999)
    assert result.verdict is Verdict.DIFFERENCE
    assert "99.9 % interval" in result.wording
    assert "the interval alone would include 0" in result.wording


@pytest.mark.parametrize("kind", ["none_found", "found"])
def test_json_round_trip(kind: str, request: pytest.FixtureRequest) -> None:
    """What to_dict wrote, from_dict reads as the same result; the derived fields are in the JSON."""
    result: TestResult = request.getfixturevalue(kind)
    data = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert data["verdict"] == result.verdict.value
    assert data["wording"] == result.wording
    assert TestResult.from_dict(data) == result


def test_json_of_a_later_version_still_loads(found: TestResult) -> None:
    """Unknown keys are ignored; a missing one is not."""
    data = {**found.to_dict(), "novelty": 1}
    assert TestResult.from_dict(data) == found
    del data["p"]
    with pytest.raises(msgspec.ValidationError, match="`p`"):
        TestResult.from_dict(data)


def test_versions_are_recorded(found: TestResult) -> None:
    """A number can be traced to what computed it."""
    assert set(found.versions) == {"crucible-ml", "numpy", "scipy"}
    assert all(version[0].isdigit() for version in found.versions.values())


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ((0.25, 0.1404, 0.402), ("+0.250", "+0.140", "+0.402")),
        ((0.0016666, -0.041, 0.0449), ("+0.0017", "-0.0410", "+0.0449")),
        ((0.0, 0.0, 0.0), ("0.000", "0.000", "0.000")),
        ((-1234.6, -2000.0, 12.2), ("-1235", "-2000", "+12")),
        ((1.5e-12, -0.0, 3e-12), ("+1.5e-12", "0", "+3e-12")),
        ((2e12, 1e12, 3e12), ("+2e+12", "+1e+12", "+3e+12")),
    ],
)
def test_numbers_of_one_sentence_have_the_same_digits(values: tuple[float, ...], texts: tuple[str, ...]) -> None:
    """As many as show the largest of them with three; tiny and huge ones as powers of ten; 0 without a sign."""
    digits = decimals_for(*values)
    assert tuple(show_number(value, digits, signed=True) for value in values) == texts


@pytest.mark.parametrize(
    ("p", "text"), [(1.0, "p = 1"), (0.0312, "p = 0.0312"), (0.00004, "p < 0.0001"), (0.0, "p < 0.0001")]
)
def test_p_values_have_four_digits(p: float, text: str) -> None:
    """Never `p = 0`."""
    assert show_p(p) == text


@pytest.mark.parametrize(
    ("p", "alpha", "text"),
    [
        (0.04996, 0.05, "p = 0.04996"),
        (0.05003, 0.05, "p = 0.0500"),
        (3e-5, 5e-5, "p = 3.0e-05"),
        (5e-5, 1e-5, "p = 5.0e-05"),
        (0.00012, 0.0001, "p = 0.0001"),
        (0.00008, 0.0001, "p < 0.0001"),
        (0.0, 1e-5, "p < 1e-300"),
        (0.0499999999, 0.05, "p = 0.0499999999"),
        (0.049999999999999996, 0.05, "p = 0.049999999999999996"),
        (4.9999999e-5, 5e-5, "p = 4.9999999e-05"),
    ],
)
def test_p_values_are_not_rounded_across_alpha(p: float, alpha: float, text: str) -> None:
    """`p = 0.0500` beside `a difference was found` would look wrong, `p < 0.0001` would hide an alpha below that."""
    assert show_p(p, alpha) == text


def test_levels_are_percentages() -> None:
    """Without float noise."""
    assert [show_percent(level) for level in (0.95, 0.9, 1 - 0.05, 0.999)] == ["95 %", "90 %", "95 %", "99.9 %"]
