"""Items that are conversations: which they are, and how one becomes a datum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from crucible.data import Item
from crucible.errors import DataError
from crucible.ir import LoraConfig
from crucible.text import Message, Rendered, Tokenizer, as_messages, render_conversation

__all__ = ["asked", "conversation", "conversation_datum"]


def conversation(item: Item) -> tuple[Message, ...] | None:
    """Return the messages of an item: its `metadata["messages"]`, or its input where that is a list of them.

    Where the last one is not the assistant's, the expected answer follows it.

    Returns:
        None where the item is a prompt and an answer.

    Raises:
        DataError: It has messages that are none; names the item.
    """
    given: Any = item.metadata.get("messages", item.input)
    if isinstance(given, str):
        return None
    try:
        messages = as_messages(given)
    except (DataError, TypeError) as error:
        raise DataError(f'item "{item.id}": {error}') from error
    if messages[-1].role != "assistant" and item.expected:
        messages = (*messages, Message("assistant", item.expected))
    return messages


def asked(messages: Sequence[Message]) -> str:
    """Return what is asked, as text: everything before the last answer."""
    answers = [place for place, message in enumerate(messages) if message.role == "assistant"]
    return msgspec.json.encode(messages[: answers[-1]] if answers else messages).decode()


def conversation_datum(
    item: Item, messages: Sequence[Message], tokenizer: Tokenizer, config: LoraConfig, max_length: int
) -> Rendered | None:
    """Return a conversation as a datum with weights on what `train_on` names; None where it does not fit.

    Tools that the item's `metadata["tools"]` declares are for the renderer. What is trained on is never cut.

    Raises:
        DataError: It cannot be rendered, or no message of it is to be trained on; names the item.
    """
    how: dict[str, Any] = {
        "renderer": config.renderer,
        "train_on": config.train_on,
        "tools": item.metadata.get("tools"),
    }
    try:
        rendered = render_conversation(tokenizer, messages, **how)
    except DataError as error:
        raise DataError(f'item "{item.id}": {error}') from error
    if len(rendered.datum) <= max_length:
        return rendered
    try:
        return render_conversation(tokenizer, messages, **how, max_length=max_length, on_overflow=config.on_overflow)
    except DataError:  # rendered once already, so it can only be too long
        return None
