"""From items, teachers and settings to the objective of a distillation.

What does not fit is shortened or left out, and counted; what cannot be distilled is an error by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from crucible import events
from crucible.backends.prompts import cut_to_fit
from crucible.data import Item, input_key
from crucible.errors import DataError, TrainError
from crucible.ir import LoraConfig
from crucible.text import Tokenizer
from crucible.train.conversations import asked, conversation
from crucible.train.distillation.answering import answered
from crucible.train.distillation.off_policy import OffPolicy
from crucible.train.distillation.on_policy import OnPolicy
from crucible.train.distillation.sealed import Shelf
from crucible.train.distillation.settings import DistillConfig, config_refusals
from crucible.train.distillation.student_samples import Prompt
from crucible.train.distillation.targets import top_targets
from crucible.train.distillation.teacher import Teacher, shares
from crucible.train.distillation.vocabulary import check_vocabulary
from crucible.train.examples import Example, are_synthetic, hold_out, items_digest, prepare
from crucible.train.objective import Material
from crucible.train.rl.prompting import prompt_observation

__all__ = ["distillation"]


class _Task(msgspec.Struct, frozen=True, kw_only=True):
    """All but the items; `limit` is the most tokens of an example."""

    teachers: tuple[Teacher, ...]
    config: LoraConfig
    settings: DistillConfig
    tokenizer: Tokenizer
    limit: int
    shelf: Shelf
    synthetic: bool
    identity: dict[str, Any]


def distillation(
    dataset: Iterable[Item],
    teachers: Sequence[Teacher],
    config: LoraConfig,
    settings: DistillConfig,
    *,
    tokenizer: Tokenizer,
    window: int,
    shelf: Path | None = None,
) -> OffPolicy | OnPolicy:
    """Return what a student is trained for.

    Args:
        dataset: Items with prompts; with answers too, unless only the student's or the teacher's are trained on.
        teachers: One or several; they must speak of the student's tokens.
        config: How the student is trained. Its `loss` stays `cross_entropy`: the settings say what is lost.
        settings: How it is distilled.
        tokenizer: The student's.
        window: Most tokens that the student takes.
        shelf: Folder where what teachers with a digest say is kept for another time; None: nothing is.

    Raises:
        TrainError: The settings contradict each other, a teacher's vocabulary is another one or its weight is out of
            range, or `max_length` exceeds the window.
        DataError: The items cannot be trained on.
        BackendError: A teacher does not answer, or cannot say how likely tokens are.
        Cancelled: The run was asked to stop.
        StoreError: What a teacher said cannot be kept.
    """
    problems = settings.problems() + config_refusals(config, settings)
    if problems:
        raise TrainError("; ".join(f"{field} {problem}" for field, problem in problems))
    share = shares(teachers)
    chosen = list(dataset)
    if not chosen:
        raise DataError("the dataset is empty; a distillation needs at least one item with a prompt")
    for teacher in teachers:
        check_vocabulary(teacher.name, teacher.sampler.tokenizer, tokenizer, _texts(chosen))
    synthetic = are_synthetic(dataset, chosen) or any(teacher.synthetic for teacher in teachers)
    identity: dict[str, Any] = {
        "distillation": settings.model_dump(mode="json"),
        "teachers": [[teacher.digest or teacher.name, weight] for teacher, weight in zip(teachers, share, strict=True)],
    }
    task = _Task(
        teachers=tuple(teachers),
        config=config,
        settings=settings,
        tokenizer=tokenizer,
        limit=_limit(config, window),
        shelf=Shelf(shelf),
        synthetic=synthetic,
        identity=identity,
    )
    return _on_policy(chosen, task) if settings.mode == "on_policy" else _off_policy(chosen, task)


def _limit(config: LoraConfig, window: int) -> int:
    """Return the most tokens of an example; one less than the window, for a teacher reads the last token as well."""
    if config.max_length is not None and config.max_length > window:
        raise TrainError(f"max_length is {config.max_length} and the model's window holds {window} tokens; lower it")
    return min(config.max_length or window, window - 1)


def _off_policy(items: list[Item], task: _Task) -> OffPolicy:
    config, settings, left_out = task.config, task.settings, 0
    if settings.answers == "teacher":
        there = answered(items, task.teachers, settings.max_tokens, seed=config.seed, shelf=task.shelf)
        left_out, items = len(items) - len(there), there
    data = prepare(items, task.tokenizer, config.model_copy(update={"max_length": task.limit}), task.limit)
    data = msgspec.structs.replace(data, refused=data.refused + left_out, synthetic=task.synthetic)
    targets = None
    if settings.alpha > 0:
        targets = top_targets(task.teachers, (*data.train, *data.validation), settings.top_k, shelf=task.shelf)
    return OffPolicy(data, config, settings, targets, identity=task.identity)


def _on_policy(items: list[Item], task: _Task) -> OnPolicy:
    config, settings = task.config, task.settings
    room = task.limit - settings.max_tokens
    if room < 1:
        raise TrainError(
            f"max_tokens is {settings.max_tokens}, which leaves no room for a prompt in {task.limit} tokens; lower it"
        )
    prompts: list[Prompt] = []
    cut = 0
    for item in items:
        prompt, is_cut = _prompt(item, task.tokenizer, config, room)
        cut += is_cut
        if prompt is not None:
            prompts.append(prompt)
    refused = len(items) - len(prompts)
    for what, count in (("shortened the prompts of", cut), ("left out", refused)):
        if count:
            why = f"they are longer than {room} tokens, and {settings.max_tokens} are kept for the answer"
            events.decision(f"{what} {count} of {len(items)} items", why, metadata={"items": count})
    if not prompts:
        raise DataError(f"none of {len(items)} prompts fits into {room} tokens; lower max_tokens, or shorten them")
    train, held_out = hold_out(prompts, config)
    material = Material(
        items=len(train),
        held_out=len(held_out),
        truncated=cut,
        refused=refused,
        digest=items_digest(items),
        synthetic=task.synthetic,
    )
    answers = _answers(items, train, task) if settings.alpha < 1 else None
    return OnPolicy(
        train, held_out, config, settings, task.teachers, material=material, identity=task.identity, answers=answers
    )


def _prompt(item: Item, tokenizer: Tokenizer, config: LoraConfig, room: int) -> tuple[Prompt | None, bool]:
    """Return an item's prompt, None where it does not fit, and whether its beginning was cut; chats are never cut."""
    messages = conversation(item)
    observation = prompt_observation(item, tokenizer, config.renderer)
    asks = input_key(item.input if messages is None else asked(messages))
    if len(observation.tokens) <= room:
        return Prompt(item.id, asks, observation), False
    if messages is not None or config.on_overflow == "refuse":
        return None, False
    kept = tuple(cut_to_fit(tokenizer, list(observation.tokens), room))
    return Prompt(item.id, asks, msgspec.structs.replace(observation, tokens=kept)), True


def _answers(items: Sequence[Item], train: Sequence[Prompt], task: _Task) -> dict[str, Example]:
    """Return the items' own answers, by item.

    Raises:
        DataError: One has none, or does not fit.
    """
    wanted = {prompt.item_id for prompt in train}
    whole = task.config.model_copy(update={"max_length": task.limit, "validation_fraction": 0.0})
    data = prepare([item for item in items if item.id in wanted], task.tokenizer, whole, task.limit)
    found = {example.item_id: example for example in data.train}
    missing = sorted(wanted - found.keys())
    if missing:
        raise DataError(f'the answer of item "{missing[0]}" does not fit into {task.limit} tokens; raise max_length')
    return found


def _texts(items: Sequence[Item]) -> Iterator[str]:
    """Yield what the items ask and expect, as far as it is text."""
    for item in items:
        messages = conversation(item)
        yield item.input if messages is None else asked(messages)
        if item.expected:
            yield item.expected
