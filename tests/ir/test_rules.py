"""Rules across fields: what each type says of values whose fields fit one by one."""

from collections.abc import Iterator
from typing import Any

import pytest

from crucible import ir
from crucible.ir import Issue, rules

EXPERIMENT: dict[str, Any] = {"id": "e", "backend": {"id": "local"}, "pipeline": [{"name": "s"}]}
TRAINING: dict[str, Any] = {"id": "t", "model_ref": {"id": "m"}, "dataset_ref": {"name": "d"}}


def told(kind: type[ir.Model], data: dict[str, Any]) -> list[str]:
    """Return the issues of a value, of plain data and of the built value alike; warnings are marked."""
    issues = ir.validate(data, kind)
    built = ir.validate(kind.read(data))
    assert built == issues
    return [("~ " if issue.severity == "warning" else "") + str(issue) for issue in issues]


def of_experiment(**changes: Any) -> list[str]:
    """Return the issues of an experiment."""
    return told(ir.Experiment, {**EXPERIMENT, **changes})


CASES: list[tuple[type[ir.Model], dict[str, Any], list[str]]] = [
    (ir.EnsembleConfig, {}, []),
    (ir.EnsembleConfig, {"strategy": "majority", "models": ["a", "b"]}, []),
    (ir.EnsembleConfig, {"strategy": "unanimous"}, ["models is required when strategy is unanimous"]),
    (ir.EnsembleConfig, {"strategy": "majority", "models": []}, ["models is required when strategy is majority"]),
    (ir.EnsembleConfig, {"strategy": "weighted", "models": ["a", "b"], "weights": {"a": 1, "b": 0}}, []),
    (
        ir.EnsembleConfig,
        {"strategy": "weighted"},
        ["models is required when strategy is weighted", "weights is required when strategy is weighted"],
    ),
    (
        ir.EnsembleConfig,
        {"strategy": "weighted", "weights": {"a": 1}},
        ["models is required when strategy is weighted"],
    ),
    (
        ir.EnsembleConfig,
        {"strategy": "weighted", "models": ["gpt4", "b"], "weights": {"gtp4": 1}},
        [
            'weights must name every model; without a weight: "gpt4", "b"',
            'weights.gtp4 must be one of the models, got "gtp4"; did you mean "gpt4"?',
        ],
    ),
    (
        ir.EnsembleConfig,
        {"strategy": "weighted", "models": ["a"], "weights": {"a": 0.0}},
        ["weights must not all be zero"],
    ),
    (
        ir.EnsembleConfig,
        {"strategy": "majority", "models": ["a"], "weights": {"a": 1}},
        ["~ weights has no effect when strategy is majority; it belongs to the strategy weighted"],
    ),
    (ir.HedgingConfig, {"strategy": "exponential_backoff"}, []),
    (ir.HedgingConfig, {"strategy": "fixed_delay", "delay_ms": 0}, []),
    (ir.HedgingConfig, {"strategy": "fixed"}, ["delay_ms is required when strategy is fixed"]),
    (ir.HedgingConfig, {"strategy": "percentile"}, ["percentile is required when strategy is percentile"]),
    (
        ir.ReliabilityConfig,
        {"ensemble": {"execution_mode": "hedged"}},
        ["ensemble.execution_mode hedged needs a hedging strategy other than off; set reliability.hedging.strategy"],
    ),
    (ir.ReliabilityConfig, {"ensemble": {"execution_mode": "hedged"}, "hedging": {"strategy": "adaptive"}}, []),
    (ir.ReliabilityConfig, {"ensemble": {}, "hedging": {}}, []),
    (ir.StatsConfig, {"alpha": 0.1, "confidence_level": 0.9}, []),
    (
        ir.StatsConfig,
        {"confidence_level": 0.9},
        [
            "~ confidence_level and alpha differ: 0.9 against 0.95 (1 - alpha), "
            "so an interval may exclude zero where the test finds nothing, or the other way about"
        ],
    ),
    (ir.FairnessConfig, {"enabled": True, "group_by": "sex"}, []),
    (ir.FairnessConfig, {"enabled": True}, ["group_by is required when enabled is true"]),
    (ir.GuardrailConfig, {"pii_redaction": True}, []),
    (
        ir.GuardrailConfig,
        {"pii_redaction": True, "pii_detection": False},
        ["pii_redaction needs pii_detection, which is false; leave one of them out"],
    ),
    (ir.RetryPolicy, {"wait_initial_s": 1, "wait_max_s": 1}, []),
    (ir.RetryPolicy, {"wait_initial_s": 60}, ["wait_max_s must be at least wait_initial_s (60), got 30"]),
    (
        ir.StageDef,
        {"name": "a", "on_error": "fallback"},
        ["fallback is required when on_error is fallback: name the stage to run instead"],
    ),
    (
        ir.StageDef,
        {"name": "a", "fallback": {"name": "b"}},
        ["fallback has no effect while on_error is halt; set on_error to fallback, or leave it out"],
    ),
    (
        ir.StageDef,
        {"name": "a", "on_error": "fallback", "fallback": {"name": "b", "id": "x", "needs": [], "enabled": False}},
        [
            "fallback.enabled must be true in a fallback, got false; leave the fallback out",
            "fallback.id has no effect in a fallback; leave it out",
            "fallback.needs has no effect in a fallback; leave it out",
        ],
    ),
    (
        ir.StageDef,
        {
            "name": "a",
            "on_error": "fallback",
            "fallback": {"name": "b", "on_error": "fallback", "fallback": {"name": "c", "retry": {}}},
        },
        [],
    ),
    (ir.OutputSpec, {"name": "a", "formats": ["latex"], "options": {"path": "x", "fragment": True}}, []),
    (
        ir.OutputSpec,
        {"name": "a", "options": {"fragment": True}},
        ["~ options.fragment has no effect without the format latex"],
    ),
    (
        ir.OutputSpec,
        {"name": "a", "sink": "stdout", "formats": ["json", "pdf"]},
        ["formats must be text when sink is stdout, got pdf; set sink to file"],
    ),
    (ir.RetryPolicy, {"errors": ["RateLimited", "TimeoutError", "MyOwnError"]}, []),
    (
        ir.RetryPolicy,
        {"errors": ["TimeoutError", "RateLimitd"]},
        ['~ errors[1] is no error that is known here, got "RateLimitd"; did you mean "RateLimited"?'],
    ),
    (
        ir.Prompt,
        {
            "messages": [
                {"role": "assistant", "audio": {"id": "a"}},
                {"role": "assistant", "refusal": "no"},
                {"role": "assistant", "refusal": None},
                {"role": "user", "audio": {"id": "a"}},
            ]
        },
        ["messages[2].content is required", "messages[3].content is required"],
    ),
    (ir.OutputSpec, {"name": "a", "sink": "s3", "options": {"url": "s3://b/c"}}, []),
    (ir.OutputSpec, {"name": "a", "sink": "shelf", "options": {"path": "x"}}, []),
    (ir.OutputSpec, {"name": "a", "formats": []}, ["formats must contain at least one format, got []"]),
    (
        ir.OutputSpec,
        {"name": "a", "sink": "s3"},
        ["options.url is required when sink is s3, such as s3://bucket/folder"],
    ),
    (
        ir.OutputSpec,
        {"name": "a", "sink": "stdout", "options": {"path": "x", "url_env": "U"}},
        [
            "options.path belongs to the sink file, and the sink is stdout",
            "options.url_env belongs to the sink postgres or database, and the sink is stdout",
        ],
    ),
    (
        ir.ModelVersion,
        {"id": "v", "model_id": "m", "version": "1.0.0", "parent_version": "1.0.0"},
        ['parent_version must be another version, got "1.0.0"'],
    ),
    (ir.TrainingConfig, {**TRAINING, "early_stopping": {}, "validation_split": 0.1}, []),
    (ir.TrainingConfig, {**TRAINING, "early_stopping": {"metric": "loss"}}, []),
    (
        ir.TrainingConfig,
        {**TRAINING, "early_stopping": {}},
        ["~ early_stopping watches validation_loss, and validation_split holds no examples out to measure it on"],
    ),
    (ir.TrainingConfig, {**TRAINING, "optimizer": {"learning_rate": 0.1}}, []),
    (ir.TrainingConfig, {**TRAINING, "optimizer": {"learning_rate": 0.1}, "learning_rate": 0.1}, []),
    (
        ir.TrainingConfig,
        {**TRAINING, "optimizer": {"learning_rate": 0.1}, "learning_rate": 0.2},
        ["optimizer.learning_rate must be that of the training (0.2), or left out, got 0.1"],
    ),
    (ir.TrainingRun, {"id": "r", "config": TRAINING}, []),
    (
        ir.TrainingRun,
        {"id": "r", "config": TRAINING, "status": "failed"},
        ["~ error_message should say why, because status is failed"],
    ),
    (
        ir.TrainingRun,
        {"id": "r", "config": TRAINING, "status": "completed"},
        ["~ completed_at should say when, because status is completed"],
    ),
    (
        ir.TrainingRun,
        {
            "id": "r",
            "config": TRAINING,
            "status": "running",
            "started_at": "2026-01-02T00:00:00Z",
            "completed_at": "2026-01-01T00:00:00Z",
        },
        [
            "completed_at must not be before started_at, got 2026-01-01T00:00:00+00:00",
            "~ completed_at is set, and status is running: a run that has ended is completed, failed or cancelled",
        ],
    ),
    (ir.DeploymentConfig, {"id": "d", "model_version_id": "v", "strategy": "canary", "canary": {}}, []),
    (
        ir.DeploymentConfig,
        {"id": "d", "model_version_id": "v", "strategy": "canary"},
        ["~ canary says nothing of the steps, so those that CanaryConfig has by itself are taken"],
    ),
    (
        ir.DeploymentConfig,
        {"id": "d", "model_version_id": "v", "canary": {}},
        ["canary has no effect when strategy is rolling; set strategy to canary, or leave it out"],
    ),
    (
        ir.DeploymentConfig,
        {"id": "d", "model_version_id": "v", "replicas": 5, "scaling": {"max_replicas": 4}},
        ["~ replicas is outside what scaling allows (1 to 4), got 5"],
    ),
    (ir.DeploymentConfig, {"id": "d", "model_version_id": "v", "scaling": {"max_replicas": 4}}, []),
    (
        ir.DeploymentConfig,
        {"id": "d", "model_version_id": "v", "scaling": {"min_replicas": 3, "max_replicas": 2}},
        ["scaling.max_replicas must be at least min_replicas (3), got 2"],
    ),
    (
        ir.DeploymentStatus,
        {
            "id": "s",
            "deployment_id": "d",
            "ready_replicas": 3,
            "total_replicas": 2,
            "created_at": "2026-01-01T00:00:00+01:00",
            "updated_at": "2025-12-31T22:59:59Z",
        },
        [
            "ready_replicas must be at most total_replicas (2), got 3",
            "updated_at must not be before created_at, got 2025-12-31T22:59:59+00:00",
        ],
    ),
    (
        ir.DeploymentStatus,
        {
            "id": "s",
            "deployment_id": "d",
            "ready_replicas": 2,
            "total_replicas": 2,
            "created_at": "2026-01-01T00:00:00+01:00",
            "updated_at": "2025-12-31T23:00:00Z",
        },
        [],
    ),
    (
        ir.Options,
        {"response_format": "json_schema"},
        ["json_schema is required when response_format is json_schema"],
    ),
    (
        ir.Options,
        {"json_schema": {}},
        ["~ json_schema has no effect when response_format is null; set it to json_schema"],
    ),
    (ir.Options, {"response_format": "json_schema", "json_schema": {}}, []),
    (
        ir.Prompt,
        {"messages": [{"role": "user"}, {"role": "assistant", "tool_calls": [{"id": "1", "name": "f"}]}]},
        ["messages[0].content is required"],
    ),
    (
        ir.Prompt,
        {"messages": [{"role": "tool", "content": "4"}]},
        ["~ messages[0].tool_call_id should name the call that is answered, because role is tool"],
    ),
    (
        ir.Prompt,
        {
            "messages": [
                {"role": "tool", "content": [{"type": "tool_result", "tool_call_id": "1", "content": 4}]},
                {"role": "tool", "content": "4", "tool_call_id": "1"},
            ]
        },
        [],
    ),
    (
        ir.Prompt,
        {
            "messages": [
                {"role": "user", "content": [{"type": "text"}, {"type": "image"}, {"type": "audio", "url": "u"}]}
            ]
        },
        [
            "messages[0].content[0].text is required when type is text",
            "messages[0].content[1].url is required when type is image, or base64",
        ],
    ),
    (ir.Prompt, {"tool_choice": {"name": "f"}, "tools": [{"type": "function", "function": {"name": "f"}}]}, []),
    (
        ir.Prompt,
        {"tool_choice": {"name": "fnd"}, "tools": [{"name": "find"}, {"name": 3}]},
        ['~ tool_choice.name should be one of the tools, got "fnd"; did you mean "find"?'],
    ),
    (ir.Prompt, {"tool_choice": "required"}, ["~ tool_choice is required, and there are no tools to call"]),
    (ir.Prompt, {"tool_choice": "required", "tools": [{}]}, []),
]


