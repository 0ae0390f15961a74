"""crucible.load: every problem of a document at once, the stages' own included."""

from pathlib import Path

import pytest

import crucible
from crucible import assembly, ir
from crucible.assembly import document_schema
from crucible.errors import SpecErrors
from crucible.pipeline import Registry


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
    assert 'pipeline[2].options.rank: rank must be an integer, got "x"' in found


def test_stage_options_are_checked_even_when_the_document_does_not_fit(tmp_path: Path) -> None:
    """A problem at the top does not hide one in a stage."""
    path = write(tmp_path, "id: e\nbackend: {}\npipeline:\n  - {name: validate, options: {strict: 3}}\n  - 7\n")
    found = complaints(path)
    assert "backend.id: id is required" in found
    assert any(line.startswith("pipeline[1]: pipeline[1] must be a map") for line in found)
    assert "pipeline[0].options.strict: strict must be a boolean, got 3" in found


def test_a_wrong_type_does_not_hide_what_is_refused(tmp_path: Path) -> None:
    """Backend, parts that nothing carries out and what a stage cannot do are told with it, in one list."""
    path = write(
        tmp_path,
        """
id: e
backend: {id: tinkr}
pipeline: [{name: data_load, timeout_s: soon}, {name: supervised_train, options: {rank: 0}}]
training_config: {id: t, model_ref: {id: m}, dataset_ref: {name: tickets}, epochs: ten, optimizer: sdg}
reliability: {ensemble: {strategy: majority, models: [a]}}
""",
    )
    found = complaints(path)
    assert [line.partition(": ")[0] for line in found] == [
        "backend.id",
        "pipeline[0].timeout_s",
        "pipeline[1].options.rank",
        "reliability.ensemble",
        "training_config.epochs",
    ]
    found = complaints(path, "pipeline[1].options={}")
    assert [line.partition(": ")[0] for line in found][-2:] == ["training_config.epochs", "training_config.optimizer"]


def test_of_a_place_that_does_not_fit_nothing_else_is_said(tmp_path: Path) -> None:
    """What is missing or of a wrong form is one problem, however much leans on it; the rest is told as ever."""
    path = write(
        tmp_path,
        """
id: e
backend: {id: [local], endpoint_url: x}
pipeline: [{name: data_load}, {name: supervised_train}, {name: report}]
dataset: {provider: kaggle}
training_config: {id: t, model_ref: 7, dataset_ref: {name: tickets}, device: tpu}
outputs: [{name: a}, 3, {name: c, formats: [pdf]}]
model_version: {id: v, model_id: m}
tags: [1, 2]
reliability: {ensemble: {strategy: weighted, models: [a.b], weights: {a.b: x}}, feedback: {enabled: 1}}
""",
    )
    found = complaints(path)
    assert [line.partition(": ")[0] for line in found] == [
        "backend.id",
        "backend.endpoint_url",
        "tags[0]",
        "tags[1]",
        "dataset.name",
        "dataset.provider",
        "reliability.ensemble",
        "reliability.ensemble.weights.a.b",
        "reliability.feedback.enabled",
        "outputs[1]",
        "outputs[2].formats[0]",
        "model_version.version",
        "training_config.model_ref",
        "training_config.device",
    ]
    found = complaints(path, "dataset={name: tickets}", "training_config.dataset_ref.name=7", "baseline={id: other}")
    assert {"dataset", "dataset.name", "baseline"}.isdisjoint(line.partition(": ")[0] for line in found)


def test_a_document_without_anything_readable_is_told_what_it_lacks(tmp_path: Path) -> None:
    """Nothing is said of what stands in for it."""
    found = complaints(write(tmp_path, "pipeline: []\nbackend: local\nschema_version: one\n"))
    assert [line.partition(": ")[0] for line in found] == ["schema_version", "id", "backend", "pipeline"]
    found = complaints(write(tmp_path, "schema_version: 99\n"))
    assert [line.partition(": ")[0] for line in found] == ["schema_version"]
    found = complaints(write(tmp_path, "{}\n"))
    assert [line.partition(": ")[0] for line in found] == ["id", "backend", "pipeline"]


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


