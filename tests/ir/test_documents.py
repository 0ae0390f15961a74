"""Documents: strict reading, every problem with its path, and back to text unchanged."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible import ir
from crucible.errors import SpecError, SpecErrors

MINIMAL: dict[str, Any] = {"id": "e", "backend": {"id": "local"}, "pipeline": [{"name": "validate"}]}


@contextlib.contextmanager
def complains(words: str) -> Iterator[None]:
    """Expect SpecErrors whose whole text holds these words."""
    with pytest.raises(SpecErrors) as caught:
        yield
    assert words in str(caught.value)


def problems(data: dict[str, Any]) -> dict[str, str]:
    """Return message by path of a document that must not read."""
    with pytest.raises(SpecErrors) as caught:
        ir.Experiment.read(data)
    return {error.path: error.message for error in caught.value.errors}


def test_minimal_document_reads_with_defaults() -> None:
    """id, backend and one stage are enough; everything else has the predecessor's default."""
    experiment = ir.Experiment.read(MINIMAL)
    assert experiment.pipeline[0].enabled
    assert experiment.backend.profile == "default"
    assert experiment.dataset is None
    assert experiment.schema_version == 1


def test_every_problem_is_reported_at_once_with_its_path() -> None:
    """Unknown keys, wrong types, ranges and missing fields come together, each with path and hint."""
    found = problems(
        {
            "id": "",
            "pipeline": [{"name": "a", "enable": True}, {"nam": "b"}],
            "training_config": {
                "id": "t",
                "model_ref": {"id": "m"},
                "dataset_ref": {"name": "d"},
                "epochs": "ten",
                "batch_size": 0,
                "loss_function": 3,
                "learning_rate": True,
            },
            "created_at": "2026-01-01",
            "outputs": [{"name": "r", "formats": "html"}],
        }
    )
    assert found["backend"] == "backend is required"
    assert found["id"] == 'id must be a non-empty string, got ""'
    assert found["pipeline[0].enable"] == 'unknown key; did you mean "enabled"?'
    assert found["pipeline[1].name"] == "name is required"
    assert found["training_config.epochs"] == 'epochs must be an integer, got "ten"'
    assert found["training_config.batch_size"] == "batch_size must be positive, got 0"
    assert found["training_config.loss_function"] == "loss_function must be a string or map, got 3"
    assert found["training_config.learning_rate"] == "learning_rate must be a number, got true"
    assert "offset" in found["created_at"]
    assert found["outputs[0].formats"] == 'formats must be a list of strings, got "html"'
    assert "pipeline" not in found


def test_empty_pipeline_is_refused() -> None:
    """A pipeline without a stage is an error of its own."""
    found = problems({**MINIMAL, "pipeline": []})
    assert found == {"pipeline": "pipeline must contain at least one stage, got []"}


def test_constructor_errors_are_ours() -> None:
    """A bad value in Python is a SpecErrors that names the field, never pydantic's own error."""
    with complains("rank: rank must be positive, got -1"):
        ir.LoraConfig(base_model="m", rank=-1)
    with complains("dropout: dropout must be between 0 and 1, 1 excluded, got 1.0"):
        ir.LoraConfig(base_model="m", dropout=1.0)
    with complains("lr: unknown key"):
        ir.LoraConfig(base_model="m", lr=1.0)  # type: ignore[call-arg]


def test_lora_defaults_are_those_of_the_design() -> None:
    """The defaults that users rely on."""
    config = ir.LoraConfig(base_model="m")
    assert (config.rank, config.alpha, config.dropout, config.learning_rate) == (16, 32.0, 0.05, 1e-4)
    assert (config.batch_size, config.max_steps, config.checkpoint_interval) == (4, 1000, 100)
    assert config.target_modules is None


def test_values_are_frozen() -> None:
    """A document does not change under the one who reads it."""
    experiment = ir.Experiment.read(MINIMAL)
    with pytest.raises(Exception, match="frozen"):
        experiment.id = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: 1\na: 2", 'line 2, column 1: key "a" is given twice'),
        ("a: [1", "not valid YAML: line 1"),
        ("- 1", "expected a mapping at the top level, got list"),
        ("", "expected a mapping at the top level, got nothing"),
        ("a: &x 1\nb: *x", "aliases"),
        ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("1: 2", "keys must be text"),
        ("a: \x01", "not valid YAML"),
    ],
)
def test_bad_yaml_names_the_place(tmp_path: Path, text: str, complaint: str) -> None:
    """Text that is not YAML of our kind is refused with file, line and reason; no tag is executed."""
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(SpecErrors) as caught:
        ir.load(path)
    assert complaint in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(("text", "complaint"), [("{", "not valid JSON"), ('{"a": 1, "a": 2}', "given twice")])
