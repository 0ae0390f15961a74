"""A student that is trained: it moves to the teacher, only where they differ, and goes on as if never interrupted."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crucible.backends import LocalBackend, SamplingParams
from crucible.data import Item
from crucible.errors import BackendError, CheckpointError, DataError, TrainError
from crucible.ir import LoraConfig
from crucible.train import DistillConfig, Teacher, Trainer, TrainResult, distill
from crucible.train.distillation import distill_off_policy_flat, distill_on_policy_flat, distillation
from crucible.train.distillation.student_samples import kl_advantages

Configure = Callable[..., LoraConfig]
Distil = Callable[..., TrainResult]
Student = Callable[..., Trainer]
StoppingAt = Callable[[int], AbstractContextManager[None]]

OFF: dict[str, dict[str, Any]] = {
    "forward": {},
    "reverse": {"divergence": "reverse_kl", "top_k": 8},
    "softened": {"temperature": 2.0},
}
ON: dict[str, Any] = {"mode": "on_policy", "max_tokens": 6, "group_size": 2}


LEARNING: dict[str, Any] = {"max_steps": 30, "learning_rate": 0.01, "rank": 8, "checkpoint_interval": 30}


@pytest.mark.parametrize(
    "settings", [OFF["forward"], *(pytest.param(OFF[name], marks=pytest.mark.slow) for name in ("reverse", "softened"))]
)
def test_off_policy_the_student_moves_to_the_teacher(
    student: Student, taught: Teacher, teacher_folder: Path, short_items: list[Item], settings: Any
) -> None:
    """What it loses falls to less than half on the items it was trained on, and by a quarter on those held out."""
    with student(base_model=str(teacher_folder), validation_fraction=0.3, **LEARNING) as trainer:
        result = distill(trainer, short_items, taught, DistillConfig(**settings))
    assert result.final_loss < 0.5 * result.initial_loss
    assert result.validation[-1]["loss"] < 0.75 * (result.initial_validation_loss or 0.0)
    name = DistillConfig(**settings).divergence
    assert set(result.history[0]["metrics"]) == {f"distill/{name}", "distill/cross_entropy"}
    assert result.validation[-1]["metrics"][f"validation_{name}"] > 0


@pytest.mark.slow
def test_on_policy_the_student_moves_to_the_teacher(
    student: Student, taught: Teacher, teacher_folder: Path, short_items: list[Item]
) -> None:
    """KL(student || teacher) over what the student says falls to less than half, on the steps and on fixed prompts."""
    with student(base_model=str(teacher_folder), **{**LEARNING, "batch_size": 11}) as trainer:
        result = distill(trainer, short_items, taught, DistillConfig(**{**ON, "max_tokens": 6, "group_size": 8}))
    apart = [record["metrics"]["distill/reverse_kl"] for record in result.history]
    assert sum(apart[-3:]) < 0.5 * sum(apart[:3])
    assert result.final_loss < 0.5 * result.initial_loss


@pytest.mark.parametrize(
    "settings",
    [OFF["forward"], ON, *(pytest.param(OFF[name], marks=pytest.mark.slow) for name in ("reverse", "softened"))],
    ids=["forward", "on-policy", "reverse", "softened"],
)
def test_there_is_a_gradient_exactly_where_student_and_teacher_differ(
    distil: Distil, teacher: Teacher, twin: Teacher, settings: Any
) -> None:
    """A fresh student is its base: towards that base it has none, beyond rounding; towards another model it has one."""
    agreeing = distil(twin, settings, max_steps=1, workspace="agreeing")
    differing = distil(teacher, settings, max_steps=1, workspace="differing")
    assert agreeing.history[0]["gradient_norm"] < 1e-4
    assert differing.history[0]["gradient_norm"] > 1e-2
    assert abs(agreeing.initial_loss) < 1e-5
    assert differing.initial_loss > 0.01


def test_the_advantage_is_how_much_likelier_the_teacher_finds_a_token() -> None:
    """Nothing on the prompt; discounted, a token answers for those after it."""
    student, said, mask = (0.0, -1.0, -2.0, -0.5), (0.0, -1.5, -1.0, -0.5), (0.0, 1.0, 1.0, 1.0)
    assert kl_advantages(student, said, mask, 0.0) == (0.0, -0.5, 1.0, 0.0)
    assert kl_advantages(student, said, mask, 0.5) == (0.0, 0.0, 1.0, 0.0)
    assert kl_advantages(student, said, mask, 1.0) == (0.0, 0.5, 1.0, 0.0)
    assert kl_advantages(student, student, mask, 1.0) == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, marks=pytest.mark.slow),
        ON,
        pytest.param({"answers": "teacher", "max_tokens": 12, "alpha": 0.5}, marks=pytest.mark.slow),
        pytest.param({**ON, "alpha": 0.5}, marks=pytest.mark.slow),
    ],
)
def test_interrupted_equals_uninterrupted_to_the_bit(
    student: Student, short_items: list[Item], taught: Teacher, settings: Any, stopping_at: StoppingAt
) -> None:
    """Losses, metrics, weights: stopped at an epoch's end, dropout and draws are those of one that never stopped."""

    def run(trainer: Trainer) -> TrainResult:
        return distill(trainer, short_items[:6], taught, DistillConfig(**settings), resume=True)

    how: dict[str, Any] = {"max_steps": 3, "checkpoint_interval": 1, "batch_size": 3}
    with student("whole", **how) as trainer:
        whole, said = run(trainer), trainer.create_sampler().logprobs([short_items[0].input])
    with student("parts", **how) as trainer, stopping_at(2):
        run(trainer)
    with student("parts", **how) as trainer:
        parts, again = run(trainer), trainer.create_sampler().logprobs([short_items[0].input])
    assert parts.history == whole.history
    assert (parts.initial_loss, parts.final_loss) == (whole.initial_loss, whole.final_loss)
    assert again == said


