"""Where a training's values come from, and what is refused by name."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any, cast

import pytest

from crucible.backends import losses
from crucible.backends.losses import registry
from crucible.errors import SpecErrors
from crucible.ir import EarlyStoppingConfig, Experiment, LoraConfig
from crucible.pipeline import parse_options
from crucible.train import feasibility
from crucible.train.feasibility import LOSSES
from crucible.train.resolution import SupervisedTrainOptions, TrainNaming, problems, resolve
from crucible.train.stages import SupervisedTrainStage


def experiment(training: dict[str, Any] | None = None, **fields: Any) -> Experiment:
    """Return a document with a training_config of these fields; None for a document without one."""
    document: dict[str, Any] = {
        "id": "x",
        "backend": {"id": "local"},
        "pipeline": [{"name": "supervised_train"}],
        **fields,
    }
    if training is not None:
        document["training_config"] = {
            "id": "t",
            "model_ref": {"id": "shared/base"},
            "dataset_ref": {"name": "tickets"},
            **training,
        }
    return Experiment.read(document)


def options(**values: Any) -> TrainNaming:
    """Return the options of a stage as a document would give them."""
    return cast("TrainNaming", parse_options(SupervisedTrainStage(), values))


def test_every_field_of_the_configuration_is_an_option_with_its_limits() -> None:
    """The options are derived from LoraConfig: none is missing and none is looser."""
    named = {"model", "dataset", "on_missed_target"}
    assert SupervisedTrainOptions.model_fields.keys() == {*named, *LoraConfig.model_fields}
    wrong: list[dict[str, Any]] = [{"rank": 0}, {"rank": "16"}, {"schedule": "cosin"}, {"target_modules": []}]
    for bad in (*wrong, {"device": "tpu"}, {"lora_rank": 0}, {"target_modules": ["a", "a"]}):
        with pytest.raises(SpecErrors) as caught:
            options(**bad)
        assert [error.path for error in caught.value.errors] == [f"options.{next(iter(bad))}"]
    with pytest.raises(SpecErrors) as caught:
        options(learning_rat=1)
    assert 'did you mean "learning_rate"' in str(caught.value)


def test_defaults_are_those_of_the_configuration() -> None:
    """With only a base model given, everything is LoraConfig's default."""
    assert resolve(experiment(), options(base_model="b"), 10) == LoraConfig(base_model="b")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rank", 3),
        ("alpha", 5.0),
        ("dropout", 0.25),
        ("target_modules", ("q_proj",)),
        ("learning_rate", 0.5),
        ("batch_size", 7),
        ("max_steps", 9),
        ("checkpoint_interval", 3),
        ("epochs", 2),
        ("seed", 11),
        ("optimizer", "adam"),
        ("beta1", 0.5),
        ("beta2", 0.6),
        ("eps", 1e-3),
        ("weight_decay", 0.1),
        ("grad_clip_norm", 0.0),
        ("validation_fraction", 0.2),
        ("schedule", "cosine"),
        ("warmup_steps", 4),
        ("device", "cuda"),
        ("max_length", 33),
        ("on_overflow", "refuse"),
        ("loss", "mse"),
        ("accumulation_steps", 2),
        ("eval_every", 3),
        ("save_every", 4),
        ("max_checkpoints", 5),
        ("quality_targets", {"final_loss": 1.0}),
        ("gradient_hooks", ("health", "norm")),
        ("mixed_precision", True),
        ("renderer", "llama3"),
        ("train_on", "all_tokens"),
        ("keep", "last"),
    ],
)
def test_each_option_of_the_stage_wins(field: str, value: Any) -> None:
    """Over the training_config and over the default."""
    given = list(value) if isinstance(value, tuple) else value
    config = resolve(experiment({"device": "cpu"}), options(**{field: given}), 10)
    assert getattr(config, field) == value


def test_the_stage_stops_early_as_it_is_told_itself() -> None:
    """A stage's own early stopping replaces that of the training_config, and does not mix with it."""
    document = experiment({"validation_split": 0.2, "early_stopping": {"patience": 7, "min_delta": 0.5}})
    assert resolve(document, options(), 10).early_stopping == EarlyStoppingConfig(patience=7, min_delta=0.5)
    config = resolve(document, options(early_stopping={"metric": "loss"}), 10)
    assert config.early_stopping == EarlyStoppingConfig(metric="loss")


