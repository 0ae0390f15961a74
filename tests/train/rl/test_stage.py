"""The stage `rl_train`: what a document asks for is carried out or refused, and a resumed run has it back."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from crucible.data import Item, load
from crucible.errors import ContractError, DataError, SpecErrors, TrainError
from crucible.ir import Experiment, LoraConfig
from crucible.pipeline import Context, FrozenMap, Registry, parse_options, pipeline_problems
from crucible.train.rl import RLConfig
from crucible.train.rl.options import RLNaming, resolve_rl
from crucible.train.rl.stage import RLTrainStage

STAGE = RLTrainStage()
SHORT: dict[str, Any] = {
    "rank": 4,
    "learning_rate": 5e-3,
    "max_steps": 2,
    "batch_size": 2,
    "group_size": 3,
    "max_tokens": 4,
    "reward_fn": "token_f1",
}


def options(**values: Any) -> RLNaming:
    """Return options as a document gives them."""
    return cast("RLNaming", parse_options(STAGE, {**SHORT, **values}))


def document(base: Path | str = "crucible/tiny", **training: Any) -> Experiment:
    """Return a document with a training_config."""
    config = {"id": "t", "model_ref": {"id": str(base)}, "dataset_ref": {"name": "tickets"}, **training}
    return Experiment.read(
        {"id": "x", "backend": {"id": "local"}, "pipeline": [{"name": "rl_train"}], "training_config": config}
    )


@pytest.fixture
def context(base: Path, tmp_path: Path) -> Context:
    """A run with six problems and a base model."""
    start = Context(run_id="r", experiment=document(base), workspace=tmp_path)
    return start.put_resource("train", load("tickets", limit=6))


def test_it_leaves_samplers_metric_and_artifacts(context: Context) -> None:
    """Everything that evaluate, report and bench look for, with resolved values, rewards and plain numbers."""
    after = STAGE.run(context, options(validation_fraction=0.34, eval_every=1))
    facts = after.metrics["train.rewarded"]
    assert LoraConfig.read(facts["config"]).dropout == 0
    assert RLConfig.read(facts["rl"]).group_size == 3
    assert (facts["steps"], facts["items"], facts["initial_loss"], facts["reward_fn"]) == (2, 4, None, "token_f1")
    assert facts["kept_validation_reward"] >= facts["initial_validation_reward"] - 1
    history = json.loads(after.artifact_path("history.rewarded").read_text())
    assert [record["metrics"]["rl/reward"] for record in history] == [facts["first_reward"], facts["last_reward"]]
    assert {record["synthetic"] for record in history} == {True}
    assert after.artifact_path("adapter.rewarded").name == "adapter_model.safetensors"
    json.dumps(facts, allow_nan=False)
    for name in ("sampler.rewarded", "sampler.base"):
        assert isinstance(after.resource(name).sample(["Ticket: hi\nJSON:"])[0].text, str)


def test_a_resumed_run_gets_the_same_sampler_back(context: Context) -> None:
    """`rebuild` reloads the adapter without training; a name is used once."""
    after = STAGE.run(context, options(learning_rate=0.05))
    resumed = STAGE.rebuild(msgspec.structs.replace(after, resources=FrozenMap()), options(learning_rate=0.05))
    prompt = "Ticket: the lamp is broken\nJSON:"
    for name in ("sampler.rewarded", "sampler.base"):
        assert resumed.resource(name).logprobs([prompt]) == after.resource(name).logprobs([prompt])
    with pytest.raises(ContractError, match='"rewarded" was trained before'):
        STAGE.run(after, options())


def test_a_missed_target_fails_the_stage_where_the_document_says_so(context: Context) -> None:
    """After everything is saved."""
    asked = {"quality_targets": {"validation_reward": 2.0}, "on_missed_target": "fail", "validation_fraction": 0.34}
    with pytest.raises(TrainError, match="validation_reward is .*, wanted at least 2"):
        STAGE.run(context, options(**asked))


@pytest.mark.slow  # the next one has a penalty, too
def test_a_penalty_uses_the_base_of_the_run(context: Context) -> None:
    """`kl_coef` needs nothing else in a document."""
    after = STAGE.run(context, options(kl_coef=0.1))
    history = json.loads(after.artifact_path("history.rewarded").read_text())
    assert all("rl/kl_policy_base" in record["metrics"] for record in history)


def test_it_goes_on_from_a_model_of_the_run(context: Context) -> None:
    """Its weights are where the training begins, and what `kl_coef` keeps near; one that is not there is refused."""
    with pytest.raises(ContractError, match='start_from: no stage of this run has trained "first"'):
        STAGE.run(context, options(start_from="first"))
    first = STAGE.run(context, options(model="first", learning_rate=0.05))
    second = STAGE.run(first, options(start_from="first", learning_rate=1e-9, kl_coef=0.1))
    prompt = "Ticket: the lamp is broken\nJSON:"
    before, after = (first.resource("sampler.first"), second.resource("sampler.rewarded"))
    assert after.logprobs([prompt])[0][1:] == pytest.approx(before.logprobs([prompt])[0][1:], abs=1e-4)
    assert after.logprobs([prompt]) != second.resource("sampler.base").logprobs([prompt])
    history = json.loads(second.artifact_path("history.rewarded").read_text())
    assert abs(history[0]["metrics"]["rl/kl_policy_base"]) < 1e-4
    assert second.metrics["train.rewarded"]["start_from"] == "first"


def test_a_renderer_is_refused_where_no_item_is_a_chat(context: Context) -> None:
    """It would change nothing."""
    with pytest.raises(DataError, match="renderer: none of the 6 items of tickets is a chat"):
        STAGE.run(context, options(renderer="role_colon"))


@pytest.mark.parametrize(
    ("given", "path", "words"),
    [
        ({"algorithm": "dqn"}, "options.algorithm", "which is not offered, for it learns the values of actions"),
        ({"algorithm": "a2c"}, "options.algorithm", "needs a critic"),
        ({"reward_fn": "exact"}, "options.reward_fn", 'unknown scorer "exact"'),
        ({"reward_fn": "os:system"}, "options.reward_fn", "may not name any unless the caller allows"),
        ({"epsilon": 0.1}, "options.epsilon", "is read by ppo, cispo and grpo"),
        ({"loss": "mse"}, "options.loss", "the algorithm says which loss"),
        ({"accumulation_steps": 2}, "options.accumulation_steps", "raise that instead"),
        ({"train_on": "all_tokens"}, "options.train_on", "what the policy wrote"),
        ({"quality_targets": {"final_loss": 1.0}}, "options.quality_targets", "is not reported by this training"),
        ({"quality_targets": {"validation_reward": 1.0}}, "options.quality_targets", "set validation_fraction above 0"),
        (
            {"early_stopping": {"metric": "reward"}, "validation_fraction": 0.5},
            "options.early_stopping.metric",
            "it reports: validation_reward",
        ),
        ({"substeps": 3, "max_steps": 2}, "options.substeps", "an iteration takes 3 steps and max_steps is 2"),
        ({"temperature": 0.0}, "options.temperature", "between 0 and 100, 0 excluded"),
        (
            {"early_stopping": {"metric": "validation_reward"}, "validation_fraction": 0.5},
            "options.early_stopping.mode",
            "the worst checkpoint would be kept; say mode: max",
        ),
        (
            {"early_stopping": {"metric": "rl/reward", "mode": "max"}},
            "options.early_stopping",
            "needs held-out items to go by; set validation_fraction above 0",
        ),
        ({"model": "base"}, "options.model", "untuned"),
        ({"start_from": "sft"}, "options.start_from", 'no stage of this document trains "sft"'),
        ({"start_from": "rewarded"}, "options.start_from", "is what this stage itself trains"),
    ],
)
def test_what_cannot_be_carried_out_is_refused_by_validate(given: dict[str, Any], path: str, words: str) -> None:
    """Each in one sentence, at the option that says it."""
    document = Experiment.read(
        {
            "id": "x",
            "backend": {"id": "local"},
            "pipeline": [{"name": "rl_train", "options": {"base_model": "crucible/tiny", **given}}],
        }
    )
    found = [(problem.path, problem.message) for problem in pipeline_problems(document, Registry(STAGE))]
    assert [each for each in found if each[0].endswith(path)], found
    assert any(words in message for _, message in found), found


def test_what_a_training_config_says_is_refused_at_its_place() -> None:
    """The path is the document's, not an option's."""
    experiment = document(loss_function="mse")
    found = {problem.path: problem.message for problem in pipeline_problems(experiment, Registry(STAGE))}
    assert "the algorithm says which loss" in found["training_config.loss_function"]


def test_a_plain_document_has_no_problem() -> None:
    """With its base and the defaults; early stopping on a reward, too."""
    stopping = {"metric": "rl/reward", "mode": "max"}
    early = {"early_stopping": stopping, "validation_fraction": 0.5, "quality_targets": {"validation_correct": 0.5}}
    for given in ({}, early):
        pipeline = [{"name": "rl_train", "options": {"base_model": "crucible/tiny", **given}}]
        plain = Experiment.read({"id": "x", "backend": {"id": "local"}, "pipeline": pipeline})
        assert pipeline_problems(plain, Registry(STAGE)) == []


@pytest.mark.parametrize(
    ("own", "training", "steps"),
    [
        ({}, {}, 3),  # one epoch of 6 problems, 2 an iteration
        ({"max_steps": 7}, {"epochs": 5}, 7),
        ({"epochs": 2}, {"options": {"max_steps": 4}}, 6),
        ({"episodes": 12}, {"epochs": 50}, 2),
        ({"episodes": 12, "max_steps": 1}, {}, 1),
        ({"episodes": 13, "substeps": 2}, {}, 6),
        ({}, {"options": {"max_steps": 9}}, 9),
    ],
)
def test_the_highest_level_that_says_how_long_wins(own: dict[str, Any], training: dict[str, Any], steps: int) -> None:
    """Of several limits on one level the shortest counts."""
    given = {name: value for name, value in SHORT.items() if name != "max_steps"}
    chosen = cast("RLNaming", parse_options(STAGE, {**given, **own}))
    config, settings = resolve_rl(document(**training), chosen, 6)
    assert settings.steps_in_all(config, 6) == steps
    assert config.max_steps < 10**9


def test_dropout_is_off_unless_it_is_asked_for() -> None:
    """That of `LoraConfig` would be noise in the ratio."""
    assert resolve_rl(document(), options(), 6)[0].dropout == 0
    assert resolve_rl(document(), options(lora_dropout=0.1), 6)[0].dropout == 0.1
    assert resolve_rl(document(options={"dropout": 0.2}), options(), 6)[0].dropout == 0.2


def test_dropout_that_nobody_asked_for_is_not_refused() -> None:
    """A service has no dropout, and the default of `rl_train` has none: only what a document says is refused."""
    for given, refused in (({}, 0), ({"lora_dropout": 0.1}, 1)):
        pipeline = [{"name": "rl_train", "options": {"base_model": "crucible/tiny", **given}}]
        remote = Experiment.read({"id": "x", "backend": {"id": "tinker"}, "pipeline": pipeline})
        found = [each for each in pipeline_problems(remote, Registry(STAGE)) if "dropout" in each.path]
        assert len(found) == refused, found


REWARD = """
def short(item, answer):
    return 1.0 / (1 + len(answer))