def test_a_training_does_not_go_on_with_another_teacher_or_other_settings(
    distil: Distil, teacher: Teacher, twin: Teacher
) -> None:
    """Each is named; another name or absolute weight of the same teacher is nothing else."""
    distil(teacher, {"top_k": 4}, max_steps=1)
    with pytest.raises(CheckpointError, match="are of another training: teachers was"):
        distil(twin, {"top_k": 4}, max_steps=1)
    with pytest.raises(CheckpointError, match="are of another training: distillation was"):
        distil(teacher, {"top_k": 4, "alpha": 0.5}, max_steps=1)
    distil(msgspec.structs.replace(teacher, name="renamed", weight=9.0), {"top_k": 4}, max_steps=1)


def test_off_policy_the_flat_loop_has_the_same_losses(
    configure: Configure, items: list[Item], distil: Distil, teacher: Teacher
) -> None:
    """But for the order in which floats are added."""
    flat, _ = distill_off_policy_flat(configure(max_steps=3), items, teacher.sampler, top_k=6)
    full = distil(teacher, {"top_k": 6}, max_steps=3)
    assert flat == pytest.approx([record["loss"] for record in full.history], rel=1e-4)


def test_on_policy_the_flat_loop_draws_and_learns(configure: Configure, items: list[Item], teacher: Teacher) -> None:
    """Its divergence before the first step is that of the student's base, and each step changes the weights."""
    divergences, sampler = distill_on_policy_flat(
        configure(max_steps=2, learning_rate=0.05), items, teacher.sampler, group_size=2, max_tokens=8
    )
    assert len(divergences) == 2
    assert all(math.isfinite(value) for value in divergences)
    base = LocalBackend().create_sampler(configure().base_model)
    assert sampler.logprobs([items[0].input]) != base.logprobs([items[0].input])


@pytest.mark.slow
def test_several_teachers_teach_by_their_shares(distil: Distil, teacher: Teacher, twin: Teacher) -> None:
    """A mixture lies between: its divergence from the student is below that of the other model alone."""
    for settings in ({}, ON):
        alone = distil(teacher, settings, max_steps=1, workspace=f"alone-{len(settings)}").initial_loss
        both = distil([teacher, twin], settings, max_steps=1, workspace=f"both-{len(settings)}").initial_loss
        assert 0 < both < alone


