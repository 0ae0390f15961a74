"""No silent options: each that `data_load` and `supervised_train` describe changes what is done, or is refused by name.

A line for every option: values to try, and what to look at. An option without a line fails, and so does one whose
values make no difference.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import pytest

from crucible.data import Dataset, Item, load
from crucible.errors import CrucibleError
from crucible.ir import Experiment
from crucible.pipeline import Context, Registry, parse_options, pipeline_problems
from crucible.train.tiny_base import TinyBaseRecipe, build

REGISTRY: Final = Registry()
NOT_GIVEN: Final = None
"""Instead of a value: the option is left out."""


def described(stage: str) -> set[str]:
    """Return the options that a stage says it has."""
    return set(REGISTRY.get(stage).describe()["types"])


class Outcome(NamedTuple):
    """What came of a stage: the run with what it left, or the sentence with which it was refused."""

    after: Context | None
    refused: str = ""


def carried_out(context: Context, stage: str, options: Mapping[str, Any]) -> Outcome:
    """Hold a stage's options against the document as `crucible validate` does, then run the stage."""
    definition = {"name": stage, "options": dict(options)}
    document = Experiment.read({**context.experiment.model_dump(mode="json"), "pipeline": [definition]})
    problems = [str(problem) for problem in pipeline_problems(document, REGISTRY)]
    if problems:
        return Outcome(None, "; ".join(problems))
    chosen: Any = REGISTRY.get(stage)
    start = Context(run_id="r", experiment=document, workspace=context.workspace, resources=context.resources)
    try:
        return Outcome(chosen.run(start, parse_options(chosen, options)))
    except CrucibleError as error:
        return Outcome(None, str(error))


# --- data_load ---


class Load(NamedTuple):
    """A line of `data_load`.

    Args:
        dataset: The document's.
        values: Values of the option, each of which is to make a difference.
        sees: What to look at beside the items.
    """

    dataset: dict[str, Any]
    values: tuple[Any, ...]
    sees: str = ""


def of_file(name: str = "rows.jsonl", **options: Any) -> dict[str, Any]:
    """Return a reference to a file of the tests."""
    return {"name": "file", "options": {"path": name, **options}}


HUB = {"name": "me/claims", "provider": "huggingface"}
GSM8K = {"name": "gsm8k", "options": {"path": "gsm8k"}}
SHA256 = "0" * 64

LOADS: dict[str, Load] = {
    "name": Load(GSM8K, (NOT_GIVEN, "tickets")),
    "provider": Load({"name": "gsm8k"}, ("crucible_datasets", "huggingface")),
    "split": Load(GSM8K, ("train", "test")),
    "version": Load(of_file(), (NOT_GIVEN, SHA256)),
    "format": Load(of_file("rows.txt"), ("jsonl", "csv")),
    "path": Load(of_file(), ("rows.jsonl", "more.jsonl")),
    "limit": Load(of_file(), (2, 3)),
    "seed": Load(of_file(), (0, 1)),
    "fields": Load(of_file(), (NOT_GIVEN, {"input": "expected", "expected": "input"})),
    "csv": Load(of_file("rows.csv"), (NOT_GIVEN, {"delimiter": ";"})),
    "unanswered": Load(of_file("holes.jsonl"), ("refuse", "keep")),
    "synthetic": Load(of_file(), (False, True), sees="synthetic"),
    "answer_schema": Load(of_file(), (NOT_GIVEN, {"type": "object"}, ["name"]), sees="answer_schema"),
    "answer": Load(GSM8K, ("full", "final")),
    "config": Load(HUB, ("one", "two")),
    "files": Load(HUB, (["one/train.jsonl"], ["two/train.jsonl"])),
    "offline": Load({**HUB, "name": "me/absent"}, (False, True)),
    "on_change": Load({**HUB, "name": "me/changed"}, ("refuse", "accept")),
    "test_path": Load(of_file(), ("rows.jsonl", "more.jsonl")),
    "test_split": Load(GSM8K, ("test", "train")),
    "test_limit": Load(of_file(test_fraction=0.5), (1, 2)),
    "test_fraction": Load(of_file(), (0.2, 0.5)),
    "on_overlap": Load(of_file("doubled.jsonl", test_fraction=0.5), ("keep", "drop", "refuse")),
}


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(map(json.dumps, rows)))