def broken(item, answer):
    return "a lot"

def flat(item, answer):
    return 1.0
flat.bounds = (1.0, 1.0)

number = 3
import os as inside
"""


@pytest.fixture
def allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry that allows the module `myrewards`."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "myrewards.py").write_text(REWARD)
    monkeypatch.syspath_prepend(str(tmp_path / "code"))
    sys.modules.pop("myrewards", None)
    return Registry(STAGE, allow_imports=["myrewards"])


def test_a_reward_of_ones_own_is_called_where_its_code_is_allowed(context: Context, allowed: Registry) -> None:
    """With the item and the answer; what it returns is the reward. Without permission it is not imported."""
    from crucible.pipeline.registry import using

    named = options(reward_fn="myrewards:short")
    with pytest.raises(ContractError, match="may not name any"):
        STAGE.run(context, named)
    assert "myrewards" not in sys.modules
    with using(allowed):
        assert STAGE.check(document(), named) == []
        after = STAGE.run(context, named)
        assert 0 < after.metrics["train.rewarded"]["first_reward"] <= 1
        for name, words in (
            ("number", "must be a function"),
            ("no", "cannot be imported"),
            ("inside.system", "module"),
            ("short.__call__", "goes through __call__"),
            ("__loader__.get_data", "goes through __loader__"),
            ("flat", r"bounds of myrewards:flat must be \(low, high\), low below high, got \(1.0, 1.0\)"),
        ):
            with pytest.raises(ContractError, match=words):
                STAGE.run(context, options(model="x", reward_fn=f"myrewards:{name}"))
        with pytest.raises(TrainError, match="must return a number or an outcome, got 'a lot'"):
            STAGE.run(context, options(model="y", reward_fn="myrewards:broken"))


def test_chats_are_asked_up_to_the_answer(context: Context) -> None:
    """Items that are conversations, with a renderer."""
    answer = {"role": "assistant", "content": "Ho"}
    said = [[{"role": "user", "content": f"Hi {n}"}, answer] for n in range(4)]
    chats = [Item(f"c{n}", f"Hi {n}", None, {"messages": messages}) for n, messages in enumerate(said)]
    dataset = load(chats, unanswered="keep")
    start = msgspec.structs.replace(context, resources=FrozenMap()).put_resource("train", dataset)
    with_reward = options(renderer="role_colon", reward_fn="token_f1", max_tokens=6)
    with pytest.raises(TrainError, match="has no reward"):
        STAGE.run(start, with_reward)  # nothing to compare with: `expected` is None, and no 0 is made of it
    answered = [Item(each.id, each.input, "Ho", each.metadata) for each in chats]
    ready = msgspec.structs.replace(context, resources=FrozenMap()).put_resource("train", load(answered))
    facts = STAGE.run(ready, options(model="chats", renderer="role_colon", max_tokens=6)).metrics["train.chats"]
    assert facts["items"] == 4


def test_options_are_refused_together(context: Context) -> None:
    """An unknown option and a wrong type are both named."""
    with pytest.raises(SpecErrors) as caught:
        options(group=3, gamma="half")
    assert {error.path for error in caught.value.errors} == {"options.group", "options.gamma"}
