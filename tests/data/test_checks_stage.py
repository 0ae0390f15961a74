from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crucible import data, events
from crucible.data.checks_stage import DataChecksOptions, DataChecksStage
from crucible.errors import ContractError
from crucible.ir import BackendRef, DatasetRef, Experiment, StageDef
from crucible.pipeline import Context, Registry, Runner, RunResult, parse_options, pipeline_problems

GOOD = {"input": "a", "output": "b"}


def experiment(*definitions: StageDef, **fields: Any) -> Experiment:
    """Return a document with these stages."""
    return Experiment(id="e", backend=BackendRef(id="local"), pipeline=definitions, **fields)


def checks(**options: Any) -> StageDef:
    """Return a definition of the stage."""
    return StageDef(name="data_checks", options=options)


def run(tmp_path: Path, examples: Any, *definitions: StageDef, stage: DataChecksStage | None = None) -> RunResult:
    """Run the stage over some examples."""
    registry = Registry(*([stage] if stage else []))
    assigns = {} if examples is None else {"examples": examples}
    return Runner(registry).run(experiment(*definitions), workspace=tmp_path, assigns=assigns)


def metric(result: RunResult, name: str = "data_checks") -> dict[str, Any]:
    """Return what the stage counted, as plain values."""
    result.raise_for_status()
    return dict(result.context.get_metric(name))


def failure(result: RunResult) -> tuple[str, str]:
    """Return type and message of a run's failure."""
    assert result.failure is not None
    return result.failure.type, result.failure.message


def test_every_issue_is_counted_and_kept_in_order(tmp_path: Path) -> None:
    """The predecessor's words, and issues in the order of the examples."""
    result = run(tmp_path, [{"id": "x", "input": "a"}, GOOD, {"output": 0}], checks())
    assert metric(result) == {
        "status": "issues",
        "total": 3,
        "checked": {"examples": 3},
        "required_fields": ["input", "output"],
        "missing_required": 2,
        "issues": 2,
        "issues_by_kind": {"missing": 2},
        "issues_by_field": {"input": 1, "output": 1},
        "issues_left_out": 0,
    }
    issues = result.context.get_assign("data_issues")
    assert [(issue["index"], issue["id"], list(issue["missing"])) for issue in issues] == [
        (0, "x", ["output"]),
        (2, None, ["input"]),
    ]


def test_good_examples_pass(tmp_path: Path) -> None:
    """With an empty list of issues."""
    result = run(tmp_path, [GOOD], checks())
    assert (metric(result)["status"], len(result.context.get_assign("data_issues"))) == ("passed", 0)


def test_without_examples_there_is_nothing_to_check_and_the_metric_says_so(tmp_path: Path) -> None:
    """None is as absent; both are a decision in the trace, not a pass."""
    for place, assigns in enumerate(({}, {"examples": None})):
        with events.collect("crucible_trace.*") as seen:
            result = Runner().run(experiment(checks()), workspace=tmp_path / str(place), assigns=assigns)
        assert (metric(result)["status"], metric(result)["total"]) == ("nothing_to_check", 0)
        assert [event.metadata["decision"] for event in seen] == ["checked no examples"]


def test_no_examples_are_not_passed(tmp_path: Path) -> None:
    """An empty list is nothing to check, unless there should have been some."""
    assert metric(run(tmp_path, [], checks()))["status"] == "nothing_to_check"
    assert metric(run(tmp_path, [], checks(min_examples=1)))["status"] == "issues"


def test_the_loaded_datasets_are_checked(tmp_path: Path) -> None:
    """Both of them, by their own names, and `output` is the expected answer."""
    (tmp_path / "train.jsonl").write_text('{"input": "a", "expected": "b"}\n{"input": "c"}\n')
    (tmp_path / "test.jsonl").write_text('{"input": "d", "expected": "e"}\n')
    ref = DatasetRef(name="jsonl", options={"path": str(tmp_path), "unanswered": "keep"})
    document = experiment(StageDef(name="data_load"), checks(), dataset=ref)
    result = Runner().run(document, workspace=tmp_path / "w")
    assert metric(result)["checked"] == {"train": 2, "test": 1}
    (issue,) = result.context.get_assign("data_issues")
    assert (issue["source"], issue["index"], issue["id"], list(issue["missing"])) == ("train", 1, "train-2", ["output"])