def _rows(*names: str) -> list[dict[str, Any]]:
    return [{"input": name, "expected": name.upper()} for name in names]


def _cached(hub: Path, repository: str) -> Path:
    """Return the folder of a repository's files, in the layout of huggingface_hub's cache."""
    root, commit = hub / f"datasets--{repository.replace('/', '--')}", "0123456789abcdef0123456789abcdef01234567"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text(commit)
    return root / "snapshots" / commit


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with small files of every kind, beside a cache of the Hub."""
    hub = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(hub))
    monkeypatch.setenv("CRUCIBLE_CACHE", str(tmp_path / "crucible"))
    monkeypatch.delenv("CRUCIBLE_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    _write(tmp_path / "rows.jsonl", _rows("a", "b", "c", "d", "e", "f"))
    _write(tmp_path / "more.jsonl", _rows("g", "h", "i", "j"))
    _write(tmp_path / "rows.txt", _rows("a", "b", "c", "d"))
    (tmp_path / "rows.csv").write_text("input;expected,rest\na;A,1\nb;B,2\nc;C,3\n")
    _write(tmp_path / "holes.jsonl", [*_rows("a", "b", "c"), {"input": "d", "expected": None}])
    _write(tmp_path / "doubled.jsonl", _rows("a", "A", "b", "B", "c", "C", "d", "D"))
    for split in ("train", "test"):
        problems = [{"question": f"{split} {n}", "answer": f"1+{n}\n#### {n + 1}"} for n in range(3)]
        _write(tmp_path / "gsm8k" / f"{split}.jsonl", problems)
        _write(_cached(hub, "openai/gsm8k") / "main" / f"{split}.jsonl", problems) if split == "train" else None
    claims = _cached(hub, "me/claims")
    _write(claims / "one" / "train.jsonl", _rows("a", "b", "c"))
    _write(claims / "two" / "train.jsonl", _rows("d", "e", "f"))
    changed = _cached(hub, "me/changed")
    _write(changed / "train.jsonl", _rows("a", "b", "c"))
    load("me/changed", provider="huggingface")
    _write(changed / "train.jsonl", _rows("a", "b", "x"))
    return tmp_path


def _seen_of_data(outcome: Outcome, fact: str) -> str:
    """Return all that came of a load as text: the items of both parts, and one fact more."""
    if outcome.after is None:
        return outcome.refused
    sets: list[Dataset] = [outcome.after.resource(role) for role in ("train", "test")]
    more = {
        "synthetic": outcome.after.metrics["data"]["synthetic"],
        "answer_schema": sets[0].answer_schema,
    }.get(fact)
    return repr(([list(each) for each in sets], more))


def test_every_option_of_data_load_has_a_line() -> None:
    """A new option needs one."""
    assert LOADS.keys() == described("data_load")


@pytest.mark.parametrize("option", LOADS)
def test_each_option_of_data_load_makes_a_difference(option: str, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the items that are trained on or tested on, or it is refused for what it says."""
    line = LOADS[option]
    if option == "offline":  # a Hub that nobody answers for
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        for place in ("huggingface_hub.constants.ENDPOINT", "huggingface_hub.hf_api.constants.ENDPOINT"):
            monkeypatch.setattr(place, "http://127.0.0.1:9")
    document = {"id": "x", "backend": {"id": "local"}, "pipeline": [{"name": "data_load"}], "dataset": line.dataset}
    context = Context(run_id="r", experiment=Experiment.read(document), workspace=files / "work")
    seen = []
    for value in line.values:
        options = {} if value is NOT_GIVEN else {option: value}
        seen.append(_seen_of_data(carried_out(context, "data_load", options), line.sees))
    assert len(set(seen)) == len(line.values), seen


# --- supervised_train ---


class Train(NamedTuple):
    """A line of `supervised_train`.

    Args:
        values: Values of the option, each of which is to make a difference.
        sees: What to look at: of what the stage left, never of the configuration that it repeats.
        also: Other options that the effect needs.
        items: Which items are trained on: `tickets` or `chats`.
    """

    values: tuple[Any, ...]
    sees: Callable[[Seen], Any]
    also: Mapping[str, Any] = MappingProxyType({})
    items: str = "tickets"


