"""Where a training's values come from, and what is refused by name."""

from __future__ import annotations

from typing import Any, cast

import pytest

from crucible.errors import SpecErrors
from crucible.ir import Experiment, LoraConfig
from crucible.pipeline import parse_options
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
    assert SupervisedTrainOptions.model_fields.keys() == {"model", "dataset", *LoraConfig.model_fields}
    for bad in ({"rank": 0}, {"rank": "16"}, {"schedule": "cosin"}, {"target_modules": []}, {"device": "tpu"}):
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
        ("keep", "last"),
    ],
)
def test_each_option_of_the_stage_wins(field: str, value: Any) -> None:
    """Over the training_config and over the default."""
    given = list(value) if isinstance(value, tuple) else value
    config = resolve(experiment({"device": "cpu"}), options(**{field: given}), 10)
    assert getattr(config, field) == value


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
        ({"optimizer": "sgd"}, "optimizer", '"sgd" is not supported; use adam or adamw'),
        ({"optimizer": "rmsprop"}, "optimizer", '"rmsprop" is not supported'),
        ({"optimizer": "adam", "options": {"weight_decay": 0.1}}, "optimizer", "use adamw"),
        ({"loss_function": "mse"}, "loss_function", '"mse" is not supported; use cross_entropy'),
        ({"device": "tpu"}, "device", "tpu is not supported"),
        ({"mixed_precision": True}, "mixed_precision", "not supported"),
        ({"early_stopping": {"patience": 3}}, "early_stopping", "not supported"),
        ({"metrics": ["loss", "bleu"]}, "metrics[1]", '"bleu" is not known'),
        ({"metrics": []}, "metrics", "must name at least one metric"),
        ({"metrics": ["accuracy"]}, "metrics[0]", "add the stage `evaluate`"),
        ({"options": {"rnk": 2}}, "options.rnk", 'did you mean "rank"'),
        ({"options": {"batch_size": 2}}, "options.batch_size", "say it there"),
        ({"options": {"epochs": 2}}, "options.epochs", "say it there"),
        ({"options": {"rank": 0}}, "options.rank", "rank must be"),
        ({"optimizer": {"name": "adamww"}}, "optimizer.name", 'use adam or adamw; did you mean "adamw"?'),
        ({"optimizer": {"name": "rmsprop", "momentum": 0.9}}, "optimizer.name", '"rmsprop" is not supported'),
        ({"optimizer": {"momentum": 0.9}}, "optimizer.momentum", "adam has no momentum"),
        ({"optimizer": {"weight_decay": 0.1}}, "optimizer.name", "use adamw with weight_decay 0.1"),
        (
            {"learning_rate": 0.5, "optimizer": {"learning_rate": 0.25}},
            "optimizer.learning_rate",
            "learning_rate is 0.5 in training_config; say it once",
        ),
        ({"optimizer": {"beta1": 0.5}, "options": {"beta1": 0.6}}, "options.beta1", "training_config.optimizer too"),
        ({"scheduler": {}, "options": {"warmup_steps": 1}}, "options.warmup_steps", "training_config.scheduler too"),
        ({"scheduler": {"name": "linar"}}, "scheduler.name", '"linar" is not supported; use constant, linear, cosine'),
        ({"scheduler": {"kind": "linear"}}, "scheduler", "does not fit SchedulerConfig (kind: unknown key"),
        ({"loss_function": {"name": "bce"}}, "loss_function.name", '"bce" is not supported'),
        ({"loss_function": {"label_smoothing": 0.1}}, "loss_function.label_smoothing", "not supported"),
        ({"early_stopping": {"after": "a while"}}, "early_stopping", "not supported"),
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


@pytest.mark.parametrize("optimizer", ["adam", "adamw", {}, {"name": "adamw", "weight_decay": 0.1}])
def test_what_can_be_done_is_not_refused(optimizer: str | dict[str, Any]) -> None:
    """Both names of the optimiser, the metrics of the default, every framework word for PyTorch."""
    assert problems(experiment({"optimizer": optimizer, "metrics": ["loss", "accuracy"]}), options()) == []


@pytest.mark.parametrize("metrics", [["accuracy"], ["loss"], ["loss", "accuracy"], ["accuracy", "loss"]])
def test_metrics_are_what_the_run_follows(metrics: list[str]) -> None:
    """The loss always, the accuracy where the run evaluates; the default list is taken everywhere."""
    stages = [{"name": "supervised_train"}, {"name": "evaluate", "options": {"model": "tuned"}}]
    assert problems(experiment({"metrics": metrics}, pipeline=stages), options()) == []
    found = problems(experiment({"metrics": metrics}, pipeline=[stages[0], {**stages[1], "enabled": False}]), options())
    assert [path for path, _ in found] == (["training_config.metrics[0]"] if metrics == ["accuracy"] else [])


def test_all_problems_come_at_once() -> None:
    """A document with three mistakes is told all three."""
    found = problems(experiment({"optimizer": "sgd", "device": "tpu", "loss_function": "mae"}), options(model="base"))
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
