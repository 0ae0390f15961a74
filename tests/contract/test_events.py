"""The registry of events is true: what Crucible emits is in it as it is emitted, and what it says is emitted, is."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import crucible
from crucible import data, events, pipeline, telemetry, trace, train
from crucible.backends import AdamParams, LocalBackend, Sample, SamplingParams, ScriptedSampler
from crucible.errors import BackendError, Cancelled, DataError, PromotionRefused, TrainError
from crucible.events import registry
from crucible.ir import BackendRef, DatasetRef, Experiment, LoraConfig, StageDef
from crucible.pipeline import Context, NoOptions, Registry, Runner, stage
from crucible.text import Datum, ModelInput
from crucible.train.tiny_base import TinyBaseRecipe, build

ROOT = Path(crucible.__file__).parent

PREDECESSOR = {
    "llm": "req_llm.request.start req_llm.request.stop req_llm.request.exception",
    "ensemble": "ensemble.prediction.start ensemble.prediction.stop ensemble.vote.completed",
    "hedging": "hedging.request.start hedging.request.duplicated hedging.request.stop",
    "training": "crucible_train.training.start crucible_train.training.stop crucible_train.epoch.start "
    "crucible_train.epoch.stop crucible_train.batch.stop crucible_train.checkpoint.saved",
    "deployment": "crucible_deployment.inference.start crucible_deployment.inference.stop "
    "crucible_deployment.inference.exception",
    "framework": "crucible_framework.pipeline.start crucible_framework.pipeline.stop "
    "crucible_framework.stage.start crucible_framework.stage.stop",
    "trace": "causal_trace.event.created",
    "tools": "altar.tool.start altar.tool.stop",
}
ASKED_FOR = (
    "crucible_deployment.health_check.completed crucible_deployment.model.loaded crucible_deployment.model.unloaded "
    "crucible_xai.explanation.generated crucible_adversary.attack.executed crucible_train.epoch.start"
)


# --- what is written where ---


def emitted_in_source() -> Iterator[tuple[str, str, str]]:
    """Yield the room, the kind of call and a pattern of the name, for each name that is written where it is emitted."""
    for path in sorted(ROOT.rglob("*.py")):
        room = path.relative_to(ROOT).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and (kind := _emitting(node.func)):
                pattern = _pattern(node.args[0])
                if pattern is not None:
                    yield room, kind, pattern


def _emitting(function: ast.expr) -> str | None:
    if isinstance(function, ast.Attribute) and function.attr in ("emit", "span"):
        return function.attr if ast.unparse(function.value) in ("events", "bus") else None
    return function.id if isinstance(function, ast.Name) and function.id in ("emit", "span") else None


def _pattern(name: ast.expr) -> str | None:
    """Return a pattern of the names that an expression can be; None where nothing of the name is written there."""
    if isinstance(name, ast.Constant) and isinstance(name.value, str):
        return re.escape(name.value)
    if isinstance(name, ast.JoinedStr):
        parts = [re.escape(part.value) if isinstance(part, ast.Constant) else "[a-z0-9_]+" for part in name.values]  # type: ignore[arg-type]
        return "".join(parts)
    return None


SITES = sorted(set(emitted_in_source()))


def endings(kind: str) -> tuple[str, ...]:
    """Return what a call adds to its name."""
    return ("",) if kind == "emit" else (r"\.start", r"\.stop", r"\.exception")


@pytest.mark.parametrize(("room", "kind", "pattern"), SITES)
def test_what_the_source_emits_is_registered_as_that_rooms(room: str, kind: str, pattern: str) -> None:
    """Each name that is written where something is emitted is registered, as emitted by the room of that file."""
    for ending in endings(kind):
        infos = [
            registry.event_info(name) for name in registry.standard_events() if re.fullmatch(pattern + ending, name)
        ]
        assert infos, f"{room} emits {pattern}{ending}, which is not registered"
        assert {info.emitted_by for info in infos if info} == {room}


def rooms_entries() -> list[str]:
    """Return the names that the registry says a room of Crucible emits."""
    infos = [registry.event_info(name) for name in registry.standard_events()]
    return [info.name for info in infos if info and info.emitted_by not in ("external", "planned")]


@pytest.mark.parametrize("name", rooms_entries())
def test_what_a_room_is_said_to_emit_is_written_there(name: str) -> None:
    """The room that an entry names has a call that emits it."""
    info = registry.event_info(name)
    assert info is not None
    assert any(
        room == info.emitted_by and re.fullmatch(pattern + ending, name)
        for room, kind, pattern in SITES
        for ending in endings(kind)
    )


# --- what happens ---


class Heard:
    """What was heard of one event: how often, its keys, and the rooms whose code emitted it."""

    def __init__(self) -> None:
        self.count = 0
        self.measurements: set[str] = set()
        self.metadata: set[str] = set()
        self.rooms: set[str] = set()


def emitting_room() -> str:
    """Return the room whose code is emitting: the first outside of the bus, or the bus itself for a decision."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("crucible.events.") and frame.f_code.co_name == "decision":
            return "events"
        if module.startswith("crucible.") and not module.startswith("crucible.events."):
            return module.split(".")[1]
        frame = frame.f_back
    return "outside"