@pytest.mark.parametrize(("kind", "data", "expected"), CASES)
def test_rules_of_a_type(kind: type[ir.Model], data: dict[str, Any], expected: list[str]) -> None:
    """Each rule speaks where it must and is silent where it need not, of plain data and of built values."""
    assert told(kind, data) == expected


def test_a_comparison_needs_a_baseline() -> None:
    """A model, or a stage that names what it compares with."""
    problem = "baseline is required when experiment_type is comparison: "
    assert [line.startswith(problem) for line in of_experiment(experiment_type="comparison")] == [True]
    assert of_experiment(experiment_type="comparison", baseline={"id": "m"}) == []
    contrasts = [{"name": "bench", "options": {"metrics": [1], "contrasts": [{"baseline": "a", "treatment": "b"}]}}]
    assert of_experiment(experiment_type="comparison", pipeline=contrasts) == []
    direct = [{"name": "mine"}, {"name": "mine", "options": {"baseline": "a"}}]
    assert of_experiment(experiment_type="comparison", pipeline=direct) == []


def test_what_is_no_baseline_does_not_count() -> None:
    """Neither null nor a stage that is switched off; a bench that reads no scores needs none."""
    for stage in (
        {"name": "mine", "options": {"baseline": None}},
        {"name": "mine", "options": {"contrasts": [{"baseline": None}]}},
        {"name": "mine", "options": {"baseline": "a"}, "enabled": False},
        {"name": "bench", "options": {"data_source": "scores"}},
        {"name": "bench", "options": {"data_source": None}},
    ):
        assert len(of_experiment(experiment_type="comparison", pipeline=[stage])) == 1
    groups = [{"name": "bench", "options": {"data_source": "metrics"}}]
    assert of_experiment(experiment_type="comparison", pipeline=groups) == []


