from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

from crucible import events
from crucible.backends import registry as backend_registry
from crucible.backends.scripted import ScriptedSampler
from crucible.data import stages
from crucible.data.base_sampler import with_base
from crucible.data.evaluate_stage import EvaluateStage
from crucible.data.load_stage import DataLoadStage
from crucible.errors import ContractError, DataError
from crucible.ir import (
    BackendRef,
    DatasetRef,
    Experiment,
    ModelRef,
    ReliabilityConfig,
    StageDef,
    StatsConfig,
    TrainingConfig,
)
from crucible.pipeline import (
    Context,
    NoOptions,
    Registry,
    Runner,
    RunResult,
    Stage,
    StageBase,
    parse_options,
    pipeline_problems,
)
from crucible.stats.bench.plan import BenchOptions, Contrast, resolve

TICKETS = DatasetRef(name="tickets", options={"limit": 12, "test_limit": 8})


def experiment(*definitions: StageDef, **fields: Any) -> Experiment:
    """Return a document with these stages."""
    known: dict[str, Any] = {"id": "e", "backend": BackendRef(id="local"), "dataset": TICKETS, **fields}
    return Experiment(pipeline=definitions or (StageDef(name="data_load"),), **known)


def training(**fields: Any) -> TrainingConfig:
    """Return a training configuration."""
    return TrainingConfig(id="t", model_ref=ModelRef(id="my/base"), dataset_ref=TICKETS, **fields)


class Provide(StageBase):
    """Provide a scripted model."""

    name: ClassVar[str] = "provide"
    Options: ClassVar[type[BaseModel]] = NoOptions
    answers: ClassVar[Callable[[str], str]] = staticmethod(lambda prompt: "{}")

    def run(self, context: Context, options: NoOptions) -> Context:
        """Put the sampler where a training stage would."""
        return context.put_resource("sampler.tuned", ScriptedSampler(self.answers))

    rebuild = run


def provide(answers: Callable[[str], str]) -> Stage:
    """Return a stage that provides a model with these answers."""
    return type("ProvideThis", (Provide,), {"answers": staticmethod(answers)})()


def context(tmp_path: Path, document: Experiment) -> Context:
    """Return an empty context."""
    return Context(run_id="r", experiment=document, workspace=tmp_path)


def load_stage(where: Context, **options: Any) -> Context:
    """Run `data_load` alone."""
    stage = DataLoadStage()
    return stage.run(where, parse_options(stage, options))


def run(tmp_path: Path, answers: Callable[[str], str], **options: Any) -> RunResult:
    """Run load, provide and evaluate."""
    config = options.pop("training_config", None)
    definitions = [StageDef(name="data_load"), StageDef(name="provide")]
    definitions.append(StageDef(name="evaluate", options={"model": "tuned", **options}))
    document = experiment(*definitions, training_config=config)
    return Runner(Registry(provide(answers))).run(document, workspace=tmp_path)


# data_load


def test_the_stages_are_where_the_entry_points_look() -> None:
    """The module only gathers them."""
    assert stages.DataLoadStage is DataLoadStage
    assert stages.EvaluateStage is EvaluateStage
    assert (DataLoadStage.name, EvaluateStage.name) == ("data_load", "evaluate")


def test_the_documents_dataset_is_loaded(tmp_path: Path) -> None:
    """Two resources and a metric that says where everything came from."""
    found = load_stage(context(tmp_path, experiment()))
    assert (len(found.resource("train")), len(found.resource("test"))) == (12, 8)
    data = found.get_metric("data")
    assert (data["name"], data["seed"], data["synthetic"], data["overlap"]) == ("tickets", 0, True, 0)
    assert data["test_from"] == "the split test"
    assert data["train"]["content_hash"] == found.resource("train").content_hash()
    assert (data["test"]["split"], data["test"]["items"], data["test"]["synthetic"]) == ("test", 8, True)


def test_the_stages_options_win_over_the_document(tmp_path: Path) -> None:
    """Those that are not given stay."""
    found = load_stage(context(tmp_path, experiment()), limit=5, seed=3)
    assert (len(found.resource("train")), len(found.resource("test"))) == (5, 8)
    assert found.get_metric("data")["seed"] == 3


