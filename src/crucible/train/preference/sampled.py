"""Comparisons of a model's own mistakes: the right answer is preferred to what the model answered instead.

Answers are drawn with a seed an item, and kept in a file: a training that goes on compares with the same ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from crucible import events
from crucible.backends import Sampler, SamplingParams
from crucible.data import Item
from crucible.data.order import draw_seed
from crucible.errors import DataError, StoreError
from crucible.ir import atomic_write

__all__ = ["with_rejected"]

_FORMAT: Final = "crucible-rejected/1"
_BATCH: Final = 64  # prompts a request


def with_rejected(
    items: Sequence[Item],
    sampler: Sampler,
    *,
    model: str,
    seed: int,
    max_tokens: int,
    path: Path,
    keeps_verdicts: bool = False,
) -> list[Item]:
    """Return items that are comparisons; those that were none prefer their answer to a sampled one, if that is wrong.

    Args:
        items: Comparisons are kept as they are; of the others each needs an answer to a prompt that is text. What
            their metadata calls `label` is no verdict on two answers, as of a question with choices, and is left out.
        sampler: Answers their prompts, at temperature 1.
        model: Its name, for events and metadata.
        seed: Decides what is drawn, an item apart from every other.
        max_tokens: Most tokens of an answer.
        path: Where the answers are kept.
        keeps_verdicts: Answers that were judged alone, as kto reads them, are kept as they are, too.

    Returns:
        All comparisons, and the items whose sampled answer differs from theirs; the others are told of.

    Raises:
        DataError: An item has no answer, or is a conversation; or no sampled answer is wrong and nothing else is left.
        BackendError: The model cannot answer.
        StoreError: The file cannot be read or written.
    """
    asked = [
        item
        for item in items
        if not ({"rejected", "comparison"} & item.metadata.keys() or (keeps_verdicts and _is_judged(item)))
    ]
    lacking = [item.id for item in asked if not item.expected]
    if lacking:
        raise DataError(
            f'item "{lacking[0]}" is no comparison and has no answer to be preferred; give one, or both to compare'
        )
    talks = [item.id for item in asked if "messages" in item.metadata]
    if talks:
        raise DataError(
            f'item "{talks[0]}" is a conversation, and a model is asked here for answers to text alone; '
            "give it chosen and rejected"
        )
    params = SamplingParams(max_tokens=max_tokens, temperature=1.0)
    answers = _answers(asked, sampler, params, seed, path, model)
    wrong = {item.id: answers[item.id] for item in asked if answers[item.id].strip() not in ("", _right(item))}
    events.decision(
        f"compares with {len(wrong)} of {len(asked)} answers of {model}",
        "the others are right or empty, so that nothing is to be preferred to them",
        metadata={"model": model, "items": len(wrong), "asked": len(asked)},
    )
    found = [
        item
        if item.id not in answers
        else msgspec.structs.replace(item, metadata={**_unlabelled(item), "rejected": wrong[item.id]})
        for item in items
        if item.id not in answers or item.id in wrong
    ]
    if not found:
        raise DataError(f"{model} answers all {len(asked)} items rightly or not at all; there is nothing to reject")
    return found


def _is_judged(item: Item) -> bool:
    return isinstance(item.metadata.get("desirable", item.metadata.get("label")), bool)


def _unlabelled(item: Item) -> dict[str, Any]:
    """Return an item's metadata with its answer as the preferred one, whatever else it calls a label or chosen."""
    kept = {name: value for name, value in item.metadata.items() if name not in ("label", "desirable")}
    return {**kept, "chosen": item.expected}


def _right(item: Item) -> str:
    return (item.expected or "").strip()


def _answers(
    asked: Sequence[Item], sampler: Sampler, params: SamplingParams, seed: int, path: Path, model: str
) -> Mapping[str, str]:
    """Return an answer an item: those of the file, where it is of the same items and settings."""
    said = [(item.id, item.input, item.expected) for item in asked]
    key = hashlib.sha256(msgspec.json.encode((said, model, seed, params.max_tokens))).hexdigest()
    kept = _read(path, key)
    if kept is not None:
        return kept
    answers: dict[str, str] = {}
    for start in range(0, len(asked), _BATCH):
        part = asked[start : start + _BATCH]
        seeds = tuple(draw_seed(seed, item.id) for item in part)
        drawn = sampler.sample([item.input for item in part], msgspec.structs.replace(params, seeds=seeds))
        answers |= {item.id: sample.text for item, sample in zip(part, drawn, strict=True)}
    atomic_write(path, json.dumps({"format": _FORMAT, "key": key, "answers": answers}))
    return answers


def _read(path: Path, key: str) -> dict[str, str] | None:
    try:
        content: Any = json.loads(path.read_bytes())
        if content["format"] != _FORMAT or content["key"] != key:
            return None
        return msgspec.convert(content["answers"], dict[str, str])
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error}") from error
    except (ValueError, KeyError, TypeError):  # damaged: they are drawn again
        return None
