"""Which messages of a conversation are trained on."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from crucible.errors import DataError
from crucible.text.chat.messages import Message

__all__ = ["TrainOnWhat", "trained_messages"]


class TrainOnWhat(StrEnum):
    """What of a conversation is trained on.

    A message's header (who speaks) counts only under `ALL_TOKENS`; the start of the text never counts.
    """

    LAST_ASSISTANT_MESSAGE = "last_assistant_message"
    """The last message, which must be an assistant's."""
    ALL_ASSISTANT_MESSAGES = "all_assistant_messages"
    """Every message of an assistant."""
    ALL_MESSAGES = "all_messages"
    """Every message, without its header."""
    ALL_TOKENS = "all_tokens"
    """Every token but the start of the text."""
    ALL_USER_AND_SYSTEM_MESSAGES = "all_user_and_system_messages"
    """Every message of a user or the system, without its header."""
    CUSTOMIZED = "customized"
    """The messages whose `trainable` is true; every message must say."""

    @classmethod
    def _missing_(cls, value: object) -> TrainOnWhat:
        valid = [each.value for each in cls]
        raise DataError(f'Invalid TrainOnWhat value: "{value}". Valid values: {valid}')


def trained_messages(messages: Sequence[Message], train_on: TrainOnWhat | str) -> list[bool]:
    """Return for each message whether its content is trained on; at least one is.

    Raises:
        DataError: `train_on` is none of the six; `trainable` is set where it must not be, or missing where it must;
            or nothing would be trained on.
    """
    mode = TrainOnWhat(train_on)
    if mode is TrainOnWhat.CUSTOMIZED:
        if any(message.trainable is None for message in messages):
            raise DataError("When using CUSTOMIZED train_on_what, each message must have a trainable field")
        flags = [message.trainable is True for message in messages]
    elif any(message.trainable is not None for message in messages):
        raise DataError("When using non-CUSTOMIZED train_on_what, messages must not have trainable field")
    elif mode is TrainOnWhat.LAST_ASSISTANT_MESSAGE:
        if messages[-1].role != "assistant":
            raise DataError(
                f"last_assistant_message trains on the last message, and that is of role {messages[-1].role!r}: "
                "nothing would be trained on; end with an assistant's message, or use all_assistant_messages"
            )
        flags = [False] * (len(messages) - 1) + [True]
    elif mode is TrainOnWhat.ALL_ASSISTANT_MESSAGES:
        flags = [message.role == "assistant" for message in messages]
    elif mode is TrainOnWhat.ALL_USER_AND_SYSTEM_MESSAGES:
        flags = [message.role in {"user", "system"} for message in messages]
    else:
        flags = [True] * len(messages)
    if not any(flags):
        roles = sorted({message.role for message in messages})
        raise DataError(f"{mode.value} finds nothing to train on in messages of {', '.join(roles)}")
    return flags
