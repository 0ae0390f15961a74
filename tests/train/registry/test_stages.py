"""The stage `register_model`: what a run trained goes into the registry once, and to production past its gates."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import crucible
from crucible.errors import ContractError, PromotionRefused
from crucible.ir import Experiment
from crucible.pipeline import Context, Registry, parse_options, pipeline_problems
from crucible.train import ModelRegistry
from crucible.train.registry.stages import RegisterModelStage

REGISTRY = Registry()
GATES = {"thresholds": ["exact_match>=0.5"], "non_inferiority": [{"metric": "exact_match", "margin": 0.05}]}


@pytest.fixture
def context(registry: ModelRegistry, checkpoint: Callable[..., Path], tmp_path: Path) -> Callable[..., Context]:
    """Return a function that makes the context of a run that trained and evaluated `tuned`, so many of 60 right."""

    def make(right: int, run_id: str = "run-1", **changes: Any) -> Context:
        document = {"id": "lab", "backend": {"id": "local"}, "pipeline": [{"name": "register_model"}]}
        workspace = tmp_path / "store" / "artifacts" / run_id
        made = Context(run_id=run_id, experiment=Experiment.read(document), workspace=workspace)
        folder = workspace / "train" / "tuned"
        folder.parent.mkdir(parents=True, exist_ok=True)
        if not folder.exists():
            checkpoint(f"of-{run_id}", run_id.encode()).rename(folder)
        path = workspace / "scores.jsonl"
        path.write_text(
            "\n".join(
                json.dumps({"id": str(n), "scores": {"exact_match": {"kind": "scored", "value": float(n < right)}}})
                for n in range(60)
            )
        )
        facts = {"config": {"base_model": "crucible/tiny", "rank": 4}, "final_loss": 0.25, "steps": 9, "items": 5}
        made = made.assign("provenance", {"store": str(tmp_path / "store")} | changes.pop("provenance", {}))
        made = made.add_file("adapter.tuned", folder / "adapter_model.safetensors").add_file("scores.tuned", path)
        means = {"exact_match": {"mean": right / 60, "scored": 60}}
        return made.merge_metrics({"train.tuned": facts, "evaluate.tuned": means, **changes})

    return make


def run(context: Context, **options: Any) -> Context:
    """Carry out the stage."""
    stage = RegisterModelStage()
    return stage.run(context, parse_options(stage, options))


def test_what_a_run_knows_goes_with_the_version(context: Callable[..., Context], registry: ModelRegistry) -> None:
    """Files, configuration, losses, means and the scores of every item; named after the experiment by default."""
    after = run(context(48), tags=["a"], description="new")
    made = registry.get("lab@0.1.0")
    assert (made.run_id, made.created_by, made.stage, made.tags) == ("run-1", "run run-1", "development", ("a",))
    assert made.metrics == {"final_loss": 0.25, "validation_loss": 0.5, "exact_match": 0.8}
    assert (made.origin["config"]["rank"], made.origin["base_model"], made.origin["steps"]) == (4, "crucible/tiny", 9)
    assert made.scored == ("exact_match",)
    assert registry.verify("lab") == {}
    facts = {"version": "lab@0.1.0", "decision": "registered", "stage": "development"}
    assert after.metrics["registry.lab@0.1.0"] == facts


def test_a_run_that_was_interrupted_registers_once(context: Callable[..., Context], registry: ModelRegistry) -> None:
    """Carried out again, before or after the promotion, the stage finds its version and says the same of it."""
    run(context(48), promote_to="staging")
    options = {"name": "again", "promote_to": "production", "gates": GATES}
    first = run(context(48), **options)
    second = run(context(48), **options)
    assert first.metrics == second.metrics
    assert [each.reference for each in registry.list()] == ["again@0.1.0", "lab@0.1.0"]
    assert [line.kind for line in registry.history("again")] == ["registered", "promoted"]
    assert first.metrics["registry.again@0.1.0"]["gates"][1]["outcome"] == "not_applicable"


def test_gates_decide_and_the_report_says_how(context: Callable[..., Context], registry: ModelRegistry) -> None:
    """One that is worse stays in staging and is reported, or fails the stage where that is asked for."""
    options: dict[str, Any] = {"promote_to": "production", "gates": GATES}
    run(context(48), **options)
    better = run(context(54, "run-2"), **options, why="better").metrics["registry.lab@0.2.0"]
    assert (better["decision"], better["stage"], better["replaced"]) == ("promoted", "production", "0.1.0")
    assert better["gates"][1]["against"] == "lab@0.1.0"
    worse = run(context(30, "run-3"), **options).metrics["registry.lab@0.3.0"]
    assert (worse["decision"], worse["stage"]) == ("not promoted to production", "staging")
    assert [gate["outcome"] for gate in worse["gates"]] == ["passed", "failed"]
    with pytest.raises(PromotionRefused, match="lab@0.4.0 was not promoted to production: exact_match"):
        run(context(29, "run-4"), **options, on_refused="fail")
    assert registry.get("lab@production").version == "0.2.0"
    assert registry.history("lab")[-1].kind == "refused"
    assert [line.why for line in registry.history("lab") if line.kind == "promoted"] == ["asked for by lab", "better"]


def test_what_the_run_does_not_have(context: Callable[..., Context]) -> None:
    """A model that was not trained, an evaluation that was not made, a store that nothing outlives."""
    with pytest.raises(ContractError, match='the run trained no model "tunde"; it trained tuned'):
        run(context(1), model="tunde")
    with pytest.raises(ContractError, match='the run has no evaluation "other"; it has tuned'):
        run(context(1), evaluation="other")
    for place in (None, ":memory:"):
        with pytest.raises(ContractError, match="register_model needs a store that outlives the run"):
            run(context(1, provenance={"store": place}))
    with pytest.raises(ContractError, match="needs a password; set CRUCIBLE_STORE"):
        run(context(1, provenance={"store": "postgresql://me:***@host/db"}))


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"name": "a/b"}, "name"),
        ({"version": "1.0"}, "version"),
        ({"label": "r c", "bump": "prerelease"}, "label"),
        ({"label": "beta"}, "label"),
        ({"version": "1.0.0", "bump": "major"}, "bump"),
        ({"on_refused": "fail"}, "on_refused"),
        ({"tags": ["a b"]}, "tags"),
        ({"parents": {"born_of": ["x"]}}, "parents"),
        ({"parents": {"merged_from": ["a/b"]}}, "parents"),
        ({"gates": {"thresholds": ["acc>=1"]}}, "gates"),
        ({"keep_current": True}, "keep_current"),
        ({"why": "x"}, "why"),
        ({"promote_to": "staging", "keep_current": True}, "keep_current"),
        ({"promote_to": "staging", "gates": {"thresholds": ["acc<1"]}}, "gates.thresholds[0]"),
        (
            {"promote_to": "staging", "gates": {"non_inferiority": [{"metric": "odd", "margin": 1.0}]}},
            "gates.non_inferiority[0]",
        ),
        (
            {
                "promote_to": "staging",
                "gates": {"non_inferiority": [{"metric": "loss", "margin": 1.0, "failures": "zero"}]},
            },
            "gates.non_inferiority[0]",
        ),
    ],
)
def test_validate_names_what_cannot_be_done(options: dict[str, Any], path: str) -> None:
    """Before anything is trained, by the option's path."""
    document = {"id": "lab", "backend": {"id": "local"}, "pipeline": [{"name": "register_model", "options": options}]}
    (problem,) = pipeline_problems(Experiment.read(document), REGISTRY)
    assert problem.path == f"pipeline[0].options.{path}"