def test_alpha_brings_in_the_items_own_answers(distil: Distil, teacher: Teacher, student: Student) -> None:
    """On-policy as batches of their own; an item without an answer is an error only then."""
    half = distil(teacher, {**ON, "alpha": 0.5}, max_steps=1, workspace="half")
    none = distil(teacher, ON, max_steps=1, workspace="none")
    assert half.history[0]["tokens"] > none.history[0]["tokens"]
    assert half.history[0]["loss"] != none.history[0]["loss"]
    asking = [Item(f"q{number}", f"Ticket: {number}\nJSON:") for number in range(3)]
    with student("asking", max_steps=1) as trainer:
        assert distill(trainer, asking, teacher, DistillConfig(**ON)).items == 3
    with student("unanswered") as trainer, pytest.raises(DataError, match='item "q0" has no answer'):
        distill(trainer, asking, teacher, DistillConfig(**ON, alpha=0.5))
    with student("off") as trainer, pytest.raises(DataError, match='item "q0" has no answer'):
        distill(trainer, asking, teacher)


def test_a_student_may_train_on_the_teachers_answers_alone(
    student: Student, taught: Teacher, silent: Callable[[Teacher], Teacher], short_items: list[Item], tmp_path: Any
) -> None:
    """Sequence-level distillation, of items that have no answer; what the teacher answered is not asked twice.

    To the bit it is the supervised training on those answers.
    """
    asking = [Item(item.id, item.input) for item in short_items]
    settings = DistillConfig(answers="teacher", alpha=0.0, max_tokens=12)
    with student("first", max_steps=2) as trainer:
        result = distill(trainer, asking, taught, settings, shelf=tmp_path / "shelf")
    assert result.items + result.refused == len(asking)
    assert "metrics" not in result.history[0]
    with student("again", max_steps=2) as trainer:
        assert distill(trainer, asking, silent(taught), settings, shelf=tmp_path / "shelf").history == result.history
    samples = taught.sampler.sample([item.input for item in asking], SamplingParams(max_tokens=12))
    pairs = [(item, sample) for item, sample in zip(asking, samples, strict=True) if sample.text]
    said = [
        msgspec.structs.replace(item, expected=sample.text) for item, sample in pairs if sample.stop_reason == "stop"
    ]
    with student("supervised", max_steps=2) as trainer:
        supervised = trainer.train(said)
    assert [record["loss"] for record in supervised.history] == [record["loss"] for record in result.history]
    assert supervised.final_loss == result.final_loss < result.initial_loss


def test_answers_that_do_not_end_are_left_out_and_none_at_all_is_an_error(
    student: Student, teacher: Teacher, items: list[Item]
) -> None:
    """A teacher that stops nowhere teaches nobody where to stop."""
    with student() as trainer, pytest.raises(DataError, match="none of the teacher's 11 answers ends within 1 tokens"):
        distill(trainer, items, teacher, DistillConfig(answers="teacher", max_tokens=1))


def test_what_is_made_up_is_stamped(student: Student, teacher: Teacher, items: list[Item]) -> None:
    """By the items or by what the teacher was trained on."""
    real = [msgspec.structs.replace(item, metadata={}) for item in items]
    taught = msgspec.structs.replace(teacher, synthetic=True)
    for name, chosen, of, stamped in (
        ("a", items, teacher, True),
        ("b", real, teacher, False),
        ("c", real, taught, True),
    ):
        with student(name, max_steps=1) as trainer:
            assert distill(trainer, chosen[:3], of).synthetic is stamped