class Seen(NamedTuple):
    """What a training left.

    Args:
        facts: The metric `train.<model>`, without the configuration.
        history: The record of every step.
        names: Names of the metrics and resources.
        refused: Why it was refused or failed; then there is nothing else.
    """

    facts: Mapping[str, Any]
    history: list[dict[str, Any]]
    names: frozenset[str]
    refused: str = ""


def _fact(name: str) -> Callable[[Seen], Any]:
    return lambda seen: seen.facts[name]


def _losses(seen: Seen) -> Any:
    return [record["loss"] for record in seen.history]


def _tokens(seen: Seen) -> Any:
    return [record["tokens"] for record in seen.history]


def _validated(seen: Seen) -> Any:
    return [record["step"] for record in seen.history if "validation_loss" in record]


def _failed_or(sees: Callable[[Seen], Any]) -> Callable[[Seen], Any]:
    return lambda seen: seen.refused or sees(seen)


HELD_OUT = {"validation_fraction": 0.34, "checkpoint_interval": 1}
STOP = {"patience": 1, "min_delta": 100.0}
SGD = {"optimizer": "sgd", "learning_rate": 1.0}

TRAINS: dict[str, Train] = {
    "model": Train(("tuned", "other"), lambda seen: seen.names),
    "dataset": Train(("train", "test"), _fact("items")),
    "on_missed_target": Train(
        ("report", "fail"), _failed_or(_fact("steps")), also={"quality_targets": {"final_loss": 0.0}}
    ),
    "base_model": Train(("one", "two"), _fact("base_digest")),
    "rank": Train((2, 3), _fact("parameters_trained")),
    "alpha": Train((32.0, 8.0), _fact("final_loss")),
    "dropout": Train((0.05, 0.5), _losses),
    "target_modules": Train((NOT_GIVEN, ["q_proj"], ["attention"], ["mlp"]), _fact("parameters_trained")),
    "learning_rate": Train((5e-3, 1e-3), _fact("final_loss")),
    "batch_size": Train((2, 3), _tokens),
    "max_steps": Train((2, 3), _fact("steps")),
    "checkpoint_interval": Train((1, 2), _fact("checkpoints")),
    "epochs": Train((1, 2), _fact("steps"), also={"max_steps": 10, "batch_size": 3}),
    "seed": Train((0, 1), _losses),
    "optimizer": Train(("adamw", "adam", "sgd", "rmsprop"), _fact("final_loss"), also={"weight_decay": 0.5}),
    "momentum": Train((NOT_GIVEN, 0.9), _fact("final_loss"), also=SGD),
    "beta1": Train((0.9, 0.5), _fact("final_loss")),
    "beta2": Train((0.999, 0.5), _fact("final_loss")),
    "eps": Train((1e-8, 1e-2), _fact("final_loss")),
    "weight_decay": Train((0.0, 0.5), _fact("final_loss")),
    "grad_clip_norm": Train((0.0, 0.01), _fact("final_loss"), also=SGD),
    "validation_fraction": Train((0.0, 0.34), _fact("items")),
    "schedule": Train(("constant", "linear", "cosine"), _fact("final_loss"), also={"max_steps": 3}),
    "warmup_steps": Train((0, 2), _fact("final_loss")),
    "device": Train(("cpu", "cuda", "mps"), _failed_or(_fact("device"))),
    "max_length": Train((NOT_GIVEN, 130), _fact("truncated")),
    "on_overflow": Train(("truncate", "refuse"), _fact("refused"), also={"max_length": 130}),
    # bce is left out: where every target is wanted it is cross_entropy
    "loss": Train(("cross_entropy", "mse", "mae", "kl_divergence"), _failed_or(_losses)),
    "accumulation_steps": Train((1, 2), _tokens),
    "eval_every": Train((1, 2), _validated, also=HELD_OUT),
    "save_every": Train((1, 2), _fact("checkpoints")),
    "max_checkpoints": Train((2, 3), _fact("checkpoints"), also={"checkpoint_interval": 1, "max_steps": 3}),
    "early_stopping": Train((NOT_GIVEN, STOP), _fact("stopped_early"), also={**HELD_OUT, "max_steps": 3}),
    "quality_targets": Train((NOT_GIVEN, {"final_loss": 1e6}, {"final_loss": 0.0}), _fact("quality")),
    "gradient_hooks": Train((NOT_GIVEN, ["norm"], ["flow", "health"]), lambda seen: seen.history[0].get("metrics")),
    "mixed_precision": Train((False, True), _failed_or(_losses)),
    "renderer": Train((NOT_GIVEN, "role_colon", "llama3"), _failed_or(_tokens), items="chats"),
    "train_on": Train(
        (
            "last_assistant_message",
            "all_assistant_messages",
            "all_messages",
            "all_tokens",
            "all_user_and_system_messages",
            "customized",
        ),
        _failed_or(lambda seen: seen.facts["initial_loss"]),
        also={"renderer": "role_colon"},
        items="chats",
    ),
    "keep": Train(
        ("best", "last"), _fact("kept_step"), also={**HELD_OUT, "early_stopping": {"mode": "max", "patience": 9}}
    ),
}

