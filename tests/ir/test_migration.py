"""Documents of older versions load after the fields have changed; those of newer ones say what to do."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from pydantic import Field

from crucible import ir
from crucible.errors import SpecErrors

DATA = Path(__file__).parent / "data"
OLD = sorted(DATA.glob("experiment_v*.json"))


@contextlib.contextmanager
def complains(words: str) -> Iterator[None]:
    """Expect SpecErrors whose whole text holds these words."""
    with pytest.raises(SpecErrors) as caught:
        yield
    assert words in str(caught.value)


def renamed(data: dict[str, Any]) -> dict[str, Any]:
    """Bring version 1 to version 2, in which `owner` is called `contact` and a stage's `enabled` is `state`."""
    data["contact"] = data.pop("owner", None)
    for stage in data["pipeline"]:
        stage["options"] = {"state": "on" if stage.pop("enabled", True) else "off", **(stage.get("options") or {})}
    return data


def split(data: dict[str, Any]) -> dict[str, Any]:
    """Bring version 2 to version 3, in which `contact` is a list."""
    contact = data.pop("contact")
    data["contacts"] = [] if contact is None else [contact]
    return data


class Future(ir.Experiment):
    """An experiment as a version to come might have it."""

    migrations: ClassVar[ir.Migrations] = ir.Migrations(3, {1: renamed, 2: split})

    schema_version: Literal[3] = 3  # type: ignore[assignment]
    contacts: ir.Seq[str] = Field(default=())


def test_there_is_a_file_of_every_version() -> None:
    """Each version up to the current one is kept here as it was written in its time."""
    assert [path.stem for path in OLD] == [f"experiment_v{number + 1}" for number in range(ir.SCHEMA_VERSION)]


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_files_of_every_version_load(path: Path) -> None:
    """An old file loads to the current version, says what it said, and reads back from what is written of it."""
    text = path.read_text(encoding="utf-8")
    value = ir.load(path)
    assert value == ir.from_json(text, ir.Experiment) == ir.from_dict(json.loads(text), ir.Experiment)
    assert value == ir.Experiment.read(json.loads(text))
    assert value.schema_version == ir.SCHEMA_VERSION
    assert ir.from_json(ir.to_json(value), ir.Experiment) == value
    assert value.training_config is not None
    assert value.training_config.options == {"max_steps": 500}
    assert value.pipeline[2].options == {"model": "tuned", "rank": 16, "learning_rate": 0.0001, "note": None}
    assert value.backend.fallback == ir.BackendRef(id="remote")
    assert value.tags == ("no", "1e-4", "tickets")


def test_a_future_change_of_fields_reads_todays_files() -> None:
    """Steps bring a file of version 1 to version 3, by every way of reading, and the file's data stays as it was."""
    text = OLD[0].read_text(encoding="utf-8")
    data = json.loads(text)
    values = [
        Future.read(data),
        ir.from_dict(data, Future),
        ir.from_json(text, Future),
        ir.from_yaml(text, Future),
        ir.from_dict(data, Future, strict=False),
    ]
    assert json.loads(text) == data
    for value in values:
        assert value == values[0]
        assert value.contacts == ("The Crucible authors",)
        assert value.schema_version == 3
        assert value.pipeline[3].options == {"state": "off", "\u03b1": "β"}
        assert ir.from_json(ir.to_json(value), Future) == value


def test_a_document_without_a_version_is_of_the_first() -> None:
    """The predecessor's documents and short ones have no version; they are read as version 1, for good."""
    bare = {"id": "e", "backend": {"id": "b"}, "pipeline": [{"name": "s"}], "owner": "me"}
    assert ir.Experiment.read(bare).schema_version == 1
    for read in (lambda: Future.read(bare), lambda: ir.from_json(json.dumps(bare), Future)):
        assert read().contacts == ("me",)


def test_the_short_yaml_says_its_version() -> None:
    """A file that leaves defaults out still says its version, or a later Crucible would take it for the first."""
    value = Future.read({"schema_version": 3, "id": "e", "backend": {"id": "b"}, "pipeline": [{"name": "s"}]})
    text = ir.to_yaml(value, defaults=False)
    assert text.startswith("schema_version: 3\n")
    assert ir.from_yaml(text, Future) == value
    assert "schema_version" not in ir.to_yaml(ir.BackendRef(id="b"))


def test_newer_documents_say_what_to_do() -> None:
    """A version that is not known yet is one clear problem, not a list of keys that are not known."""
    data = {"schema_version": 7, "id": "e", "bakend": 1, "something": "new"}
    for strict in (True, False):
        with complains("schema_version: is 7, and this Crucible reads versions up to 1") as _:
            ir.from_dict(data, ir.Experiment, strict=strict)
    with complains("pip install --upgrade crucible-ml"):
        ir.from_json(json.dumps(data), ir.Experiment)


@pytest.mark.parametrize("version", [0, -1])
def test_versions_that_never_were_are_refused(version: int) -> None:
    """There is no version before the first."""
    with complains("must be 1"):
        ir.Experiment.read({"schema_version": version, "id": "e"})


@pytest.mark.parametrize("version", ["1", 1.5, [1]])
def test_a_version_that_is_no_number_is_a_problem_among_others(version: object) -> None:
    """It is reported with whatever else is wrong."""
    with pytest.raises(SpecErrors) as caught:
        ir.Experiment.read({"schema_version": version, "id": "e", "pipeline": []})
    assert {"schema_version", "pipeline", "backend"} <= {error.path for error in caught.value.errors}
    document = '{"schema_version": true, "id": "e", "backend": {"id": "b"}, "pipeline": [{"name": "s"}]}'
    with complains("schema_version: must be an integer"):
        ir.from_json(document, ir.Experiment)


def test_a_step_that_stumbles_over_a_broken_document_is_a_problem() -> None:
    """Steps see what nobody has checked; what they cannot handle is an error that names both versions."""
    with complains("schema_version: cannot be brought from 1 to 2 (KeyError: 'pipeline')"):
        Future.read({"id": "e"})


def test_stored_runs_go_the_same_way() -> None:
    """What a run has stored is the document in full, and is read like a file of its version."""
    stored = ir.to_dict(ir.load(OLD[0]))
    assert ir.Experiment.read(stored, source="run 1") == ir.load(OLD[0])
    assert Future.read(stored).contacts == ("The Crucible authors",)
