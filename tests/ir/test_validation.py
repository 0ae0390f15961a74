"""Validation of anything: every problem with its place, in the order of the document, and never an exception."""

import copy
import enum
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible import ir
from crucible.errors import SpecError, SpecErrors, UnknownKeyWarning
from crucible.ir import Issue

MINIMAL: dict[str, Any] = {"id": "e", "backend": {"id": "local"}, "pipeline": [{"name": "validate"}]}
TYPES = [
    kind
    for kind in (getattr(ir, name) for name in ir.__all__)
    if isinstance(kind, type) and issubclass(kind, ir.Model) and kind not in (ir.Model, ir.Document, ir.OpenModel)
]


def lines(x: Any, kind: type[ir.Model] | None = None) -> list[str]:
    """Return the issues as sentences; warnings are marked."""
    return [("~ " if issue.severity == "warning" else "") + str(issue) for issue in ir.validate(x, kind)]


def test_a_good_document_has_no_issues() -> None:
    """As plain data and as a built value; the shorthands agree."""
    for document in (MINIMAL, ir.Experiment.read(MINIMAL), MappingProxyType(MINIMAL)):
        assert ir.validate(document) == []
        assert ir.is_valid(document)
        assert ir.errors(document) == []


def test_the_quickstart_has_no_issues() -> None:
    """The example that everybody starts from is clean."""
    assert ir.validate(ir.load(Path(__file__).parents[2] / "examples" / "quickstart.yaml")) == []


def test_everything_is_reported_in_the_order_of_the_document() -> None:
    """Fields in the order of their types, items in the order of their lists; own, nested and cross-field together."""
    document = {
        "outputs": [{"name": "r", "formats": ["pdf", "jsonn"]}, {"name": "../x"}],
        "training_config": {
            "id": "t",
            "model_ref": {"id": "m", "framework": "pytroch"},
            "dataset_ref": {"name": "d", "schema": {"x": object()}},
            "epochs": "ten",
            "optimizer": {"nmae": "sgd"},
            "early_stopping": {"patience": 0},
            "scheduler": {"name": "cosine", "warmup": 3, "steps": 1},
        },
        "reliability": {
            "stats": {"alpha": 2, "confidence_level": 0.9},
            "ensemble": {"weights": {"a": 1}, "strategy": "weighted", "execution_mode": "hegded", "min_agreement": 7},
            "hedging": {"strategy": "fixed", "max_hedges": 0},
        },
        "pipeline": [{"name": "a"}, "b", {"name": "c", "on_error": "fallback", "timeout_s": 0}],
        "idd": "x",
        "backend": {"id": "local", "fallback": {"id": ""}},
        "experiment_type": "training",
        "tags": ["x", "x"],
        "model_version": {"id": "v", "model_id": "m", "version": "1.0.0garbage"},
        "created_at": "2026-01-01",
    }
    assert lines(document) == [
        "id is required",
        'backend.fallback.id must be a non-empty string, got ""',
        'pipeline[1] must be a map, got "b"',
        "pipeline[2].timeout_s must be positive, got 0",
        "pipeline[2].fallback is required when on_error is fallback: name the stage to run instead",
        '~ tags[1] is given twice, got "x"',
        'reliability.ensemble.execution_mode must be one of: parallel, sequential, hedged, cascade, got "hegded"; '
        'did you mean "hedged"?',
        "reliability.ensemble.models is required when strategy is weighted",
        "reliability.ensemble.min_agreement must be between 0 and 1, got 7",
        "reliability.hedging.delay_ms is required when strategy is fixed",
        "reliability.hedging.max_hedges must be positive, got 0",
        "reliability.stats.alpha must be between 0 and 1, got 2",
        '~ outputs[0].formats[1] is none of the known words, got "jsonn"; did you mean "json"?',
        'outputs[1].name must be letters, digits, spaces and "._-", and begin with a letter or digit, got "../x"',
        'created_at must be a date and time with offset (e.g., 2026-01-31T12:00:00+00:00), got "2026-01-01"',
        'model_version.version must be a valid semver format (e.g., 1.0.0), got "1.0.0garbage"',
        '~ training_config.model_ref.framework is none of the known words, got "pytroch"; did you mean "pytorch"?',
        "training_config.dataset_ref.schema.x must be a plain JSON value, got <object>",
        'training_config.epochs must be an integer, got "ten"',
        'training_config.optimizer.nmae: unknown key; did you mean "name"?',
        "~ training_config.early_stopping is kept as a plain map, because it does not fit EarlyStoppingConfig: "
        "patience must be positive, got 0",
        '~ training_config.scheduler is kept as a plain map, because it does not fit SchedulerConfig: "warmup": '
        'unknown key; did you mean "warmup_steps"?, and 1 more',
        'idd: unknown key; did you mean "id"?',
    ]


