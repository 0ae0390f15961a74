"""The stage: every described option is carried out or refused by name, what it leaves, and a run that is resumed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import pytest

from crucible.data import Item, load
from crucible.errors import ContractError, CrucibleError, TrainError
from crucible.ir import Experiment
from crucible.pipeline import Context, FrozenMap, Registry, parse_options, pipeline_problems
from crucible.train import open_teacher
from crucible.train.distillation.stages import DistillationStage
from crucible.train.stages import SupervisedTrainStage

STAGE, SUPERVISED = DistillationStage(), SupervisedTrainStage()
REGISTRY = Registry()
SHORT: dict[str, Any] = {"rank": 4, "learning_rate": 5e-3, "max_steps": 2, "checkpoint_interval": 1, "batch_size": 4}
ON: dict[str, Any] = {"mode": "on_policy", "max_tokens": 8, "group_size": 2}
HELD_OUT: dict[str, Any] = {"validation_fraction": 0.34}


@pytest.fixture
def context(base: Path, tmp_path: Path) -> Context:
    """A run with eight training tickets, six of another dataset, and a student's base."""
    training = {
        "id": "t",
        "model_ref": {"id": str(base)},
        "dataset_ref": {"name": "tickets"},
        "optimizer": {"name": "adamw"},
    }
    experiment = Experiment.read(
        {"id": "x", "backend": {"id": "local"}, "pipeline": [{"name": "distillation"}], "training_config": training}
    )
    start = Context(run_id="r", experiment=experiment, workspace=tmp_path)
    return start.put_resource("train", load("tickets", limit=8)).put_resource("test", load("tickets", limit=6))


def problems(context: Context, **options: Any) -> str:
    """Return what `crucible validate` says of a document with one distillation."""
    pipeline = [
        {"name": "supervised_train", "options": {"model": "earlier"}},
        {"name": "distillation", "options": options},
    ]
    document = Experiment.read({**context.experiment.model_dump(mode="json"), "pipeline": pipeline})
    return "; ".join(str(problem) for problem in pipeline_problems(document, REGISTRY))


def run(context: Context, **options: Any) -> Context:
    """Run the stage."""
    return STAGE.run(context, parse_options(STAGE, {**SHORT, **options}))


def test_it_is_registered() -> None:
    """Documents find it by its name, with the options of the predecessor's stage and their kinds."""
    assert isinstance(REGISTRY.get("distillation"), DistillationStage)
    types = STAGE.describe()["types"]
    assert {"teacher_model", "student_model", "temperature", "alpha", "epochs"} <= set(types)


def test_it_leaves_what_later_stages_use(context: Context, teacher_folder: Path) -> None:
    """Samplers, adapter, history and the metric, with the teacher, its digest and what became of the rest."""
    after = run(context, teacher_model=str(teacher_folder), temperature=2.0, lora_alpha=8.0, alpha=0.5)
    facts = after.metrics["train.distilled"]
    assert facts["final_loss"] < facts["initial_loss"]
    assert (facts["steps"], facts["items"], facts["synthetic"], facts["dataset_role"]) == (2, 8, True, "train")
    assert (facts["config"]["alpha"], facts["distillation"]["alpha"], facts["rest"]) == (8.0, 0.5, "renormalised")
    (teacher,) = facts["teachers"]
    assert (teacher["name"], teacher["weight"], len(teacher["digest"])) == (str(teacher_folder), 1.0, 64)
    json.dumps(facts, allow_nan=False)
    history = json.loads(after.artifact_path("history.distilled").read_text())
    assert {"distill/forward_kl", "distill/cross_entropy"} == set(history[0]["metrics"])
    for name in ("sampler.distilled", "sampler.base"):
        assert isinstance(after.resource(name).sample(["Ticket: hi\nJSON:"])[0].text, str)
    assert list((after.workspace / "train" / "distilled" / "teaching").iterdir())


def test_a_model_of_the_run_teaches(context: Context) -> None:
    """What an earlier stage trained, by sampler.<model>; so does the run's base; neither needs a name of a folder."""
    short = parse_options(SUPERVISED, {**SHORT, "model": "earlier", "learning_rate": 0.05})
    after = run(SUPERVISED.run(context, short), teacher_model="sampler.earlier")
    (teacher,) = after.metrics["train.distilled"]["teachers"]
    assert (teacher["name"], teacher["synthetic"]) == ("sampler.earlier", True)
    folder = after.artifact_path("adapter.earlier").parent
    assert teacher["digest"] == open_teacher(str(folder)).digest, "the same teacher, whatever it is opened by"
    assert after.metrics["train.distilled"]["initial_loss"] > 0
    of_base = run(after, model="again", teacher_model="sampler.base", max_steps=1).metrics["train.again"]
    assert abs(of_base["initial_loss"]) < 1e-5
    with pytest.raises(ContractError, match='no stage before this one trained the teacher "earlier"'):
        run(context, teacher_model="sampler.earlier")


