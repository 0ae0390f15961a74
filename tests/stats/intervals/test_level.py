"""The level of every interval follows alpha, over all public names that take both."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from crucible import stats
from crucible.errors import StatsError
from crucible.ir import Interval, Scored
from crucible.stats.intervals.level import level_of

ONE = [0.1, 0.4, 0.35, 0.8, 0.2, 0.6, 0.5, 0.9, 0.3, 0.7]
TWO = [0.3, 0.6, 0.45, 0.9, 0.5, 0.7, 0.4, 1.0, 0.6, 0.8]
BITS = [0, 1, 1, 0, 1, 1, 0, 1, 1, 0]
MONTE_CARLO = {"simulated_power"}  # its level is of the simulation's own interval, and no verdict stands beside it


def _condition(label: str, scores: list[float], *, clusters: int = 0, prompts: int = 1) -> stats.Condition:
    measured = tuple(
        stats.Observation(
            str(i // prompts),
            Scored(score),
            prompt=str(i % prompts),
            cluster=f"c{i // clusters}" if clusters else "",
        )
        for i, score in enumerate(scores)
    )
    return stats.Condition(label, "score", measured, is_share=False)


IN_CLUSTERS, ALSO_IN_CLUSTERS = _condition("old", ONE, clusters=2), _condition("new", TWO, clusters=2)
OF_PROMPTS, ALSO_OF_PROMPTS = _condition("old", ONE, prompts=2), _condition("new", TWO, prompts=2)
OLD, NEW, THIRD = _condition("old", ONE), _condition("new", TWO), _condition("third", [x**2 for x in ONE])

RESULTS: dict[str, Callable[..., Any]] = {
    **{
        f"compare, {test}": lambda test=test, **asked: stats.compare(ONE, TWO, test=test, **asked)
        for test in ("auto", "student", "mann_whitney", "permutation", "bootstrap")
    },
    **{
        f"compare_paired, {test}": lambda test=test, **asked: stats.compare_paired(ONE, TWO, test=test, **asked)
        for test in ("auto", "wilcoxon", "sign", "permutation", "bootstrap")
    },
    "compare, fisher": lambda **asked: stats.compare(BITS, BITS[::-1], test="fisher", **asked),
    "compare_paired, mcnemar": lambda **asked: stats.compare_paired(BITS, BITS[::-1], **asked),
    "mcnemar": lambda **asked: stats.mcnemar(4, 9, 63, **asked),
    "one_sample": lambda **asked: stats.one_sample(ONE, 0.2, **asked),
    "one_proportion": lambda **asked: stats.one_proportion(12, 40, 0.5, **asked),
    "two_proportions": lambda **asked: stats.two_proportions(10, 40, 22, 40, **asked),
    "clusters": lambda **asked: stats.compare_conditions(IN_CLUSTERS, ALSO_IN_CLUSTERS, **asked),
    "prompts": lambda **asked: stats.compare_conditions(OF_PROMPTS, ALSO_OF_PROMPTS, **asked),
    "compare_conditions": lambda **asked: stats.compare_conditions(OLD, NEW, **asked),
    "Design": lambda **asked: stats.compare_all([OLD, NEW], stats.Design(**asked)),
    "Design of three": lambda **asked: stats.compare_all([OLD, NEW, THIRD], stats.Design(**asked)),
    "ab_test": lambda **asked: stats.ab_test(OLD, NEW, design=stats.Design(**asked)),
    "Plan of two": lambda **asked: stats.compare_groups({"a": ONE, "b": TWO}, stats.Plan(**asked)),
    **{
        f"Plan, {test}": lambda test=test, **asked: stats.compare_groups(
            {"a": ONE, "b": TWO, "c": [x + 0.4 for x in ONE]}, stats.Plan(tests=(test,), **asked)
        )
        for test in ("auto", "anova", "welch_anova", "brown_forsythe", "kruskal", "friedman", "tukey", "dunn")
    },
}


def _intervals(found: Any) -> Iterator[Interval]:
    if isinstance(found, Interval):
        yield found
    elif isinstance(found, msgspec.Struct):
        for name in found.__struct_fields__:
            yield from _intervals(getattr(found, name))
    elif isinstance(found, tuple | list):
        for one in found:
            yield from _intervals(one)


@pytest.mark.parametrize("name", RESULTS)
def test_every_interval_of_a_result_goes_with_its_verdict(name: str) -> None:
    """At alpha .01 all are at .99 unless told, at the default at .95, and the default is what level .95 gives."""
    ask = RESULTS[name]
    for asked, level in (({}, 0.95), ({"alpha": 0.01}, 0.99), ({"alpha": 0.01, "level": 0.8}, 0.8)):
        levels = {interval.level for interval in _intervals(ask(**asked))}
        assert levels == {level}
    assert ask() == ask(alpha=0.05, level=0.95)


def _takes_both(thing: Any) -> bool:
    return callable(thing) and {"alpha", "level"} <= set(inspect.signature(thing).parameters)


def test_no_public_name_has_a_level_of_its_own() -> None:
    """Whatever takes `alpha` and `level` has None for the level, so that nobody forgets the rule."""
    public = {name: getattr(stats, name) for name in stats.__all__}
    both = {name: thing for name, thing in public.items() if inspect.isroutine(thing) or inspect.isclass(thing)}
    both = {name: thing for name, thing in both.items() if not _is_plain(thing) and _takes_both(thing)}
    assert {"compare", "compare_paired", "compare_conditions", "Design", "Plan", "two_proportions"} <= set(both)
    for name in set(both) - MONTE_CARLO:
        assert inspect.signature(both[name]).parameters["level"].default is None, name


def _is_plain(thing: Any) -> bool:
    """Return whether a class has no signature to read, as an enumeration."""
    try:
        inspect.signature(thing)
    except ValueError:
        return True
    return False


def test_the_rule() -> None:
    """1 - alpha without rounding dust; what was asked for; never 0 or 1, however small alpha is."""
    assert [level_of(alpha, None) for alpha in (0.05, 0.01, 0.1, 0.001)] == [0.95, 0.99, 0.9, 0.999]
    assert level_of(0.01, 0.9) == 0.9
    assert level_of(1e-300, None) == 1.0 - 1e-12
    tiny = stats.compare(ONE, TWO, alpha=1e-300)
    assert tiny.interval is not None
    assert tiny.interval.low < tiny.difference < tiny.interval.high
    for alpha, level, name in ((0.0, None, "alpha"), (1.0, None, "alpha"), (0.05, 1.0, "level"), (0.05, 0.0, "level")):
        with pytest.raises(StatsError, match=f"{name} must lie between 0 and 1"):
            level_of(alpha, level)