@pytest.mark.slow  # builds a base model, trains, evaluates
def test_a_whole_run(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train, evaluate, register, promote, report; a sampler comes of it, and the run can be registered by its id."""
    monkeypatch.chdir(tmp_path)
    document = {
        "id": "whole",
        "backend": {"id": "local"},
        "dataset": {"name": "tickets", "options": {"limit": 8, "test_limit": 4}},
        "training_config": {
            "id": "t",
            "model_ref": {"id": str(base)},
            "dataset_ref": {"name": "tickets"},
            "batch_size": 4,
        },
        "pipeline": [
            {"name": "data_load"},
            {"name": "supervised_train", "options": {"max_steps": 2, "rank": 4}},
            {"name": "evaluate", "options": {"model": "tuned", "scorers": ["exact_match"], "max_tokens": 4}},
            {
                "name": "register_model",
                "options": {"promote_to": "production", "gates": {"thresholds": ["final_loss<=99"]}},
            },
            {"name": "report"},
        ],
        "outputs": [{"name": "report", "formats": ["markdown"]}],
    }
    result = crucible.run(Experiment.read(document))
    assert result.raise_for_status().status == "completed"
    report = (result.context.workspace / "report" / "report.md").read_text()
    assert "Model registry (whole@0.1.0): gates" in report
    with ModelRegistry.open() as registry:
        made = registry.get("whole@production")
        assert made.is_synthetic
        assert made.origin["base_digest"] == result.context.metrics["train.tuned"]["base_digest"]
        assert registry.register_run("whole", result.run_id[:12]) == made, "the same source"
        other = registry.register_run("other", result.run_id, tags=["by-id"], metrics={"final_loss": 9.0})
        assert (other.metrics["final_loss"], other.tree_sha256, other.scored) == (
            9.0, made.tree_sha256, ("exact_match",),
        )  # fmt: skip
        prompt = "Ticket: hello"
        sampler = result.context.resource("sampler.tuned")
        assert registry.create_sampler("whole").logprobs([prompt]) == sampler.logprobs([prompt])