@pytest.mark.parametrize(
    ("x", "shown"),
    [
        (None, "null"),
        (3, "3"),
        ("{}", '"{}"'),
        ([], "[]"),
        (object(), "<object>"),
        (float("nan"), "NaN"),
        (ir.Scored(1.0), "<Scored>"),
        (ir.Experiment, "<_SpecMeta>"),
    ],
)
def test_what_is_no_document_is_an_issue(x: Any, shown: str) -> None:
    """Validating the wrong thing is an answer, not an exception."""
    assert lines(x) == [f"Experiment must be a map, got {shown}"]
    assert lines(x, ir.StageDef) == [f"StageDef must be a map, got {shown}"]


def test_a_value_of_another_type_is_an_issue() -> None:
    """Also where what was asked for is no type of the document."""
    stage = ir.StageDef(name="s")
    assert lines(stage, ir.Experiment) == ["the value must be of the type Experiment, got StageDef"]
    assert lines(stage, int) == ["int is no type of the document; expected one such as Experiment"]  # type: ignore[arg-type]
    assert lines({}, "Experiment") == ["Experiment is no type of the document; expected one such as Experiment"]  # type: ignore[arg-type]
    assert lines(stage, ir.Document) == []


def test_a_value_made_past_its_constructor_is_looked_at() -> None:
    """`model_construct` and an updating `model_copy` check nothing, so validation does."""
    experiment = ir.Experiment.read(MINIMAL)
    assert lines(experiment.model_copy()) == []
    broken = experiment.model_copy(update={"pipeline": (), "created_at": datetime(2026, 1, 1, tzinfo=UTC), "id": 3})
    assert lines(broken) == ["id must be a string, got 3", "pipeline must contain at least one stage, got []"]
    config = ir.TrainingConfig.model_construct(
        id="t", model_ref=ir.ModelRef(id="m"), epochs="ten", dataset_ref=ir.DatasetRef(name="d", schema_={"a": "b"})
    )
    assert lines(config) == ['epochs must be an integer, got "ten"']
    nested = ir.Experiment.model_construct(**{**vars(experiment), "training_config": config})
    assert lines(nested) == ['training_config.epochs must be an integer, got "ten"']
    message = ir.Message.model_construct(role="wizard", content="x", provider={"a": object()})
    assert lines(message) == [
        'role must be one of: system, user, assistant, tool, got "wizard"',
        "provider.a must be a plain JSON value, got <object>",
    ]


def test_a_map_that_was_changed_later_is_looked_at() -> None:
    """A frozen value holds maps that are not: what was put there is named, and rules do not stumble over it."""
    stage = ir.StageDef(name="s", options={"a": {}})
    assert stage.options is not None
    stage.options["a"]["b"] = object()
    assert lines(stage) == ["options.a.b must be a plain JSON value, got <object>"]


def test_maps_that_fit_no_type_and_hold_no_json() -> None:
    """What cannot be written is said once; a map that fits its type says nothing."""
    config = ir.ReliabilityConfig(drift={"x": 1}, monitoring={"metrics": ["a"]})
    assert isinstance(config.drift, dict)
    config.drift["x"] = object()
    assert lines(config) == ["drift.x must be a plain JSON value, got <object>"]
    config.drift["x"] = 10**5000
    assert lines(config) == []


def test_values_in_lists_are_looked_at() -> None:
    """Maps in a list, and values of any kind."""
    key = "sk" + "-proj-aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY"
    [found] = ir.validate(ir.Prompt(tools=({"name": "f", "token": key},)))
    assert (found.path, found.code) == ("tools[0].token", "secret")
    [found] = ir.validate(ir.FeedbackEvent(id="e", feedback_value=["up", [key]]))
    assert (found.path, found.code) == ("feedback_value[1][0]", "secret")


def test_values_in_plain_data_are_taken() -> None:
    """Built values, tuples and instants may stand where plain data is expected."""
    data = {**MINIMAL, "backend": ir.BackendRef(id="local"), "pipeline": (ir.StageDef(name="s"), {"nam": "t"})}
    assert lines({**data, "created_at": datetime(2026, 1, 1, tzinfo=UTC)}) == [
        "pipeline[1].name is required",
        'pipeline[1].nam: unknown key; did you mean "name"?',
    ]