@pytest.mark.parametrize(
    ("first", "second", "value"),
    [
        ("rank", "lora_rank", 3),
        ("alpha", "lora_alpha", 5.0),
        ("dropout", "lora_dropout", 0.25),
        ("grad_clip_norm", "max_grad_norm", 2.0),
        ("validation_fraction", "validation_split", 0.5),
        ("checkpoint_interval", "checkpoint_every", 3),
    ],
)
def test_a_second_spelling_is_the_same_on_every_level(first: str, second: str, value: Any) -> None:
    """As an option of the stage or of the training_config, and one level wins over the other whatever the spelling."""
    assert options(**{second: value}) == options(**{first: value})
    assert getattr(resolve(experiment({}), options(**{second: value}), 10), first) == value
    with pytest.raises(SpecErrors) as caught:
        options(**{first: value, second: value})
    assert f"options.{second}: is another name of {first}, which is given, too" in str(caught.value)
    document = experiment({"options": {second: value}})
    wins = resolve(document, options(**{first: value / 2 if isinstance(value, float) else value - 1}), 10)
    assert getattr(wins, first) < value
    found = problems(document, options())
    if first in ("rank", "alpha", "dropout"):
        assert (found, getattr(resolve(document, options(), 10), first)) == ([], value)
    else:  # a training_config has a field for it
        ((path, message),) = found
        assert path == f"training_config.options.{second}"
        assert "is a field of training_config" in message


def test_the_training_config_wins_over_defaults() -> None:
    """Each of its fields is carried out by the field of LoraConfig that means the same."""
    config = resolve(
        experiment(
            {
                "epochs": 3,
                "batch_size": 5,
                "learning_rate": 0.25,
                "validation_split": 0.1,
                "seed": 8,
                "gradient_clipping": 2.0,
                "checkpoint_every": 6,
                "options": {"rank": 2, "alpha": 4.0},
            }
        ),
        options(),
        11,
    )
    assert config == LoraConfig(
        base_model="shared/base",
        epochs=3,
        max_steps=9,
        batch_size=5,
        learning_rate=0.25,
        validation_fraction=0.1,
        seed=8,
        grad_clip_norm=2.0,
        checkpoint_interval=6,
        optimizer="adam",
        rank=2,
        alpha=4.0,
    )


@pytest.mark.parametrize(
    ("training", "own", "expected"),
    [
        (None, {}, (None, 1000)),
        (None, {"epochs": 2}, (2, 6)),  # ceil(11 / 4) steps an epoch
        (None, {"max_steps": 5}, (None, 5)),
        (None, {"epochs": 2, "max_steps": 5}, (2, 5)),
        ({"epochs": 3, "batch_size": 4}, {"max_steps": 50}, (None, 50)),
        ({"epochs": 3, "batch_size": 4}, {}, (3, 9)),
        ({"epochs": 3, "batch_size": 4, "options": {"max_steps": 5}}, {}, (None, 5)),
        ({"batch_size": 4, "options": {"max_steps": 5}}, {}, (None, 5)),
        ({"epochs": 3, "batch_size": 4, "options": {"max_steps": 5, "epochs": 2}}, {}, (2, 5)),
        ({"batch_size": 4, "options": {"max_steps": 5}}, {"epochs": 2}, (2, 6)),
        (None, {"epochs": 2, "accumulation_steps": 2}, (2, 4)),  # 2 steps an epoch, the second on one batch
    ],
)
def test_epochs_and_max_steps_on_different_levels(
    training: dict[str, Any] | None, own: dict[str, Any], expected: tuple[int | None, int]
) -> None:
    """The one given on the higher level replaces the other; on one level both limit.

    The options of a training_config are a level above its fields, whose defaults count as given.
    """
    assert problems(experiment(training), options(base_model="b", **own)) == []
    config = resolve(experiment(training), options(base_model="b", **own), 11)
    assert (config.epochs, config.max_steps) == expected


def test_the_base_model_is_the_options_then_the_configs() -> None:
    """A folder in artifact_uri wins over the id."""
    document = experiment({"model_ref": {"id": "i", "artifact_uri": "/folder"}})
    assert resolve(document, options(base_model="own"), 1).base_model == "own"
    assert resolve(document, options(), 1).base_model == "/folder"
    assert resolve(experiment({"model_ref": {"id": "i"}}), options(), 1).base_model == "i"


def test_without_any_base_model_it_is_asked_for() -> None:
    """The problem stands at the stage's own option."""
    assert [path for path, _ in problems(experiment(), options())] == ["base_model"]


