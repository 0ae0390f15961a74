"""Problems of a document that only its stages can see, found before anything runs."""

from typing import Any, ClassVar

import pytest

from crucible.ir import Experiment
from crucible.pipeline import Registry, Runner, StageBase, announced, pipeline_problems, stage_problems


def shown(lab: Any, *entries: Any) -> list[tuple[str, str]]:
    """Return path and code of every problem."""
    return [(problem.path, problem.code) for problem in pipeline_problems(lab.experiment(*entries), lab.registry)]


def test_everything_is_listed_in_order(lab: Any) -> None:
    """Unknown stages, bad options, a stage's own objections, imports and needs come together, each with its path."""
    assert shown(
        lab,
        "nobody",
        {"name": "count", "options": {"by": 0}},
        {"name": "count", "options": {"by": 13}},
        {"name": "count", "options": {"by": 13}, "enabled": False},
        {"name": "count", "module": "os:system"},
        {"name": "later", "needs": ["nothing"]},
    ) == [
        ("pipeline[5].needs[0]", "needs"),
        ("pipeline[0].name", "unknown_stage"),
        ("pipeline[1].options.by", "range"),
        ("pipeline[2].options.by", "refused"),
        ("dataset", "refused"),
        ("pipeline[4].module", "import"),
    ]


def test_a_problem_of_the_document_is_told_once(lab: Any) -> None:
    """Two entries that object to the same part of the document are one problem."""
    unlucky = {"name": "count", "options": {"by": 13}}
    assert [path for path, _ in shown(lab, unlucky, unlucky)].count("dataset") == 1


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"on_error": "fallback"}, [("pipeline[0].fallback", "missing")]),
        (
            {"on_error": "fallback", "fallback": {"name": "count", "enabled": False}},
            [("pipeline[0].fallback", "missing")],
        ),
        ({"fallback": {"name": "count"}}, [("pipeline[0].fallback", "refused")]),
        ({"fallback": {"name": "count", "enabled": False}}, []),
        ({"on_error": "fallback", "fallback": {"name": "nobody"}}, [("pipeline[0].fallback.name", "unknown_stage")]),
        (
            {"on_error": "fallback", "fallback": {"name": "count", "options": {"by": 13}}},
            [("pipeline[0].fallback.options.by", "refused"), ("dataset", "refused")],
        ),
        (
            {"on_error": "fallback", "fallback": {"name": "count", "id": "x", "needs": []}},
            [("pipeline[0].fallback.id", "refused"), ("pipeline[0].fallback.needs", "refused")],
        ),
        (
            {"on_error": "fallback", "fallback": {"name": "count", "on_error": "fallback", "fallback": {"name": "no"}}},
            [("pipeline[0].fallback.fallback.name", "unknown_stage")],
        ),
    ],
)
def test_fallbacks_are_looked_into(lab: Any, entry: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """A fallback that is missing, never used, wrong itself, or has what nobody reads is a problem, at any depth."""
    assert shown(lab, {"name": "count", **entry}) == expected


def test_a_stage_that_is_no_stage_is_a_problem(lab: Any) -> None:
    """What an allowed path leads to is checked, too."""
    lab.registry = lab.registry.allowing(["math"])
    assert shown(lab, {"name": "count", "module": "math:pi"}) == [("pipeline[0].name", "stage")]


def test_a_stage_of_a_stranger_needs_no_check(lab: Any) -> None:
    """A stage without `check` and `announces` has nothing to object, and does not say what it leaves."""

    class Bare:
        """A stage that is no StageBase."""

        name: ClassVar[str] = "bare"
        Options = StageBase.Options

        def run(self, context: Any, options: Any) -> Any:
            """Do nothing."""
            return context

        def describe(self) -> dict[str, Any]:
            """Say nothing."""
            return {}

    lab.knows(Bare())
    assert shown(lab, "bare") == []
    assert announced(lab.experiment("bare", "count"), lab.registry, 1) is None


def test_one_stage_may_be_checked_alone(lab: Any) -> None:
    """While the document does not fit, options are checked, and what needs the whole document is not."""
    definition = lab.experiment({"name": "count", "options": {"by": 13}}).pipeline[0]
    assert stage_problems(3, definition, lab.registry) == []
    problems = stage_problems(3, definition, lab.registry, lab.experiment(definition))
    assert [problem.path for problem in problems] == ["pipeline[3].options.by", "dataset"]


class Loads(StageBase):
    """Say what it will leave."""

    name: ClassVar[str] = "loads"

    def announces(self, experiment: Experiment, options: Any) -> dict[str, Any]:
        """Two names."""
        return {"train": 1, "test": 2}

    def run(self, context: Any, options: Any) -> Any:
        """Do nothing."""


def test_announced_is_what_enabled_stages_before_an_entry_leave(lab: Any) -> None:
    """Later stages win; disabled ones leave nothing; one that does not say, or is wrong, makes all of it unknown."""
    lab.knows(Loads())
    assert announced(lab.experiment("loads", {"name": "boom", "enabled": False}, "count"), lab.registry, 2) == {
        "train": 1,
        "test": 2,
    }
    assert announced(lab.experiment("loads"), lab.registry, 0) == {}
    assert announced(lab.experiment("loads", "count", "later"), lab.registry, 2) is None
    assert announced(lab.experiment("nobody", "count"), lab.registry, 1) is None


def test_the_stage_validate_strict_and_not(lab: Any) -> None:
    """The stage `validate` ends a run with problems, or writes them down when strict is off."""
    lab.registry = Registry()
    good = lab.run("validate")
    assert good.context.metrics["validation"] == {"status": "passed", "warnings": []}
    bad = lab.run("validate", "nobody")
    assert bad.failed.name == "validate"
    assert 'unknown stage "nobody"' in bad.failure.message
    soft = lab.run({"name": "validate", "options": {"strict": False}}, "nobody")
    assert soft.context.metrics["validation"]["status"] == "warnings"
    assert "nobody" in soft.context.metrics["validation"]["warnings"][0]
    assert Runner().registry.names() == lab.registry.names()
    assert announced(lab.experiment("validate", "bench"), lab.registry, 1) == {}