class Color(enum.StrEnum):
    """Text of a class of its own."""

    RED = "red"


def test_text_of_another_class_is_text() -> None:
    """A member of a text enumeration is what it says."""
    assert lines({**MINIMAL, "metadata": {"color": Color.RED}}) == []
    assert lines(ir.StageDef(name="s", options={"color": Color.RED})) == []


def test_rules_are_asked_of_the_parts_that_fit() -> None:
    """A rule that needs a field which does not fit is passed over; the others speak."""
    data = {
        **MINIMAL,
        "reliability": {
            "ensemble": {"strategy": "weighted", "models": 3, "weights": {"a": 0}},
            "stats": {"confidence_level": 0.9, "tests": "ttest"},
        },
        "training_config": {"id": "t", "model_ref": 3, "dataset_ref": {"name": "d"}, "early_stopping": {}},
        "created_at": "2026-01-02T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
    }
    found = [(issue.path, issue.code) for issue in ir.validate(data)]
    assert found == [
        ("reliability.ensemble.models", "type"),
        ("reliability.ensemble.weights", "range"),
        ("reliability.stats.tests", "type"),
        ("reliability.stats.confidence_level", "mismatch"),
        ("updated_at", "order"),
        ("training_config.model_ref", "type"),
        ("training_config.early_stopping", "mismatch"),
    ]


def test_a_rule_that_is_wrong_itself_is_one_issue() -> None:
    """Where all fields fit, whatever a rule raises is a mistake in the rule, which is named; so is no answer at all."""

    def faulty(stage: ir.RetryPolicy) -> tuple[Issue, ...]:
        return (stage.nothing,)  # type: ignore[attr-defined]

    ir.rule(ir.RetryPolicy)(faulty)
    try:
        [issue] = ir.validate(ir.RetryPolicy())
        assert (issue.path, issue.code) == ("", "rule")
        assert issue.message == (
            f"the rule {faulty.__module__}.{faulty.__qualname__} failed (AttributeError); report it to whoever wrote it"
        )
        assert lines({"attempts": 0}, ir.RetryPolicy) == ["attempts must be between 1 and 1000, got 0"]
    finally:
        ir.rules.forget(faulty)


def test_keys_without_effect_are_warned_of() -> None:
    """What lenient reading kept under `extra` is named, with what may have been meant."""
    with pytest.warns(UnknownKeyWarning):
        experiment = ir.from_dict({**MINIMAL, "taggs": ["x"], "zzz": 1}, ir.Experiment, strict=False)
    assert lines(experiment) == [
        '~ extra.taggs is a key that nobody here knows, so it has no effect; did you mean "tags"?',
        "~ extra.zzz is a key that nobody here knows, so it has no effect",
    ]
    assert lines(ir.Options(extra={"top_a": 1})) == []


def test_documents_of_other_versions() -> None:
    """A newer one is one issue; an older one is brought up first."""
    [issue] = ir.validate({**MINIMAL, "schema_version": 99})
    assert (issue.path, issue.code) == ("schema_version", "version")
    assert lines({**MINIMAL, "schema_version": "one"})[0].startswith("schema_version must be an integer")


def test_data_that_cannot_be_written_is_an_issue() -> None:
    """Data that holds itself, is too deep, or has half a character."""
    loop: dict[str, Any] = dict(MINIMAL)
    loop["metadata"] = loop
    assert lines(loop) == ["Experiment is nested too deeply, or holds itself"]
    deep: Any = 1
    for _ in range(250):
        deep = [deep]
    [depth] = ir.validate({**MINIMAL, "metadata": {"x": deep}})
    assert (depth.code, depth.message) == ("depth", "Experiment is nested too deeply")
    half = ir.validate({**MINIMAL, "description": "\ud800", "tags": 3})
    assert [str(issue) for issue in half] == [
        'description must be a plain JSON value, got "\\ud800"',
        "tags must be a list of strings, got 3",
    ]
    [digits] = ir.validate({**MINIMAL, "metadata": {"x": 10**5000, "y": MappingProxyType({})}})
    assert digits.message.startswith("Experiment must be plain JSON data")


def test_keys_that_are_no_text_are_named() -> None:
    """The map in which such a key stands is the place."""
    assert lines({**MINIMAL, "metadata": {"a": {1: 2, "b": [float("inf")]}}}) == [
        "metadata.a must be a plain JSON value, got 1",
        "metadata.a.b[0] must be a plain JSON value, got Infinity",
    ]