def test_a_training_needs_its_configuration() -> None:
    """A training experiment says what is trained."""
    assert of_experiment(experiment_type="training") == ["training_config is required when experiment_type is training"]
    assert of_experiment(experiment_type="training", training_config=TRAINING) == []


def test_an_experiment_does_not_change_before_it_is_made() -> None:
    """Instants are compared, not their texts."""
    early, late = "2026-01-01T00:30:00+01:00", "2026-01-01T00:00:00Z"
    assert of_experiment(created_at=early, updated_at=late) == []
    assert of_experiment(created_at=late, updated_at=early) == [
        "updated_at must not be before created_at, got 2026-01-01T00:30:00+01:00"
    ]


def test_tags_are_given_once() -> None:
    """Each repetition is a warning."""
    assert of_experiment(tags=["a", "b", "a", "a"]) == [
        '~ tags[2] is given twice, got "a"',
        '~ tags[3] is given twice, got "a"',
    ]


def test_outputs_of_one_sink_have_names_of_their_own() -> None:
    """Two files of one name would be one file; what goes to a terminal may be called anything."""
    outputs: list[dict[str, Any]] = [{"name": "r"}, {"name": "R"}, {"name": "r", "sink": "stdout"}]
    assert of_experiment(outputs=[*outputs, outputs[2]]) == [
        'outputs[1].name must be unique, got "R", which is that of outputs[0]: '
        "both would be written as markdown to the same place"
    ]
    apart: list[dict[str, Any]] = [
        {"name": "r", "formats": ["json"]},
        {"name": "r", "formats": ["csv", "csv"]},
        {"name": "r", "formats": ["json"], "options": {"path": "elsewhere"}},
        {"name": "r", "formats": ["json"], "sink": "shelf"},
    ]
    assert of_experiment(outputs=apart) == []


