"""Parts that nothing carries out are refused by name; what somebody reads, or may read, is not."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any, ClassVar

from crucible import assembly, ir
from crucible.pipeline import Context, NoOptions, Registry, StageBase, stage

LOCAL = {"id": "local"}


def refused(document: dict[str, Any], registry: Registry | None = None) -> dict[str, str]:
    """Return the problems of an experiment by path."""
    whole = {"id": "e", "backend": LOCAL, "pipeline": [{"name": "validate"}], **document}
    return {each.path: each.message for each in assembly.problems_of(ir.from_dict(whole, ir.Experiment), registry)}


def training(**fields: Any) -> dict[str, Any]:
    """Return a training_config."""
    return {"id": "t", "model_ref": {"id": "crucible/tiny"}, "dataset_ref": {"name": "tickets"}, **fields}


@stage("anything")
def anything(context: Context, options: NoOptions) -> Context:
    """Do not say what is read."""
    return context


class Voting(StageBase):
    """Say what is read."""

    name: ClassVar[str] = "voting"
    reads: ClassVar[frozenset[str] | None] = frozenset({"reliability.ensemble", "baseline"})

    def run(self, context: Context, options: NoOptions) -> Context:
        """Do nothing."""
        return context


def test_an_unread_part_is_refused_with_the_stage_that_would_read_it() -> None:
    """The stage is found by what the registered ones say that they read."""
    found = refused(
        {
            "dataset": {"name": "tickets"},
            "outputs": [{"name": "r"}],
            "training_config": training(),
            "baseline": {"id": "m"},
            "reliability": {"stats": {}, "guardrails": {}},
        }
    )
    named = {
        "dataset": "data_load",
        "reliability.guardrails": "guardrails",
        "reliability.stats": "bench",
        "outputs": "report",
        "training_config": "distillation` or `dpo_train` or `rl_train` or `supervised_train",
        "baseline": "evaluate",
    }
    assert found == {
        path: f"nothing carries it out: add the stage `{name}`, or leave it out" for path, name in named.items()
    }
    assert list(found) == list(named)


def test_what_no_stage_of_this_version_does_is_refused_with_its_words() -> None:
    """Each part once, with what it asks for."""
    parts: dict[str, Any] = {
        "ensemble": {"strategy": "majority", "execution_mode": "cascade", "models": ["a", "b"]},
        "hedging": {"strategy": "exponential_backoff"},
        "monitoring": {},
        "circuit_breaker": {"of": "mine"},
        "feedback": {"enabled": True, "storage": "bigquery"},
    }
    found = refused({"reliability": parts})
    assert {path.removeprefix("reliability.") for path in found} == set(parts)
    assert all(message.startswith("nothing in this version carries it out") for message in found.values())
    assert "(strategy majority, execution_mode cascade, models)" in found["reliability.ensemble"]
    assert "(strategy exponential_backoff)" in found["reliability.hedging"]
    assert "(enabled, storage bigquery)" in found["reliability.feedback"]


OFF: dict[str, dict[str, Any]] = {
    "ensemble": {"strategy": "none", "models": ["a"]},
    "hedging": {"strategy": "off", "delay_ms": 50},
    "fairness": {"enabled": False, "group_by": "x", "threshold": 0.8},
    "feedback": {"enabled": False, "storage": "s3"},
}


def test_a_part_that_is_off_asks_for_nothing() -> None:
    """By its switch alone, whatever else it says, and whether the switch is written or has its value by default."""
    assert refused({"reliability": OFF}) == {}
    by_default = {name: dict(list(part.items())[1:]) for name, part in OFF.items()}
    assert refused({"reliability": by_default}) == {}
    assert refused({"reliability": {name: {} for name in OFF}}) == {}


def test_equal_documents_are_judged_alike() -> None:
    """The form that is written out, with or without defaults, gets the verdict of the one that was read."""
    on: dict[str, Any] = {"fairness": {"enabled": True, "group_by": "g"}, "ensemble": {"strategy": "majority"}}
    for parts in (OFF, on):
        read = ir.from_dict({"id": "e", "backend": LOCAL, "pipeline": [{"name": "validate"}]}, ir.Experiment)
        read = read.model_copy(update={"reliability": ir.from_dict(parts, ir.ReliabilityConfig)})
        full = ir.Experiment.read(read.model_dump(mode="json", by_alias=True, exclude={"extra"}, exclude_none=True))
        assert full == read
        found = [str(each) for each in assembly.problems_of(read)]
        assert [str(each) for each in assembly.problems_of(full)] == found
        assert bool(found) == (parts is on)


def test_an_empty_list_of_tests_is_refused() -> None:
    """It names no test; the rule that chooses one is asked for by leaving it out."""
    bench = {"name": "bench", "options": {"metric": "exact_match", "contrasts": []}}
    found = refused({"pipeline": [bench], "reliability": {"stats": {"tests": []}}})
    assert found["reliability.stats.tests"] == "must name at least one test, or be left out"
    assert [each.path for each in assembly.refusals_of(ir.StatsConfig(tests=()))] == ["tests"]
    levels = {"pipeline": [{"name": "data_load"}, {"name": "evaluate"}], "dataset": {"name": "tickets"}}
    found = refused({**levels, "reliability": {"stats": {"tests": []}}})
    assert list(found) == ["reliability.stats.tests"]


def test_a_part_may_be_read_field_by_field() -> None:
    """`evaluate` reads the level of the intervals and the base model; what it does not read is refused alone."""
    document: dict[str, Any] = {
        "pipeline": [{"name": "data_load"}, {"name": "evaluate"}],
        "dataset": {"name": "tickets"},
        "reliability": {"stats": {"alpha": 0.01}},
        "training_config": training(seed=3),
    }
    assert refused(document) == {}
    document["reliability"]["stats"]["tests"] = ["anova"]
    document["training_config"]["epochs"] = 4
    assert set(refused(document)) == {"reliability.stats.tests", "training_config.epochs"}


def test_a_stage_that_does_not_say_what_it_reads_may_read_everything() -> None:
    """A stranger's; nothing is refused for being unread, in a fallback too."""
    parts = {"baseline": {"id": "m"}, "reliability": {"ensemble": {"strategy": "majority", "models": ["a"]}}}
    registry = Registry(anything)
    assert refused({**parts, "pipeline": [{"name": "anything"}]}, registry) == {}
    fallback = {"name": "validate", "on_error": "fallback", "fallback": {"name": "anything"}}
    assert refused({**parts, "pipeline": [fallback]}, registry) == {}
    disabled = [{"name": "anything", "enabled": False}, {"name": "validate"}]
    assert set(refused({**parts, "pipeline": disabled}, registry)) == {"baseline", "reliability.ensemble"}


