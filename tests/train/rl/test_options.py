"""No silent options: each that `rl_train` describes changes what is done, or is refused by a sentence that names it.

A line for every option: values to try, and what to look at. An option without a line fails, and so does one whose
values make no difference.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from crucible.data import Item, load
from crucible.errors import CrucibleError
from crucible.ir import Experiment
from crucible.pipeline import Context, Registry, parse_options, pipeline_problems
from crucible.train.rl import RLConfig
from crucible.train.rl.stage import RLTrainStage
from crucible.train.tiny_base import TinyBaseRecipe, build

STAGE = RLTrainStage()
NOT_GIVEN = None


class Seen(NamedTuple):
    """What a training left: the metric without its configuration, the steps, the names; or why it was refused."""

    facts: Mapping[str, Any]
    history: list[dict[str, Any]]
    names: frozenset[str]
    refused: str = ""


class Line(NamedTuple):
    """Values of an option, each of which is to make a difference, what to look at, and what else the effect needs."""

    values: tuple[Any, ...]
    sees: Callable[[Seen], Any]
    also: Mapping[str, Any] = MappingProxyType({})
    items: str = "tickets"


def fact(name: str) -> Callable[[Seen], Any]:
    """Look at a fact."""
    return lambda seen: seen.refused or seen.facts[name]


def told(name: str) -> Callable[[Seen], Any]:
    """Look at a metric of every step."""
    return lambda seen: seen.refused or [record["metrics"].get(f"rl/{name}") for record in seen.history]


def moved(seen: Seen) -> Any:
    """Look at the reward after steps, which depends on the weights, and at the gradients."""
    return seen.refused or [(record["gradient_norm"], record["metrics"]["rl/entropy"]) for record in seen.history]


HELD_OUT = {"validation_fraction": 0.34, "eval_every": 1, "save_every": 1}
STOP = {"metric": "rl/reward", "mode": "max", "patience": 1, "min_delta": 100.0}
SGD = {"optimizer": "sgd", "learning_rate": 1.0}
CLIPS = {"algorithm": "ppo", "substeps": 2, "learning_rate": 0.5}

OWN: dict[str, Line] = {
    "model": Line(("rewarded", "other"), lambda seen: seen.names),
    "dataset": Line(("train", "test"), fact("items")),
    "on_missed_target": Line(
        ("report", "fail"), fact("steps"), {**HELD_OUT, "quality_targets": {"validation_reward": 9.0}}
    ),
    "reward_fn": Line(("token_f1", "os:system", "nothing"), told("reward")),
    "start_from": Line((NOT_GIVEN, "absent"), fact("steps")),
    "algorithm": Line(
        ("importance_sampling", "ppo", "cispo", "dro", "grpo", "reinforce", "dqn", "a2c"),
        moved,
        {"substeps": 2, "learning_rate": 0.5, "max_steps": 4},
    ),
    "group_size": Line((2, 3), told("entropy")),
    "groups_per_batch": Line((1, 2), told("groups")),
    "episodes": Line((3, 9), fact("steps"), {"max_steps": 9}),
    "substeps": Line((1, 2), told("discrepancy")),
    "minibatch_size": Line((NOT_GIVEN, 2), lambda seen: [record["loss"] for record in seen.history]),
    "max_staleness": Line((0, 1), told("staleness")),
    "gamma": Line((1.0, 0.5), moved),
    "epsilon": Line((0.2, 1e-3), moved, {**CLIPS, "max_steps": 4}),
    "epsilon_high": Line((0.2, 1e-3), moved, {**CLIPS, "max_steps": 4}),
    "dro_beta": Line((0.05, 5.0), moved, {"algorithm": "dro", "substeps": 2, "learning_rate": 0.05}),
    "kl_coef": Line((0.0, 0.5), told("kl_policy_base")),
    "kl_discount": Line((0.0, 0.9), moved, {"kl_coef": 5.0, "max_steps": 3}),
    "entropy_coef": Line((0.0, 0.5), moved),
    "advantage_scale": Line(("none", "std"), moved),
    "temperature": Line((1.0, 0.3), told("entropy")),
    "max_tokens": Line((4, 6), told("answer_tokens")),
    "stop": Line((NOT_GIVEN, ["e"]), told("answer_tokens")),
    "format_coef": Line((0.1, 0.9), told("reward")),
    "max_failed_frac": Line((0.5, 0.01), fact("steps"), {"reward_fn": "number_match"}, "broken"),
    "discrepancy_limit": Line((0.1, 1e-12), fact("steps")),
    "post_kl": Line((False, True), told("kl_pre_post_v1")),
}
"""The options beside those of `LoraConfig`."""

SHARED: dict[str, Line] = {
    "base_model": Line(("one", "two"), fact("base_digest")),
    "rank": Line((2, 3), fact("parameters_trained")),
    "alpha": Line((32.0, 8.0), moved),
    "dropout": Line((0.0, 0.5), told("discrepancy")),
    "target_modules": Line((NOT_GIVEN, ["q_proj"], ["attention"], ["mlp"]), fact("parameters_trained")),
    "learning_rate": Line((5e-3, 1e-1), moved),
    "batch_size": Line((1, 2), told("groups")),
    "max_steps": Line((2, 3), fact("steps")),
    "checkpoint_interval": Line((1, 2), fact("checkpoints")),
    "epochs": Line((1, 2), fact("steps"), {"max_steps": 20}),
    "seed": Line((0, 1), told("entropy")),
    "optimizer": Line(("adamw", "adam", "sgd", "rmsprop"), moved, {"weight_decay": 0.5, "learning_rate": 0.1}),
    "momentum": Line((NOT_GIVEN, 0.9), moved, {**SGD, "max_steps": 3}),
    "beta1": Line((0.9, 0.1), moved, {"learning_rate": 0.1, "max_steps": 3}),
    "beta2": Line((0.999, 0.1), moved, {"learning_rate": 0.1, "max_steps": 3}),
    "eps": Line((1e-8, 1.0), moved, {"learning_rate": 0.1}),
    "weight_decay": Line((0.0, 5.0), moved, {"learning_rate": 0.1, "max_steps": 3}),
    "grad_clip_norm": Line((0.0, 0.01), moved, {**SGD, "learning_rate": 50.0}),
    "validation_fraction": Line((0.0, 0.34), fact("items")),
    "schedule": Line(("constant", "linear"), moved, {"learning_rate": 0.1, "max_steps": 3}),
    "warmup_steps": Line((0, 2), moved, {"learning_rate": 0.1}),
    "device": Line(("cpu", "cuda", "mps"), lambda seen: seen.refused or "cpu"),
    "max_length": Line((NOT_GIVEN, 80), fact("truncated")),
    "on_overflow": Line(("truncate", "refuse"), fact("refused"), {"max_length": 80}),
    "loss": Line(("cross_entropy", "mse"), fact("steps")),
    "accumulation_steps": Line((1, 2), fact("steps")),
    "eval_every": Line((1, 2), fact("checkpoints"), {"validation_fraction": 0.34, "save_every": 2}),
    "save_every": Line((1, 2), fact("checkpoints")),
    "max_checkpoints": Line((2, 3), fact("checkpoints"), {"save_every": 1, "max_steps": 3}),
    "early_stopping": Line((NOT_GIVEN, STOP), fact("stopped_early"), {**HELD_OUT, "max_steps": 4}),
    "quality_targets": Line((NOT_GIVEN, {"steps": 1e6}, {"steps": 0.0}), fact("quality")),
    "mixed_precision": Line((False, True), moved),
    "renderer": Line((NOT_GIVEN, "role_colon", "llama3"), told("answer_tokens"), {"max_steps": 1}, "chats"),
    "train_on": Line(("last_assistant_message", "all_tokens"), fact("steps")),
    "keep": Line(("best", "last"), fact("kept_step"), {**HELD_OUT, "learning_rate": 1e-12}),
    "gradient_hooks": Line((NOT_GIVEN, ["norm"], ["flow"]), lambda seen: sorted(seen.history[0]["metrics"])),
}
"""The options of `LoraConfig`."""

SHORT: dict[str, Any] = {
    "base_model": "one",
    "rank": 2,
    "learning_rate": 5e-3,
    "batch_size": 2,
    "max_steps": 2,
    "checkpoint_interval": 2,
    "group_size": 3,
    "max_tokens": 4,
    "reward_fn": "token_f1",
    "algorithm": "importance_sampling",
}


def _bases(home: Path) -> dict[str, Path]:
    recipe = TinyBaseRecipe(
        steps=2,
        batch_size=2,
        warmup_steps=1,
        vocab_size=320,
        hidden_size=16,
        intermediate_size=32,
        layers=1,
        heads=2,
        window=160,
        tokenizer_texts=40,
    )
    bases = {"one": build(recipe=recipe, cache=home / "cache")}
    bases["two"] = shutil.copytree(bases["one"], home / "two")
    config = bases["two"] / "tokenizer_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "note": "another base"}))
    return bases


def _items(name: str) -> list[Item]:
    tickets = list(load("tickets", limit=6))
    if name == "chats":
        said = [[{"role": "user", "content": f"Hi {n}"}, {"role": "assistant", "content": "Ho"}] for n in range(4)]
        return [Item(f"c{n}", f"Hi {n}", "Ho", {"messages": messages}) for n, messages in enumerate(said)]
    if name == "broken":  # half of them have no number to compare with, so that their reward fails
        return [Item(f"n{n}", f"What is {n}?", str(n) if n % 2 else "none") for n in range(4)]
    return tickets


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict[str, Any], str], Seen]:
    """Return what trains with options and items; the same again is not trained again."""
    home = tmp_path_factory.mktemp("rl-options")
    bases = _bases(home)
    sets = {name: load(_items(name)) for name in ("tickets", "chats", "broken")}
    known: dict[str, Seen] = {}

    def trained(options: dict[str, Any], items: str) -> Seen:
        key = json.dumps([options, items], sort_keys=True)
        if key not in known:
            given = {**options, "base_model": str(bases[options["base_model"]])}
            known[key] = _carried_out(given, sets[items], home / f"run-{len(known)}")
        return known[key]

    return trained


def _carried_out(options: dict[str, Any], items: Any, workspace: Path) -> Seen:
    pipeline = [{"name": "rl_train", "options": options}]
    document = Experiment.read({"id": "x", "backend": {"id": "local"}, "pipeline": pipeline})
    problems = [str(problem) for problem in pipeline_problems(document, Registry(STAGE))]
    if problems:
        return Seen({}, [], frozenset(), "; ".join(problems))
    context = Context(run_id="r", experiment=document, workspace=workspace).put_resource("train", items)
    context = context.put_resource("test", load("tickets", split="test", limit=3))
    try:
        after = STAGE.run(context, parse_options(STAGE, options))
    except CrucibleError as error:
        return Seen({}, [], frozenset(), str(error))
    (name,) = (name for name in after.metrics if name.startswith("train."))
    history = json.loads(after.artifact_path(f"history.{name.removeprefix('train.')}").read_text())
    facts = {key: value for key, value in after.metrics[name].items() if key not in ("config", "rl")}
    return Seen(facts, history, frozenset((*after.metrics, *after.resources)))


def test_every_option_has_a_line() -> None:
    """A new field of `LoraConfig` or `RLConfig` is a new option, and needs one."""
    assert OWN.keys() | SHARED.keys() == set(STAGE.describe()["types"])
    assert RLConfig.model_fields.keys() <= OWN.keys()


def _check(option: str, line: Line, train: Callable[[dict[str, Any], str], Seen]) -> None:
    seen: list[Seen] = []
    for value in line.values:
        given = {} if value is NOT_GIVEN else {option: value}
        seen.append(train({**SHORT, **line.also, **given}, line.items))
    looked_at = [repr(line.sees(each)) for each in seen]
    assert len(set(looked_at)) == len(line.values), looked_at
    assert any(not each.refused for each in seen), looked_at
    for value, each in zip(line.values, seen, strict=True):
        if each.refused:
            said = "chat template" if value is NOT_GIVEN else str(value)
            assert option in each.refused or said in each.refused, each.refused


@pytest.mark.slow  # the faster tests beside this one pin most of them one by one
@pytest.mark.parametrize("option", OWN)
def test_each_option_of_its_own_makes_a_difference(option: str, train: Callable[[dict[str, Any], str], Seen]) -> None:
    """To what is drawn, trained, measured or kept; what cannot be done is refused by a sentence that names it."""
    _check(option, OWN[option], train)


@pytest.mark.slow
@pytest.mark.parametrize("option", SHARED)
def test_each_shared_option_makes_a_difference(option: str, train: Callable[[dict[str, Any], str], Seen]) -> None:
    """The same of the options that it has in common with `supervised_train`."""
    _check(option, SHARED[option], train)