@pytest.mark.parametrize(
    "schema",
    [
        {"text": "string", "gender": "string"},
        {"type": "object", "properties": {"text": {}, "gender": {}}},
        {"fields": ["text", {"name": "gender"}, {"type": "x"}]},
    ],
)
def test_groups_are_formed_by_a_field_of_the_dataset(schema: dict[str, Any]) -> None:
    """Whichever way its schema is written down; without one nobody can say."""
    fairness = {"fairness": {"enabled": True, "group_by": "gendre"}}
    assert of_experiment(reliability=fairness, dataset={"name": "d"}) == []
    assert of_experiment(reliability=fairness, dataset={"name": "d", "schema": schema}) == [
        "reliability.fairness.group_by must be a field of the dataset's schema, "
        'got "gendre"; did you mean "gender"?; it has: text, gender'
    ]
    fairness["fairness"]["group_by"] = "gender"
    assert of_experiment(reliability=fairness, dataset={"name": "d", "schema": schema}) == []
    assert of_experiment(reliability={}, dataset={"name": "d", "schema": schema}) == []


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "required": ["text"]},
        {"$ref": "#/x"},
        {"allOf": [{"properties": {"text": {}}}]},
        {"type": "array", "items": {"properties": {"gender": {}}}},
        {"fields": {"gender": "string"}},
        {"features": {"gender": {"dtype": "string"}}},
        {"columns": ["text", "gender"]},
        {"properties": {"text": {}}, "additionalProperties": True},
        {"text": {"nested": 1}},
    ],
)
def test_groups_may_be_formed_by_a_field_that_a_schema_may_have(schema: dict[str, Any]) -> None:
    """A schema that leaves room for other fields, or says it in a form of its own, refuses none."""
    fairness = {"fairness": {"enabled": True, "group_by": "gender"}}
    assert of_experiment(reliability=fairness, dataset={"name": "d", "schema": schema}) == []


