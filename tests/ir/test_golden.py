"""Documents of the predecessor, version 0.3.0, as its `to_json` wrote them; and its defaults, field by field."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from crucible import ir
from crucible.errors import SpecErrors

GOLDEN: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "predecessor_0_3_0.json").read_text(encoding="utf-8")
)

# Every default of the predecessor that is not null, and nothing else.
DEFAULTS: dict[str, dict[str, Any]] = {
    "BackendRef": {"profile": "default"},
    "DatasetRef": {"provider": "crucible_datasets", "split": "train"},
    "StageDef": {"enabled": True},
    "OutputSpec": {"formats": ["markdown"], "sink": "file"},
    "EnsembleConfig": {"strategy": "none", "execution_mode": "parallel"},
    "HedgingConfig": {"strategy": "off"},
    "StatsConfig": {"tests": ["ttest", "bootstrap"], "alpha": 0.05},
    "FairnessConfig": {"enabled": False},
    "GuardrailConfig": {"profiles": ["default"]},
    "ReliabilityConfig": {},
    "ModelRef": {"provider": "local", "framework": "nx"},
    "ModelVersion": {"stage": "development"},
    "TrainingConfig": {
        "epochs": 1,
        "batch_size": 32,
        "learning_rate": 0.001,
        "optimizer": "adam",
        "loss_function": "cross_entropy",
        "metrics": ["loss", "accuracy"],
        "device": "cpu",
        "mixed_precision": False,
    },
    "TrainingRun": {"status": "pending"},
    "DeploymentConfig": {"replicas": 1, "environment": "development", "strategy": "rolling"},
    "DeploymentStatus": {"state": "pending", "health": "unknown"},
    "FeedbackEvent": {"feedback_type": "thumbs"},
    "FeedbackConfig": {
        "enabled": False,
        "sampling_rate": 1.0,
        "feedback_types": ["thumbs", "correction"],
        "storage": "postgres",
        "anonymize_pii": True,
    },
    "Options": {"stream": False, "extended_thinking": False, "extra": {}},
    "Prompt": {"messages": [], "metadata": {}},
    "Completion": {"choices": [], "metadata": {}},
    "Capabilities": {
        "models": [],
        "metadata": {},
        "supports_streaming": True,
        "supports_tools": True,
        "supports_vision": False,
        "supports_audio": False,
        "supports_json_mode": True,
        "supports_extended_thinking": False,
        "supports_caching": False,
    },
    "Experiment": {},
}
REQUIRED: dict[str, set[str]] = {
    "BackendRef": {"id"},
    "DatasetRef": {"name"},
    "StageDef": {"name"},
    "OutputSpec": {"name"},
    "ModelRef": {"id"},
    "ModelVersion": {"id", "model_id", "version"},
    "TrainingConfig": {"id", "model_ref", "dataset_ref"},
    "TrainingRun": {"id", "config"},
    "DeploymentConfig": {"id", "model_version_id"},
    "DeploymentStatus": {"id", "deployment_id"},
    "FeedbackEvent": {"id"},
    "Capabilities": {"backend_id", "provider"},
    "Experiment": {"id", "backend", "pipeline"},
}


@contextlib.contextmanager
def complains(words: str) -> Iterator[None]:
    """Expect SpecErrors whose whole text holds these words."""
    with pytest.raises(SpecErrors) as caught:
        yield
    assert words in str(caught.value)


def is_within(part: Any, whole: Any) -> bool:
    """Tell whether everything that `part` says stands in `whole` too."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and is_within(part[key], whole[key]) for key in part)
    if isinstance(part, list):
        return isinstance(whole, list) and len(part) == len(whole) and all(map(is_within, part, whole))
    return type(part) is type(whole) and part == whole


def test_there_is_a_fixture_of_every_type() -> None:
    """The predecessor had 23 types; each has its fixture and its row of defaults."""
    assert len(GOLDEN) == 23
    assert set(GOLDEN) == set(DEFAULTS)