def test_another_name_does_not_inherit_the_documents_options(tmp_path: Path) -> None:
    """The path of one dataset is not that of another."""
    path = tmp_path / "mine.jsonl"
    path.write_text('{"input": "a", "expected": "b"}\n{"input": "c", "expected": "d"}')
    found = load_stage(context(tmp_path, experiment()), name="jsonl", path=str(path))
    assert (len(found.resource("train")), len(found.resource("test"))) == (1, 1)
    assert found.get_metric("data")["train"]["source"] == str(path)


def test_the_seed_and_the_dataset_of_the_training_config_are_defaults(tmp_path: Path) -> None:
    """The document's dataset and the stage's seed go first."""
    document = experiment(dataset=None, training_config=training(seed=5))
    assert load_stage(context(tmp_path, document)).get_metric("data")["seed"] == 5
    assert load_stage(context(tmp_path, document), seed=6).get_metric("data")["seed"] == 6


def test_without_any_dataset_the_error_says_what_to_give(tmp_path: Path) -> None:
    """At validation and at the run."""
    document = experiment(dataset=None)
    with pytest.raises(DataError, match="no dataset is named"):
        load_stage(context(tmp_path, document))
    (problem,) = pipeline_problems(document, Registry())
    assert (problem.path, problem.message[:20]) == ("dataset", "no dataset is named;")


@pytest.mark.parametrize(
    ("fields", "options", "path", "message"),
    [
        ({"dataset": DatasetRef(name="ticktes")}, {}, "dataset.name", 'unknown dataset "ticktes"'),
        ({"dataset": DatasetRef(name="tickets", options={"limti": 3})}, {}, "dataset.options.limti", "unknown key"),
        (
            {"dataset": DatasetRef(name="tickets", options={"path": "x"})},
            {},
            "dataset.options.path",
            "tickets takes no option path",
        ),
        (
            {"dataset": DatasetRef(name="tickets", provider="nowhere")},
            {},
            "dataset.provider",
            'unknown provider "nowhere"',
        ),
        ({}, {"name": "tickets", "path": "x"}, "pipeline[0].options.path", "tickets takes no option path"),
        ({}, {"name": "scfact"}, "pipeline[0].options.name", 'unknown dataset "scfact"'),
        ({}, {"limit": "3"}, "pipeline[0].options.limit", 'limit must be an integer, got "3"'),
        ({}, {"tset_limit": 3}, "pipeline[0].options.tset_limit", 'unknown key; did you mean "test_limit"?'),
    ],
)
def test_validation_finds_what_cannot_be_loaded(
    fields: dict[str, Any], options: dict[str, Any], path: str, message: str
) -> None:
    """Before anything runs, by path."""
    (problem,) = pipeline_problems(experiment(StageDef(name="data_load", options=options), **fields), Registry())
    assert problem.path == path
    assert message in problem.message


def test_every_problem_of_a_dataset_is_told_at_its_place() -> None:
    """Name, provider, format and options at once, each at what was written: in the document, or at the stage."""
    ref = DatasetRef(name="nope", provider="kaggle", format="xml", options={"pth": 1, "limit": "x"})
    found = pipeline_problems(experiment(StageDef(name="data_load"), dataset=ref), Registry())
    fields = ("name", "provider", "format", "options.pth", "options.limit")
    assert {problem.path for problem in found} == {f"dataset.{field}" for field in fields}
    stage = StageDef(name="data_load", options={"provider": "kagle", "format": "arow"})
    found = pipeline_problems(experiment(stage, dataset=ref), Registry())
    own = {problem.path for problem in found if problem.path.startswith("pipeline")}
    assert own == {"pipeline[0].options.provider", "pipeline[0].options.format"}