@pytest.mark.parametrize(
    ("training", "path", "words"),
    [
        ({"optimizer": "adamww"}, "optimizer", "use adamw, adam, sgd, rmsprop; did you mean"),
        ({"loss_function": "msee"}, "loss_function", '"msee" is not registered; did you mean "mse"?; known: bce, '),
        ({"loss_function": "kl_divergence"}, "loss_function", "needs reference_logprobs beside each token"),
        ({"device": "tpu"}, "device", "tpu is not supported"),
        ({"early_stopping": {"patience": 3}}, "early_stopping", "set validation_fraction above 0"),
        (
            {"early_stopping": {"metric": "validation_los"}, "validation_split": 0.2},
            "early_stopping.metric",
            'did you mean "validation_loss"?',
        ),
        (
            {"early_stopping": {"metric": "validation_perplexity"}, "validation_split": 0.2, "loss_function": "mae"},
            "early_stopping.metric",
            "is not reported by this training",
        ),
        ({"options": {"eval_every": 2}}, "options.eval_every", "needs held-out items"),
        ({"options": {"quality_targets": {"final_los": 1}}}, "options.quality_targets", 'did you mean "final_loss"?'),
        ({"options": {"quality_targets": {"validation_loss": 1}}}, "options.quality_targets", "needs held-out items"),
        ({"options": {"renderer": "lama3"}}, "options.renderer", "unknown renderer"),
        ({"options": {"optimizer": "sgd"}}, "options.optimizer", "is a field of training_config; say it there"),
        ({"options": {"loss": "mse"}}, "options.loss", "(loss_function); say it there"),
        ({"options": {"momentum": 0.5}}, "options.momentum", "a setting of sgd and rmsprop, and the optimizer is adam"),
        ({"options": {"rank": 2, "lora_rank": 2}}, "options.lora_rank", "is another name of rank, which is given, too"),
        ({"options": {"lora_rnk": 2}}, "options.lora_rnk", 'did you mean "lora_rank"?'),
        ({"options": {"lora_rank": 0}}, "options.lora_rank", "rank must be positive"),
        ({"metrics": ["loss", "validation_loss"]}, "metrics[1]", "set validation_split above 0"),
        ({"metrics": ["loss", "bleu"]}, "metrics[1]", '"bleu" is not known'),
        ({"metrics": []}, "metrics", "must name at least one metric"),
        ({"metrics": ["accuracy"]}, "metrics[0]", "add the stage `evaluate`"),
        ({"options": {"rnk": 2}}, "options.rnk", 'did you mean "rank"'),
        ({"options": {"batch_size": 2}}, "options.batch_size", "say it there"),
        ({"options": {"epochs": 2}}, "options.epochs", "say it there"),
        ({"options": {"rank": 0}}, "options.rank", "rank must be"),
        ({"optimizer": {"name": "adamww"}}, "optimizer.name", 'use adamw, adam, sgd, rmsprop; did you mean "adamw"?'),
        ({"optimizer": {"name": "rmsprop", "beta1": 0.5}}, "optimizer.beta1", "a setting of adamw and adam"),
        ({"optimizer": {"momentum": 0.9}}, "optimizer.momentum", "a setting of sgd and rmsprop"),
        (
            {"learning_rate": 0.5, "optimizer": {"learning_rate": 0.25}},
            "optimizer.learning_rate",
            "learning_rate is 0.5 in training_config; say it once",
        ),
        ({"optimizer": {"beta1": 0.5}, "options": {"beta1": 0.6}}, "options.beta1", "training_config.optimizer too"),
        ({"scheduler": {}, "options": {"warmup_steps": 1}}, "options.warmup_steps", "training_config.scheduler too"),
        ({"scheduler": {"name": "linar"}}, "scheduler.name", '"linar" is not supported; use constant, linear, cosine'),
        ({"scheduler": {"kind": "linear"}}, "scheduler", "does not fit SchedulerConfig (kind: unknown key"),
        ({"loss_function": {"name": "bcee"}}, "loss_function.name", 'did you mean "bce"?'),
        ({"loss_function": {"label_smoothing": 0.1}}, "loss_function.label_smoothing", "not supported"),
        (
            {"early_stopping": {"after": "a while"}},
            "early_stopping",
            "fit EarlyStoppingConfig (after: unknown key",
        ),
        ({"model_ref": {"id": "m", "artifact_uri": "s3://b/m"}}, "model_ref.artifact_uri", "download it"),
        (
            {"model_ref": {"id": "crucible/tiny", "provider": "huggingface"}},
            "model_ref.provider",
            'huggingface has no "crucible/tiny", which is a built-in model; use local',
        ),
        ({"model_ref": {"id": "./m", "provider": "huggingface"}}, "model_ref.provider", "which is a folder"),
        (
            {"model_ref": {"id": "m", "provider": "huggingface", "artifact_uri": "folder"}},
            "model_ref.provider",
            "leave one of them out",
        ),
        ({"model_ref": {"id": "m", "provider": "ollama"}}, "model_ref.provider", "ollama is not supported"),
        ({"model_ref": {"id": "m", "framework": "jax"}}, "model_ref.framework", "jax is not supported"),
        ({"model_ref": {"id": "m", "version": "v2"}}, "model_ref.version", "revisions are not supported"),
        ({"model_ref": {"id": "m", "options": {"a": 1}}}, "model_ref.options", "takes no options"),
    ],
)
def test_what_a_training_config_says_and_cannot_be_done_is_refused_by_name(
    training: dict[str, Any], path: str, words: str
) -> None:
    """One problem, at its place, with what to do."""
    ((found, message),) = problems(experiment(training), options())
    assert found == f"training_config.{path}"
    assert words in message