def test_sources_can_be_chosen_and_must_then_be_there(tmp_path: Path) -> None:
    """A name that nobody provides, or that is no dataset, is an error."""
    items = (data.Item("a", "q"),)
    here = Context(run_id="r", experiment=experiment(checks()), workspace=tmp_path)
    here = here.put_resource("train", data.Dataset("d", "train", items, data.Provenance(source="memory")))
    here = here.put_resource("model", object()).assign("examples", [GOOD, {}])
    stage = DataChecksStage()

    def total(*sources: str) -> dict[str, int]:
        options = parse_options(stage, {"sources": list(sources)})
        return dict(stage.run(here, options).get_metric("data_checks")["checked"])

    assert total() == {"examples": 2, "train": 1}
    assert total("train") == {"train": 1}
    assert total("examples") == {"examples": 2}
    with pytest.raises(ContractError, match='"model", which is a object and no dataset'):
        total("model")
    with pytest.raises(ContractError, match='no resource "tset"'):
        total("tset")
    with pytest.raises(ContractError, match="sources names examples, and no stage"):
        stage.run(
            Context(run_id="r", experiment=experiment(checks()), workspace=tmp_path),
            parse_options(stage, {"sources": ["examples"]}),
        )


def test_examples_that_are_no_list_are_refused(tmp_path: Path) -> None:
    """With the type that came."""
    kind, message = failure(run(tmp_path, {"input": "a"}, checks()))
    assert kind == "DataError"
    assert "assigns.examples must be a list of mappings, got a " in message


def test_fail_fast_ends_the_run_at_the_first_issue(tmp_path: Path) -> None:
    """And says which example and which fields."""
    kind, message = failure(run(tmp_path, [GOOD, {"id": "x"}, {}], checks(fail_fast=True)))
    assert (kind, message) == ("DataError", 'examples[1] (id "x"): no value in input, output (fail_fast)')
    run(tmp_path / "good", [GOOD], checks(fail_fast=True)).raise_for_status()


def test_fail_on_issue_ends_the_run_with_all_counts(tmp_path: Path) -> None:
    """The first five are named, the rest are counted."""
    kind, message = failure(run(tmp_path, [{}] * 7, checks(fail_on_issue=True, max_issues=5, min_examples=9)))
    assert kind == "DataError"
    assert message.startswith("8 issues (7 missing, 1 too_few): examples[0]: no value in input, output; examples[1]")
    assert message.endswith("; and 3 more (fail_on_issue)")
    _, message = failure(run(tmp_path / "1", [{}], checks(fail_on_issue=True)))
    assert message == "1 issues (1 missing): examples[0]: no value in input, output (fail_on_issue)"


def test_the_issues_that_are_kept_are_bounded(tmp_path: Path) -> None:
    """The others are counted as left out."""
    result = run(tmp_path, [{}] * 5, checks(max_issues=2))
    assert (metric(result)["issues"], metric(result)["issues_left_out"]) == (5, 3)
    assert len(result.context.get_assign("data_issues")) == 2


def test_going_on_with_issues_is_a_decision(tmp_path: Path) -> None:
    """A reader of the trace sees that nobody asked to stop."""
    with events.collect("crucible_trace.*") as seen:
        run(tmp_path, [{}], checks())
    (event,) = seen
    assert event.metadata["decision"] == "went on with 1 issues in the examples"
    assert event.metadata["alternatives"] == ["end the run"]


