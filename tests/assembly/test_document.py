"""crucible.load: every problem of a document at once, the stages' own included."""

from pathlib import Path

import pytest

import crucible
from crucible.assembly import document_schema
from crucible.errors import SpecErrors


def write(folder: Path, text: str) -> Path:
    """Write a document."""
    path = folder / "e.yaml"
    path.write_text(text)
    return path


def complaints(path: Path, *overrides: str) -> list[str]:
    """The problems of a document, as text."""
    with pytest.raises(SpecErrors) as caught:
        crucible.assembly.load(path, overrides)
    assert str(path) in str(caught.value)
    return [str(error) for error in caught.value.errors]


def test_stage_options_are_checked_on_load(tmp_path: Path) -> None:
    """An unknown stage, an unknown option and a wrong type come together with their paths."""
    path = write(
        tmp_path,
        """
id: e
backend: {id: local}
pipeline:
  - name: validat
  - name: validate
    options: {strikt: true}
  - name: supervised_train
    options: {rank: x, base_model: crucible/tiny}
""",
    )
    found = complaints(path)
    assert 'pipeline[0].name: unknown stage "validat"; did you mean "validate"?' in found
    assert 'pipeline[1].options.strikt: unknown key; did you mean "strict"?' in found
    assert 'pipeline[2].options.rank: expected integer, got "x"' in found


def test_stage_options_are_checked_even_when_the_document_does_not_fit(tmp_path: Path) -> None:
    """A problem at the top does not hide one in a stage."""
    path = write(tmp_path, "id: e\nbackend: {}\npipeline:\n  - {name: validate, options: {strict: 3}}\n  - 7\n")
    found = complaints(path)
    assert "backend.id: is required" in found
    assert any(line.startswith("pipeline[1]: expected mapping") for line in found)
    assert "pipeline[0].options.strict: expected true or false, got 3" in found


def test_what_nothing_would_carry_out_is_refused_by_name(tmp_path: Path) -> None:
    """Values that no stage executes are refused in a sentence that names them."""
    path = write(
        tmp_path,
        """
id: e
backend: {id: locl, endpoint_url: "http://x", profile: fast}
pipeline: [{name: validate}]
baseline: {id: m}
outputs: [{name: r}]
reliability: {stats: {alpha: 0.01}}
""",
    )
    found = complaints(path)
    assert any(line.startswith('backend.id: unknown backend "locl"; did you mean "local"') for line in found)
    for name in ("backend.endpoint_url", "backend.profile", "baseline", "outputs", "reliability.stats"):
        assert any(line.startswith(f"{name}: ") for line in found), name


def test_overrides_come_before_reading(tmp_path: Path) -> None:
    """--set changes the document that is checked; a bad one is a problem of the document."""
    path = write(tmp_path, "id: e\nbackend: {id: local}\npipeline: [{name: validate}]\n")
    assert crucible.assembly.load(path, ["id=other"]).id == "other"
    assert crucible.load(path).id == "e"
    assert complaints(path, "pipeline[5].name=x") == ["pipeline[5].name: there is no [5] in the document"]


def test_schema_spells_out_the_options_of_every_stage() -> None:
    """Editors complete stage options by the stage's name, and the schema is valid."""
    import jsonschema

    schema = document_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    good = {"id": "e", "backend": {"id": "local"}, "pipeline": [{"name": "supervised_train", "options": {"rank": 4}}]}
    assert validator.is_valid(good)
    good["pipeline"][0]["options"]["rank"] = "four"  # type: ignore[index]
    assert not validator.is_valid(good)
