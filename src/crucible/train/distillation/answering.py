"""A teacher's own answers in place of the items', for training on them: sequence-level distillation.

Answers are greedy. Of several teachers each item asks one, drawn by their weights; an answer that does not end within
`max_tokens` teaches nobody where to stop, so its item is left out and counted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

import msgspec

from crucible import events
from crucible.backends import SamplingParams
from crucible.data import Item
from crucible.data.order import draw_seed
from crucible.errors import DataError
from crucible.pipeline import check_cancelled
from crucible.train.conversations import conversation
from crucible.train.distillation.sealed import Shelf
from crucible.train.distillation.teacher import Teacher, shares

__all__ = ["answered"]

_PART: Final = 64  # items a file, and a call


def answered(
    items: Sequence[Item], teachers: Sequence[Teacher], max_tokens: int, *, seed: int, shelf: Shelf
) -> list[Item]:
    """Return the items with a teacher's answers; those whose answer is empty or does not end are left out.

    Args:
        items: With prompts; what they expect is not looked at.
        teachers: One or several.
        max_tokens: Most tokens of an answer.
        seed: Decides which teacher an item asks, where there are several.
        shelf: Where what a teacher with a digest answers is kept.

    Raises:
        DataError: An item is a chat, or no answer can be used.
        BackendError: A teacher does not answer.
        Cancelled: The run was asked to stop; what was kept so far is kept.
        StoreError: The answers cannot be written.
    """
    for item in items:
        if conversation(item) is not None:
            raise DataError(
                f'answers: teacher asks for the answer to a plain prompt, and item "{item.id}" is a chat; '
                "use answers: own, or mode: on_policy"
            )
    bounds = list(accumulate(shares(teachers)))
    asked: list[list[int]] = [[] for _ in teachers]
    for place, item in enumerate(items):
        drawn = draw_seed(seed, f"teacher/{item.id}") / 2**63
        asked[next((n for n, bound in enumerate(bounds) if drawn < bound), len(teachers) - 1)].append(place)
    texts: dict[int, str | None] = {}
    for teacher, places in zip(teachers, asked, strict=True):
        for start in range(0, len(places), _PART):
            part = places[start : start + _PART]
            said = _said(teacher, [items[place].input for place in part], max_tokens, shelf)
            texts.update(zip(part, said, strict=True))
    found = [msgspec.structs.replace(item, expected=text) for place, item in enumerate(items) if (text := texts[place])]
    if len(found) < len(items):
        left_out = len(items) - len(found)
        events.decision(
            f"left out {left_out} of {len(items)} items",
            f"the teacher's answer is empty or does not end within {max_tokens} tokens",
            metadata={"items": left_out, "max_tokens": max_tokens},
        )
    if not found:
        raise DataError(
            f"none of the teacher's {len(items)} answers ends within {max_tokens} tokens; raise max_tokens, or teach "
            "the teacher the task first"
        )
    return found


def _said(teacher: Teacher, prompts: list[str], max_tokens: int, shelf: Shelf) -> list[str | None]:
    """Return the answers of one teacher, of the shelf where they are there; None for one that did not end."""
    digest = hashlib.sha256(msgspec.msgpack.encode(prompts)).hexdigest()
    of = {"teacher": teacher.digest or "", "max_tokens": str(max_tokens), "prompts": digest}
    content = None if teacher.digest is None else shelf.get(of)
    if content is not None:
        return msgspec.msgpack.decode(content, type=list[str | None])
    check_cancelled()
    samples = teacher.sampler.sample(prompts, SamplingParams(max_tokens=max_tokens))
    said = [sample.text if sample.stop_reason == "stop" else None for sample in samples]
    if teacher.digest is not None:
        shelf.put(of, msgspec.msgpack.encode(said))
    return said
