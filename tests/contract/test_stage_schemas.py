"""Every registered stage says truly what it reads: a valid schema, and a model that accepts what the schema says."""

from __future__ import annotations

import inspect
from typing import Any

import jsonschema
import pytest

from crucible.errors import SpecErrors
from crucible.pipeline import Registry, Stage, parse_options, type_words

REGISTRY = Registry()
CORE = {
    "name",
    "description",
    "required",
    "optional",
    "types",
    "defaults",
    "__schema_version__",
    "__extensions__",
    "json_schema",
}
WORDS = {"string", "integer", "float", "boolean", "map", "list", "any", "null"}
stages = pytest.mark.parametrize("name", REGISTRY.names())


def _is_type(spec: Any) -> bool:
    """Return whether a type is one of the canonical ones, all the way down."""
    if isinstance(spec, str):
        return spec in WORDS
    match spec:
        case {"enum": [_, *_]}:
            return len(spec) == 1
        case {"list": inner}:
            return len(spec) == 1 and _is_type(inner)
        case {"map": [key, value]}:
            return len(spec) == 1 and key == "string" and _is_type(value)
        case {"union": [_, _, *_] as parts}:
            return len(spec) == 1 and all(map(_is_type, parts))
        case {"struct": str(name)}:
            return len(spec) == 1 and name != ""
        case _:
            return False


def _stage(name: str) -> Stage:
    return REGISTRY.get(name)


@stages
def test_the_schema_is_canonical(name: str) -> None:
    """Name, description, required and optional names, a type for each, defaults for optional ones alone, a version."""
    described = _stage(name).describe()
    assert set(described) == CORE
    assert described["name"] == _stage(name).name != ""
    assert described["description"].strip()
    assert "TODO" not in described["description"]
    required, optional, types = described["required"], described["optional"], described["types"]
    assert len({*required, *optional}) == len(required) + len(optional), "an option is named twice"
    assert set(types) == {*required, *optional}
    assert [key for key, spec in types.items() if not _is_type(spec)] == []
    assert all(type_words(spec) for spec in types.values())
    assert set(described["defaults"]) <= set(optional)
    assert described["__schema_version__"].count(".") == 2
    assert set(described["__extensions__"]["help"]) == set(types)


@stages
def test_every_option_is_explained(name: str) -> None:
    """Each option has a sentence that says what it does."""
    explained = _stage(name).describe()["__extensions__"]["help"]
    assert [key for key, text in explained.items() if not text.strip()] == []


@stages
def test_the_json_schema_is_one_and_takes_the_defaults(name: str) -> None:
    """The JSON Schema is valid, refuses what is unknown, and accepts every default."""
    described = _stage(name).describe()
    schema = described["json_schema"]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    validator = jsonschema.Draft202012Validator(schema)
    for key, default in described["defaults"].items():
        part = {**schema["properties"][key], "$defs": schema.get("$defs", {})}
        assert list(jsonschema.Draft202012Validator(part).iter_errors(default)) == [], key
    assert list(validator.iter_errors({"no such option": 1})) != []


@stages
def test_the_model_knows_what_is_described_and_nothing_else(name: str) -> None:
    """Every described option is a field that `run` can read, and an unknown one is refused by its name."""
    found = _stage(name)
    described = found.describe()
    fields = {field.alias or key: field for key, field in found.Options.model_fields.items()}
    assert set(fields) == {*described["required"], *described["optional"]}
    assert [key for key, field in fields.items() if field.is_required()] == described["required"]
    with pytest.raises(SpecErrors) as caught:
        parse_options(found, {"no such option": 1})
    assert "no such option" in str(caught.value)


@stages
def test_each_default_is_accepted_by_name(name: str) -> None:
    """Writing a default out by hand changes nothing: the model takes it, alone or with all the others."""
    found = _stage(name)
    defaults = found.describe()["defaults"]
    if found.describe()["required"]:
        with pytest.raises(SpecErrors) as caught:
            parse_options(found, defaults)
        wrong = {problem.path.removeprefix("options.") for problem in caught.value.errors}
        assert wrong == set(found.describe()["required"]), "a default is refused"
        return
    plain = parse_options(found, None)
    assert parse_options(found, defaults) == plain
    for key, value in defaults.items():
        assert parse_options(found, {key: value}) == plain, key


@stages
def test_a_stage_is_made_of_the_protocol(name: str) -> None:
    """`run`, and `rebuild` where there is one, take context and options; the optional methods are callable."""
    found = _stage(name)
    assert isinstance(found, Stage)
    for method in ("run", "rebuild"):
        function = getattr(found, method, None)
        if function is not None:
            assert len(inspect.signature(function).parameters) == 2, method
    for method in ("check", "announces"):
        assert callable(getattr(found, method, len))