def test_a_problem_of_a_dataset_does_not_show_a_secret() -> None:
    """A key that stands where a name should is not repeated in the message."""
    key = "hf_" + "a1B2c3D4e5" * 4
    ref = DatasetRef(name=key, provider=key)
    found = pipeline_problems(experiment(StageDef(name="data_load"), dataset=ref), Registry())
    assert {problem.path for problem in found} == {"dataset.name", "dataset.provider"}
    assert not any(key in problem.message for problem in found)


def test_validation_looks_at_no_file_and_no_variable() -> None:
    """A document can be checked on a machine without the data."""
    ref = DatasetRef(name="scifact", options={"path": "${CRUCIBLE_NOWHERE}/scifact"})
    assert not pipeline_problems(experiment(dataset=ref), Registry())


def test_the_choice_of_test_items_and_an_overlap_are_decisions(tmp_path: Path) -> None:
    """With the reason; the metric has the count."""
    (tmp_path / "train.jsonl").write_text('{"input": "a", "expected": "b"}\n{"input": "c", "expected": "d"}')
    (tmp_path / "test.jsonl").write_text('{"input": "A", "expected": "b"}')
    document = experiment(dataset=DatasetRef(name="jsonl", options={"path": str(tmp_path)}))
    with events.collect("crucible_trace.*") as seen:
        found = load_stage(context(tmp_path, document))
        load_stage(context(tmp_path, document), on_overlap="drop")
    assert found.get_metric("data")["overlap"] == 1
    texts = [event.metadata["decision"] for event in seen]
    assert texts == [
        "test on 1 items of jsonl, train on 2",
        "kept them in both: 1 of 1 test items are also training items",
        "test on 1 items of jsonl, train on 1",
        "dropped them from training: 1 of 1 test items are also training items",
    ]
    assert seen[1].metadata["alternatives"] == ["drop", "refuse"]
    assert seen[1].metadata["ids"] == ["test-1"]


def test_a_resumed_run_reads_the_same_items_again(tmp_path: Path) -> None:
    """And notices if they are not the same."""
    path = tmp_path / "train.jsonl"
    path.write_text('{"input": "a", "expected": "b"}\n{"input": "c", "expected": "d"}')
    document = experiment(dataset=DatasetRef(name="jsonl", options={"path": str(path)}))
    stage = DataLoadStage()
    before = load_stage(context(tmp_path, document))
    stored = context(tmp_path, document).merge_metrics(before.metrics)
    again = stage.rebuild(stored, parse_options(stage, None))
    assert again.resource("train") == before.resource("train")
    assert again.metrics == stored.metrics
    path.write_text('{"input": "a", "expected": "changed"}\n{"input": "c", "expected": "d"}')
    with pytest.raises(DataError, match=r"items in .*train.jsonl are not those that the run began with"):
        stage.rebuild(stored, parse_options(stage, None))


def test_a_run_loads_its_data_once(tmp_path: Path) -> None:
    """A second `data_load` would replace what the run says of its data: refused at validation, and by the stage."""
    twice = experiment(StageDef(name="data_load"), StageDef(name="evaluate"), StageDef(name="data_load"))
    (problem,) = pipeline_problems(twice, Registry())
    assert (problem.path, problem.message[:26]) == ("pipeline[2].name", "a run loads its data once;")
    off = experiment(StageDef(name="data_load"), StageDef(name="data_load", enabled=False))
    assert not pipeline_problems(off, Registry())
    once = load_stage(context(tmp_path, experiment()))
    with pytest.raises(ContractError, match="a run loads its data once"):
        load_stage(once, name="jsonl", path="other.jsonl")


# evaluate