def test_a_stage_that_says_what_it_reads_makes_up_for_a_refusal() -> None:
    """A room that comes later turns refusals into execution, for its own parts alone."""
    parts = {"ensemble": {"strategy": "majority", "models": ["a"]}, "monitoring": {}}
    document = {"reliability": parts, "baseline": {"id": "m"}, "pipeline": [{"name": "voting"}]}
    registry = Registry(Voting())
    assert set(refused(document, registry)) == {"reliability.monitoring"}
    found = refused({**document, "pipeline": [{"name": "validate"}]}, registry)
    assert "add the stage `voting`" in found["reliability.ensemble"]
    assert "add the stage `evaluate` or `voting`" in found["baseline"]


def test_an_unknown_stage_is_the_only_problem_of_its_document() -> None:
    """It may have been the one that reads the rest."""
    found = refused({"pipeline": [{"name": "reprot"}], "outputs": [{"name": "r"}]})
    assert set(found) == {"pipeline[0].name"}


def test_an_installed_stage_that_cannot_be_imported_is_no_advice() -> None:
    """It is passed over where a stage to add is looked for."""
    registry = Registry()
    registry._offers["broken"] = EntryPoint("broken", "no.such:Stage", "crucible.stages")
    assert "`report`" in refused({"outputs": [{"name": "r"}]}, registry)["outputs"]


def test_a_baseline_is_what_base_means_without_a_training_config() -> None:
    """With one it is refused, unless it is the same model or a stage names it."""
    stages: list[dict[str, Any]] = [{"name": "data_load"}, {"name": "evaluate"}]
    document: dict[str, Any] = {
        "dataset": {"name": "tickets"},
        "baseline": {"id": "my/base"},
        "pipeline": stages,
    }
    assert refused(document) == {}
    message = refused({**document, "training_config": training()})["baseline"]
    assert message.startswith('nothing evaluates "my/base": with a training_config, model: base is the base that')
    same = {"id": "x", "artifact_uri": "crucible/tiny"}
    assert refused({**document, "training_config": training(), "baseline": same}) == {}
    stages.append({"name": "evaluate", "options": {"base_model": "my/base", "label": "other"}})
    assert refused({**document, "training_config": training()}) == {}
    tuned = [{"name": "data_load"}, {"name": "evaluate", "options": {"model": "tuned"}}]
    assert set(refused({**document, "pipeline": tuned})) == {"baseline"}