def test_an_issue_is_a_sentence_and_an_error() -> None:
    """It says its whole path once, and stands for the error of the same words."""
    issue = Issue("a.b[2]", "type", "b[2] must be a map, got 3")
    assert str(issue) == "a.b[2] must be a map, got 3"
    assert str(Issue("a.b", "needs", "no entry")) == "a.b: no entry"
    assert str(Issue("", "type", "X must be a map")) == "X must be a map"
    error = issue.as_error()
    assert isinstance(error, SpecError)
    assert (error.path, error.code, error.message) == ("a.b[2]", "type", "b[2] must be a map, got 3")
    assert Issue.of(error) == issue
    with pytest.raises(AttributeError):
        issue.path = ""  # type: ignore[misc]


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
def test_every_type_can_be_asked(kind: type[ir.Model]) -> None:
    """Nothing at all is answered by what is required, and null for everything by an error for each such field."""
    required = {field.alias or name for name, field in kind.model_fields.items() if field.is_required()}
    missing = [issue for issue in ir.validate({}, kind) if issue.severity == "error"]
    assert {issue.path for issue in missing if issue.message.endswith("is required")} == required
    nulls = {field.alias or name: None for name, field in kind.model_fields.items()}
    assert required - {"feedback_value"} <= {issue.path for issue in ir.validate(nulls, kind)}


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
strange = st.builds(object) | st.binary(max_size=2) | st.sampled_from([Color.RED, {1}, 1j, datetime(2026, 1, 1)])
anything = st.recursive(
    scalars | strange,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(
            st.text(max_size=4) | st.integers() | st.sampled_from(["id", "name", "pipeline", "options"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(x=anything)
def test_validation_never_raises(x: Any) -> None:
    """Whatever is handed in, the answer is a list of issues."""
    assert all(isinstance(issue, Issue) for issue in ir.validate(x))
    assert ir.is_valid(x) is (ir.errors(x) == [])


WHOLE: dict[str, Any] = {
    **MINIMAL,
    "backend": {"id": "local", "options": {"a": 1}, "fallback": {"id": "b"}},
    "pipeline": [
        {"name": "a", "retry": {"errors": ["X"]}, "needs": []},
        {"name": "b", "on_error": "fallback", "fallback": {"name": "c"}, "options": {"k": [1]}},
    ],
    "tags": ["t"],
    "dataset": {"name": "d", "schema": {"text": "string"}},
    "reliability": {
        "ensemble": {"strategy": "weighted", "models": ["a"], "weights": {"a": 1.0}},
        "hedging": {"strategy": "fixed", "delay_ms": 5},
        "stats": {"alpha": 0.1, "confidence_level": 0.9},
        "fairness": {"enabled": True, "group_by": "text"},
        "guardrails": {"profiles": ["strict"]},
        "drift": {"method": "ks"},
        "feedback": {"drift_detection": {"fields": ["x"]}, "retraining_trigger": {"metric": "m", "threshold": 1.0}},
    },
    "outputs": [{"name": "r", "formats": ["html"], "options": {"path": "p"}}],
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
    "experiment_type": "comparison",
    "model_version": {"id": "v", "model_id": "m", "version": "1.0.0", "metrics": {"x": 1}},
    "training_config": {
        "id": "t",
        "model_ref": {"id": "m"},
        "dataset_ref": {"name": "d"},
        "optimizer": {"name": "sgd", "learning_rate": 0.1},
        "loss_function": "mse",
        "early_stopping": {"patience": 2},
        "validation_split": 0.1,
    },
    "baseline": {"id": "m"},
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of everything in plain data."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(inner for key, below in pairs for inner in places(below, (*path, key)))]


def test_the_whole_document_is_clean() -> None:
    """The document that is broken below has nothing to warn of."""
    assert ir.validate(WHOLE) == []


@given(place=st.sampled_from([place for place in places(WHOLE) if place]), value=anything, key=st.booleans())
def test_a_broken_place_is_never_an_exception(place: tuple[Any, ...], value: Any, key: bool) -> None:
    """Any value at any place of a whole document: issues with paths, without names of types.

    Where there is no error, the built value has the same issues.
    """
    data = copy.deepcopy(WHOLE)
    target: Any = data
    for part in place[:-1]:
        target = target[part]
    if key and isinstance(target, dict):
        target["stranger"] = value
    else:
        target[place[-1]] = value
    issues = ir.validate(data)
    for issue in issues:
        assert not any(word in issue.path for word in ("Config", "function-", "str]", "union", "constrained"))
    if not any(issue.severity == "error" for issue in issues):
        assert ir.validate(ir.from_dict(data, ir.Experiment)) == issues


class Raising(dict[str, Any]):
    """A mapping that cannot be read."""

    def items(self) -> Any:
        """Raise."""
        raise KeyError("x")


def test_a_mapping_that_raises_is_one_issue() -> None:
    """Beside the other problems of the document, at its place."""
    assert [(issue.path, issue.code) for issue in ir.validate({**MINIMAL, "metadata": Raising(a=1), "tags": 5})] == [
        ("tags", "type"),
        ("metadata", "type"),
    ]
    assert lines(Raising(MINIMAL)) == ["Experiment must be a map that can be read; this one raises"]
    built = ir.Experiment.read(MINIMAL).model_copy(update={"metadata": Raising(a=1)})
    assert [issue.path for issue in ir.validate(built)] == ["metadata"]


def test_half_a_character_in_a_key_is_named_where_it_stands() -> None:
    """And never reaches a message as it is, so that the message can be printed."""
    [issue] = ir.validate({**MINIMAL, "metadata": {"a": {"\ud800": 1}}})
    assert (issue.path, issue.code) == ("metadata.a", "type")
    assert str(issue).encode()


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("1", 'schema_version must be an integer, got "1"'),
        (1.5, "schema_version must be an integer, got 1.5"),
        (0, "schema_version: must be 1, got 0"),
    ],
)
def test_what_is_no_version_is_told_in_words(version: Any, message: str) -> None:
    """A version is a number, and there is one so far."""
    assert lines({**MINIMAL, "schema_version": version}) == [message]


def test_messages_show_no_secret_of_another_place() -> None:
    """Not the text around half a character, no name in a list of names, and no key, also where it is given twice."""
    token = "gh" + "p_" + "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xYabcd"
    told = str(ir.validate({"api_key": "Zx9Qw8Er7Ty6Ui5Op4As3", "id": "\ud800"}))
    told += str(
        ir.validate({**MINIMAL, token: 1, "pipeline": [{"name": token}, {"name": "b", "needs": [token + "x"]}]})
    )
    fair = {"fairness": {"enabled": True, "group_by": "x"}}
    told += str(ir.validate({**MINIMAL, "reliability": fair, "dataset": {"name": "d", "schema": {token: "string"}}}))
    for read in (
        lambda: ir.from_json(f'{{"{token}": 1, "{token}": 2}}', ir.ModelRef),
        lambda: ir.from_yaml(f"{token}: 1\n{token}: 2", ir.ModelRef),
        lambda: ir.from_yaml(f"{token}: 1\nid: m", ir.ModelRef),
        lambda: ir.StageDef(name="a", options={"x": {token: object()}}),
    ):
        with pytest.raises(SpecErrors) as caught:
            read()
        told += str(caught.value) + str([str(error) for error in caught.value.errors])
    with pytest.warns(UnknownKeyWarning) as warned:
        kept = ir.from_dict({"id": "m", token: 1}, ir.ModelRef, strict=False)
    told += str(warned[0].message) + str(ir.validate(kept))
    assert "Zx9Qw8" not in told
    assert token not in told
    deployed = {"id": "d", "model_version_id": "v", "endpoint": {"api_key_env": "aB3dE5fG7hJ9kL1mN2pQ4rS6"}}
    assert "secret" in [issue.code for issue in ir.validate(deployed, ir.DeploymentConfig)]


@pytest.mark.parametrize(
    "value",
    [
        ir.ModelRef.model_construct(id="\ud800"),
        ir.StageDef.model_construct(name="x", options={"a": 1, 3: 1}),
        ir.StageDef.model_construct(name="x", options={(1, 2): 1}),
        ir.StageDef.model_construct(name="x", options={"\ud800": 1}),
        ir.StageDef.model_construct(name="x", options={"a": object()}),
    ],
)
def test_what_json_has_no_word_for_has_no_hash(value: ir.Model) -> None:
    """A value that was made past its checks is refused in our words."""
    for write in (ir.canonical_json, ir.content_hash):
        with pytest.raises(SpecErrors):
            write(value)


def test_what_json_has_no_word_for_is_not_written() -> None:
    """Neither as JSON nor as plain data."""
    for write in (ir.to_json, ir.to_dict, ir.to_yaml):
        with pytest.raises(SpecErrors):
            write(ir.StageDef.model_construct(name="x", options={"a": object()}))
    with pytest.raises(SpecErrors) as caught:
        ir.to_json(ir.ModelRef.model_construct(id="\ud800"))
    assert "half of a surrogate pair" in str(caught.value)