def test_every_answer_is_kept_with_its_scores(tmp_path: Path) -> None:
    """One line an item, in order, as an artifact; counts, mean and interval as a metric."""
    found = run(
        tmp_path,
        lambda prompt: '{"intent":"refund","product":"lamp","urgency":"low"}',
        scorers=["schema_compliance", "field_f1"],
    )
    found.raise_for_status()
    lines = [json.loads(line) for line in found.context.artifact_path("scores.tuned").read_text().splitlines()]
    assert [line["id"] for line in lines] == [item.id for item in found.context.resource("test")]
    assert set(lines[0]) >= {"id", "input", "expected", "output", "stop_reason", "scores", "synthetic"}
    assert {line["synthetic"] for line in lines} == {True}
    assert lines[0]["scores"]["schema_compliance"] == {"kind": "scored", "value": 1.0}
    assert found.context.artifacts["scores.tuned"].path == "evaluate/tuned.jsonl"
    summary = found.context.get_metric("evaluate.tuned")["schema_compliance"]
    assert {key: summary[key] for key in ("attempted", "scored", "failed", "skipped", "mean")} == {
        "attempted": 8,
        "scored": 8,
        "failed": 0,
        "skipped": 0,
        "mean": 1.0,
    }
    assert summary["interval"]["method"] == "Wilson score"
    drawn = found.context.get_metric("generation.tuned")
    assert (drawn["model"], drawn["items"], drawn["max_tokens"], drawn["temperature"]) == ("tuned", 8, 64, 0.0)
    assert (drawn["dataset"], drawn["dataset_role"], drawn["synthetic"]) == ("tickets", "test", True)
    assert (drawn["base_model"], drawn["device"]) == (None, None)


def test_answers_to_real_data_have_no_stamp(tmp_path: Path) -> None:
    """Only made-up data is stamped."""
    (tmp_path / "d.jsonl").write_text('{"input": "a", "expected": "b"}\n{"input": "c", "expected": "d"}')
    document = experiment(
        StageDef(name="data_load"),
        StageDef(name="provide"),
        StageDef(name="evaluate", options={"model": "tuned"}),
        dataset=DatasetRef(name="jsonl", options={"path": str(tmp_path / "d.jsonl")}),
    )
    found = Runner(Registry(provide(lambda prompt: "b"))).run(document, workspace=tmp_path)
    assert "synthetic" not in json.loads(found.context.artifact_path("scores.tuned").read_text().splitlines()[0])
    assert found.context.get_metric("generation.tuned")["synthetic"] is False


def test_what_is_written_is_what_stats_reads(tmp_path: Path) -> None:
    """The file goes through `bench`; a model against itself shows no difference."""
    evaluated = [
        StageDef(name="evaluate", options={"model": "tuned", "label": label, "scorers": ["field_f1"]})
        for label in ("a", "b")
    ]
    bench = StageDef(name="bench", options={"metric": "field_f1", "contrasts": [{"baseline": "a", "treatment": "b"}]})
    document = experiment(StageDef(name="data_load"), StageDef(name="provide"), *evaluated, bench)
    found = Runner(Registry(provide(lambda prompt: '{"intent":"refund"}'))).run(document, workspace=tmp_path)
    found.raise_for_status()
    assert found.context.get_metric("bench")["contrasts"][0]["verdict"] == "no_difference_found"


def test_a_limit_takes_the_same_items_for_every_model(tmp_path: Path) -> None:
    """Whatever the seeds, so that models stay comparable item by item."""
    one = run(tmp_path / "1", lambda prompt: "{}", limit=3, seed=1).context.artifact_path("scores.tuned")
    two = run(tmp_path / "2", lambda prompt: "{}", limit=3, seed=2).context.artifact_path("scores.tuned")
    ids = [[json.loads(line)["id"] for line in path.read_text().splitlines()] for path in (one, two)]
    assert ids[0] == ids[1]
    assert len(ids[0]) == 3


def test_the_training_set_can_be_evaluated(tmp_path: Path) -> None:
    """By its name."""
    found = run(tmp_path, lambda prompt: "{}", dataset="train", label="tuned.on-train")
    assert found.context.get_metric("generation.tuned.on-train")["dataset_role"] == "train"
    assert found.context.get_metric("evaluate.tuned.on-train")["exact_match"]["attempted"] == 12


def failure(found: RunResult) -> str:
    """Return why a run failed."""
    assert found.status == "failed"
    assert found.failure is not None
    return found.failure.message


def test_a_label_is_used_once(tmp_path: Path) -> None:
    """A second evaluation does not overwrite the first."""
    twice = [StageDef(name="evaluate", options={"model": "tuned"})] * 2
    document = experiment(StageDef(name="data_load"), StageDef(name="provide"), *twice)
    found = Runner(Registry(provide(lambda prompt: "{}"))).run(document, workspace=tmp_path)
    assert '"tuned" was evaluated before in this run; give this stage another label' in failure(found)