def test_what_a_dataset_says_and_its_source_ignores_is_refused() -> None:
    """Formats that cannot be chosen, fields of generated data, and two datasets for one run."""
    stages = [{"name": "data_load"}]

    def message(path: str, **dataset: Any) -> str:
        found = refused({"pipeline": stages, "dataset": {"name": "tickets", **dataset}})
        assert list(found) == [f"dataset.{path}"]
        return found[f"dataset.{path}"]

    assert 'no format "jsonl"' in message("format", format="jsonl")
    assert "leave schema out" in message("schema", schema={"type": "object"})
    assert 'no split "validation"' in message("split", split="validation")
    assert 'no format "csv"' in message("format", format="csv")
    assert 'unknown provider "huggingfac"' in message("provider", provider="huggingfac")
    both = {"pipeline": [*stages, {"name": "supervised_train"}], "dataset": {"name": "tickets"}}
    other = {"name": "scifact", "split": "test", "schema": {"type": "object"}}
    found = refused({**both, "training_config": training(dataset_ref=other)})
    assert set(found) == {f"training_config.dataset_ref.{name}" for name in ("name", "split", "schema")}
    both["pipeline"][0] = {"name": "data_load", "options": {"name": "tickets"}}
    assert refused({**both, "training_config": training(dataset_ref=other)}) == {}
    alone = {"pipeline": both["pipeline"], "training_config": training(dataset_ref={"name": "ticket"})}
    assert refused({**alone, "pipeline": [*stages, {"name": "supervised_train"}]}).keys() == {
        "training_config.dataset_ref.name"
    }


def test_a_backend_of_somebody_else_gets_its_options() -> None:
    """The local one takes none; the rest of a reference is used by no backend."""
    path = {"id": "elsewhere", "options": {"a": 1}, "fallback": LOCAL}
    assert set(refused({"backend": path})) == {"backend.id", "backend.fallback"}
    assert set(refused({"backend": {**LOCAL, "options": {"a": 1}}})) == {"backend.options"}


def test_single_types_say_what_nothing_carries_out() -> None:
    """An order for a room that is not built is refused as a whole; a part of an experiment by its words."""
    order = ir.new_deployment_config("d", "m", strategy="blue_green", scaling={"max_replicas": 3})
    (problem,) = assembly.refusals_of(order)
    assert str(problem) == (
        "nothing in this version deploys; "
        "DeploymentConfig is not carried out (scaling, environment development, strategy blue_green)"
    )
    config = ir.new_training_config(
        "t",
        {"id": "m", "provider": "gcs"},
        "tickets",
        optimizer="lion",
        mixed_precision=True,
        loss_function={"label_smoothing": 0.1},
    )
    assert [str(each) for each in assembly.refusals_of(config)] == [
        "model_ref.provider: gcs is not carried out: base models are folders, built-in models and repositories of the "
        "Hugging Face Hub",
        "optimizer: lion is not carried out: the trainer has AdamW, Adam, SGD and RMSprop",
        "loss_function.label_smoothing: is not carried out: the losses look at the targets' own probabilities",
    ]
    assert assembly.refusals_of(ir.FeedbackEvent(id="f", feedback_type="rating")) == []
    assert assembly.refusals_of(ir.Options()) == []
    assert len(assembly.refusals_of(ir.Options(response_format="json"))) == 1
    assert assembly.refusals_of(ir.EnsembleConfig()) == []
    inner = ir.ReliabilityConfig(
        stats=ir.StatsConfig(), fairness=ir.FairnessConfig(enabled=False), monitoring=ir.MonitoringConfig()
    )
    assert [each.path for each in assembly.refusals_of(inner)] == ["monitoring"]


def test_of_an_experiment_the_stages_decide() -> None:
    """`refusals_of` an experiment is what its stages and backend refuse."""
    experiment = ir.new_experiment("e", "local", ["validate"], reliability={"drift": {}})
    assert [each.path for each in assembly.refusals_of(experiment)] == ["reliability.drift"]