def test_what_contradicts_itself_is_refused_before_anybody_is_asked(
    student: Student, teacher: Teacher, silent: Callable[[Teacher], Teacher], items: list[Item]
) -> None:
    """Each in a sentence that names the setting."""
    refused: list[tuple[dict[str, Any], dict[str, Any], str]] = [
        ({"mode": "on_policy", "top_k": 3}, {}, "top_k is a setting of mode: off_policy"),
        ({"kl_discount": 0.5}, {}, "kl_discount is a setting of mode: on_policy"),
        ({"group_size": 2}, {}, "group_size is a setting of mode: on_policy"),
        ({"max_tokens": 2}, {}, "max_tokens nothing is drawn"),
        ({"alpha": 0.0}, {}, "alpha of 0 leaves the teacher nothing to teach; raise it, or set answers: teacher"),
        ({"mode": "on_policy", "alpha": 0.0}, {}, "alpha of 0 leaves the teacher nothing to teach; raise it$"),
        ({"alpha": 0.0, "answers": "teacher", "temperature": 2.0}, {}, "temperature says how the teacher's prob"),
        ({"alpha": 0.0, "answers": "teacher", "top_k": 5}, {}, "top_k says how .* at alpha: 0 they do not; leave it"),
        ({"alpha": 0.0, "answers": "teacher", "divergence": "reverse_kl"}, {}, "divergence says how the teacher's"),
        ({"rest": "left_out", "temperature": 2.0}, {}, "rest must be renormalised at another temperature than 1"),
        ({"rest": "renormalised", "top_k": 1}, {}, "top_k must be 2 or more"),
        ({}, {"loss": "mse"}, "loss is mse, and a distillation has a loss of its own"),
        ({"mode": "on_policy"}, {"train_on": "all_tokens"}, "train_on is all_tokens, and what the student wrote"),
        ({"mode": "on_policy", "max_tokens": 159}, {}, "max_tokens is 159, which leaves no room for a prompt"),
        ({}, {"max_length": 999}, "max_length is 999 and the model's window holds 160 tokens"),
    ]
    for number, (settings, changes, said) in enumerate(refused):
        with student(str(number), **changes) as trainer, pytest.raises(TrainError, match=said):
            distill(trainer, items, silent(teacher), DistillConfig(**settings))
    with student("empty") as trainer, pytest.raises(DataError, match="the dataset is empty"):
        distill(trainer, [], teacher)


@pytest.mark.parametrize("settings", [{"top_k": 2}, ON], ids=["off-policy", "on-policy"])
def test_a_teacher_that_gives_no_number_is_named(
    student: Student, teacher: Teacher, items: list[Item], settings: Any
) -> None:
    """Before any step is taken, and not for a fault of the student."""

    class Damaged:
        model, tokenizer = "damaged", teacher.sampler.tokenizer

        def logprobs(self, prompts: Any) -> Any:
            return [[None] + [math.nan] * (len(prompt) - 1) for prompt in prompts]

        def top_logprobs(self, prompts: Any, k: int) -> Any:
            return [[[], *([(5, -0.5), (6, -math.inf)] for _ in prompt.tokens[1:])] for prompt in prompts]

    damaged: Any = Damaged()
    with student() as trainer, pytest.raises(BackendError, match="the teacher damaged gives a token the log-prob"):
        distill(trainer, items[:3], Teacher("damaged", damaged), DistillConfig(**settings))


def test_prompts_that_leave_no_room_are_cut_or_left_out(student: Student, teacher: Teacher, items: list[Item]) -> None:
    """From the left, and counted; refused under on_overflow: refuse."""
    long = [Item("long", "Ticket: " + "the lamp is broken. " * 40 + "\nJSON:"), items[0]]
    with student("cut", max_steps=1) as trainer:
        result = distill(trainer, long, teacher, DistillConfig(**ON))
    assert (result.items, result.truncated, result.refused) == (2, 1, 0)
    with student("left", max_steps=1, on_overflow="refuse") as trainer:
        result = distill(trainer, long, teacher, DistillConfig(**ON))
    assert (result.items, result.truncated, result.refused) == (1, 0, 1)
    with student("none", on_overflow="refuse") as trainer, pytest.raises(DataError, match="none of 1 prompts fits"):
        distill(trainer, long[:1], teacher, DistillConfig(**ON))


def test_held_out_prompts_are_validated_on_with_the_same_draws(
    student: Student, teacher: Teacher, items: list[Item]
) -> None:
    """The same weights give the same divergence, and nothing of the training changes by looking."""
    config = {"validation_fraction": 0.3, "max_steps": 2, "checkpoint_interval": 1, "keep": "last"}
    with student("looked", **config) as trainer:
        result = distill(trainer, items[:6], teacher, DistillConfig(**ON))
        objective = distillation(
            items[:6],
            [teacher],
            trainer.config,
            DistillConfig(**ON),
            tokenizer=trainer.session.tokenizer,
            window=trainer.session.window,
        )
        assert objective.validate(trainer.session).loss == result.validation[-1]["loss"]
    assert len(result.validation) == 2
    assert result.kept.metrics["validation_loss"] == result.validation[-1]["loss"]