def test_typed_parts_are_carried_out() -> None:
    """An optimiser and a scheduler with settings of their own say the same as options, and the stage wins over both."""
    document = experiment(
        {
            "learning_rate": 0.001,
            "optimizer": {
                "name": "adamw",
                "learning_rate": 0.25,
                "beta1": 0.5,
                "beta2": 0.75,
                "eps": 1e-6,
                "weight_decay": 0.1,
            },
            "scheduler": {"name": "cosine", "warmup_steps": 3},
            "loss_function": {"name": "cross_entropy", "label_smoothing": 0.0},
        }
    )
    assert problems(document, options()) == []
    config = resolve(document, options(), 1)
    adam = (config.learning_rate, config.beta1, config.beta2, config.eps, config.weight_decay)
    assert adam == (0.25, 0.5, 0.75, 1e-6, 0.1)
    assert (config.schedule, config.warmup_steps) == ("cosine", 3)
    config = resolve(document, options(schedule="linear", learning_rate=0.5), 1)
    assert (config.schedule, config.warmup_steps, config.learning_rate) == ("linear", 3, 0.5)


def test_a_typed_scheduler_counts_in_full() -> None:
    """Its defaults are said, too: constant, without a warm-up."""
    config = resolve(experiment({"scheduler": {}}), options(), 1)
    assert (config.schedule, config.warmup_steps) == ("constant", 0)


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        ({"optimizer": "adam"}, {"optimizer": "adam"}),
        ({"optimizer": "sgd"}, {"optimizer": "sgd"}),
        ({"optimizer": {"weight_decay": 0.1}}, {"optimizer": "adam", "weight_decay": 0.1}),
        ({"optimizer": {"name": "rmsprop", "momentum": 0.5, "eps": 0.1}}, {"momentum": 0.5, "eps": 0.1}),
        ({"optimizer": {"name": "sgd", "momentum": 0.5}}, {"optimizer": "sgd", "momentum": 0.5}),
        ({"loss_function": "mse"}, {"loss": "mse"}),
        ({"loss_function": {"name": "bce"}}, {"loss": "bce"}),
        ({"mixed_precision": True}, {"mixed_precision": True}),
        ({"checkpoint_every": 7}, {"checkpoint_interval": 7}),
        (
            {"early_stopping": {"metric": "gradient_norm", "mode": "max", "patience": 2}, "validation_split": 0.2},
            {"early_stopping": EarlyStoppingConfig(metric="gradient_norm", mode="max", patience=2)},
        ),
        ({"metrics": ["loss", "validation_loss", "gradient_norm"], "validation_split": 0.2}, {}),
        ({"options": {"target_modules": ["attention"]}}, {"target_modules": ("q_proj", "k_proj", "v_proj", "o_proj")}),
        ({"options": {"renderer": "meta-llama/Llama-3.2-1B-Instruct", "train_on": "all_tokens"}}, {}),
    ],
)
def test_what_a_training_config_says_and_can_be_done_is_carried_out(
    training: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Not refused, and in the configuration."""
    document = experiment(training)
    assert problems(document, options()) == []
    config = resolve(document, options(), 10)
    assert {name: getattr(config, name) for name in expected} == expected


def test_a_loss_that_somebody_registered_is_known() -> None:
    """A name of the registry is a loss like any other, unless it needs what items do not have."""
    document = experiment({"loss_function": "flat"})
    assert [path for path, _ in problems(document, options())] == ["training_config.loss_function"]
    losses.register("flat", lambda logprobs, inputs: (logprobs * inputs["weights"] * 0).sum())
    try:
        assert problems(document, options()) == []
        losses.register("flat", lambda logprobs, inputs: logprobs.sum() * inputs["x"].sum(), requires=["x"])
        ((_, message),) = problems(document, options())
        assert "flat needs x beside each token" in message
    finally:
        registry._registry.pop("flat")


def test_the_losses_that_are_always_there_are_those_of_the_registry() -> None:
    """The list that is read where PyTorch is not imported cannot drift from them."""
    assert {name: losses.get(name).requires for name in losses.names()} == LOSSES


def test_a_backend_that_says_what_it_cannot_do_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Tinker service's adapters have no dropout; said before anything is sent, without its SDK or a key."""
    point = EntryPoint("service", "crucible.backends.tinker:TinkerBackend", "crucible.backends")
    monkeypatch.setattr(feasibility, "entry_points", lambda group, name: [point] if name == point.name else [])
    document = experiment({"options": {"dropout": 0.5}}, backend={"id": "service"})
    assert [path for path, _ in problems(document, options())] == ["training_config.options.dropout"]
    assert [path for path, _ in problems(document, options(dropout=0.25))] == ["dropout"]
    assert problems(document, options(dropout=0.0)) == []


def test_a_problem_of_merged_values_stands_where_the_value_comes_from() -> None:
    """The stage's own momentum is at fault for the document's optimiser, and the other way round."""
    document = experiment({"optimizer": {"name": "sgd", "momentum": 0.5}})
    for own, path in (
        ({"optimizer": "adamw"}, "training_config.optimizer.momentum"),
        ({"beta1": 0.5}, "beta1"),
        ({"early_stopping": {}}, "early_stopping"),
    ):
        assert [found for found, _ in problems(document, options(**own))] == [path]


@pytest.mark.parametrize("metrics", [["accuracy"], ["loss"], ["loss", "accuracy"], ["accuracy", "loss"]])
def test_metrics_are_what_the_run_follows(metrics: list[str]) -> None:
    """The loss always, the accuracy where the run evaluates; the default list is taken everywhere."""
    stages = [{"name": "supervised_train"}, {"name": "evaluate", "options": {"model": "tuned"}}]
    assert problems(experiment({"metrics": metrics}, pipeline=stages), options()) == []
    found = problems(experiment({"metrics": metrics}, pipeline=[stages[0], {**stages[1], "enabled": False}]), options())
    assert [path for path, _ in found] == (["training_config.metrics[0]"] if metrics == ["accuracy"] else [])


def test_all_problems_come_at_once() -> None:
    """A document with three mistakes is told all three, and the stage its own."""
    found = problems(experiment({"optimizer": "sdg", "device": "tpu", "metrics": []}), options(model="base"))
    assert len(found) == 4


def test_an_option_of_the_stage_makes_up_for_the_document() -> None:
    """A device or base model that the stage replaces is no problem."""
    training = {"device": "tpu", "model_ref": {"id": "m", "framework": "jax"}}
    assert problems(experiment(training), options(device="cpu", base_model="b")) == []


def test_a_device_that_is_not_here_is_refused_where_it_is_named() -> None:
    """This machine has no MPS device, as any Linux machine."""
    assert [path for path, _ in problems(experiment({"device": "mps"}), options())] == ["training_config.device"]
    assert [path for path, _ in problems(experiment({}), options(device="mps"))] == ["device"]
    elsewhere = experiment({"device": "mps"}, backend={"id": "elsewhere"})
    assert problems(elsewhere, options()) == []


def test_failing_on_a_missed_target_needs_a_target() -> None:
    """`on_missed_target: fail` without a target would change nothing, so it is refused; either level may give one."""
    refusal = ("on_missed_target", "fail needs quality_targets: without a target nothing is missed")
    targets = {"quality_targets": {"final_loss": 1.0}}
    assert refusal in problems(experiment({}), options(on_missed_target="fail"))
    assert refusal not in problems(experiment({}), options(on_missed_target="fail", **targets))
    assert refusal not in problems(experiment({"options": targets}), options(on_missed_target="fail"))