def experiment(*pipeline: StageDef | str, **parts: Any) -> Experiment:
    """Return an experiment of these stages."""
    stages = tuple(StageDef(name=each) if isinstance(each, str) else each for each in pipeline)
    return Experiment(id="contract", backend=BackendRef(id="local"), pipeline=stages, **parts)


def run_whole(base: Path, folder: Path) -> None:
    """Load, train with validation, evaluate both models: a run as a user starts it, with everything kept."""
    answers = {"scorers": ["exact_match"], "max_tokens": 8, "limit": 4}
    document = experiment(
        "data_load",
        StageDef(
            name="supervised_train",
            options={
                "model": "tuned",
                "base_model": str(base),
                "rank": 2,
                "batch_size": 4,
                "max_steps": 6,
                "checkpoint_interval": 3,
                "validation_fraction": 0.2,
                "gradient_hooks": ["norm", "distribution", "flow", "health"],
            },
        ),
        StageDef(name="evaluate", options={"model": "tuned", **answers}),
        dataset=DatasetRef(name="tickets", options={"limit": 24, "test_limit": 8}),
    )
    result = crucible.run(document, store=folder / "store")
    assert result.status == "completed", result.failure


def run_failing(folder: Path) -> None:
    """A stage that is tried again and then fails for good."""

    @stage("boom")
    def boom(context: Context, options: NoOptions) -> Context:
        raise OSError("broken glass")

    retried = StageDef.read({"name": "boom", "retry": {"attempts": 2, "wait_initial_s": 0.0}})
    assert Runner(Registry(boom)).run(experiment(retried), workspace=folder / "failing").status == "failed"