def test_groups_may_be_formed_by_a_part_of_a_field() -> None:
    """Of a dotted name the first part is a field."""
    fairness = {"fairness": {"enabled": True, "group_by": "metadata.gender"}}
    known = {"name": "d", "schema": {"text": "string", "metadata": "map"}}
    assert of_experiment(reliability=fairness, dataset=known) == []
    known["schema"] = {"text": "string"}
    assert len(of_experiment(reliability=fairness, dataset=known)) == 1


def test_a_backend_does_not_fall_back_on_itself() -> None:
    """The same service with another model is another backend; the same one again would fail again."""
    same = {"id": "a", "fallback": {"id": "b", "fallback": {"id": "a"}}}
    assert of_experiment(backend=same) == [
        'backend.fallback.fallback must be another backend, got "a" again; it would fail as before'
    ]
    assert of_experiment(backend={"id": "a", "fallback": {"id": "a", "model_version": "small"}}) == []
    deep: dict[str, Any] = {"id": "0"}
    for number in range(1, 14):
        deep = {"id": str(number), "fallback": deep}
    assert of_experiment(backend=deep) == ["backend" + ".fallback" * 11 + " must not be nested deeper than 10 levels"]


def test_needs_name_one_earlier_entry_each() -> None:
    """An unknown, a later, an ambiguous name and the entry's own are told apart, with what would do."""
    pipeline = [
        {"name": "load"},
        {"name": "train", "id": "small"},
        {"name": "train"},
        {"name": "train", "needs": ["laod", "eval", "small"]},
        {"name": "eval", "needs": ["train", "eval"]},
    ]
    assert of_experiment(pipeline=pipeline) == [
        'pipeline[3].needs[0]: no entry is called "laod"; did you mean "load"?; '
        "before this one there are: load, small, train",
        'pipeline[3].needs[1]: "eval" comes later in the pipeline; put it before this entry',
        'pipeline[4].needs[0]: 2 entries are called "train"; give them ids and name one of these',
        "pipeline[4].needs[1]: an entry cannot need itself",
    ]
    first = [{"name": "a", "needs": ["b"]}]
    assert of_experiment(pipeline=first) == [
        'pipeline[0].needs[0]: no entry is called "b"; before this one there are: none'
    ]


def test_ids_of_entries_are_unique() -> None:
    """Every later one is named, with the first."""
    pipeline = [{"name": "a", "id": "x"}, {"name": "b"}, {"name": "c", "id": "y"}, {"name": "d", "id": "x"}]
    assert of_experiment(pipeline=pipeline) == [
        'pipeline[3].id must be unique in the pipeline, got "x", which is that of pipeline[0]'
    ]


@pytest.fixture
def own_rule() -> Iterator[None]:
    """Register a rule of a stranger, and take it away again."""

    @ir.rule(ir.ModelRef)
    def named(model: ir.ModelRef) -> tuple[Issue, ...]:
        return () if model.name else (rules.warning("name", "mine", "name should be given"),)

    yield
    rules.forget(named)


@pytest.mark.usefixtures("own_rule")
def test_strangers_add_rules() -> None:
    """A rule of another room is asked wherever a value of its type stands, with the path put in front."""
    assert of_experiment(baseline={"id": "m"}) == ["~ baseline.name should be given"]
    assert of_experiment(baseline={"id": "m", "name": "M"}) == []