def test_a_model_or_dataset_that_nobody_provides_is_named(tmp_path: Path) -> None:
    """With what there is."""
    found = run(tmp_path / "1", lambda prompt: "{}", model="other")
    assert 'no resource "sampler.other"; earlier stages provide: sampler.tuned, test, train' in failure(found)
    assert 'no resource "dev"' in failure(run(tmp_path / "2", lambda prompt: "{}", dataset="dev"))


def test_one_answer_is_enough_and_none_is_an_error(tmp_path: Path) -> None:
    """Failed items are counted; a model that never answers ends the run with its own reason."""

    def breaking(prompt: str) -> str:
        raise RuntimeError("no power")

    assert "tuned answered none of 8 items; the first: no answer: RuntimeError: no power" in failure(
        run(tmp_path / "1", breaking)
    )
    calls: list[str] = []

    def once(prompt: str) -> str:
        calls.append(prompt)
        return "{}" if len(calls) == 1 else breaking(prompt)

    found = run(tmp_path / "2", once, batch_size=1)
    summary = found.context.get_metric("evaluate.tuned")["exact_match"]
    assert (summary["scored"], summary["failed"], summary["attempted"]) == (1, 7, 8)
    assert "no power" in failure(run(tmp_path / "3", breaking, failures="abort"))


@pytest.mark.parametrize(
    ("options", "path", "message"),
    [
        (
            {"scorers": ["exact_match", "exact_macth"]},
            "scorers[1]",
            'unknown scorer "exact_macth"; known: ',
        ),
        ({"scorers": []}, "scorers", "must contain at least one item"),
        ({"stop": ["\n", ""]}, "stop", "an empty text would end every answer"),
        ({"max_tokens": 0}, "max_tokens", "must be positive"),
        ({"model": "tuned", "base_model": "b"}, "base_model", "is read with model: base alone"),
        ({"failures": "ignore"}, "failures", "must be one of: exclude, zero, abort"),
        ({"label": "../../etc"}, "label", "must match"),
    ],
)
def test_validation_finds_bad_options_of_evaluate(options: dict[str, Any], path: str, message: str) -> None:
    """By path, before anything runs; a label cannot leave the workspace."""
    document = experiment(StageDef(name="data_load"), StageDef(name="evaluate", options=options))
    (problem,) = pipeline_problems(document, Registry())
    assert problem.path == f"pipeline[1].options.{path}"
    assert message in problem.message


def test_a_scorer_that_does_not_fit_the_data_ends_the_stage(tmp_path: Path) -> None:
    """Before the first question."""
    (tmp_path / "d.jsonl").write_text('{"input": "a", "expected": "b"}\n{"input": "c", "expected": "d"}')
    document = experiment(
        StageDef(name="data_load"),
        StageDef(name="provide"),
        StageDef(name="evaluate", options={"model": "tuned", "scorers": ["schema_compliance"]}),
        dataset=DatasetRef(name="jsonl", options={"path": str(tmp_path / "d.jsonl")}),
    )
    found = Runner(Registry(provide(lambda prompt: "{}"))).run(document, workspace=tmp_path)
    assert "give the dataset the option answer_schema" in failure(found)


class OneBackend:
    """A backend whose base model is a script."""

    asked: ClassVar[list[tuple[str, str | None]]] = []

    def create_sampler(self, base_model: str, *, device: str | None = None) -> ScriptedSampler:
        """Return a sampler that answers with its name, and write down which model was asked for and where."""
        self.asked.append((base_model, device))
        return ScriptedSampler(lambda prompt: base_model)


@pytest.fixture
def one_backend(monkeypatch: pytest.MonkeyPatch) -> type[OneBackend]:
    """Register a scripted backend under the name `one`, as an installed package would."""
    from importlib.metadata import EntryPoint

    OneBackend.asked = []
    monkeypatch.setitem(
        __import__("sys").modules, "one_backend", __import__("types").SimpleNamespace(OneBackend=OneBackend)
    )
    point = EntryPoint("one", "one_backend:OneBackend", "crucible.backends")
    monkeypatch.setattr(backend_registry, "entry_points", lambda group: [point])
    return OneBackend