def test_the_rules_of_the_document_are_part_of_loading(tmp_path: Path) -> None:
    """What `ir.validate` finds across fields comes with the rest, in the order of the document."""
    path = write(
        tmp_path,
        """
id: e
reliability:
  ensemble: {strategy: weighted, models: [a]}
pipeline:
  - {name: validate, needs: [later]}
  - {name: validate, options: {strict: 1}}
backend: {id: local, profile: fast}
experiment_type: training
""",
    )
    found = complaints(path)
    assert [line.partition(": ")[0] for line in found] == [
        "backend.profile",
        "pipeline[0].needs[0]",
        "pipeline[1].options.strict",
        "reliability.ensemble",
        "reliability.ensemble.weights",
        "training_config",
    ]


def test_each_problem_is_told_once(tmp_path: Path) -> None:
    """Where the rules, the runner and a stage see the same mistake, it is one problem."""
    path = write(
        tmp_path,
        """
id: e
backend: {id: local}
pipeline:
  - {name: guardrails}
  - {name: validate, on_error: fallback}
  - {name: validate, on_error: fallback, fallback: {name: validate, enabled: false, id: x}}
  - {name: validate, fallback: {name: validate}}
  - {name: report}
reliability: {guardrails: {pii_detection: false, pii_redaction: true}}
outputs:
  - {name: a, sink: s3}
  - {name: b, formats: []}
  - {name: A, sink: s3}
  - {name: c, formats: [markdwn]}
""",
    )
    found = complaints(path)
    assert [line.partition(": ")[0] for line in found] == [
        "pipeline[1].fallback",
        "pipeline[2].fallback.enabled",
        "pipeline[2].fallback.id",
        "pipeline[3].fallback",
        "reliability.guardrails.pii_redaction",
        "outputs[0].options.url",
        "outputs[1].formats",
        "outputs[2].name",
        "outputs[2].options.url",
        "outputs[3].formats[0]",
    ]


def test_what_a_stage_was_told_itself_is_told_of_the_stage(tmp_path: Path) -> None:
    """The same mistake in the document and in a stage's own options is two."""
    path = write(
        tmp_path,
        """
id: e
backend: {id: local}
pipeline:
  - {name: guardrails, options: {pii_detection: false, pii_redaction: true}}
reliability: {guardrails: {pii_detection: false, pii_redaction: true}}
""",
    )
    found = complaints(path)
    assert [line.partition(": ")[0] for line in found] == [
        "pipeline[0].options.pii_redaction",
        "reliability.guardrails.pii_redaction",
    ]


def test_check_tells_warnings_apart(tmp_path: Path) -> None:
    """What may not be meant keeps nothing from happening; what is wrong is not warned of as well."""
    path = write(
        tmp_path,
        """
id: e
backend: {id: local}
pipeline: [{name: data_load}, {name: evaluate}]
dataset: {name: tickets, options: {limit: 5}}
tags: [a, a]
training_config:
  {id: t, model_ref: {id: m, architecture: transformr}, dataset_ref: {name: tickets}}
""",
    )
    found = assembly.check(path)
    assert found.problems == ()
    assert [warning.path for warning in found.warnings] == ["tags[1]", "training_config.model_ref.architecture"]
    assert found.experiment == crucible.load(path)
    found = assembly.check(path, ["training_config.model_ref.provider=huggingfac", "id=3"])
    assert found.experiment is None
    assert [problem.path for problem in found.problems] == ["id", "training_config.model_ref.provider"]
    found = assembly.check(path, ["training_config.model_ref.provider=huggingfac"])
    assert [problem.path for problem in found.problems] == ["training_config.model_ref.provider"]
    assert [warning.path for warning in found.warnings] == ["tags[1]", "training_config.model_ref.architecture"]