def rude(examples: Any, options: Any) -> list[data.RowProblem]:
    """Complain of a word."""
    word = options.get("word", "fool")
    return [data.RowProblem(i, f"says {word}", ("input",)) for i, row in enumerate(examples) if word in row["input"]]


def test_a_checker_can_be_handed_over_in_python(tmp_path: Path) -> None:
    """Its problems stand among the others; the document may give it options."""
    rows = [{"input": "a fool", "output": "x"}, {"input": "an ass"}]
    stage = DataChecksStage(checker=rude)
    result = run(tmp_path, rows, checks(), stage=stage)
    assert metric(result)["issues_by_kind"] == {"checker": 1, "missing": 1}
    result = run(tmp_path / "2", rows, checks(checker_options={"word": "ass"}), stage=stage)
    assert [issue["kind"] for issue in result.context.get_assign("data_issues")] == ["missing", "checker"]


def test_fail_fast_heeds_the_checker(tmp_path: Path) -> None:
    """The first bad example ends the run, whoever finds it."""
    rows = [{"input": "a fool", "output": "x"}, {}]
    stage = DataChecksStage(checker=lambda examples, options: [data.RowProblem(0, "rude")])
    _, message = failure(run(tmp_path, rows, checks(fail_fast=True), stage=stage))
    assert message == "examples[0]: rude (fail_fast)"


def test_validation_refuses_what_cannot_be_carried_out() -> None:
    """An unknown checker, options of none, and two stages that would write the same."""

    def problems(*definitions: StageDef) -> list[tuple[str, str]]:
        return [(problem.path, problem.message) for problem in pipeline_problems(experiment(*definitions), Registry())]

    ((path, message),) = problems(checks(checker="my_pkg.checks:run"))
    assert path == "pipeline[0].options.checker"
    assert "a document may not name" in message
    ((path, message),) = problems(checks(checker_options={"a": 1}))
    assert (path, message[:19]) == ("pipeline[0].options.checker_options", "there is no checker")
    ((path, message),) = problems(
        checks(), checks(), checks(label="again"), StageDef(name="data_checks", enabled=False)
    )
    assert path == "pipeline[1].options.label"
    assert "give each a label" in message
    assert problems(checks(max_issues=-1))[0][0] == "pipeline[0].options.max_issues"


def test_a_label_keeps_two_checks_apart(tmp_path: Path) -> None:
    """Without one, the second would overwrite the first, and is refused."""
    result = run(tmp_path, [{}], checks(), checks(label="after", required_fields=[]))
    assert metric(result)["issues"] == 1
    assert metric(result, "data_checks.after")["issues"] == 0
    assert len(result.context.get_assign("data_issues.after")) == 0
    kind, message = failure(run(tmp_path / "2", [{}], checks(), checks()))
    assert kind == "ContractError"
    assert "give this one another label" in message


def test_a_named_checker_is_asked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the one handed over in Python."""
    from importlib.metadata import entry_points

    (tmp_path / "stage_checkers.py").write_text(
        "from crucible.data import RowProblem\n"
        "def lonely(examples, options):\n"
        "    return [RowProblem(None, 'lonely')]\n"
    )
    about = tmp_path / "stage_checkers-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: stage_checkers\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[crucible.data_checkers]\nlonely = stage_checkers:lonely\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert [point.name for point in entry_points(group="crucible.data_checkers")] == ["lonely"]
    assert not pipeline_problems(experiment(checks(checker="lonely")), Registry())
    stage = DataChecksStage(checker=rude)
    result = run(tmp_path / "w", [{"input": "fool", "output": "x"}], checks(checker="lonely"), stage=stage)
    assert [issue["problem"] for issue in result.context.get_assign("data_issues")] == ["says fool", "lonely"]


def test_the_stage_says_what_it_reads_and_leaves() -> None:
    """Nothing of the document but its options, and nothing that a later stage has to know of."""
    assert DataChecksStage.reads == frozenset()
    assert DataChecksStage().announces(experiment(checks()), DataChecksOptions()) == {}