@pytest.mark.parametrize("name", GOLDEN)
def test_predecessor_documents_load_unchanged(name: str) -> None:
    """Its JSON loads as it is, and what is written says all that it said, value for value."""
    kind = getattr(ir, name)
    value = ir.from_json(json.dumps(GOLDEN[name]), kind)
    assert is_within(GOLDEN[name], json.loads(ir.to_json(value)))
    assert is_within(GOLDEN[name], ir.to_dict(value))
    assert ir.from_json(ir.to_json(value), kind) == value
    assert ir.from_yaml(ir.to_yaml(value), kind) == value


@pytest.mark.parametrize("name", GOLDEN)
def test_leaving_nulls_out_says_the_same(name: str) -> None:
    """A field that is null, and any field at its default, may be left out: same value, same hash."""
    kind = getattr(ir, name)
    value = ir.from_dict(GOLDEN[name], kind)
    short = {
        key: field for key, field in GOLDEN[name].items() if field is not None and field != DEFAULTS[name].get(key)
    }
    assert ir.from_dict(short, kind) == value
    assert ir.content_hash(ir.from_dict(short, kind)) == ir.content_hash(value)


@pytest.mark.parametrize("name", GOLDEN)
def test_defaults_are_the_predecessors(name: str) -> None:
    """Fields, required fields and defaults are those of the predecessor; what is new is optional."""
    kind = getattr(ir, name)
    by_key = {field.alias or key: field for key, field in kind.model_fields.items()}
    assert set(GOLDEN[name]) <= set(by_key)
    required = {key for key, field in by_key.items() if field.is_required()}
    assert required == REQUIRED.get(name, set())
    value = kind(
        **{key: GOLDEN[name][key] for key in required - {"model_ref", "dataset_ref", "config", "backend", "pipeline"}},
        **parts(name),
    )
    written = ir.to_dict(value)
    expected = {**dict.fromkeys(set(GOLDEN[name]) - required), **DEFAULTS[name]}
    if name == "Prompt":
        expected["options"] = GOLDEN["Options"]
    assert {key: written[key] for key in expected} == expected


def parts(name: str) -> dict[str, Any]:
    """Return the required parts of a type that are values themselves."""
    refs = {"model_ref": ir.ModelRef(id="m"), "dataset_ref": ir.DatasetRef(name="d")}
    return {
        "TrainingConfig": refs,
        "TrainingRun": {"config": ir.TrainingConfig(id="t", **refs)},
        "Experiment": {"backend": ir.BackendRef(id="b"), "pipeline": (ir.StageDef(name="s"),)},
    }.get(name, {})


@pytest.mark.parametrize("name", ["Options", "Prompt", "Completion", "Capabilities", "TelemetryEvent"])
def test_mutable_defaults_are_fresh(name: str) -> None:
    """Two values never share the mapping that neither was given."""
    required = {"Capabilities": {"backend_id": "b", "provider": "p"}, "TelemetryEvent": {"event_name": "e"}}
    one, two = (getattr(ir, name)(**required.get(name, {})) for _ in range(2))
    field = "extra" if name == "Options" else "metadata"
    getattr(one, field)["x"] = 1
    assert getattr(two, field) == {}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_documents_fit_the_json_schema(name: str) -> None:
    """The JSON Schema of each type is a valid one, takes the predecessor's documents, and refuses an unknown key."""
    schema = ir.json_schema(getattr(ir, name))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert [error.message for error in validator.iter_errors(GOLDEN[name])] == []
    assert list(validator.iter_errors({**GOLDEN[name], "no such key": 1}))


def test_open_words_are_examples_in_the_schema() -> None:
    """An editor offers the known words of an open field, and takes others."""
    schema = ir.json_schema(ir.ModelRef)["properties"]["provider"]
    assert schema["examples"] == ["local", "huggingface", "openai", "anthropic", "s3", "gcs"]
    assert "enum" not in schema
    assert ir.ModelRef(id="m", provider="my-registry").provider == "my-registry"