def test_a_resumed_run_gets_the_same_student_back_without_a_teacher(context: Context, teacher_folder: Path) -> None:
    """`rebuild` loads the adapter and asks nobody."""
    options = parse_options(STAGE, {**SHORT, "teacher_model": str(teacher_folder), "learning_rate": 0.05})
    after = STAGE.run(context, options)
    gone = options.model_copy(update={"teacher_model": "/nowhere"})
    resumed = STAGE.rebuild(msgspec.structs.replace(after, resources=FrozenMap()), gone)
    prompt = "Ticket: the lamp is broken\nJSON:"
    for name in ("sampler.distilled", "sampler.base"):
        assert resumed.resource(name).logprobs([prompt]) == after.resource(name).logprobs([prompt])


def test_a_missed_target_fails_the_stage_where_the_document_says_so(context: Context, teacher_folder: Path) -> None:
    """As it does supervised training's."""
    asked = {"quality_targets": {"final_loss": 1e-9}, "on_missed_target": "fail"}
    with pytest.raises(TrainError, match="0/1 quality targets met: final_loss is"):
        run(context, teacher_model=str(teacher_folder), max_steps=1, **asked)


def test_what_cannot_be_done_is_refused_by_validate(context: Context) -> None:
    """Before anything costs time, each at the option that says it."""
    refused: list[tuple[dict[str, Any], str]] = [
        ({}, "teacher_model: is required, or teachers"),
        ({"teacher_model": "a", "teachers": [{"model": "b"}]}, "teachers: teacher_model is given, too"),
        ({"teachers": [{"model": "b", "weight": 0}]}, "teachers[0].weight"),
        ({"teacher_model": "sampler.distilled"}, "is what this stage itself trains"),
        ({"teacher_model": "sampler.earliest"}, 'did you mean "earlier"'),
        ({"teachers": [{"model": "sampler.none"}]}, "teachers[0].model: no stage of this document trains"),
        ({"teacher_model": "a", "student_model": "b", "base_model": "c"}, "they mean the same, say it once"),
        ({"teacher_model": "a", "mode": "offline"}, "mode"),
        (
            {"teacher_model": "a", "mode": "on_policy", "temperature": 2.0},
            "temperature: is a setting of mode: off_policy",
        ),
        ({"teacher_model": "a", "loss": "mse"}, "loss: is mse, and a distillation has a loss of its own"),
        (
            {"teacher_model": "a", "quality_targets": {"validation_perplexity": 2.0}},
            "is not reported by this distillation",
        ),
        ({"teacher_model": "a", "lora_alpha": -1.0}, "lora_alpha"),
        ({"teacher_model": "a", "alpha": 1.5}, "alpha"),
        ({"teacher_model": "a", "temperature": 1e-9}, "temperature"),
        (
            {"teacher_model": "a", "mode": "on_policy", "targets_cache": "c"},
            "targets_cache: keeps nothing in mode: on_",
        ),
        ({"teacher_model": "a", "alpha": 0.0, "answers": "teacher", "top_k": 3}, "top_k: says how the teacher's prob"),
    ]
    for options, said in refused:
        assert said in problems(context, **options), (options, problems(context, **options))
    for fine in (
        {"teacher_model": "sampler.earlier"},
        {"teacher_model": "sampler.base"},
        {"teacher_model": "a", **HELD_OUT, "quality_targets": {"validation_forward_kl": 0.1}},
        {"teacher_model": "a", **HELD_OUT, "early_stopping": {"metric": "validation_cross_entropy"}},
    ):
        assert problems(context, **fine) == "", fine


def test_a_teacher_that_is_trained_later_is_refused_by_validate(context: Context) -> None:
    """Only a stage before the student's can teach it."""
    learning = {"name": "distillation", "options": {"teacher_model": "sampler.later"}}
    teaching: dict[str, Any] = {"name": "supervised_train", "options": {"model": "later"}}
    for pipeline, said in (
        ([learning, teaching], "is trained only after this stage"),
        ([teaching, learning], ""),
    ):
        document = Experiment.read({**context.experiment.model_dump(mode="json"), "pipeline": pipeline})
        found = "; ".join(str(problem) for problem in pipeline_problems(document, REGISTRY))
        assert said in found if said else not found, found


