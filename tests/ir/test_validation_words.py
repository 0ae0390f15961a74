"""How problems are worded: the words of the document, one problem a place, no names of types in a path."""

import dataclasses
import datetime
import decimal
import enum
import pathlib
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from crucible import ir
from crucible.errors import SpecErrors
from crucible.ir.wording_text import did_you_mean, label_of, nearest, show


class Small(ir.Model):
    """A branch."""

    size: int = Field(ge=0)
    label: str = "x"


class Large(ir.Model):
    """Another branch."""

    weight: float
    small: Small | None = None


class Kind(enum.Enum):
    """Words as an enumeration."""

    ONE = "one"
    TWO = "two"


class Cat(ir.Model):
    """A branch with a tag."""

    kind: Literal["cat"]
    lives: int = 9


class Dog(ir.Model):
    """Another one."""

    kind: Literal["dog"]
    tricks: tuple[str, ...] = ()


class Typed(TypedDict):
    """A typed mapping."""

    count: int


@dataclasses.dataclass
class Plain:
    """A plain class."""

    count: int


def refuse(value: Any) -> Any:
    """Refuse everything, in words of our own."""
    raise PydanticCustomError("mine", "is not to our liking")


def even(value: int) -> int:
    """Refuse odd numbers."""
    if value % 2:
        raise ValueError("count them in pairs")
    return value


class Everything(ir.Model):
    """A field of every kind that a stage may think of."""

    word: Literal["a", "beta"] = "a"
    number: Literal[1, 2] = 1
    kind: Kind | None = None
    positive: int = Field(default=1, ge=1)
    counted: int = Field(default=0, ge=0)
    bounded: int = Field(default=5, ge=2, le=9)
    limited: int = Field(default=0, le=10**9)
    share: float = Field(default=0.5, ge=0, lt=1)
    open_share: float = Field(default=0.5, gt=0, lt=1)
    above_low: float = Field(default=0.5, gt=0, le=1)
    above: float = Field(default=3.0, gt=2)
    least: float = Field(default=3.0, ge=2)
    below: float = Field(default=3.0, lt=4)
    amount: float = Field(default=0.0, ge=0)
    money: decimal.Decimal = Field(default=decimal.Decimal(1), gt=0)
    flag: bool = False
    text: str = Field(default="abc", min_length=3)
    short: str = Field(default="a", max_length=2)
    code: str = Field(default="a", pattern="^[a-z]$")
    day: datetime.date | None = None
    path: pathlib.Path | None = None
    either: Small | Large | None = None
    lists: list[Small] | list[Large] | str | None = None
    words: Literal["auto"] | Small | int | None = None
    tagged: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    strings: Annotated[str, Field(min_length=2)] | Annotated[str, Field(pattern="x")] | Small | None = None
    nested: int | Annotated[Small | dict[str, int], Field(union_mode="left_to_right")] | None = None
    wrapped: Annotated[Small, BeforeValidator(lambda value: value)] | int | None = None
    pairs: tuple[int, str] | None = None
    many: ir.Seq[Small] | None = Field(default=None, min_length=2)
    names: set[str] | None = None
    by_name: dict[Annotated[str, Field(min_length=2)], Small] | None = None
    typed: Typed | None = None
    plain: Plain | None = None
    disliked: Annotated[Any, BeforeValidator(refuse)] = None
    paired: Annotated[int, AfterValidator(even)] = 0
    nothing: None = None
    alias: int = Field(default=0, alias="other-name")


