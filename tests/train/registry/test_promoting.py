"""Promotion: gated by what was measured and by a test against production, audited, forced only where it is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crucible import events, stats
from crucible.errors import PromotionRefused, SpecError, StoreError
from crucible.train import Gates, ModelRegistry, NonInferiority
from crucible.train.registry import GateOutcome, direction_for, known_direction


def scores(right: int, of: int = 100, *, first: int = 0) -> dict[str, dict[str, float]]:
    """Return scores by exact_match of which so many are right, the first ones from `first` on."""
    return {"exact_match": {f"item-{place}": float(first <= place < first + right) for place in range(of)}}


GATES = Gates.of(["exact_match>=0.5"], NonInferiority(metric="exact_match", margin=0.05))


@pytest.fixture
def current(registry: ModelRegistry) -> ModelRegistry:
    """A registry with a version in production that has 80 of 100 right."""
    registry.register("triage", metrics={"exact_match": 0.8}, scores=scores(80), stage="staging")
    registry.promote("triage", why="the first", gates=GATES, by="ann")
    return registry


def candidate(registry: ModelRegistry, right: int, **values: Any) -> str:
    """Register a version in staging with so many of 100 right, and return its reference."""
    given: dict[str, Any] = {"metrics": {"exact_match": right / 100}, "scores": scores(right), **values}
    return registry.register("triage", stage="staging", **given).reference


def test_the_first_goes_in_where_there_is_nothing_to_be_worse_than(current: ModelRegistry) -> None:
    """A test against production does not apply where nothing is there; the audit says so."""
    (line,) = [line for line in current.history("triage") if line.kind == "promoted"]
    assert (line.by, line.why, line.from_stage, line.to_stage) == ("ann", "the first", "staging", "production")
    assert [gate["outcome"] for gate in line.evidence["gates"]] == ["passed", "not_applicable"]
    assert not line.forced


def test_no_worse_goes_in_and_takes_the_place(current: ModelRegistry) -> None:
    """The test is that of `crucible.stats`, on the items of both; the old version is archived."""
    new = candidate(current, 81)
    done = current.promote(new, why="as good", gates=GATES)
    assert (done.to_stage, done.forced, done.replaced) == ("production", False, ("0.1.0",))
    assert current.get("triage@0.1.0").stage == "archived"
    gate = done.report.results[1]
    expected = stats.non_inferiority(scores(80)["exact_match"], scores(81)["exact_match"], margin=0.05)
    assert (gate.outcome, gate.against) == (GateOutcome.PASSED, "triage@0.1.0")
    assert (gate.details["p"], gate.details["difference"]) == (expected.p, expected.difference)
    assert "0.81 against 0.8, a difference of +0.01" in gate.measured


def test_a_refusal_says_what_was_measured_and_wanted(current: ModelRegistry) -> None:
    """Nothing moves; the audit, the events and the trace have it, and the error has every gate."""
    new = candidate(current, 40)
    heard: list[events.Event] = []
    events.attach("models", "*", heard.append)
    with pytest.raises(PromotionRefused) as refused:
        current.promote(new, why="try", gates=GATES, by="bob")
    events.detach("models")
    said = str(refused.value)
    assert said.startswith("triage@0.2.0 was not promoted to production: exact_match is 0.4, wanted at least 0.5; ")
    assert "0.4 against 0.8, a difference of -0.4 (90 % interval" in said
    assert "wanted shown not to be lower than triage@0.1.0 by 0.05 or more (one-sided test, alpha 0.05)" in said
    assert [gate["outcome"] for gate in refused.value.gates] == ["failed", "failed"]
    assert [each.version for each in current.list("triage", stage="production")] == ["0.1.0"]
    line = current.history("triage")[-1]
    assert (line.kind, line.version, line.by, line.from_stage, line.to_stage) == (
        "refused", "0.2.0", "bob", "staging", "production",
    )  # fmt: skip
    assert line.evidence["gates"] == list(refused.value.gates)
    event, decision = heard
    assert (event.name, event.measurements) == ("crucible_train.model.refused", {"gates_failed": 2})
    assert decision.metadata["decision"] == "did not promote triage@0.2.0 to production"


def test_forcing_is_recorded_only_where_it_was_needed(current: ModelRegistry) -> None:
    """Past a gate it is forced, with what the gate found; where all gates are passed, nothing was forced."""
    worse, better = candidate(current, 40), candidate(current, 90)
    done = current.promote(worse, why="an emergency", gates=GATES, force=True)
    assert (done.forced, len(done.report.failed)) == (True, 2)
    assert current.history("triage")[-1].forced
    assert not current.promote(better, why="better", gates=GATES, force=True).forced
    assert not current.history("triage")[-1].forced


@pytest.mark.parametrize(
    ("values", "gate", "said"),
    [
        ({"scores": scores(80, first=20)}, {}, "a difference of +0"),
        ({"scores": {"f1": {"a": 1.0}}}, {}, r"no scores item by item are kept with triage@0.2.0 \(it has f1\), so no"),
        ({"scores": scores(80, 90)}, {}, "no test can be made: 10 ids are only in baseline"),
        ({"scores": {"exact_match": {**scores(80)["exact_match"], "item-0": None}}}, {}, "1 items failed"),
        ({"scores": {"exact_match": {**scores(80)["exact_match"], "item-0": None}}}, {"failures": "exclude"}, None),
        ({"scores": {"exact_match": {**scores(80)["exact_match"], "item-0": None}}}, {"failures": "zero"}, None),
        ({"scores": scores(79), "metrics": {}}, {}, None),
    ],
)
def test_what_no_test_can_be_made_of_is_not_passed(
    current: ModelRegistry, values: dict[str, Any], gate: dict[str, Any], said: str | None
) -> None:
    """Other items, missing scores, failed items and too few to tell are reasons to refuse, each in words."""
    new = candidate(current, 80, **values)
    gates = Gates.of((), NonInferiority(metric="exact_match", margin=0.05, **gate))
    report = current.judge(new, gates)
    assert report.passed == (said is None), report.words
    if said is not None:
        with pytest.raises(PromotionRefused, match=said.replace("of +", r"of [+-]")):
            current.promote(new, why="try", gates=gates)


def test_the_same_ids_of_other_questions(registry: ModelRegistry) -> None:
    """Where it is known what was asked, ids that stand for something else refuse the test."""
    from crucible.store.models import ModelScores

    for asked in ("a" * 64, "b" * 64):
        version = registry.register("triage", stage="staging")
        registry.store.models.record_scores(
            version, ModelScores("exact_match", scores(9, 10)["exact_match"], asked), by="x"
        )
        gates = Gates.of((), NonInferiority(metric="exact_match", margin=0.5))
        if asked.startswith("a"):
            registry.promote(version.reference, why="first", gates=gates)
            continue
        with pytest.raises(PromotionRefused, match="were asked other items, or the same ids stand for other questions"):
            registry.promote(version.reference, why="second", gates=gates)


def test_a_loss_is_no_worse_where_it_is_no_higher(registry: ModelRegistry) -> None:
    """The direction of the metric decides the side of the test."""
    base = {f"i{place}": 1.0 + place % 7 / 10 for place in range(40)}
    for offset in (0.0, -0.2, 0.2):
        moved = {item: value + offset + int(item[1:]) % 3 / 50 for item, value in base.items()}
        registry.register("lm", stage="staging", scores={"nll": moved if offset else base})
    gates = Gates.of((), NonInferiority(metric="nll", margin=0.1))
    registry.promote("lm@0.1.0", why="first", gates=gates)
    assert not registry.judge("lm@0.3.0", gates).passed
    assert registry.judge("lm@0.2.0", gates).passed
    assert registry.promote("lm@0.2.0", why="lower", gates=gates, keep_current=True).replaced == ()
    assert [each.version for each in registry.list("lm", stage="production")] == ["0.1.0", "0.2.0"]
    assert len(registry.judge("lm@0.3.0", gates).results) == 2, "held against both"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("exact_match", "a condition on a metric must be a path"),
        ("exact_match==0.5", "must say at least"),
        ("exact_match>=good", "must name a finite number"),
        ("exact_match>=true", "must name a finite number"),
        ("exact_match<=0.5", "asks for the worse side: more exact_match is better; write >="),
        ("validation_loss>=0.5", "asks for the worse side: less validation_loss is better; write <="),
    ],
)
def test_thresholds_that_are_none(text: str, said: str) -> None:
    """A gate that lets the worse ones through is a mistake, and refused as one."""
    with pytest.raises(SpecError, match=said):
        Gates.of([text])


def test_thresholds_as_people_write_them(registry: ModelRegistry) -> None:
    """A text, a list, or values by metric: at least or at most as the name says; the edge passes, no value does not."""
    registry.register("triage", metrics={"exact_match": 0.8, "validation_loss": 0.30000001, "x": 1.0})
    assert registry.judge("triage", Gates.of({"exact_match": 0.8, "validation_loss": 0.5})).passed
    assert Gates.of({"exact_match": np.float64(0.5)}) == Gates.of("exact_match>=0.5")
    with pytest.raises(SpecError, match="must name a finite number"):
        Gates.of({"exact_match": True})
    report = registry.judge("triage", Gates.of({"validation_loss": 0.3}))
    assert report.words == "validation_loss is 0.30000001, wanted at most 0.3"
    assert registry.judge("triage", Gates.of("bleu>0.1")).words == "bleu was not measured, wanted more than 0.1"
    assert registry.judge("triage", Gates.of(["x<2", "x>0"])).passed
    assert registry.judge("triage", Gates()).words == "no gate was asked for"
    assert not Gates()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"margin": 0.0}, "margin must be a number above 0"),
        ({"margin": float("nan")}, "margin must be a number above 0"),
        ({"alpha": 0.5}, "alpha must lie between 0 and 1/2"),
        ({"direction": "up"}, "direction must be min .* or max"),
        ({"failures": "drop"}, "failures must be abort, exclude or zero"),
        ({"metric": "loss", "failures": "zero"}, "would make an item that failed the best"),
    ],
)
def test_tests_that_are_none(values: dict[str, Any], said: str) -> None:
    """Out of range, or a policy that turns a failure into a success."""
    with pytest.raises(SpecError, match=said):
        NonInferiority(**{"metric": "exact_match", "margin": 0.1, **values})


@pytest.mark.parametrize(
    ("metric", "direction"),
    [
        ("validation_loss", "min"), ("loss", "min"), ("latency_ms", "min"), ("cost_usd", "min"), ("rl/kl", "min"),
        ("citation_invalid_rate", "min"), ("perplexity", "min"), ("expected_error_mean", "min"),
        ("exact_match", "max"), ("tuned.field_f1", "max"), ("rl/reward", "max"), ("loss_reduction", "max"),
        ("overall_pass_rate", "max"), ("tokens_per_second", "max"), ("glossy", None), ("x", None), ("", None),
    ],
)  # fmt: skip
def test_directions_by_name(metric: str, direction: str | None) -> None:
    """By how a name ends, units aside; one that says nothing is asked for, never guessed."""
    assert known_direction(metric) == direction
    if direction is None:
        with pytest.raises(SpecError, match="does not follow from its name; say direction"):
            direction_for(metric)


def test_why_is_asked_for_and_steps_are_held_to(current: ModelRegistry) -> None:
    """No promotion without a reason, to an unknown stage, or past a stage; a step back is called so."""
    new = current.register("triage").reference
    with pytest.raises(SpecError, match="say why a version is promoted"):
        current.promote(new, why="  ")
    with pytest.raises(SpecError, match="unknown stage 'prod'"):
        current.promote(new, "prod", why="x")
    with pytest.raises(StoreError, match="promote it to staging first"):
        current.promote(new, why="x")
    current.promote(new, "staging", why="x")
    current.promote(new, "development", why="y")
    current.promote(new, "archived", why="z")
    assert [line.kind for line in current.history("triage", "0.2.0")] == ["registered", "promoted", "moved", "archived"]


def test_rolling_back(current: ModelRegistry) -> None:
    """What was there before comes back and what is there goes, again and again; without one, it is said."""
    with pytest.raises(StoreError, match="no archived version of triage was in production before"):
        current.rollback("triage", why="x")
    for right in (81, 82):
        current.promote(candidate(current, right), why="better", gates=GATES)
    done = current.rollback("triage", why="it broke", by="bob")
    assert (done.version.version, done.replaced) == ("0.2.0", ("0.3.0",))
    assert current.rollback("triage", why="that, too").version.version == "0.1.0"
    assert current.history("triage")[-1].kind == "rolled_back"
    with pytest.raises(SpecError, match="say why"):
        current.rollback("triage", why="")
    with pytest.raises(StoreError, match='there is no model "other"'):
        current.rollback("other", why="x")


def test_rolling_back_never_to_what_only_has_the_number(current: ModelRegistry) -> None:
    """A version that was removed was in production; what was registered under its number later was not."""
    current.promote(candidate(current, 81), why="better", gates=GATES)
    current.remove("triage@0.1.0", why="a leak")
    current.register("triage", version="0.1.0")
    current.promote("triage@0.1.0", "archived", why="no use")
    with pytest.raises(StoreError, match="no archived version of triage was in production before"):
        current.rollback("triage", why="x")


def test_rolling_back_never_to_what_was_in_production_elsewhere(current: ModelRegistry, tmp_path: Path) -> None:
    """What another store had in production was not here; a store that was taken over whole goes back as it did."""
    with ModelRegistry.open(tmp_path / "other") as other:
        other.register("triage", version="9.0.0", stage="staging")
        other.promote("triage", why="theirs")
        path = other.export(tmp_path / "m.json")
    current.import_models(path, merge=True)
    current.promote("triage@9.0.0", "archived", why="no use")
    current.promote(candidate(current, 90, version="1.0.0"), why="better", gates=GATES)
    assert current.rollback("triage", why="x").version.version == "0.1.0"
    current.promote(candidate(current, 91, version="1.1.0"), why="better", gates=GATES)
    with ModelRegistry.open(tmp_path / "whole") as whole:
        whole.import_models(current.export(tmp_path / "all.json"))
        assert whole.rollback("triage", why="x").version.version == "0.1.0"