# --- no silent options ---


class Seen(NamedTuple):
    """What a distillation left: its metric, the record of every step, all names, or why it was refused."""

    facts: Mapping[str, Any]
    history: list[dict[str, Any]]
    names: frozenset[str]
    refused: str = ""


class Line(NamedTuple):
    """An option: values of which each makes a difference, what to look at, and what the effect needs beside."""

    values: tuple[Any, ...]
    sees: Callable[[Seen], Any]
    also: Mapping[str, Any] = MappingProxyType({})
    items: str = "tickets"


def fact(name: str) -> Callable[[Seen], Any]:
    """Look at one fact of the metric."""
    return lambda seen: seen.facts[name]


def losses(seen: Seen) -> Any:
    """Look at the loss of every step."""
    return [record["loss"] for record in seen.history]


def refused_or(sees: Callable[[Seen], Any]) -> Callable[[Seen], Any]:
    """Look at why it was refused, or at what is seen where it was not."""
    return lambda seen: seen.refused or sees(seen)


def validated(seen: Seen) -> Any:
    """Look at which steps were validated after."""
    return [record["step"] for record in seen.history if "validation_loss" in record]


STOP = {"patience": 1, "min_delta": 100.0}
SGD = {"optimizer": "sgd", "learning_rate": 1.0}
NONE = None
"""Instead of a value: the option is left out."""

LINES: dict[str, Line] = {
    "model": Line(("distilled", "other"), lambda seen: seen.names),
    "dataset": Line(("train", "test"), fact("items")),
    "on_missed_target": Line(("report", "fail"), refused_or(fact("steps")), {"quality_targets": {"final_loss": 0.0}}),
    "teacher_model": Line(("TEACHER", "BASE"), losses),
    "teachers": Line(
        ([{"model": "TEACHER"}, {"model": "BASE"}], [{"model": "TEACHER", "weight": 3.0}, {"model": "BASE"}]),
        losses,
        {"teacher_model": NONE},
    ),
    "student_model": Line((NONE, "TEACHER"), losses, {"teacher_model": "BASE"}),
    "base_model": Line((NONE, "TEACHER"), losses, {"teacher_model": "BASE"}),
    "targets_cache": Line((NONE, "CACHE"), lambda seen: seen.facts["cached"]),
    "mode": Line(("off_policy", "on_policy"), losses, {"max_tokens": NONE}),
    "alpha": Line((1.0, 0.5), losses),
    "temperature": Line((1.0, 2.0), losses),
    "top_k": Line((20, 3), losses),
    "rest": Line((NONE, "renormalised"), losses),
    "divergence": Line(("forward_kl", "reverse_kl"), losses),
    "answers": Line(("own", "teacher"), losses, {"max_tokens": NONE}),
    "kl_discount": Line((0.0, 0.9), losses, ON),
    "group_size": Line((2, 3), losses, ON),
    "max_tokens": Line((8, 4), losses, ON),
    "rank": Line((4, 2), fact("parameters_trained")),
    "lora_alpha": Line((32.0, 4.0), losses),
    "dropout": Line((0.0, 0.5), losses, {"max_steps": 3}),
    "target_modules": Line((NONE, ["q_proj"]), fact("parameters_trained")),
    "learning_rate": Line((5e-3, 1e-4), losses),
    "batch_size": Line((4, 2), losses),
    "max_steps": Line((2, 3), fact("steps")),
    "checkpoint_interval": Line((1, 2), fact("checkpoints")),
    "epochs": Line((NONE, 1), fact("steps"), {"max_steps": 3, "batch_size": 8}),
    "seed": Line((0, 1), losses),
    "optimizer": Line(("adamw", "sgd"), losses),
    "momentum": Line((0.0, 0.9), losses, {**SGD, "max_steps": 3}),
    "beta1": Line((0.9, 0.5), losses, {"max_steps": 3}),
    "beta2": Line((0.999, 0.5), losses, {"max_steps": 3}),
    "eps": Line((1e-8, 1.0), losses),
    "weight_decay": Line((0.0, 0.9), losses, {"learning_rate": 0.1}),
    "grad_clip_norm": Line((1.0, 1e-3), losses, SGD),
    "validation_fraction": Line((0.0, 0.34), validated),
    "schedule": Line(("constant", "linear"), losses, {"max_steps": 3}),
    "warmup_steps": Line((0, 2), losses, {"max_steps": 3}),
    "device": Line(("cpu", "cuda"), refused_or(fact("steps"))),
    "max_length": Line((NONE, 130), fact("truncated")),
    "on_overflow": Line(("truncate", "refuse"), fact("refused"), {"max_length": 130}),
    "loss": Line(("cross_entropy", "mse"), refused_or(fact("steps"))),
    "accumulation_steps": Line((1, 2), losses, {"batch_size": 2}),
    "eval_every": Line((1, 2), validated, HELD_OUT),
    "save_every": Line((1, 2), fact("checkpoints")),
    "max_checkpoints": Line((2, 3), lambda seen: len(seen.facts["checkpoints"]), {"max_steps": 4}),
    "early_stopping": Line((NONE, STOP), fact("stopped_early"), {**HELD_OUT, "max_steps": 4}),
    "quality_targets": Line((NONE, {"final_loss": 1.0}), fact("quality")),
    "gradient_hooks": Line((NONE, ["norm"]), lambda seen: sorted(seen.history[0]["metrics"])),
    "mixed_precision": Line((False, True), refused_or(losses)),
    "renderer": Line(("role_colon", "NO"), refused_or(losses), items="chats"),
    "train_on": Line(("last_assistant_message", "all_tokens"), losses, {"renderer": "role_colon"}, items="chats"),
    "keep": Line(
        ("best", "last"), fact("kept_step"), {**HELD_OUT, **SGD, "learning_rate": 100.0, "grad_clip_norm": 0.0}
    ),
}