def problems(kind: type[BaseModel], data: dict[str, Any]) -> list[str]:
    """Return code and text of every problem."""
    with pytest.raises(SpecErrors) as caught:
        ir.read_plain(kind, data, source="test")
    return [f"{error.code} {error}" for error in caught.value.errors]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"word": "bta"}, 'choice word: word must be one of: a, beta, got "bta"; did you mean "beta"?'),
        ({"word": 3}, "choice word: word must be one of: a, beta, got 3"),
        ({"number": 3}, "choice number: number must be one of: 1, 2, got 3"),
        ({"kind": "tow"}, 'choice kind: kind must be one of: one, two, got "tow"; did you mean "two"?'),
        ({"positive": 0}, "range positive: positive must be positive, got 0"),
        ({"positive": "x"}, 'type positive: positive must be an integer, got "x"'),
        ({"positive": 1.5}, "type positive: positive must be an integer, got 1.5"),
        ({"positive": None}, "type positive: positive must be an integer (leave it out for the default 1), got null"),
        ({"counted": -1}, "range counted: counted must be a non-negative integer, got -1"),
        ({"counted": "x"}, 'type counted: counted must be a non-negative integer, got "x"'),
        ({"bounded": 1}, "range bounded: bounded must be between 2 and 9, got 1"),
        ({"limited": 10**10}, "range limited: limited must be at most 1000000000, got 10000000000"),
        ({"share": 1.0}, "range share: share must be between 0 and 1, 1 excluded, got 1.0"),
        ({"share": 1.5}, "range share: share must be between 0 and 1, got 1.5"),
        ({"open_share": 0}, "range open_share: open_share must be between 0 and 1, both excluded, got 0"),
        ({"above_low": 0}, "range above_low: above_low must be between 0 and 1, 0 excluded, got 0"),
        ({"above": 2}, "range above: above must be more than 2, got 2"),
        ({"least": 1}, "range least: least must be at least 2, got 1"),
        ({"below": 4}, "range below: below must be less than 4, got 4"),
        ({"amount": -1}, "range amount: amount must be a non-negative number, got -1"),
        ({"money": "-1"}, 'greater_than money: money must be greater than 0, got "-1"'),
        ({"flag": 1}, "type flag: flag must be a boolean, got 1"),
        ({"text": "ab"}, 'string_too_short text: text must have at least 3 characters, got "ab"'),
        ({"short": "abc"}, 'string_too_long short: short must have at most 2 characters, got "abc"'),
        ({"code": "A"}, 'pattern code: code must match ^[a-z]$, got "A"'),
        ({"day": 3}, "type day: day must be a date (e.g., 2026-01-31), got 3"),
        ({"path": 3}, "type path: path must be a string, got 3"),
        ({"either": {"size": "x"}}, 'type either.size: size must be a non-negative integer, got "x"'),
        (
            {"either": {"weight": 1, "small": {"sise": 1, "size": 2}}},
            'unknown_key either.small.sise: unknown key; did you mean "size"?',
        ),
        ({"either": 3}, "type either: either must be a map, got 3"),
        ({"lists": [{"weight": "x"}]}, 'type lists[0].weight: weight must be a number, got "x"'),
        ({"lists": 3}, "type lists: lists must be a list or string, got 3"),
        (
            {"words": "atuo"},
            "choice words: words must be one of: auto, or {size: integer}, or an integer, "
            'got "atuo"; did you mean "auto"?',
        ),
        ({"words": {}}, "missing words.size: size is required"),
        ({"tagged": {"kind": "cat", "lives": "x"}}, 'type tagged.lives: lives must be an integer, got "x"'),
        ({"strings": ""}, 'string_too_short strings: strings must have at least 2 characters, got ""'),
        ({"strings": {"size": "x"}}, 'type strings.size: size must be a non-negative integer, got "x"'),
        ({"strings": 3}, "type strings: strings must be a string or map, got 3"),
        ({"nested": {"y": "3"}}, 'type nested.y: y must be an integer, got "3"'),
        ({"wrapped": {"size": -1}}, "range wrapped.size: size must be a non-negative integer, got -1"),
        ({"pairs": [1, 2]}, "type pairs[1]: pairs[1] must be a string, got 2"),
        ({"pairs": "x"}, 'type pairs: pairs must be a list of integers, got "x"'),
        ({"many": [{"size": 1}]}, 'empty many: many must contain at least 2 small, got [{"size": 1}]'),
        ({"names": [1]}, "type names[0]: names[0] must be a string, got 1"),
        ({"by_name": {"a": {"size": 1}}}, 'string_too_short by_name.a: a must have at least 2 characters, got "a"'),
        ({"by_name": {"ab": {}}}, "missing by_name.ab.size: size is required"),
        ({"typed": {"count": "x"}}, 'type typed.count: count must be an integer, got "x"'),
        ({"typed": 3}, "type typed: typed must be a map, got 3"),
        ({"plain": {"count": "x"}}, 'type plain.count: count must be an integer, got "x"'),
        ({"disliked": 3}, "mine disliked: disliked is not to our liking"),
        ({"paired": 3}, "invalid paired: count them in pairs"),
        ({"nothing": 3}, "type nothing: nothing must be null, got 3"),
        ({"other-nam": 3}, 'unknown_key other-nam: unknown key; did you mean "other-name"?'),
        ({"other-name": "x"}, 'type other-name: other-name must be an integer, got "x"'),
    ],
)
def test_every_kind_of_problem(data: dict[str, Any], expected: str) -> None:
    """One value, one problem, one sentence."""
    assert problems(Everything, data) == [expected]


