"""The builder and the short constructors: nothing is dropped on the way, and `build` says all that is wrong."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crucible import ir
from crucible.errors import SpecErrors
from crucible.ir import ExperimentBuilder

BASE = ExperimentBuilder("e").with_backend("local").add_stage("validate")


@contextlib.contextmanager
def complains(*words: str) -> Iterator[None]:
    """Expect SpecErrors whose whole text holds these words."""
    with pytest.raises(SpecErrors) as caught:
        yield
    for word in words:
        assert word in str(caught.value)


class OwnStage:
    """A class that a stage may name."""


def test_the_builder_asked_for_in_full() -> None:
    """Every builder sets its part, with the predecessor's defaults."""
    value = (
        ExperimentBuilder("triage")
        .with_description("does it help?")
        .with_owner("me")
        .with_tags("a", "b")
        .with_metadata({"ticket": 1}, team="x")
        .with_metadata(ticket=2)
        .with_experiment_type("comparison")
        .with_backend("local", profile="gpu", options={"dtype": "bf16"})
        .with_dataset("tickets", split="test", options={"limit": 3})
        .add_stage("validate")
        .add_stage("own", module=OwnStage, options={"rank": 1}, enabled=False)
        .with_ensemble("weighted", models=["a", "b"], weights={"a": 1.0, "b": 2.0})
        .with_hedging("fixed", delay_ms=20)
        .with_stats(["mcnemar"], alpha=0.01)
        .with_fairness(metrics=["demographic_parity"], group_by="lang")
        .with_guardrails(["strict"], pii_detection=True)
        .with_feedback(sampling_rate=0.5)
        .with_monitoring(metrics=["loss"])
        .with_drift(method="psi")
        .with_circuit_breaker(failure_threshold=2)
        .with_model_version("gpt2", "1.2.3", metrics={"f1": 0.5})
        .with_baseline("gpt2", provider="huggingface")
        .with_training_config("gpt2", epochs=2)
        .add_output("report", formats=["html"])
        .build()
    )
    assert value.description == "does it help?"
    assert value.owner == "me"
    assert value.tags == ("a", "b")
    assert value.metadata == {"ticket": 2, "team": "x"}
    assert value.backend == ir.BackendRef(id="local", profile="gpu", options={"dtype": "bf16"})
    assert value.dataset == ir.DatasetRef(name="tickets", split="test", options={"limit": 3})
    assert value.pipeline[1].module == f"{__name__}:OwnStage"
    assert not value.pipeline[1].enabled
    assert value.reliability == ir.ReliabilityConfig(
        ensemble=ir.EnsembleConfig(strategy="weighted", models=("a", "b"), weights={"a": 1.0, "b": 2.0}),
        hedging=ir.HedgingConfig(strategy="fixed", delay_ms=20),
        stats=ir.StatsConfig(tests=("mcnemar",), alpha=0.01),
        fairness=ir.FairnessConfig(enabled=True, metrics=("demographic_parity",), group_by="lang"),
        guardrails=ir.GuardrailConfig(profiles=("strict",), pii_detection=True),
        feedback=ir.FeedbackConfig(enabled=True, sampling_rate=0.5),
        monitoring=ir.MonitoringConfig(metrics=("loss",)),
        drift=ir.DriftConfig(method="psi"),
        circuit_breaker=ir.CircuitBreakerConfig(failure_threshold=2),
    )
    assert value.model_version == ir.ModelVersion(
        id="gpt2_1_2_3", model_id="gpt2", version="1.2.3", metrics={"f1": 0.5}
    )
    assert value.baseline == ir.ModelRef(id="gpt2", provider="huggingface")
    assert value.outputs == (ir.OutputSpec(name="report", formats=("html",)),)
    assert value.training_config is not None
    assert value.training_config.id == "train_triage"
    assert value.training_config.dataset_ref == value.dataset