@pytest.mark.parametrize(
    ("fields", "options", "asked"),
    [
        ({"training_config": training()}, {}, ("my/base", "cpu")),
        ({"baseline": ModelRef(id="b", artifact_uri="/models/b")}, {}, ("/models/b", None)),
        ({"training_config": training(device="cuda")}, {"base_model": "own/base"}, ("own/base", "cuda")),
    ],
)
def test_the_base_model_comes_from_the_backend_once(
    tmp_path: Path,
    one_backend: type[OneBackend],
    fields: dict[str, Any],
    options: dict[str, Any],
    asked: tuple[str, str | None],
) -> None:
    """The stage's own, else that of training_config, else the baseline; a second evaluation finds it loaded.

    Its weights go where those that are trained go.
    """
    definitions = [StageDef(name="evaluate", options={"label": label, **options}) for label in ("base", "base-again")]
    document = experiment(StageDef(name="data_load"), *definitions, backend=BackendRef(id="one"), **fields)
    Runner(Registry()).run(document, workspace=tmp_path).raise_for_status()
    assert one_backend.asked == [asked]


class Trained(StageBase):
    """Say that models were trained, as `supervised_train` does."""

    name: ClassVar[str] = "trained"
    Options: ClassVar[type[BaseModel]] = NoOptions
    bases: ClassVar[dict[str, str]] = {}
    device: ClassVar[str] = "cpu"

    def run(self, context: Context, options: NoOptions) -> Context:
        """Put the facts and the sampler of each model, and the bases as the training stage does."""
        for model, base in self.bases.items():
            config = {"base_model": base, "device": self.device}
            context = context.put_metric(f"train.{model}", {"config": config})
            context = context.put_resource(f"sampler.{model}", ScriptedSampler(lambda prompt: "{}"))
            context = with_base(context, OneBackend(), base, self.device)
        return context

    rebuild = run


def after_training(tmp_path: Path, bases: dict[str, str], *evaluated: dict[str, Any], device: str = "cpu") -> RunResult:
    """Run load, train on these bases, and evaluate."""
    stage: Stage = type("TrainedThese", (Trained,), {"bases": bases, "device": device})()
    definitions = [StageDef(name="evaluate", options=options) for options in evaluated]
    document = experiment(
        StageDef(name="data_load"), StageDef(name="trained"), *definitions, backend=BackendRef(id="one")
    )
    return Runner(Registry(stage)).run(document, workspace=tmp_path)


def test_each_base_model_is_itself(tmp_path: Path, one_backend: type[OneBackend]) -> None:
    """A base model that is asked for by name is loaded, whichever other is loaded already; each is recorded."""
    found = after_training(
        tmp_path,
        {"a": "base/a"},
        {},
        {"label": "b", "base_model": "base/b"},
        {"label": "a-again", "base_model": "base/a"},
        {"model": "a"},
        device="cuda",
    )
    found.raise_for_status()
    answers = {
        label: json.loads(found.context.artifact_path(f"scores.{label}").read_text().splitlines()[0])["output"]
        for label in ("base", "b", "a-again")
    }
    assert answers == {"base": "base/a", "b": "base/b", "a-again": "base/a"}
    recorded = {
        label: found.context.get_metric(f"generation.{label}")["base_model"] for label in ("base", "b", "a-again", "a")
    }
    assert recorded == {"base": "base/a", "b": "base/b", "a-again": "base/a", "a": "base/a"}
    assert one_backend.asked == [("base/a", "cuda"), ("base/b", "cuda")]