def test_check_never_raises(tmp_path: Path) -> None:
    """A file that is not there, one that is no document, an override that leads nowhere, and a type that is none."""
    (problem,) = assembly.check(tmp_path / "none.yaml").problems
    assert "no such file" in problem.message
    path = write(tmp_path, "id: e\nbackend: {id: local}\npipeline: [{name: validate}]\n")
    (problem,) = assembly.check(path, ["pipeline[5].name=x"]).problems
    assert problem.path == "pipeline[5].name"
    (problem,) = assembly.check(path, kind="Experimnt").problems
    assert str(problem) == 'unknown type "Experimnt"; did you mean "Experiment"?'
    (problem,) = assembly.check(path, ["schema_version=99"], registry=Registry()).problems
    assert problem.path == "schema_version"
    (problem,) = assembly.check(path, ["pipeline=7"]).problems
    assert problem.path == "pipeline"


def test_check_takes_any_type_of_the_document(tmp_path: Path) -> None:
    """By its name or itself; what nothing carries out is refused."""
    path = write(tmp_path, "id: d\nmodel_version_id: m\nstrategy: canary\n")
    found = assembly.check(path, kind="DeploymentConfig")
    assert (found.value, found.experiment) == (None, None)
    assert "strategy canary" in found.problems[0].message
    assert [warning.path for warning in found.warnings] == ["canary"]
    found = assembly.check(path, kind=ir.DeploymentStatus)
    assert "deployment_id" in [problem.path for problem in found.problems]
    path = write(tmp_path, "id: f\nfeedback_type: rating\n")
    assert assembly.check(path, kind="FeedbackEvent").value == ir.FeedbackEvent(id="f", feedback_type="rating")


def test_a_built_experiment_is_held_to_the_rules_too() -> None:
    """`problems_of` looks at what Python code put together as it looks at a file."""
    experiment = ir.new_experiment("e", "local", ["validate"], experiment_type="comparison")
    assert [problem.path for problem in assembly.problems_of(experiment)] == ["baseline"]


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


def test_schema_leaves_a_stage_that_names_its_module_alone() -> None:
    """Its name and options are its own, in a fallback too; without a module, or with null, the name is a known one."""
    import jsonschema

    validator = jsonschema.Draft202012Validator(document_schema())

    def is_valid(**stage: object) -> bool:
        found = []
        fallback = {"name": "validate", "on_error": "fallback", "fallback": stage}
        for entry in (stage, fallback):
            found.append(validator.is_valid({"id": "e", "backend": {"id": "local"}, "pipeline": [entry]}))
        assert found[0] == found[1]
        return found[0]

    assert is_valid(name="mystage", module="a:B", options={"any": 1})
    assert is_valid(name="supervised_train", module="a:B", options={"rank": "four"})
    assert is_valid(name="validate", module=None)
    assert not is_valid(name="mystage")
    assert not is_valid(name="mystage", module=None)
    assert not is_valid(name="supervised_train", module=None, options={"rank": "four"})


def test_messages_do_not_show_what_looks_like_a_key(tmp_path: Path) -> None:
    """Of a backend, a profile, a stage and a baseline whose name is a secret by mistake."""
    key = "hf_" + "a1B2c3D4e5" * 4
    text = f"id: e\nbackend: {{id: {key}, profile: {key}, endpoint_url: x}}\npipeline: [{{name: {key}}}]\n"
    found = complaints(write(tmp_path, text))
    assert {"backend.id", "backend.profile", "pipeline[0].name"} <= {line.partition(": ")[0] for line in found}
    assert not any(key in line for line in found)
    good = write(tmp_path, "id: e\nbackend: {id: local}\npipeline: [{name: validate}]\n")
    for override in (key, f"{key}[0]=3", f"pipeline[5].name.{key}=1"):
        found = complaints(good, override)
        assert found == ["expected --set path=value, got a value that looks like a secret and is not shown"]
    experiment = ir.new_experiment("e", "local", ["data_load", "evaluate"], dataset={"name": "tickets"})
    base = ir.ModelRef(id=key)
    training = ir.new_training_config("t", {"id": "m"}, "tickets")
    experiment = experiment.model_copy(update={"baseline": base, "training_config": training})
    problems = {each.path: each.message for each in assembly.problems_of(experiment)}
    assert problems["baseline"].startswith("nothing evaluates a value that looks like a secret")
