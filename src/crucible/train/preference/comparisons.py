"""Comparisons: a prompt, two answers, and which of them is preferred; and how an item of a dataset holds one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, cast

import msgspec

from crucible.data import Item
from crucible.errors import DataError
from crucible.ir.wording_text import show
from crucible.text import Message, as_messages

__all__ = ["Comparison", "Content", "comparison_of", "prompt_of", "read_comparisons"]

Content = str | tuple[Message, ...]
"""Text, or messages of a conversation."""

_LABELS: Final = {"a": "A", "b": "B", "tie": "Tie"}


class Comparison(msgspec.Struct, frozen=True):
    """Two answers to one prompt.

    Attributes:
        prompt: What was asked: text, or the conversation so far.
        completion_a: One answer.
        completion_b: The other.
        label: Which is preferred.
    """

    prompt: Content
    completion_a: Content
    completion_b: Content
    label: Literal["A", "B", "Tie"]

    @property
    def is_tie(self) -> bool:
        """Whether neither is preferred."""
        return self.label == "Tie"

    @property
    def chosen(self) -> Content:
        """The preferred answer; of a tie the first."""
        return self.completion_b if self.label == "B" else self.completion_a

    @property
    def rejected(self) -> Content:
        """The other answer."""
        return self.completion_a if self.label == "B" else self.completion_b

    def swapped(self) -> Comparison:
        """Return the same comparison with the answers in the other order: whoever judges by place is found out."""
        label: Literal["A", "B", "Tie"] = "Tie" if self.is_tie else "A" if self.label == "B" else "B"
        return Comparison(self.prompt, self.completion_b, self.completion_a, label)


def comparison_of(item: Item) -> Comparison:
    """Return the comparison that an item holds.

    Either its metadata has `chosen` (or the item's answer is it) and `rejected`, each text or messages; or `comparison`
    with `prompt_conversation`, `completion_A` and `completion_B`, and a label A, B or Tie in `label` or as the answer.
    Where `chosen` and `rejected` are whole conversations, what they begin with alike is the prompt.

    Raises:
        DataError: It holds none, or one that cannot be read; names the item.
    """
    try:
        held = item.metadata.get("comparison")
        return _chosen_rejected(item) if held is None else _labelled(item, held)
    except (DataError, TypeError) as error:
        raise DataError(f'item "{item.id}": {error}') from error


def prompt_of(item: Item) -> Content:
    """Return what an item asks: its `messages`, or its input.

    Raises:
        DataError: Its messages are none; names the item.
    """
    try:
        return _prompt(item)
    except (DataError, TypeError) as error:
        raise DataError(f'item "{item.id}": {error}') from error


def read_comparisons(path: Path | str) -> list[Item]:
    """Return the items of a JSON Lines file, each line `{"comparison": {…}, "label": "A" | "B" | "Tie"}`.

    Their ids are the lines' numbers, unless a line has an `id`.

    Raises:
        DataError: The file cannot be read, or a line is no comparison; names the line.
    """
    items: list[Item] = []
    try:
        lines = Path(path).read_text(encoding="utf-8").split("\n")  # splitlines() cuts at U+2028 inside of a string
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row: Any = json.loads(line)
            item = Item(str(row.get("id", number)), "", None, dict(row))
            comparison = comparison_of(item)
        except (ValueError, AttributeError, TypeError) as error:
            raise DataError(f"{path}, line {number}: {error}") from error
        items.append(msgspec.structs.replace(item, input=_as_text(comparison.prompt)))
    return items


def _as_text(prompt: Content) -> str:
    return prompt if isinstance(prompt, str) else msgspec.json.encode(prompt).decode()


def _labelled(item: Item, held: Any) -> Comparison:
    if not isinstance(held, Mapping):
        raise DataError(f"comparison must be an object, got {type(held).__name__}")
    given = cast("Mapping[Any, Any]", held)
    fields = {str(key).lower(): value for key, value in given.items()}
    missing = [
        name for name in ("prompt_conversation", "completion_A", "completion_B") if fields.get(name.lower()) is None
    ]
    if missing:
        raise DataError(f"comparison lacks {', '.join(missing)}; it has: {', '.join(map(str, given)) or 'nothing'}")
    return Comparison(
        _content(fields["prompt_conversation"], "prompt_conversation"),
        _content(fields["completion_a"], "completion_A"),
        _content(fields["completion_b"], "completion_B"),
        _label(item.metadata.get("label", item.expected)),
    )


def _label(given: Any) -> Literal["A", "B", "Tie"]:
    label = _LABELS.get(given.strip().lower()) if isinstance(given, str) else None
    if label is None:
        raise DataError(f"its label must be A, B or Tie, got {show(given)}")
    return cast('Literal["A", "B", "Tie"]', label)


def _chosen_rejected(item: Item) -> Comparison:
    metadata = item.metadata
    given = {"chosen": metadata.get("chosen", item.expected), "rejected": metadata.get("rejected")}
    missing = [name for name, value in given.items() if value is None]
    if missing:
        raise DataError(
            f"it is no comparison: {' and '.join(missing)} missing in its metadata; give chosen and rejected, "
            "or comparison and label"
        )
    chosen, rejected = (_content(value, name) for name, value in given.items())
    if isinstance(chosen, str) is not isinstance(rejected, str):
        raise DataError("chosen and rejected must both be text, or both be lists of messages")
    prompt = _prompt(item)
    if not isinstance(chosen, str) and not isinstance(rejected, str) and chosen[0].role != "assistant":
        prompt, chosen, rejected = _split(chosen, rejected)
    label = _label(metadata["label"]) if "label" in metadata else "A"
    return Comparison(prompt, chosen, rejected, label)


def _prompt(item: Item) -> Content:
    given: Any = item.metadata.get("messages", item.input)  # an input may be a list of messages, as elsewhere
    return _content(given, "messages")


def _split(
    chosen: Sequence[Message], rejected: Sequence[Message]
) -> tuple[tuple[Message, ...], tuple[Message, ...], tuple[Message, ...]]:
    """Return what two conversations begin with alike, and what is left of each: an answer at least."""
    most = min(len(chosen), len(rejected)) - 1
    alike = next((place for place in range(most) if chosen[place] != rejected[place]), most)
    if not alike:
        raise DataError("chosen and rejected do not begin with the same message, so there is no common prompt")
    return tuple(chosen[:alike]), tuple(chosen[alike:]), tuple(rejected[alike:])


def _content(given: Any, name: str) -> Content:
    if isinstance(given, str):
        return given
    if isinstance(given, Mapping):
        given = (given,)
    try:
        return as_messages(cast("Sequence[Any]", given))
    except (DataError, TypeError) as error:
        raise DataError(f"{name}: {error}") from error