def test_a_base_that_can_mean_two_is_refused_by_both_names(tmp_path: Path, one_backend: type[OneBackend]) -> None:
    """Two trainings on different bases leave no one `base`; with base_model each is evaluated."""
    bases = {"a": "base/a", "b": "base/b"}
    found = after_training(tmp_path / "1", bases, {})
    assert "model: base can mean base/a or base/b in this run; say which with the option base_model" in failure(found)
    after_training(
        tmp_path / "2", bases, {"base_model": "base/b"}, {"base_model": "base/a", "label": "base-a"}
    ).raise_for_status()
    assert one_backend.asked == [("base/a", "cpu"), ("base/b", "cpu")] * 2


def test_base_does_not_change_its_meaning_during_a_run(tmp_path: Path, one_backend: type[OneBackend]) -> None:
    """The document's base, evaluated before another one was trained on, is not taken for that other one."""
    stage: Stage = type("TrainedOther", (Trained,), {"bases": {"other": "base/other"}})()
    document = experiment(
        StageDef(name="data_load"),
        StageDef(name="evaluate"),
        StageDef(name="trained"),
        StageDef(name="evaluate", options={"label": "later"}),
        backend=BackendRef(id="one"),
        training_config=training(),
    )
    found = Runner(Registry(stage)).run(document, workspace=tmp_path)
    assert "model: base can mean my/base or base/other in this run" in failure(found)


def test_a_base_that_a_strangers_stage_provides_is_taken(tmp_path: Path) -> None:
    """Where nothing names a base model, `sampler.base` is it, under the name that it gives itself."""

    class Own(Provide):
        def run(self, context: Context, options: NoOptions) -> Context:
            return context.put_resource("sampler.base", ScriptedSampler(lambda prompt: "{}"))

    document = experiment(StageDef(name="data_load"), StageDef(name="provide"), StageDef(name="evaluate"))
    found = Runner(Registry(Own())).run(document, workspace=tmp_path)
    assert found.context.get_metric("generation.base")["base_model"] == "scripted"


def test_without_a_base_model_the_error_says_what_to_give(tmp_path: Path, one_backend: type[OneBackend]) -> None:
    """Nothing is guessed."""
    document = experiment(StageDef(name="data_load"), StageDef(name="evaluate"), backend=BackendRef(id="one"))
    found = Runner(Registry()).run(document, workspace=tmp_path)
    assert "no base model is named; give this stage base_model" in failure(found)


@pytest.mark.parametrize(
    ("given", "level"),
    [
        ({"confidence_level": 0.9}, 0.9),
        ({"alpha": 0.01}, 0.99),
        ({"alpha": 0.01, "confidence_level": 0.9}, 0.9),
        ({}, 0.95),
    ],
)
def test_the_level_of_intervals_is_the_documents(tmp_path: Path, given: dict[str, Any], level: float) -> None:
    """By the rule of `bench`: `reliability.stats.confidence_level`, else 1 - alpha, else 95 %."""
    config = StatsConfig(**given)
    document = experiment(
        StageDef(name="data_load"),
        StageDef(name="provide"),
        StageDef(name="evaluate", options={"model": "tuned"}),
        reliability=ReliabilityConfig(stats=config if given else None),
    )
    found = Runner(Registry(provide(lambda prompt: "{}"))).run(document, workspace=tmp_path)
    assert found.context.get_metric("evaluate.tuned")["exact_match"]["interval"]["level"] == level
    bench = BenchOptions(contrasts=(Contrast(baseline="a", treatment="b"),))
    assert resolve(bench, config).level == level


def test_the_seed_of_draws_is_the_documents(tmp_path: Path) -> None:
    """The stage's own first, then that of training_config."""
    config = training(seed=9)
    assert (
        run(tmp_path / "1", lambda p: "{}", training_config=config).context.get_metric("generation.tuned")["seed"] == 9
    )
    found = run(tmp_path / "2", lambda p: "{}", training_config=config, seed=2)
    assert found.context.get_metric("generation.tuned")["seed"] == 2


def test_an_evaluation_is_not_repeated_by_a_resumed_run(tmp_path: Path) -> None:
    """Its scores are in the run's files; there is nothing to bring back."""
    stage = EvaluateStage()
    where = context(tmp_path, experiment())
    assert stage.rebuild(where, parse_options(stage, None)) is where