def test_a_tag_that_nobody_knows() -> None:
    """The union itself is the place."""
    [problem] = problems(Everything, {"tagged": {"kind": "cow"}})
    assert problem.startswith("union_tag_invalid tagged: tagged ")


def test_all_problems_of_one_value() -> None:
    """They come together, in the order of the type; a short list is no problem of its own when its items are bad."""
    data = {
        "many": [{"size": -1}, {"size": 1, "labl": "x"}, 3],
        "zzz": 1,
        "flag": "no",
        "either": {"sise": 1, "weight": 1},
    }
    assert problems(Everything, data) == [
        'type flag: flag must be a boolean, got "no"',
        "unknown_key either.sise: unknown key",
        "range many[0].size: size must be a non-negative integer, got -1",
        'unknown_key many[1].labl: unknown key; did you mean "label"?',
        "type many[2]: many[2] must be a map, got 3",
        "unknown_key zzz: unknown key",
    ]


def test_the_place_of_options_is_put_in_front() -> None:
    """As the options of a stage are read."""
    with pytest.raises(SpecErrors) as caught:
        ir.read_plain(Small, {"size": -1, "label": float("nan")}, source="s", prefix=("pipeline[2].options",))
    assert [str(error) for error in caught.value.errors] == [
        "pipeline[2].options.label: label must be a plain JSON value, got NaN"
    ]
    with pytest.raises(SpecErrors) as caught:
        ir.read_plain(Small, 3, source="s", prefix=("pipeline[2].options",))  # type: ignore[arg-type]
    assert str(caught.value.errors[0]) == "pipeline[2].options: options must be a map, got 3"
    with pytest.raises(SpecErrors) as caught:
        ir.read_plain(Small, 3, source="s")  # type: ignore[arg-type]
    assert str(caught.value.errors[0]) == "Small must be a map, got 3"


def test_constructors_speak_the_same() -> None:
    """What Python code gets wrong is worded as what a file gets wrong."""
    with pytest.raises(SpecErrors) as caught:
        Everything(positive=0, either={"size": "x"}, flga=True)  # type: ignore[call-arg, arg-type]
    assert [str(error) for error in caught.value.errors] == [
        "positive: positive must be positive, got 0",
        'either.size: size must be a non-negative integer, got "x"',
        'flga: unknown key; did you mean "flag"?',
    ]
    with pytest.raises(SpecErrors) as caught:
        Everything(share=float("nan"))
    assert str(caught.value.errors[0]) == "share: share must be a finite number, got NaN"


def test_what_came_from_another_type_keeps_its_place() -> None:
    """Where nobody knows the type of a place, its path is told as it came, without what looks like a branch."""

    class Deep(BaseModel):
        """The inner model."""

        x: int | list[int]

    class Stranger(BaseModel):
        """A model whose field is checked by a function with a model of its own."""

        inner: Annotated[Any, AfterValidator(Deep.model_validate)]

    with pytest.raises(ValidationError):
        Deep.model_validate({"x": "a"})
    found = problems(Stranger, {"inner": {"x": [1, "a"]}})
    assert found
    assert not any("list[" in problem for problem in found)


