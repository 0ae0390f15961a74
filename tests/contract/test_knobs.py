"""No silent knobs: every value that a document may hold is executed, refused by name, or a fact; each one is tried."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest

import crucible
from crucible import assembly, ir
from crucible.assembly.knobs import FATES, fate_of, is_refused_whole
from crucible.assembly.knobs_page import knob_tables
from crucible.assembly.knobs_walk import ANY, Knob, document_types, inner_types, knobs_of, words_of
from crucible.errors import SpecError
from crucible.pipeline import Context, NoOptions, Registry, stage

PAGE = Path(__file__).parents[2] / "docs" / "knobs.md"
TYPES = {kind.__name__: kind for kind in document_types()}
KNOBS = [knob for kind in TYPES.values() for knob in knobs_of(kind)]

PIPELINE = [
    {"name": "validate"},
    {"name": "data_load"},
    {"name": "guardrails"},
    {"name": "supervised_train"},
    {"name": "evaluate"},
    {"name": "evaluate", "options": {"model": "tuned"}},
    {"name": "fairness", "options": {"evaluation": "tuned", "group_by": ["x"]}},
    {"name": "drift"},
    {
        "name": "bench",
        "options": {"metric": "exact_match", "contrasts": [{"baseline": "base", "treatment": "tuned"}]},
    },
    {"name": "report"},
]
GROUPS = {"name": "bench", "options": {"data_source": "assigns"}}


REQUIRED: dict[str, dict[str, Any]] = {
    "BackendRef": {"id": "local"},
    "Capabilities": {"backend_id": "b", "provider": "p"},
    "CheckpointRef": {"uri": "u"},
    "ContentPart": {"type": "text"},
    "DatasetRef": {"name": "jsonl", "options": {"path": "rows.jsonl"}},
    "DeploymentConfig": {"id": "d", "model_version_id": "m"},
    "DeploymentStatus": {"id": "s", "deployment_id": "d"},
    "FeedbackEvent": {"id": "f"},
    "LoraConfig": {"base_model": "crucible/tiny"},
    "Message": {"role": "user"},
    "ModelRef": {"id": "crucible/tiny"},
    "ModelVersion": {"id": "v", "model_id": "m", "version": "1.0.0"},
    "OptimizerConfig": {"name": "adamw"},
    "OutputSpec": {"name": "report"},
    "RetrainingTrigger": {"metric": "m", "threshold": 1.0},
    "StageDef": {"name": "validate"},
    "TelemetryEvent": {"event_name": "e"},
    "ToolChoice": {"name": "t"},
    "TrainingConfig": {
        "id": "t",
        "model_ref": {"id": "crucible/tiny"},
        "dataset_ref": {"name": "jsonl", "options": {"path": "rows.jsonl"}},
    },
}
"""What a value of a type needs, beside the knob that is tried."""
REQUIRED["TrainingRun"] = {"id": "r", "config": REQUIRED["TrainingConfig"]}

ON: dict[str, dict[str, Any]] = {
    "EnsembleConfig": {"strategy": "majority", "models": ["a", "b"]},
    "HedgingConfig": {"strategy": "fixed", "delay_ms": 5},
    "FairnessConfig": {"enabled": True, "group_by": "x", "threshold": 0.8, "options": {"positive": ["yes"]}},
    "FeedbackConfig": {"enabled": True},
}
"""What switches a part on that is off by itself."""

SAMPLES: dict[tuple[str, str], Any] = {
    ("BackendRef", "profile"): "default",
    ("DatasetRef", "version"): "a" * 64,
    ("DatasetRef", "schema"): {"type": "object"},
    ("DriftConfig", "fields"): ["input"],
    ("FairnessConfig", "options"): {"positive": ["yes"]},
    ("FairnessConfig", "threshold"): 0.7,
    ("GuardrailConfig", "options"): {"max_chars": 100},
    ("EarlyStoppingConfig", "metric"): "validation_perplexity",
    ("LoraConfig", "loss"): "mse",
    ("LoraConfig", "quality_targets"): {"final_loss": 1.0},
    ("LoraConfig", "renderer"): "role_colon",
    ("ModelRef", "artifact_uri"): "models/base",
    ("OutputSpec", "options"): {"path": "report"},
    ("RetryPolicy", "wait_max_s"): 60.0,
    ("StageDef", "module"): "crucible.pipeline.stages:ValidateStage",
    ("StageDef", "options"): {"strict": False},
    ("StageDef", "needs"): [],
    ("StatsConfig", "options"): {"seed": 1},
    ("StatsConfig", "alpha"): 0.01,
    ("StatsConfig", "bootstrap_iterations"): 500,
    ("TrainingConfig", "metrics"): ["loss"],
    ("TrainingConfig", "options"): {"rank": 4},
    ("CheckpointRef", "sha256"): "a" * 64,
    ("EndpointConfig", "path"): "/v1",
    ("HealthCheckConfig", "path"): "/up",
    ("ModelVersion", "version"): "1.0.0",
    ("ModelVersion", "parent_version"): "0.9.0",
    ("Experiment", "schema_version"): 1,
    ("Experiment", "backend"): {"id": "local"},
    ("Experiment", "pipeline"): PIPELINE,
    ("Experiment", "baseline"): {"id": "crucible/tiny"},
    ("Message", "content"): "x",
    ("ToolCall", "arguments"): {},
    ("Prompt", "messages"): [{"role": "user", "content": "x"}],
    ("Prompt", "tools"): [{"name": "t"}],
}
"""Values of fields that are no enumeration, where the one by type will not do."""


class Place(NamedTuple):
    """A type where it stands in an experiment."""

    path: tuple[str, ...]
    kind: type[ir.Model]


def places(kind: type[ir.Model], path: tuple[str, ...] = ()) -> Iterator[Place]:
    """Yield a type and all types below it, each along every way but not through itself."""
    yield Place(path, kind)
    for name, field in kind.model_fields.items():
        for inner in inner_types(field):
            if inner is not kind:
                yield from places(inner, (*path, name))


PLACES = list(places(ir.Experiment))
TRIED = [(place, knob) for place in PLACES for knob in knobs_of(place.kind)]


def _label(value: Any) -> str | None:
    if isinstance(value, Place):
        return ".".join(value.path)
    return ".".join(filter(None, value)) if isinstance(value, Knob) else None


def value_of(knob: Knob) -> Any:
    """Return the value that the knob stands for, as a document has it."""
    kind = TYPES[knob.type]
    field = next(field for name, field in kind.model_fields.items() if knob.field in (name, field.alias))
    if words_of(field):
        word: Any = {"true": True, "false": False}.get(knob.word, knob.word)
        return [word] if "tuple" in str(field.annotation) else word
    if (knob.type, knob.field) in SAMPLES:
        return SAMPLES[knob.type, knob.field]
    if knob.field in REQUIRED.get(knob.type, {}):
        return REQUIRED[knob.type][knob.field]
    inner = inner_types(field)
    text = str(field.annotation)
    is_list = "tuple" in text
    if inner:
        made = minimal(inner[0].__name__, is_on=True)
        return [made] if is_list else made
    if is_list:
        return [{"a": 1}] if "dict" in text else ["x"]
    if "atetime" in text:
        return "2026-01-02T03:04:05Z"
    samples = (("dict", {"a": 0.5}), ("str", "x"), ("int", 2), ("float", 0.5))
    return next((sample for word, sample in samples if re.search(rf"\b{word}\b", text)), "x")


def minimal(kind: str, *, is_on: bool) -> dict[str, Any]:
    """Return the least that a value of a type needs."""
    return copy.deepcopy({**REQUIRED.get(kind, {}), **(ON.get(kind, {}) if is_on else {})})


def documents(place: Place, knob: Knob, *, is_on: bool) -> Iterator[dict[str, Any]]:
    """Yield experiments that have everything that could carry the knob out, and the knob."""
    document: dict[str, Any] = {
        "id": "e",
        "backend": {"id": "local"},
        "pipeline": copy.deepcopy(PIPELINE),
        "dataset": minimal("DatasetRef", is_on=False),
        "training_config": minimal("TrainingConfig", is_on=False),
        "outputs": [{"name": "report"}],
    }
    top = place.path[0] if place.path else knob.field
    if top == "baseline":
        del document["training_config"]
        document["pipeline"] = [{"name": "data_load"}, {"name": "evaluate"}, {"name": "report"}]
    if place.path[:2] == ("training_config", "dataset_ref"):
        del document["dataset"]
    if place.path[:2] == ("training_config", "early_stopping"):
        document["training_config"]["validation_split"] = 0.2
    inner: Any = document
    for kind, name in zip(_kinds(place.path), place.path, strict=True):
        made = minimal(kind, is_on=is_on)
        if kind == "StageDef" or kind == "OutputSpec":
            inner = document[name][0]
        else:
            if not isinstance(inner.get(name), dict):
                inner[name] = made
            inner = inner[name]
    if is_on:
        inner.update(ON.get(knob.type, {}))
    inner[knob.field] = value_of(knob)
    _companions(knob, inner)
    if top == "dataset" and place.path:
        document["training_config"]["dataset_ref"] = {"name": document["dataset"]["name"]}
    yield document
    if knob.type == "StatsConfig":
        yield {**document, "pipeline": [GROUPS if each["name"] == "bench" else each for each in document["pipeline"]]}


def _kinds(path: tuple[str, ...]) -> list[str]:
    """Return the types along a path, that of its end included."""
    return [next(place.kind.__name__ for place in PLACES if place.path == path[: i + 1]) for i in range(len(path))]


def _companions(knob: Knob, inner: dict[str, Any]) -> None:
    """Add what only makes sense together with the knob."""
    if knob[1:] == ("provider", "huggingface"):
        inner.pop("options", None)
        inner.update({"id": "owner/name"} if knob.type == "ModelRef" else {"name": "owner/name"})
    elif knob.type == "FairnessConfig" and knob.field in ("enabled", "fail_on_violation"):
        inner |= {"group_by": "x", "threshold": 0.8, "options": {"positive": ["yes"]}}
    elif knob[1:] == ("on_error", "fallback"):
        inner["fallback"] = {"name": "validate"}
    elif knob[:2] == ("StageDef", "fallback"):
        inner["on_error"] = "fallback"
    elif knob[1:] == ("sink", "s3"):
        inner["options"] = {"url": "memory://reports"}
    elif knob[:2] == ("OptimizerConfig", "momentum"):
        inner["name"] = "sgd"
    elif knob[:2] == ("LoraConfig", "momentum"):
        inner["optimizer"] = "sgd"
    elif knob[:2] == ("TrainingConfig", "early_stopping"):
        inner["validation_split"] = 0.2
    elif knob[:2] in (("LoraConfig", "early_stopping"), ("LoraConfig", "eval_every")):
        inner["validation_fraction"] = 0.2


def problems_of(document: dict[str, Any]) -> list[SpecError]:
    """Return the problems of a document."""
    return assembly.problems_of(ir.from_dict(document, ir.Experiment), Registry(allow_imports=["crucible"]))


def _names(problem: SpecError, knob: Knob, part: str) -> bool:
    """Tell whether a problem names the knob, or the part that is refused as a whole with it."""
    whole = [part] if is_refused_whole(TYPES[knob.type]) else []
    return any(name in str(problem) for name in (knob.field, knob.word, *whole) if name)


def test_every_value_is_in_the_table() -> None:
    """A new type, field or word needs a line of its own or one that stands for it."""
    missing: list[Knob] = []
    for knob in KNOBS:
        try:
            fate_of(knob)
        except KeyError:
            missing.append(knob)
    assert not missing


def test_the_table_has_no_line_for_what_is_not_there() -> None:
    """A type, field or word that is gone leaves nothing behind."""
    there = {(knob.type, "*") for knob in KNOBS} | {(knob.type, knob.field) for knob in KNOBS}
    there |= {(knob.type, f"{knob.field}={knob.word}") for knob in KNOBS}
    assert [(kind, key) for kind, fates in FATES.items() for key in fates if (kind, key) not in there] == []


def test_a_new_word_beside_refused_ones_is_refused() -> None:
    """Until somebody says who executes it."""
    for kind, field in {(knob.type, knob.field) for knob in KNOBS if knob.word not in (ANY, "true", "false")}:
        kinds = {fate_of(knob).kind for knob in KNOBS if (knob.type, knob.field) == (kind, field)}
        assert "refused" not in kinds or fate_of(Knob(kind, field, "a new word")).kind == "refused", (kind, field)


@pytest.mark.parametrize(("place", "knob"), TRIED, ids=_label)
def test_each_value_does_what_the_table_says(place: Place, knob: Knob) -> None:
    """In an experiment with all stages: executed and recorded ones validate, refused ones are named."""
    is_refused = fate_of(knob).kind == "refused"
    tried = [problems_of(document) for document in documents(place, knob, is_on=is_refused)]
    if not is_refused:
        if knob[1:] in (("device", "cuda"), ("device", "mps")):
            tried = [[each for each in found if "on this machine" not in str(each)] for found in tried]
        assert min(tried, key=len) == []
        return
    top = ".".join(place.path[:2] if place.path[:1] == ("reliability",) else place.path[:1])
    for found in tried:
        part = place.path[-1] if place.path else ""
        assert [each for each in found if each.path.startswith(top) and _names(each, knob, part)], found


@pytest.mark.parametrize("knob", [knob for knob in KNOBS if knob.type != "Experiment"], ids=_label)
def test_each_value_of_a_single_type_does_what_the_table_says(knob: Knob) -> None:
    """`refusals_of` names what nothing carries out, of records and of orders for rooms that come later too."""
    is_refused = fate_of(knob).kind == "refused"
    data = {**minimal(knob.type, is_on=is_refused), knob.field: value_of(knob)}
    _companions(knob, data)
    found = assembly.refusals_of(ir.from_dict(data, TYPES[knob.type]))
    if is_refused:
        assert [each for each in found if _names(each, knob, knob.type)]
    else:
        assert [each for each in found if each.path.startswith(knob.field)] == []
        assert not found or any(fate.kind == "refused" for fate in FATES[knob.type].values())


@pytest.mark.parametrize("knob", [knob for kind in ON for knob in knobs_of(TYPES[kind])], ids=_label)
def test_everything_in_a_part_that_is_off_rests(knob: Knob) -> None:
    """Each of its values but the switch itself, the switch being at its default."""
    (switch, _), *_ = ON[knob.type].items()
    if knob.field != switch:
        assert assembly.refusals_of(ir.from_dict({knob.field: value_of(knob)}, TYPES[knob.type])) == []


@pytest.mark.parametrize("knob", list(knobs_of(ir.LoraConfig)), ids=_label)
def test_each_value_of_a_lora_configuration_is_an_option(knob: Knob) -> None:
    """`supervised_train` takes every field of `LoraConfig`, with all its words."""
    options = {"base_model": "crucible/tiny", knob.field: value_of(knob)}
    _companions(knob, options)
    stages = [{"name": "data_load"}, {"name": "supervised_train", "options": options}]
    document = {"id": "e", "backend": {"id": "local"}, "pipeline": stages, "dataset": {"name": "tickets"}}
    assert [each for each in problems_of(document) if "on this machine" not in str(each)] == []


@stage("boom")
def boom(context: Context, options: NoOptions) -> Context:
    """Fail."""
    raise ValueError("broken glass")


@stage("fine")
def fine(context: Context, options: NoOptions) -> Context:
    """Leave a metric."""
    return context.put_metric("fine", True)


@pytest.mark.parametrize("word", get_args(ir.StageDef.model_fields["on_error"].annotation))
def test_each_word_of_on_error_is_executed_by_the_runner(word: str) -> None:
    """A failed stage ends the run, is skipped, is passed over, or is made up for."""
    stages: list[dict[str, Any]] = [
        {"name": "boom", "on_error": word, "retry": {"attempts": 2, "wait_initial_s": 0}},
        {"name": "fine", "needs": ["boom"]},
        {"name": "fine", "id": "never", "enabled": False},
    ]
    if word == "fallback":
        stages[0]["fallback"] = {"name": "fine"}
    document = ir.from_dict({"id": "e", "backend": {"id": "local"}, "pipeline": stages}, ir.Experiment)
    result = crucible.run(document, registry=Registry(boom, fine), persist=False, trace=False)
    found = [(record.name, record.status, record.attempt) for record in result.stages]
    expected = {
        "halt": ("failed", [("boom", "failed", 2)]),
        "skip": ("completed", [("boom", "skipped", 2), ("fine", "skipped", 1), ("fine", "skipped", 1)]),
        "continue": ("completed", [("boom", "failed", 2), ("fine", "ok", 1), ("fine", "skipped", 1)]),
        "fallback": ("completed", [("fine", "ok", 3), ("fine", "ok", 1), ("fine", "skipped", 1)]),
    }
    assert (result.status, found) == expected[word]


def test_the_page_shows_the_table() -> None:
    """Where it does not: write what `knob_tables()` returns below the page's first paragraphs."""
    written = PAGE.read_text(encoding="utf-8")
    assert written.endswith(knob_tables())
    assert len(re.findall("^#+ ", written, re.MULTILINE)) == len(re.findall("^#+ ", knob_tables(), re.MULTILINE)) + 1