def test_provider_extras_survive() -> None:
    """Keys of a provider that nobody here knows come through a prompt and a completion unharmed."""
    answer = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "name": "search", "arguments": '{"q": 1}', "type": "function", "index": 0}],
        "refusal": None,
        "audio": {"id": "a", "expires_at": 1},
        "reasoning": "first, …",
    }
    completion = {
        "choices": [
            {
                "index": 0,
                "message": answer,
                "finish_reason": "tool_calls",
                "thinking": {"content": "hm", "tokens": 3, "signature": "s"},
                "logprobs": {"content": [{"token": "a", "logprob": -0.25, "top_logprobs": []}]},
            }
        ],
        "usage": {"prompt_tokens": 3, "prompt_tokens_details": {"audio_tokens": 0}},
        "raw_response": {"system_fingerprint": "fp"},
    }
    prompt = {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]},
            answer,
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "tool_result", "content": {"hits": 0}}]},
        ],
        "tools": [{"type": "function", "function": {"name": "search", "strict": True}}],
        "tool_choice": {"name": "search", "type": "function"},
        "options": {"extra": {"reasoning_effort": "low"}},
    }
    for data, kind in ((completion, ir.Completion), (prompt, ir.Prompt)):
        value = ir.from_json(json.dumps(data), kind)
        assert is_within(data, json.loads(ir.to_json(value)))
        assert ir.from_json(ir.to_json(value), kind) == value
        assert ir.from_yaml(ir.to_yaml(value), kind) == value


def test_a_provider_extra_must_be_plain() -> None:
    """What would be lost on the way to disk is refused where it comes in, also where any key may stand."""
    with complains("logprobs"):
        ir.Choice(logprobs={1: "a key that is no text"})  # type: ignore[call-arg]


def test_messages_are_mappings() -> None:
    """A pair of role and content is refused: it was a tuple of the predecessor's memory, and never stood in a file."""
    with complains("messages[0]"):
        ir.from_dict({"messages": [["user", "hi"]]}, ir.Prompt)


def test_tool_choice_takes_the_four_forms() -> None:
    """Three words, or the name of a tool with whatever a provider adds."""
    for choice in ("auto", "none", "required"):
        assert ir.from_dict({"tool_choice": choice}, ir.Prompt).tool_choice == choice
    assert ir.from_dict({"tool_choice": {"name": "f", "x": 1}}, ir.Prompt).tool_choice == ir.ToolChoice(name="f", x=1)  # type: ignore[call-arg]
    with complains("tool_choice"):
        ir.from_dict({"tool_choice": "any"}, ir.Prompt)


def test_typed_forms_are_taken_where_the_predecessor_had_maps() -> None:
    """Where it fits, a plain map becomes the typed form; where it does not, it stays the map that it was."""
    base = GOLDEN["TrainingConfig"]
    typed = ir.from_dict({**base, "early_stopping": {"patience": 2}}, ir.TrainingConfig)
    assert typed.early_stopping == ir.EarlyStoppingConfig(patience=2)
    free = ir.from_dict({**base, "early_stopping": {"monitor": "loss", "rounds": 2}}, ir.TrainingConfig)
    assert free.early_stopping == {"monitor": "loss", "rounds": 2}
    assert ir.from_dict(ir.to_dict(free), ir.TrainingConfig) == free


def test_elixir_modules_are_refused_with_a_hint() -> None:
    """A module of the predecessor cannot be carried out; the message says to leave it out."""
    with pytest.raises(SpecErrors) as caught:
        ir.from_dict({"name": "bench", "module": "Elixir.Crucible.Stage.Bench"}, ir.StageDef)
    assert "leave it out" in str(caught.value)


def test_the_schema_takes_the_other_names_of_words() -> None:
    """An editor that knows the JSON Schema accepts what reading accepts."""
    words = ir.json_schema(ir.EnsembleConfig)["properties"]["strategy"]["enum"]
    assert words[:2] == ["none", "majority"]
    assert "majority_vote" in words