SHORT: dict[str, Any] = {
    "base_model": "one",
    "rank": 2,
    "learning_rate": 5e-3,
    "batch_size": 2,
    "max_steps": 2,
    "checkpoint_interval": 2,
}


def _chats() -> list[Item]:
    said = [
        ("system", "Be brief."),
        ("user", "Hello."),
        ("assistant", "Hi!"),
        ("user", "And you?"),
        ("assistant", "Fine"),
    ]
    messages = [{"role": role, "content": text} for role, text in said]
    return [Item(f"chat-{n}", "And you?", "Fine", {"messages": messages}) for n in range(4)]


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict[str, Any], str], Seen]:
    """Return what trains with options and items; the same again is not trained again."""
    home = tmp_path_factory.mktemp("options")
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
    sets = {"tickets": load("tickets", limit=6), "chats": load(_chats())}
    document = Experiment.read({"id": "x", "backend": {"id": "local"}, "pipeline": [{"name": "supervised_train"}]})
    known: dict[str, Seen] = {}

    def trained(options: dict[str, Any], items: str) -> Seen:
        key = json.dumps([options, items], sort_keys=True)
        if key not in known:
            context = Context(run_id="r", experiment=document, workspace=home / f"run-{len(known)}")
            context = context.put_resource("train", sets[items])
            context = context.put_resource("test", load("tickets", split="test", limit=3))
            known[key] = _seen(
                carried_out(context, "supervised_train", {**options, "base_model": str(bases[options["base_model"]])})
            )
        return known[key]

    return trained


def _seen(outcome: Outcome) -> Seen:
    after = outcome.after
    if after is None:
        return Seen({}, [], frozenset(), outcome.refused)
    (name,) = (name for name in after.metrics if name.startswith("train."))
    facts = dict(after.metrics[name])
    device = after.resource(f"sampler.{name.removeprefix('train.')}").device
    del facts["config"]
    history = json.loads(after.artifact_path(f"history.{name.removeprefix('train.')}").read_text())
    return Seen({**facts, "device": device}, history, frozenset((*after.metrics, *after.resources)))


def test_every_option_of_supervised_train_has_a_line() -> None:
    """A new field of `LoraConfig` is a new option, and needs one."""
    assert TRAINS.keys() == described("supervised_train")


@pytest.mark.parametrize("option", TRAINS)
def test_each_option_of_supervised_train_makes_a_difference(
    option: str, train: Callable[[dict[str, Any], str], Seen]
) -> None:
    """To what is trained, measured or kept; what cannot be done is refused by a sentence that names it."""
    line = TRAINS[option]
    seen: list[Seen] = []
    for value in line.values:
        given = {} if value is NOT_GIVEN else {option: value}
        seen.append(train({**SHORT, **line.also, **given}, line.items))
    looked_at = [repr(line.sees(each)) for each in seen]
    assert len(set(looked_at)) == len(line.values), looked_at
    assert any(not each.refused for each in seen)
    for value, each in zip(line.values, seen, strict=True):
        if each.refused:
            said = "chat template" if value is NOT_GIVEN else str(value)
            assert option in each.refused or said in each.refused