def run_cancelled(folder: Path) -> None:
    """A run whose task is cancelled while a stage works on its thread."""
    started = threading.Event()

    @stage("slow")
    def slow(context: Context, options: NoOptions) -> Context:
        started.set()
        while True:
            pipeline.check_cancelled()
            threading.Event().wait(0.002)

    async def main() -> None:
        task = asyncio.create_task(Runner(Registry(slow)).arun(experiment("slow"), workspace=folder / "cancelled"))
        await asyncio.to_thread(started.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def train_cancelled(base: Path, folder: Path) -> None:
    """A training that is stopped after its first step, and goes on from its checkpoint."""
    config = LoraConfig(base_model=str(base), rank=2, batch_size=4, max_steps=6)
    with pipeline.cancellable() as cancellation:
        events.attach("stop", "crucible_train.batch.stop", lambda _event: cancellation.request())
        try:
            with train.Trainer.start(config, workspace=folder / "stopped") as trainer, pytest.raises(Cancelled):
                trainer.train(data.make_tickets(12, seed=5))
        finally:
            events.detach("stop")
    with train.Trainer.start(config, workspace=folder / "stopped") as trainer:
        trainer.train(data.make_tickets(12, seed=5), resume=True)


def fail_in_sessions(base: Path, folder: Path) -> None:
    """A session that goes on from a checkpoint, one whose data cannot be used, one that steps without a gradient."""
    config = LoraConfig(base_model=str(base), rank=2)
    with LocalBackend().start_session(config) as session:
        session.add_gradient_hook("mine", lambda gradients: {"layers": len(gradients)})
        session.forward_backward([Datum(ModelInput((5, 6)), (6, 7), (1.0, 1.0))])
        session.optim_step(AdamParams()).result()
        session.load_checkpoint(session.save_checkpoint(folder / "session").result()).result()
        session.create_sampler()
        with pytest.raises(DataError):
            session.forward_backward([]).result()
    with LocalBackend().start_session(config) as session, pytest.raises(TrainError):
        session.optim_step(AdamParams()).result()


def distil(base: Path, folder: Path) -> None:
    """A student that learns from a teacher, and a teacher that cannot say what it is asked."""
    config = LoraConfig(base_model=str(base), rank=2, batch_size=4, max_steps=1)
    teacher = train.open_teacher(str(base))
    for name, top_k in (("student", 4), ("asking too much", 10**5)):
        with train.Trainer.start(config, workspace=folder / name) as trainer, contextlib.suppress(DataError):
            train.distill(trainer, data.make_tickets(4, seed=5), teacher, train.DistillConfig(top_k=top_k))


def learn_from_rewards(base: Path, folder: Path) -> None:
    """A policy that learns from rewards, and rollouts that are stopped."""
    config = LoraConfig(base_model=str(base), rank=2, batch_size=2, max_steps=1, dropout=0.0)

    class Stopping:
        def initial_observation(self) -> train.rl.Observation:
            raise Cancelled("enough")

        def step(self, action: Sample) -> train.rl.StepResult:
            raise AssertionError

    with train.Trainer.start(config, workspace=folder / "rewarded") as trainer:
        settings = train.rl.RLConfig(group_size=2, max_tokens=2)
        train.rl.train_rl(trainer, data.make_tickets(2, seed=5), settings, reward="exact_match")
        group = train.rl.ProblemGroupBuilder(Stopping, 1)
        with pytest.raises(Cancelled):
            train.rl.roll_out(trainer.create_sampler(), [group], SamplingParams(temperature=1.0), seed=0)


def build_bases(folder: Path) -> None:
    """A base model that is built, and one whose building is given up."""
    recipe = TinyBaseRecipe(
        steps=2,
        batch_size=2,
        warmup_steps=1,
        vocab_size=320,
        hidden_size=16,
        intermediate_size=16,
        layers=1,
        heads=1,
        window=64,
        tokenizer_texts=40,
    )

    def give_up(step: int, total: int, loss: float) -> None:
        raise Cancelled("no longer wanted")

    with pytest.raises(Cancelled):
        build(recipe=recipe, cache=folder / "bases", progress=give_up)
    build(recipe=recipe, cache=folder / "bases")


def ask_in_vain() -> None:
    """A request that is not answered, and the evaluation that gives up because of it."""
    with pytest.raises(BackendError):
        data.evaluate(ScriptedSampler({}), data.load(data.make_tickets(2, seed=1)), ["exact_match"], failures="abort")


def keep_checkpoints(base: Path, folder: Path) -> None:
    """A training that goes on from a checkpoint; some that are carried away and back, and one no longer kept."""
    from crucible.backends.checkpoint import FILES, write_checkpoint

    elsewhere = train.open_checkpoints("memory://contract", cache=train.CheckpointCache(folder / "copies"))
    for step in (1, 2, 3):
        files = dict.fromkeys(FILES, b"{}") | {"training.json": b'{"step": %d}' % step}
        elsewhere.put(write_checkpoint(folder / "made" / f"step-{step:06d}", files))
    with elsewhere.opened("step-000003"):
        train.prune_checkpoints(elsewhere, 2)
    config = LoraConfig(base_model=str(base), rank=2, batch_size=4, max_steps=6)
    with train.Trainer.start(config, workspace=folder / "stopped") as trainer:  # what `train_cancelled` left
        trainer.train(data.make_tickets(12, seed=5), resume=True)


def keep_models(folder: Path) -> None:
    """A version that is registered, refused, promoted and removed."""
    with train.ModelRegistry.open(folder / "models") as models:
        models.register("triage", metrics={"loss": 1.0})
        with pytest.raises(PromotionRefused):
            models.promote("triage", "staging", why="contract", gates=train.Gates.of("loss<0.5"))
        models.promote("triage", "staging", why="contract")
        models.remove("triage", why="contract")


def keep_a_trace(folder: Path) -> None:
    """A chain that is made, saved and loaded."""
    chain = trace.Chain("contract")
    chain.add(trace.Event.new("decision_made", "kept it", "it was best", stage_id="s", experiment_id="e"))
    trace.Chain.load(chain.save(folder / "chain.json"))


def record_what_is_odd() -> None:
    """An experiment in which a value is out of the ordinary, and a rule says so, too."""
    watch = {"methods": ["modified_z"], "metrics": ["loss"], "action": "alert"}
    rules = {"rules": [{"name": "high", "metric": "loss", "condition": {"above": 50}}]}
    with telemetry.Experiment.start("odd", store=":memory:", anomalies=watch, alerts=rules) as odd:
        for step in range(60):
            odd.log_metric("loss", 100.0 if step == 50 else float(step % 5), step)


@pytest.fixture(scope="module")
def heard(base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Heard]:
    """Everything that can happen, happened once; by name, what was heard."""
    folder = tmp_path_factory.mktemp("contract")
    found: dict[str, Heard] = {}
    lock = threading.Lock()

    def note(event: events.Event) -> None:
        room = emitting_room()
        with lock:
            entry = found.setdefault(event.name, Heard())
            entry.count += 1
            entry.measurements |= set(event.measurements)
            entry.metadata |= set(event.metadata)
            entry.rooms.add(room)

    events.attach("contract", "*", note)
    try:
        run_whole(base, folder)
        run_failing(folder)
        run_cancelled(folder)
        train_cancelled(base, folder)
        fail_in_sessions(base, folder)
        distil(base, folder)
        learn_from_rewards(base, folder)
        build_bases(folder)
        ask_in_vain()
        keep_checkpoints(base, folder)
        keep_models(folder)
        keep_a_trace(folder)
        record_what_is_odd()
    finally:
        assert events.handler_errors() == {}
        events.detach("contract")
    return found


def test_everything_that_is_emitted_is_registered(heard: dict[str, Heard]) -> None:
    """Every name that was emitted is in the registry, with the unit of each measurement that it had."""
    assert len(heard) > 25
    for name, entry in heard.items():
        info = registry.event_info(name)
        assert info is not None, f"{name} is not registered"
        assert info.name == name, f"{name} is an alias, and is not to be emitted"
        assert entry.measurements <= set(info.measurements), f"{name}: {entry.measurements - set(info.measurements)}"


@pytest.mark.parametrize("name", rooms_entries())
def test_what_a_room_is_said_to_emit_happens(name: str, heard: dict[str, Heard]) -> None:
    """It was emitted by code of that room and no other, with every measurement and every agreed word of its entry."""
    info = registry.event_info(name)
    assert info is not None
    assert name in heard, "nothing made it happen"
    entry = heard[name]
    assert entry.rooms == {info.emitted_by}
    assert set(info.measurements) == entry.measurements
    assert set(info.metadata) <= entry.metadata


# --- what the registry says ---


def test_the_predecessors_events_are_there() -> None:
    """All 25, in their 8 categories; and those that were asked for and it lacked."""
    names = [name for line in PREDECESSOR.values() for name in line.split()]
    assert (len(names), len(PREDECESSOR)) == (25, 8)
    for category, line in PREDECESSOR.items():
        for name in line.split():
            info = registry.event_info(name)
            assert info is not None, name
            assert info.category == category
    for name in ASKED_FOR.split():
        assert registry.event_info(name) is not None, name


@pytest.mark.parametrize("name", registry.standard_events())
def test_entries_say_what_they_are(name: str) -> None:
    """A sentence, a category, who emits it, units that are known, and a line for each word that is agreed on."""
    info = registry.event_info(name)
    assert info is not None
    assert info.name == name
    assert info.category
    assert re.fullmatch(r"[A-Z].*\.", info.description)
    assert set(info.measurements.values()) <= set(registry.UNITS)
    assert all(line.strip() for line in info.metadata.values())


def test_every_span_has_its_exception() -> None:
    """Whatever starts can stop and can fail, both with a duration in nanoseconds, and a failure says why."""
    starts = [name.removesuffix(".start") for name in registry.standard_events() if name.endswith(".start")]
    assert {"crucible_train.training", "crucible_train.epoch", "ensemble.prediction", "hedging.request"} <= set(starts)
    assert {"crucible_framework.pipeline", "crucible_framework.stage", "altar.tool", "req_llm.request"} <= set(starts)
    for span in starts:
        stop, exception = registry.event_info(f"{span}.stop"), registry.event_info(f"{span}.exception")
        assert stop is not None
        assert exception is not None
        assert stop.measurements["duration_ns"] == exception.measurements["duration_ns"] == "ns"
        assert {"error_type", "error"} <= set(exception.metadata)


def test_rooms_are_the_folders_of_the_package() -> None:
    """Every folder is a room that may emit, but the errors, which are no folder; the others are still to be built."""
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert folders <= registry.ROOMS
    named = {info.emitted_by for name in registry.standard_events() if (info := registry.event_info(name))}
    assert named - {"external", "planned"} <= folders