def test_built_parts_are_taken_as_they_are() -> None:
    """Whoever has a value hands it over, and may still change a field of it by keyword."""
    full = ir.load(Path(__file__).parent / "data" / "experiment_v1.json")
    assert full.training_config is not None
    value = (
        ExperimentBuilder("e")
        .with_backend(full.backend, profile="cpu")
        .add_stage(full.pipeline[2])
        .with_training_config(full.training_config, seed=9)
        .with_stats(ir.StatsConfig(alpha=0.2), confidence_level=0.8)
        .with_fairness(ir.FairnessConfig())
        .with_feedback_config(ir.FeedbackConfig())
        .with_drift({"any": "mapping"})
        .with_model_version(ir.ModelVersion(id="v", model_id="m", version="1.0.0"))
        .build()
    )
    assert value.backend == full.backend.model_copy(update={"profile": "cpu"})
    assert value.pipeline == (full.pipeline[2],)
    assert value.training_config == full.training_config.model_copy(update={"seed": 9})
    assert value.reliability == ir.ReliabilityConfig(
        stats=ir.StatsConfig(alpha=0.2, confidence_level=0.8),
        fairness=ir.FairnessConfig(enabled=False),
        feedback=ir.FeedbackConfig(enabled=False),
        drift={"any": "mapping"},
    )
    assert value.model_version is not None
    assert value.model_version.id == "v"


def test_no_option_of_a_training_is_dropped() -> None:
    """Each field of the configuration arrives, also those that the predecessor lost."""
    fields = {
        "loss_function": "mse",
        "seed": 7,
        "metrics": ["loss"],
        "gradient_clipping": 0.5,
        "validation_split": 0.1,
        "mixed_precision": True,
        "early_stopping": {"patience": 2},
        "checkpoint_every": 5,
        "scheduler": ir.SchedulerConfig(name="cosine"),
        "optimizer": ir.OptimizerConfig(name="sgd", momentum=0.9),
        "epochs": 2,
        "batch_size": 3,
        "learning_rate": 0.5,
        "device": "cuda",
        "options": {"x": 1},
    }
    config = BASE.with_training_config(ir.ModelRef(id="m"), ir.DatasetRef(name="d"), **fields).build().training_config
    assert config is not None
    assert set(fields) | {"id", "model_ref", "dataset_ref", "extra"} == set(ir.TrainingConfig.model_fields)
    assert config == ir.new_training_config("train_e", "m", "d", **fields)
    assert config.seed == 7
    assert config.early_stopping == ir.EarlyStoppingConfig(patience=2)


def test_build_names_every_problem_with_its_path() -> None:
    """Unknown keywords, wrong words and missing parts come together, with did-you-mean."""
    with complains("backend is required", "pipeline is required"):
        ExperimentBuilder("e").build()
    builder = (
        BASE.with_stats(alfa=0.1)
        .with_hedging("fixd")
        .with_drift(methd="ks")
        .add_stage("x", enable=True)
        .with_training_config(None, epochs="ten")
    )
    with complains(
        'reliability.stats.alfa: unknown key; did you mean "alpha"?',
        'did you mean "fixed"',
        'reliability.drift.methd: unknown key; did you mean "method"?',
        'pipeline[1].enable: unknown key; did you mean "enabled"?',
        "training_config.model_ref",
        "training_config.dataset_ref",
        "training_config.epochs",
    ):
        builder.build()
    with complains("reliability.drift.alpha"):
        BASE.with_drift(alpha=3).build()


def test_build_validates() -> None:
    """The rules across fields hold for what was built, too."""
    for builder, path in (
        (BASE.with_ensemble("weighted"), "reliability.ensemble"),
        (BASE.with_experiment_type("comparison"), "baseline"),
    ):
        with complains(path):
            builder.build()