def test_every_described_option_has_a_line() -> None:
    """An option without one fails here."""
    assert LINES.keys() == set(STAGE.describe()["types"])


@pytest.mark.slow
@pytest.mark.parametrize("option", LINES)
def test_each_option_makes_a_difference_or_is_refused(
    option: str, context: Context, base: Path, teacher_folder: Path, tmp_path: Path
) -> None:
    """To what is trained, measured or kept; what cannot be done is refused by a sentence that names it."""
    line = LINES[option]
    names = {"TEACHER": str(teacher_folder), "BASE": str(base), "CACHE": str(tmp_path / "cache")}

    def filled(value: Any) -> Any:
        if isinstance(value, list):
            return [filled(each) for each in value]
        if isinstance(value, dict):
            return {name: filled(each) for name, each in value.items()}
        return names.get(value, value) if isinstance(value, str) else value

    said = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hi!"}]
    if line.items == "chats":
        context = context.put_resource(
            "train", load([Item(f"c{n}", "Hello.", "Hi!", {"messages": said}) for n in range(4)])
        )
    seen: list[Seen] = []
    for number, value in enumerate(line.values):
        given = {"teacher_model": "TEACHER", **line.also, option: value}
        options = {name: filled(each) for name, each in {**SHORT, **given}.items() if each is not None}
        start = msgspec.structs.replace(context, workspace=tmp_path / str(number))
        seen.append(seen_of(start, options, tmp_path / "cache"))
    looked_at = [repr(line.sees(each)) for each in seen]
    assert len(set(looked_at)) == len(line.values), (looked_at, [each.refused for each in seen])
    assert any(not each.refused for each in seen)
    for value, each in zip(line.values, seen, strict=True):
        assert not each.refused or option in each.refused or str(value) in each.refused


def seen_of(start: Context, options: dict[str, Any], cache: Path) -> Seen:
    """Validate and run a distillation, and return what it left."""
    definition = {"name": "distillation", "options": options}
    document = Experiment.read({**start.experiment.model_dump(mode="json"), "pipeline": [definition]})
    refused = "; ".join(str(problem) for problem in pipeline_problems(document, REGISTRY))
    if not refused:
        try:
            after = STAGE.run(msgspec.structs.replace(start, experiment=document), parse_options(STAGE, options))
        except CrucibleError as error:
            refused = str(error)
        else:
            model = options.get("model", "distilled")
            facts = {**after.metrics[f"train.{model}"], "cached": cache.exists()}
            facts.pop("config")
            history = json.loads(after.artifact_path(f"history.{model}").read_text())
            return Seen(facts, history, frozenset(after.resources) | frozenset(after.metrics))
    return Seen({}, [], frozenset(), refused)