def test_labels_and_hints() -> None:
    """The last name of a path, and guesses at what was meant."""
    assert label_of("a.b[1].c[2][3]") == "c[2][3]"
    assert label_of("", "the whole") == "the whole"
    assert did_you_mean("strikt", ["strict", "other"]) == '; did you mean "strict"?'
    assert did_you_mean("zzz", ["strict"]) == ""


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("adamm", "adam"),
        ("admaw", "adamw"),
        ("Adamw", "adamw"),
        ("cuad", "cuda"),
        ("cross_entrpy", "cross_entropy"),
        ("crossentropy", "cross_entropy"),
        ("gpu", ""),
        ("tup", ""),
        ("lion", ""),
        ("cosine_embedding", ""),
        ("adafactor", ""),
    ],
)
def test_slips_of_the_keyboard(word: str, meant: str) -> None:
    """A word near a known one is a slip; a short or a distant one may well be another word."""
    assert nearest(word, frozenset(("adam", "adamw", "cuda", "tpu", "cross_entropy"))) == meant


def test_open_words() -> None:
    """An unknown word is no error; a slip is a warning, a word that somebody else understands is not."""
    stats = {"tests": ["ttest", "mann_whitney", "bootsrap", "mcnemar"], "effect_size_type": "cohens_g"}
    [issue] = ir.validate(stats, ir.StatsConfig)
    assert (issue.path, issue.code, issue.severity) == ("tests[2]", "unknown_word", "warning")
    assert issue.message == 'tests[2] is none of the known words, got "bootsrap"; did you mean "bootstrap"?'
    assert ir.validate({"id": "v", "model_id": "m", "version": "1.0.0", "stage": "canary"}, ir.ModelVersion) == []


def test_values_are_shown_short_and_without_their_insides() -> None:
    """Long ones are cut, objects are named by their class, whatever their own words are."""

    class Loud:
        """Cannot be shown."""

        def __repr__(self) -> str:
            raise RuntimeError("no")

    loop: list[Any] = []
    loop.append(loop)
    assert show(Loud()) == "<Loud>"
    assert show({"a": Loud()}) == '{"a": "<Loud>"}'
    assert show("é" * 100) == '"' + "é" * 58 + "…"
    assert show(loop) == "a list"
    assert show({"a": {(1, 2): 3}}) == "a dict"


