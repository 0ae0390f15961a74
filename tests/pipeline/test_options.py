"""Options: read strictly from the stage's own model, defaults applied, described without a second source."""

import enum
import json
import logging
from collections.abc import Callable
from typing import Any, Literal

import pytest
from pydantic import Field

from crucible.errors import SpecErrors
from crucible.pipeline import StageBase, StageOptions, parse_options, stage, type_words
from crucible.pipeline.schema import SCHEMA_VERSION, describe, type_spec


class Inner(StageOptions):
    """A part of the options."""

    depth: int = 1


class Kinds(StageOptions):
    """One option of each kind."""

    name: str = Field(description="What to call it.")
    choice: Literal["a", "b"] = "a"
    several: tuple[int, ...] = ()
    maybe: float | None = None
    inner: Inner = Inner()
    fixed: Literal["only"] = "only"
    shares: dict[str, float] = Field(default_factory=dict)
    anything: Any = None
    loose: dict[str, Any] = Field(default={})
    either: int | str | list[str] = 0
    flag: bool = True


kinds = stage("kinds", options=Kinds)(lambda context, options: context)


def test_describe_says_every_kind_of_option() -> None:
    """The canonical schema is derived from the model: names, types, defaults, help, and the JSON Schema itself."""
    described = kinds.describe()
    assert list(described) == [
        "name",
        "description",
        "required",
        "optional",
        "types",
        "defaults",
        "__schema_version__",
        "__extensions__",
        "json_schema",
    ]
    assert described["required"] == ["name"]
    assert described["optional"] == [name for name in Kinds.model_fields if name != "name"]
    assert described["types"] == {
        "name": "string",
        "choice": {"enum": ["a", "b"]},
        "several": {"list": "integer"},
        "maybe": {"union": ["float", "null"]},
        "inner": {"struct": "Inner"},
        "fixed": {"enum": ["only"]},
        "shares": {"map": ["string", "float"]},
        "anything": "any",
        "loose": "map",
        "either": {"union": ["integer", "string", {"list": "string"}]},
        "flag": "boolean",
    }
    assert described["defaults"]["inner"] == {"depth": 1}
    assert "name" not in described["defaults"]
    assert described["__schema_version__"] == SCHEMA_VERSION
    assert described["__extensions__"]["help"]["name"] == "What to call it."
    assert described["json_schema"]["properties"]["flag"]["type"] == "boolean"


def test_the_description_is_the_docstring_and_never_empty() -> None:
    """A stage without a docstring still has a description."""
    assert kinds.describe()["description"] == "The stage kinds."

    class Bare(StageBase):
        name = "bare"

    assert Bare().describe()["description"] != ""
    assert Bare().describe()["optional"] == []


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("integer", "integer"),
        ({"enum": ["a", "b", 3]}, "a | b | 3"),
        ({"list": {"enum": ["a"]}}, "list of a"),
        ({"map": ["string", "float"]}, "map of string to float"),
        ({"union": [{"list": "integer"}, "null"]}, "list of integer | null"),
        ({"struct": "Inner"}, "Inner"),
        ({"list": {"struct": "Inner"}}, "list of Inner"),
    ],
)
def test_types_are_worded_for_people(spec: Any, words: str) -> None:
    """A type is said in one line."""
    assert type_words(spec) == words