def test_bad_json_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    """The same for JSON files and texts."""
    path = tmp_path / "bad.json"
    path.write_text(text)
    with complains(complaint):
        ir.load(path)
    with complains(complaint):
        ir.from_json(text, ir.Experiment)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file, a folder and a file that is not UTF-8 each have their sentence."""
    with complains("no such file"):
        ir.load(tmp_path / "none.yaml")
    with complains("is a folder"):
        ir.load(tmp_path)
    binary = tmp_path / "b.yaml"
    binary.write_bytes(b"a: \xff\xfe")
    with complains("not UTF-8"):
        ir.load(binary)


def test_yaml_means_what_it_says(tmp_path: Path) -> None:
    """1e-4 is a number, `no` is a word, dates stay text: YAML 1.2, not the traps of 1.1."""
    path = tmp_path / "e.yaml"
    path.write_text(
        "id: e\nbackend: {id: local}\npipeline:\n  - name: s\n"
        "    options: {lr: 1e-4, answer: no, day: 2026-01-31, i: -3, f: 1.5, t: '1', n: null, e: , b: true}\n"
    )
    options = ir.load(path).pipeline[0].options
    assert options == {
        "lr": 1e-4,
        "answer": "no",
        "day": "2026-01-31",
        "i": -3,
        "f": 1.5,
        "t": "1",
        "n": None,
        "e": None,
        "b": True,
    }


words = st.text(min_size=1, max_size=12)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)


printable = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=12)


@given(
    name=printable,
    options=st.dictionaries(words, plain, max_size=3) | st.none(),
    tags=st.lists(words, max_size=3) | st.none(),
    enabled=st.booleans(),
)
def test_round_trip(name: str, options: dict[str, Any] | None, tags: list[str] | None, enabled: bool) -> None:
    """What is written reads back the same, by JSON, by YAML and by dict, and hashes the same."""
    experiment = ir.Experiment(
        id=name,
        backend=ir.BackendRef(id="local", fallback=ir.BackendRef(id="x")),
        pipeline=(ir.StageDef(name=name, options=options, enabled=enabled),),
        tags=None if tags is None else tuple(tags),
    )
    again = ir.from_json(ir.to_json(experiment), ir.Experiment)
    assert again == experiment
    assert ir.from_dict(ir.to_dict(experiment), ir.Experiment) == experiment
    assert ir.content_hash(again) == ir.content_hash(experiment)


def test_yaml_round_trip(tmp_path: Path) -> None:
    """A document written as YAML loads as the same document."""
    experiment = ir.Experiment.read({**MINIMAL, "tags": ["no", "1e-4"], "metadata": {"x": 1e-4, "y": "2026-01-01"}})
    path = tmp_path / "e.yaml"
    path.write_text(ir.to_yaml(experiment))
    assert ir.load(path) == experiment


def test_content_hash_ignores_key_order() -> None:
    """The hash is of the content, not of the text."""
    turned = dict(reversed(MINIMAL.items()))
    assert ir.content_hash(ir.Experiment.read(MINIMAL)) == ir.content_hash(ir.Experiment.read(turned))
    other = ir.content_hash(ir.Experiment.read({**MINIMAL, "id": "f"}))
    assert other != ir.content_hash(ir.Experiment.read(MINIMAL))


def test_values_that_are_not_json_are_refused() -> None:
    """An object, or a number that JSON has not, is a problem and not a crash."""
    with complains("metadata.x: x must be a plain JSON value"):
        ir.Experiment.read({**MINIMAL, "metadata": {"x": object()}})
    with pytest.raises(SpecErrors):
        ir.TrainingConfig.read(
            {"id": "t", "model_ref": {"id": "m"}, "dataset_ref": {"name": "d"}, "learning_rate": 1e999}
        )


def test_overrides_set_single_values() -> None:
    """--set reaches into mappings and lists, makes missing mappings, and reads values as YAML."""
    data = json.loads(json.dumps(MINIMAL))
    ir.apply_overrides(data, ["pipeline[0].options.rank=8", "id=other", "metadata.deep.x=[1, no]"])
    assert data["pipeline"][0]["options"] == {"rank": 8}
    assert data["id"] == "other"
    assert data["metadata"] == {"deep": {"x": [1, "no"]}}


@pytest.mark.parametrize(
    "override",
    [
        "novalue",
        "=1",
        "pipeline[9].x=1",
        "id.x=1",
        "a=[1",
        "a[b]=1",
        "pipeline.x=1",
        "a..b=1",
        ".id=1",
        "id.=1",
        "pipeline[0]x=1",
    ],
)
def test_bad_overrides_are_named(override: str) -> None:
    """An override that leads nowhere is refused by name."""
    with pytest.raises(SpecError):
        ir.apply_overrides(json.loads(json.dumps(MINIMAL)), [override])


def test_json_schema_lists_every_field() -> None:
    """Editors complete from the schema: every field is in it and unknown ones are refused."""
    schema = ir.json_schema(ir.LoraConfig)
    assert set(schema["properties"]) == set(ir.LoraConfig.model_fields)
    assert schema["additionalProperties"] is False
    assert "schema" in ir.json_schema(ir.DatasetRef)["properties"]


def test_a_suffix_in_capitals_is_the_same_format(tmp_path: Path) -> None:
    """A file called x.JSON is JSON."""
    path = tmp_path / "x.JSON"
    path.write_text('{"a": 1, "a": 2}')
    with pytest.raises(SpecErrors, match=r"x\.JSON") as caught:
        ir.read_mapping(path)
    assert "is not valid JSON" in str(caught.value.errors[0])