def test_steps_do_not_change_the_builder() -> None:
    """Variants share their beginning."""
    one, two = BASE.with_tags("one"), BASE.add_stage("more")
    assert BASE.build().tags is None
    assert one.build().tags == ("one",)
    assert [stage.name for stage in two.build().pipeline] == ["validate", "more"]
    assert [stage.name for stage in one.build().pipeline] == ["validate"]


def test_stages_are_updated_and_removed_by_name_or_index() -> None:
    """Options are merged key by key; a name that is not there or not the only one is refused."""
    builder = BASE.add_stage("train", options={"rank": 1, "seed": 2}).add_stage("train", id="again")
    assert builder.update_stage("again", enabled=False).build().pipeline[2].enabled is False
    assert builder.update_stage(1, options={"rank": 8}).build().pipeline[1].options == {"rank": 8, "seed": 2}
    assert len(builder.remove_stage("train").build().pipeline) == 2
    assert len(builder.remove_stage(0).build().pipeline) == 2
    with complains('found 0; did you mean "train"?'):
        builder.update_stage("trian")
    with complains("found 2; give the index instead"):
        BASE.add_stage("validate").remove_stage("validate")
    for index in (3, -1):
        with complains("found 0"):
            builder.remove_stage(index)


def test_parts_are_updated_removed_and_merged() -> None:
    """A dotted path reaches a part; another document may be laid over the whole."""
    builder = BASE.with_stats(["ttest"], alpha=0.1).with_drift(method="ks").add_output("r")
    assert builder.update("reliability.stats", alpha=0.2).build().reliability.stats.alpha == 0.2  # type: ignore[union-attr]
    assert builder.update(owner="me").build().owner == "me"
    assert builder.update("dataset", name="d").build().dataset == ir.DatasetRef(name="d")
    assert builder.remove("reliability.stats").build().reliability == ir.ReliabilityConfig(drift=ir.DriftConfig())
    assert builder.remove("reliability").build().reliability is None
    assert builder.remove_output("r").build().outputs == ()
    for path, hint in (("reliability.stat", '"stats"'), ("owner", ""), ("id.x", ""), ("nothing.at.all", "")):
        with complains(f"{path}: there is nothing to remove", hint):
            builder.remove(path)
    for other in (BASE.with_stats(alpha=0.3), {"reliability": {"stats": {"alpha": 0.3}}}):
        merged = builder.merge(other).build()
        assert merged.reliability is not None
        assert merged.reliability.stats == ir.StatsConfig(tests=("ttest",), alpha=0.3)
        assert merged.reliability.drift == ir.DriftConfig()
    assert builder.merge(BASE.with_owner("x").build()).build().owner == "x"


def test_a_builder_may_begin_with_an_experiment() -> None:
    """An experiment that exists is taken apart and built again the same."""
    full = ir.load(Path(__file__).parent / "data" / "experiment_v1.json")
    assert ExperimentBuilder.of(full).build() == full
    assert ExperimentBuilder.of(full).with_owner("x").build() == full.model_copy(update={"owner": "x"})


def test_short_constructors() -> None:
    """Each makes its value of ids or of built parts, keeps every field, and names what is wrong."""
    assert ir.new_model_ref("m", framework="pytorch") == ir.ModelRef(id="m", framework="pytorch")
    config = ir.new_training_config("t", ir.ModelRef(id="m"), ir.DatasetRef(name="d"), seed=3)
    assert config == ir.new_training_config("t", "m", "d", seed=3)
    deployment = ir.new_deployment_config("d", "v1", replicas=2, scaling=ir.ScalingConfig(max_replicas=3))
    assert deployment.replicas == 2
    assert deployment.scaling == ir.ScalingConfig(max_replicas=3)
    value = ir.new_experiment("e", "local", ["validate", ir.StageDef(name="b"), {"name": "c"}], owner="me")
    assert [stage.name for stage in value.pipeline] == ["validate", "b", "c"]
    for call in (
        lambda: ir.new_model_ref("m", framwork="x"),
        lambda: ir.new_training_config("t", "m", "d", epoch=1),
        lambda: ir.new_deployment_config("d", "v", replica=1),
        lambda: ir.new_experiment("e", "local", ["validate"], ownr="me"),
    ):
        with complains("unknown key; did you mean"):
            call()