@pytest.mark.parametrize(
    ("entry", "spec"),
    [
        ({}, "any"),
        ({"const": 1}, {"enum": [1]}),
        ({"type": "array"}, "list"),
        ({"type": "object", "additionalProperties": True}, "map"),
        ({"oneOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}]}, {"union": [{"struct": "A"}, {"struct": "B"}]}),
        ({"anyOf": [{"type": "integer"}, {"type": "integer"}]}, {"union": ["integer"]}),
    ],
)
def test_types_of_json_schema(entry: Any, spec: Any) -> None:
    """Every form that a JSON Schema has for a type becomes a type of the canonical schema."""
    assert type_spec(entry) == spec


def test_options_are_read_strictly_with_defaults() -> None:
    """Nothing is coerced, everything wrong comes at once, and what is left out has its default."""
    assert parse_options(kinds, {"name": "x"}).several == ()
    with pytest.raises(SpecErrors) as caught:
        parse_options(kinds, {"flag": "yes", "chioce": "a", "inner": {"depth": "1"}}, path="pipeline[2].options")
    assert {problem.path for problem in caught.value.errors} == {
        "pipeline[2].options.name",
        "pipeline[2].options.flag",
        "pipeline[2].options.chioce",
        "pipeline[2].options.inner.depth",
    }


def test_options_that_are_not_json_are_refused() -> None:
    """An object among the options is a problem with a path, not a crash."""
    with pytest.raises(SpecErrors) as caught:
        parse_options(kinds, {"name": object()}, path="pipeline[0].options")
    assert [problem.path for problem in caught.value.errors] == ["pipeline[0].options.name"]


def test_the_mode_warn_logs_and_runs(lab: Any, caplog: pytest.LogCaptureFixture) -> None:
    """warn: one line with all problems, and the stage is given what the document says, defaults added."""
    seen: list[Any] = []
    lab.knows(stage("kinds", options=Kinds)(lambda context, options: seen.append(options) or context))
    entry = {"name": "kinds", "options": {"name": 7, "more": True}}
    with caplog.at_level(logging.WARNING, "crucible.pipeline"):
        assert lab.run(entry, validate_options="warn").status == "completed"
    (record,) = caplog.records
    assert record.getMessage().startswith("Stage kinds options validation warnings: pipeline[0].options.")
    assert "pipeline[0].options.name" in record.getMessage()
    assert "pipeline[0].options.more" in record.getMessage()
    assert (seen[0].name, seen[0].choice) == (7, "a")


def test_the_mode_warn_reads_good_options_as_ever(lab: Any, caplog: pytest.LogCaptureFixture) -> None:
    """warn: options without a mistake are parsed, and nothing is logged."""
    lab.run({"name": "count", "options": {"by": 2}}, validate_options="warn")
    assert caplog.records == []


def test_the_mode_off_does_not_look(lab: Any, caplog: pytest.LogCaptureFixture) -> None:
    """off: whatever the document says reaches the stage, silently."""
    result = lab.run({"name": "count", "options": {"by": -1}}, "count", validate_options="off")
    assert result.context.metrics == {"n": 0}
    assert caplog.records == []


def test_the_mode_error_fails_the_stage(lab: Any) -> None:
    """error, the default: the stage is not run."""
    assert lab.run({"name": "count", "options": {"by": -1}}).context.metrics == {}


class Colour(enum.Enum):
    """A choice."""

    RED = "red"
    BLUE = "blue"


class Rich(StageOptions):
    """One option of each kind that is not plain JSON."""

    names: list[str] = Field(default_factory=lambda: ["a"])
    weights: dict[str, float] = Field(default_factory=dict)
    words: set[str] = Field(default_factory=lambda: {"b", "a"}, alias="Words")
    stamp: float = Field(default_factory=lambda: 1.0)
    pair: tuple[int, str] = (1, "x")
    colour: Colour = Colour.RED
    maybe_colour: Colour | None = None
    inner: Inner = Inner()
    inners: list[Inner] = Field(default_factory=list)
    call: Callable[[int], int] | None = None
    bare_call: Callable[[int], int] = abs


def test_rich_options_are_described() -> None:
    """Defaults that a factory makes, tuples, enumerations, nested options; what JSON cannot say is `any`."""
    described = describe("rich", "Rich.", Rich)
    assert described["types"] == {
        "names": {"list": "string"},
        "weights": {"map": ["string", "float"]},
        "Words": {"list": "string"},
        "stamp": "float",
        "pair": {"tuple": ["integer", "string"]},
        "colour": {"enum": ["red", "blue"]},
        "maybe_colour": {"union": [{"enum": ["red", "blue"]}, "null"]},
        "inner": {"struct": "Inner"},
        "inners": {"list": {"struct": "Inner"}},
        "call": "any",
        "bare_call": "any",
    }
    assert described["defaults"] == {
        "names": ["a"],
        "weights": {},
        "Words": ["a", "b"],
        "pair": [1, "x"],
        "colour": "red",
        "maybe_colour": None,
        "inner": {"depth": 1},
        "inners": [],
        "call": None,
    }
    assert json.loads(json.dumps(described)) == described
    assert type_words(described["types"]["pair"]) == "tuple of integer, string"
