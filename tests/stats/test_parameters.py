"""Text in the place of a number is refused by name, in every public function of the room, before anything else."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from crucible import stats
from crucible.errors import StatsError
from crucible.stats import planning, sequential
from crucible.stats.parameters import check_number, takes_numbers

ROOMS = ("", ".bayes", ".planning", ".plots", ".sequential", ".studies")
ALLOWED = {"to_json.indent"}  # text there is what each level is indented with, as `json.dumps` has it
FORMS = {"int", "float", "None", "tuple[int, int]", "tuple[float, float]"}


def _numbers_of(function: Callable[..., Any]) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    forms = {one.name: {form.strip() for form in str(one.annotation).split("|")} for one in parameters}
    return [name for name, said in forms.items() if said <= FORMS and said - {"None"}]


def _public() -> Iterator[tuple[str, Callable[..., Any], str]]:
    """Yield every public function, and every class that a caller makes by its constructor, with each of its numbers."""
    for room in ROOMS:
        module = importlib.import_module(f"crucible.stats{room}")
        for name in module.__all__:
            one = getattr(module, name)
            if inspect.isfunction(one):
                for number in _numbers_of(one):
                    if f"{name}.{number}" not in ALLOWED:
                        yield f"{room}.{name}.{number}", one, number
    for name in sequential.__all__:
        one = getattr(sequential, name)
        if inspect.isclass(one) and not issubclass(one, tuple) and "__init__" in vars(one):
            for number in _numbers_of(one):
                if not inspect.isabstract(one):
                    yield f".sequential.{name}.{number}", one, number
    yield "VarianceParts.standard_error.items", stats.VarianceParts(1.0, 1.0, 2, 2.0).standard_error, "items"


CASES = list(_public())
FIELDS: list[tuple[type[Any], dict[str, Any], tuple[str, ...]]] = [
    (stats.Plan, {}, ("alpha", "level", "resamples", "seed")),
    (stats.Design, {}, ("alpha", "level")),
    (stats.Guardrail, {"metric": "x"}, ("margin",)),
    (planning.OneSample, {}, ("sd",)),
    (planning.Paired, {}, ("sd",)),
    (planning.Independent, {}, ("sd", "ratio")),
    (planning.Welch, {"baseline_sd": 1.0, "treatment_sd": 1.0}, ("baseline_sd", "treatment_sd", "ratio")),
    (planning.Anova, {}, ("groups",)),
    (planning.Proportion, {}, ("baseline",)),
    (planning.Proportions, {"baseline": 0.5}, ("baseline", "ratio")),
    (planning.McNemar, {"discordant": 0.2}, ("discordant", "baseline_only")),
    (planning.Repeats, {"between_variance": 1.0, "within_variance": 1.0}, ("repeats", "within_variance")),
    (planning.Equivalence, {"margin": 0.1}, ("margin", "sd", "ratio", "discordant")),
    (planning.NonInferiority, {"margin": 0.1}, ("margin", "sd", "ratio", "discordant")),
]


@pytest.mark.parametrize("came", ["0.5", b"1", [0.5], 1j])
@pytest.mark.parametrize(("function", "name"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_no_number_is_refused_by_name(function: Callable[..., Any], name: str, came: Any) -> None:
    """A StatsError that says which parameter and what came, whatever the other parameters are."""
    others = {
        one.name: 1 if one.name in _numbers_of(function) else None
        for one in inspect.signature(function).parameters.values()
        if one.default is inspect.Parameter.empty and one.kind is not inspect.Parameter.VAR_KEYWORD
    }
    with pytest.raises(StatsError, match=rf"^{name} must be a (whole )?number( or two)?, got "):
        function(**{**others, name: came})


def test_the_border_is_where_the_numbers_are() -> None:
    """The list above is of all rooms, and not empty because something was renamed."""
    assert len(CASES) > 100


@pytest.mark.parametrize(("kind", "others", "name"), [(k, o, name) for k, o, names in FIELDS for name in names])
def test_fields_are_refused_by_name(kind: type[Any], others: dict[str, Any], name: str) -> None:
    """Of everything that says how to compare or to plan."""
    with pytest.raises(StatsError, match=f"^{name} must be a (whole )?number, got '5'"):
        kind(**{**others, name: "5"})


def test_columns_of_numbers_are_refused_by_place() -> None:
    """P-values to correct, scores of a sequence, the two ends of a region."""
    with pytest.raises(StatsError, match=r"p_values\[1\] must be a number, got '0.2'"):
        stats.correct([0.1, "0.2"])  # type: ignore[list-item]
    with pytest.raises(StatsError, match="score 1 must be a number, got 'x'"):
        stats.MeanSequence().add("x")  # type: ignore[arg-type]
    with pytest.raises(StatsError, match="rope must be a number or two, got 'wide'"):
        stats.bayes.paired_shares(1, 2, 10, rope=(-0.1, "wide"))  # type: ignore[arg-type]
    with pytest.raises(StatsError, match="n must be a whole number or two, got '9'"):
        stats.power("independent", n=(10, "9"), effect=1.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value", [1, 1.5, True, np.float32(1), np.int64(2), Decimal("0.5"), Fraction(1, 3), np.ones(())]
)
def test_numbers_of_any_package_are_numbers(value: Any) -> None:
    """So are NaN and infinities, which the functions refuse by their ranges."""
    check_number(value, "x")


def test_the_signature_stays() -> None:
    """By position and by name alike; what is annotated otherwise passes unseen, and None where it may."""

    def shown(a: float, b: str, *, c: int | None = None) -> tuple[float, str, int | None]:
        return a, b, c

    checked = takes_numbers(shown)
    assert checked(1, "2") == (1, "2", None)
    assert checked(b="x", a=1, c=None) == (1, "x", None)
    with pytest.raises(StatsError, match="a must be a number, got None"):
        checked(None, "2")  # type: ignore[arg-type]
    with pytest.raises(StatsError, match="c must be a whole number, got '3'"):
        checked(1, "2", c="3")  # type: ignore[arg-type]


ONE = [0.1, 0.4, 0.35, 0.8, 0.2, 0.6, 0.5, 0.9, 0.3, 0.7]
TWO = [0.3, 0.6, 0.45, 0.9, 0.5, 0.7, 0.4, 1.0, 0.6, 0.8]

FOLLOWING: dict[str, Callable[[dict[str, Any]], stats.TestResult]] = {
    "compare": lambda asked: stats.compare(ONE, TWO, **asked),
    "compare_paired": lambda asked: stats.compare_paired(ONE, TWO, **asked),
    "permutation": lambda asked: stats.compare_paired(ONE, TWO, test="permutation", **asked),
    "bootstrap": lambda asked: stats.compare(ONE, TWO, test="bootstrap", **asked),
    "mcnemar": lambda asked: stats.mcnemar(4, 9, 63, **asked),
    "one_sample": lambda asked: stats.one_sample(ONE, 0.0, **asked),
    "two_proportions": lambda asked: stats.two_proportions(10, 40, 22, 40, **asked),
}


@pytest.mark.parametrize("name", FOLLOWING)
def test_an_interval_goes_with_its_verdict(name: str) -> None:
    """Its level is 1 - alpha, so that none at 95 % contradicts a verdict at .01; unless another is asked for."""
    for asked, level in (({}, 0.95), ({"alpha": 0.01}, 0.99), ({"alpha": 0.01, "level": 0.9}, 0.9)):
        found = FOLLOWING[name](asked)
        assert found.interval is not None
        assert found.interval.level == level