SPEC_WORDS = [
    (ir.Experiment, {"pipeline": None}, "pipeline must be a list"),
    (ir.Experiment, {"pipeline": "x"}, "pipeline must be a list"),
    (ir.Experiment, {"pipeline": []}, "pipeline must contain at least one stage"),
    (ir.Experiment, {"backend": None}, "backend is required"),
    (ir.Experiment, {}, "backend is required"),
    (
        ir.EnsembleConfig,
        {"strategy": "x"},
        "strategy must be one of: none, majority, weighted, best_confidence, unanimous",
    ),
    (
        ir.EnsembleConfig,
        {"execution_mode": "x"},
        "execution_mode must be one of: parallel, sequential, hedged, cascade",
    ),
    (ir.HedgingConfig, {"strategy": "x"}, "strategy must be one of: off, fixed, percentile, adaptive, workload_aware"),
    (ir.StatsConfig, {"alpha": 2}, "alpha must be between 0 and 1"),
    (ir.StatsConfig, {"alpha": 0}, "alpha must be between 0 and 1"),
    (ir.ModelRef, {"id": None}, "id is required"),
    (ir.ModelVersion, {"version": None}, "version is required"),
    (ir.ModelVersion, {"version": "1.0"}, "version must be a valid semver format (e.g., 1.0.0)"),
    (ir.TrainingConfig, {"epochs": 0}, "epochs must be positive"),
    (ir.TrainingConfig, {"batch_size": -1}, "batch_size must be positive"),
    (ir.TrainingConfig, {"learning_rate": 0}, "learning_rate must be positive"),
    (ir.TrainingRun, {"status": "x"}, "status must be one of: pending, running, completed, failed, cancelled"),
    (ir.DeploymentConfig, {"replicas": 0}, "replicas must be positive"),
    (
        ir.DeploymentStatus,
        {"state": "x"},
        "state must be one of: pending, deploying, active, degraded, failed, terminated",
    ),
    (ir.FeedbackConfig, {"sampling_rate": 1.5}, "sampling_rate must be between 0 and 1"),
    (ir.Prompt, {"messages": 3}, "messages must be a list"),
    (ir.Prompt, {"messages": [3]}, "messages[0] must be a map"),
    (ir.Prompt, {"messages": [{}]}, "messages[0].role is required"),
    (ir.Prompt, {"messages": [{"role": "x"}]}, "messages[0].role must be one of: system, user, assistant, tool"),
    (ir.Prompt, {"messages": [{"role": "user"}]}, "messages[0].content is required"),
    (ir.Prompt, {"messages": [{"role": "user", "content": 3}]}, "messages[0].content must be a string or list"),
    (ir.Prompt, {"messages": [{"role": "user", "content": [3]}]}, "messages[0].content[0] must be a map"),
    (
        ir.Prompt,
        {"messages": [{"role": "user", "content": [{"type": "x"}]}]},
        "messages[0].content[0].type must be one of: text, image, audio, tool_result",
    ),
    (ir.Prompt, {"tool_choice": "x"}, "tool_choice must be one of: auto, none, required, or {name: string}"),
    (ir.Prompt, {"options": {"top_k": -1}}, "options.top_k must be a non-negative integer"),
    (ir.Options, {"response_format": "x"}, "response_format must be one of: text, json, json_schema"),
    (ir.Options, {"cache_control": "x"}, "cache_control must be one of: ephemeral"),
    *((ir.Options, {name: "x"}, f"{name} must be a non-negative integer") for name in ("max_tokens", "timeout_ms")),
    (ir.Options, {"stop": "x"}, "stop must be a list of strings"),
    (
        ir.Options,
        {"response_format": "json_schema"},
        "json_schema is required when response_format is json_schema",
    ),
    (ir.Completion, {"choices": 3}, "choices must be a list"),
    (ir.Completion, {"choices": [3]}, "choices[0] must be a map"),
    (
        ir.Completion,
        {"choices": [{"finish_reason": "x"}]},
        "choices[0].finish_reason must be one of: stop, length, tool_calls, content_filter, error",
    ),
    (ir.Capabilities, {}, "provider is required"),
    (ir.Capabilities, {"supports_tools": "x"}, "supports_tools must be a boolean"),
]


@pytest.mark.parametrize(("kind", "data", "words"), SPEC_WORDS)
def test_the_words_of_the_predecessor(kind: type[ir.Model], data: dict[str, Any], words: str) -> None:
    """Its messages are kept, with the whole path in front and what came behind."""
    assert any(line.startswith(words) for line in ir.errors(data, kind)), ir.errors(data, kind)


def test_null_for_a_field_with_a_default_says_what_to_do() -> None:
    """What holds something by itself is not required: null is refused, and leaving it out is offered."""
    [issue] = ir.validate({"id": "local", "profile": None}, ir.BackendRef)
    assert str(issue) == 'profile must be a string (leave it out for the default "default"), got null'
    [issue] = ir.validate({"strategy": None}, ir.EnsembleConfig)
    assert '(leave it out for the default "none"), got null' in issue.message


def test_a_percentile_may_be_given_in_percent() -> None:
    """As the predecessor's documents have it; what is written is the quantile, and validation says so."""
    read = ir.HedgingConfig.read({"strategy": "percentile", "percentile": 95})
    assert read == ir.HedgingConfig(strategy="percentile", percentile=0.95)
    assert ir.to_dict(read)["percentile"] == 0.95
    document = {
        "id": "e",
        "backend": {"id": "local"},
        "pipeline": [{"name": "s"}],
        "reliability": {"hedging": {"strategy": "percentile", "percentile": 99.9}},
    }
    [issue] = ir.validate(document)
    assert (issue.path, issue.code, issue.severity) == ("reliability.hedging.percentile", "deprecated", "warning")
    assert issue.message == "percentile should be a quantile, got 99.9, which is read as percent: 0.999"
    for wrong in (1, 100, 0, True):
        assert not ir.is_valid({"percentile": wrong}, ir.HedgingConfig)
    assert "anyOf" in str(ir.json_schema(ir.HedgingConfig)["properties"]["percentile"])
