"""From the items of a dataset to what a step trains on: data with completion-only weights, some held out.

What does not fit the model's window is shortened or left out, and counted; what
cannot be trained on is an error by name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

import msgspec

from crucible import events
from crucible.data import Dataset, Item, input_key, permutation
from crucible.errors import DataError, TrainError
from crucible.ir import LoraConfig
from crucible.text import Datum, Rendered, Tokenizer, completion_datum
from crucible.train.conversations import asked, conversation, conversation_datum

__all__ = [
    "Example",
    "TrainingData",
    "are_synthetic",
    "hold_out",
    "items_digest",
    "mean_weighted",
    "prepare",
]


class _Asking(Protocol):
    @property
    def asks(self) -> str: ...


A = TypeVar("A", bound=_Asking)


class Example(msgspec.Struct, frozen=True):
    """One item, rendered.

    Args:
        item_id: The item's id, for messages.
        asks: What items with the same input share, whatever their case and white space.
        datum: Its tokens; weights are 1 on the answer and the end token, 0 on the prompt. Of a conversation: 1 on
            what `train_on` names.
        trained_tokens: Sum of the weights, above 0.
    """

    item_id: str
    asks: str
    datum: Datum
    trained_tokens: float


class TrainingData(msgspec.Struct, frozen=True):
    """Everything a training reads.

    Args:
        train: Examples to train on, at least one.
        validation: Examples held out; empty if none were asked for.
        truncated: Items whose prompt was shortened.
        refused: Items left out because they do not fit.
        digest: SHA-256 of the items, so that a resumed training notices other data.
        synthetic: Items are made up.
    """

    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    truncated: int
    refused: int
    digest: str
    synthetic: bool


def prepare(items: Iterable[Item], tokenizer: Tokenizer, config: LoraConfig, window: int) -> TrainingData:
    """Render items and hold out a share for validation.

    Items with the same input are held out together or not at all, so no validation item is trained on.

    Args:
        items: A dataset or any items with answers.
        tokenizer: The base model's.
        config: Window, overflow rule, share held out, seed.
        window: Most input tokens that the model takes.

    Raises:
        DataError: There is no item, one has no prompt, no answer or nothing to train on, none fits, or too few are left
            to hold some out.
        TrainError: `max_length` exceeds the window.
    """
    chosen = list(items)
    if not chosen:
        raise DataError("the training dataset is empty; training needs at least one item with an answer")
    if config.max_length is not None and config.max_length > window:
        raise TrainError(f"max_length is {config.max_length} and the model's window holds {window} tokens; lower it")
    examples, cut, left_out = _render_all(chosen, tokenizer, config, config.max_length or window)
    _tell(len(chosen), cut, left_out, config.max_length or window)
    train, validation = hold_out(examples, config)
    return TrainingData(
        train, validation, len(cut), len(left_out), items_digest(chosen), synthetic=are_synthetic(items, chosen)
    )


def mean_weighted(batch: Sequence[Example], trained_tokens: float | None = None) -> list[Datum]:
    """Return the batch's data with divided weights, so that the summed loss is the mean per trained token.

    Args:
        batch: The examples of one request.
        trained_tokens: What to divide by: the trained tokens of all requests of the step; None: of this one.
    """
    total = trained_tokens or sum(example.trained_tokens for example in batch)
    return [
        msgspec.structs.replace(example.datum, weights=tuple(weight / total for weight in example.datum.weights))
        for example in batch
    ]


def _render_all(
    items: Sequence[Item], tokenizer: Tokenizer, config: LoraConfig, max_length: int
) -> tuple[list[Example], list[str], list[str]]:
    """Return the examples, the ids of shortened items and the ids of those left out."""
    examples: list[Example] = []
    cut: list[str] = []
    left_out: list[str] = []
    for item in items:
        messages = conversation(item)
        if messages is None:
            rendered = _render_completion(item, tokenizer, config, max_length)
        else:
            rendered = conversation_datum(item, messages, tokenizer, config, max_length)
        if rendered is None:
            left_out.append(item.id)
            continue
        if rendered.truncated:
            cut.append(item.id)
        trained_tokens = sum(rendered.datum.weights)
        if not trained_tokens > 0:
            raise DataError(
                f'item "{item.id}" has weights that sum to {trained_tokens:g}, so there is nothing to train on'
            )
        asks = input_key(item.input if messages is None else asked(messages))
        examples.append(Example(item.id, asks, rendered.datum, trained_tokens))
    if not examples:
        raise DataError(
            f"none of the {len(items)} training items fits into {max_length} tokens; "
            "raise max_length, use a model with a longer window, or shorten the items"
        )
    return examples, cut, left_out


def _render_completion(item: Item, tokenizer: Tokenizer, config: LoraConfig, max_length: int) -> Rendered | None:
    """Return prompt and answer of an item as a datum; None where it is too long.

    Raises:
        DataError: It has no prompt, or no answer.
    """
    if not item.expected:
        raise DataError(f'item "{item.id}" has no answer; training needs one for every item')
    if not item.input and tokenizer.bos_id is None:
        raise DataError(f'item "{item.id}" has no prompt; training needs one for every item')
    try:
        return completion_datum(
            tokenizer, item.input, item.expected, max_length=max_length, on_overflow=config.on_overflow
        )
    except DataError:
        _check_has_tokens(item, tokenizer)
        return None  # with tokens in prompt and answer, it can only be too long


def _check_has_tokens(item: Item, tokenizer: Tokenizer) -> None:
    for what, text in (("answer", item.expected or ""), ("prompt", item.input if tokenizer.bos_id is None else "")):
        if text and not tokenizer.encode(text):
            raise DataError(
                f'item "{item.id}" has a text as its {what} of which the tokenizer makes no token ({text[:40]!r}); '
                "change the text, or use another base model"
            )


def _tell(count: int, cut: list[str], left_out: list[str], max_length: int) -> None:
    for what, ids in (("shortened the prompts", cut), ("left out", left_out)):
        if ids:
            events.decision(
                f"{what} of {len(ids)} of {count} training items"
                if ids is cut
                else f"{what} {len(ids)} of {count} training items",
                f"they are longer than {max_length} tokens: {_listed(ids)}",
                metadata={"items": len(ids), "max_length": max_length},
            )


def _listed(ids: Sequence[str], most: int = 5) -> str:
    more = f" and {len(ids) - most} more" if len(ids) > most else ""
    return ", ".join(ids[:most]) + more


def hold_out(examples: Sequence[A], config: LoraConfig) -> tuple[tuple[A, ...], tuple[A, ...]]:
    """Return what is trained on and what is held out; what asks the same is held out together or not at all.

    Args:
        examples: All there are.
        config: The share held out, and the seed of the choice.

    Raises:
        DataError: There are fewer than two that ask differently, and some are to be held out.
    """
    if config.validation_fraction == 0:
        return tuple(examples), ()
    inputs = list(dict.fromkeys(example.asks for example in examples))
    count = len(inputs)
    if count < 2:
        raise DataError(
            f"validation_fraction needs at least 2 items with different inputs, got {count}; "
            "set it to 0 or give more items"
        )
    size = min(max(round(count * config.validation_fraction), 1), count - 1)
    held = {inputs[index] for index in permutation(count, config.seed, purpose="validation")[:size]}
    train = tuple(example for example in examples if example.asks not in held)
    validation = tuple(example for example in examples if example.asks in held)
    _tell_together(len(validation) - size, size)
    return train, validation


def _tell_together(repeats: int, inputs: int) -> None:
    if repeats:
        events.decision(
            f"held out {repeats} more item{'s' if repeats > 1 else ''} for validation",
            f"the input is one of the {inputs} held out, so training on it would make the validation loss too good",
            metadata={"items": repeats, "inputs": inputs},
        )


def are_synthetic(items: Iterable[Item], chosen: Sequence[Item]) -> bool:
    """Say whether items are made up, by their dataset or by what one of them says.

    Args:
        items: A dataset, or any items.
        chosen: The same, as a list.
    """
    if isinstance(items, Dataset) and items.provenance.synthetic:
        return True
    return any(item.metadata.get("synthetic") is True for item in chosen)


def items_digest(items: Iterable[Item]) -> str:
    """Return the hex SHA-256 of what items ask and expect, so that a resumed training notices other data."""
    digest = hashlib.sha256()
    for item in items:
        messages = conversation(item)
        tools = item.metadata.get("tools")
        chat = () if messages is None else (messages,) if tools is None else (messages, tools)
        digest.update(msgspec.json.encode((item.id, item.input, item.expected, *chat)) + b"\n")
    return digest.hexdigest()