E = ir.ExperimentBuilder("e").with_backend("local").add_stage("validate")


def test_built_parts_are_merged_as_mappings() -> None:
    """A part that was built keeps its fields when further ones are laid over it, wherever it stands."""
    adamw = ir.OptimizerConfig(name="adamw", weight_decay=0.1)
    made = E.with_training_config("m", "d", optimizer=adamw).update("training_config.optimizer", beta1=0.8).build()
    assert made.training_config is not None
    assert made.training_config.optimizer == ir.OptimizerConfig(name="adamw", weight_decay=0.1, beta1=0.8)
    retried = E.add_stage("report", retry=ir.RetryPolicy(attempts=5)).update_stage("report", retry={"wait_max_s": 60.0})
    assert retried.build().pipeline[1].retry == ir.RetryPolicy(attempts=5, wait_max_s=60.0)
    reliable = E.update(reliability=ir.ReliabilityConfig(circuit_breaker={"x": 1})).with_stats(["ttest"]).build()
    assert reliable.reliability is not None
    assert reliable.reliability.circuit_breaker == {"x": 1}
    assert reliable.reliability.stats is not None
    merged = E.merge({"pipeline": [ir.StageDef(name="validate")]}).update_stage("validate", enabled=False).build()
    assert [stage.enabled for stage in merged.pipeline] == [False]


@pytest.mark.parametrize(
    "step",
    [
        lambda: E.merge({"pipeline": 5}).add_stage("x"),
        lambda: E.merge({"pipeline": 5}).update_stage("x"),
        lambda: E.merge({"pipeline": [5]}).update_stage(0, enabled=False),
        lambda: E.merge({"pipeline": [5]}).update_stage("x", enabled=False),
        lambda: E.merge({"metadata": 5}).with_metadata(a=1),
        lambda: E.merge(5),  # pyright: ignore[reportArgumentType]
        lambda: E.merge({"pipeline": 5}).build(),
        lambda: E.with_metadata(a=ir.ModelRef.model_construct(id=object())),
    ],
)
def test_a_step_on_what_does_not_fit_is_a_spec_error(step: Any) -> None:
    """Whatever was merged in before, a step never fails with a bare error of Python."""
    with pytest.raises(SpecErrors):
        step()


def test_first_fields_may_be_keywords() -> None:
    """The first field of a part may be given by its name as well."""
    by_name = (
        ir.ExperimentBuilder("e")
        .with_backend(id="local")
        .with_dataset(name="x")
        .add_stage(name="validate")
        .add_output(name="o")
        .with_baseline(id="b")
        .with_model_version(model_id="m", version="1.0.0")
        .with_training_config(model_ref="m", dataset_ref="d")
    )
    by_place = (
        ir.ExperimentBuilder("e")
        .with_backend("local")
        .with_dataset("x")
        .add_stage("validate")
        .add_output("o")
        .with_baseline("b")
        .with_model_version("m", "1.0.0")
        .with_training_config("m", "d")
    )
    assert by_name.build() == by_place.build()
    config = ir.TrainingConfig.read({"id": "t", "model_ref": {"id": "m"}, "dataset_ref": {"name": "d"}})
    other = E.with_training_config(config, dataset_ref="other").build()
    assert other.training_config is not None
    assert other.training_config.dataset_ref.name == "other"


def test_a_merged_builder_keeps_its_checks() -> None:
    """A slip in a keyword of a loose part is found in whichever builder it was made, unless the part is taken out."""
    slip = ir.ExperimentBuilder("x").with_drift(metod="ks")
    with complains("metod"):
        E.merge(slip).build()
    assert E.merge(slip).merge({"reliability": {"drift": None}}).build().reliability == ir.ReliabilityConfig()
