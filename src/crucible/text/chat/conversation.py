"""A conversation as one datum: which renderer writes it, and what happens when it does not fit.

Too long a conversation loses its oldest exchanges whole, then the beginning of the longest text that is not trained
on; what is trained on is kept whole or left out whole, and the system message stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from crucible.errors import DataError
from crucible.text.chat.markup import MarkupEncoder, chat_tokenizer
from crucible.text.chat.messages import Message, as_messages
from crucible.text.chat.registry import get_renderer, list_renderers
from crucible.text.chat.renderer import Renderer, Weighted
from crucible.text.chat.template_renderer import TemplateRenderer
from crucible.text.chat.train_on import TrainOnWhat, trained_messages
from crucible.text.completion import Rendered
from crucible.text.tokenizer import Tokenizer

__all__ = ["render_conversation", "renderer_for"]

_TRIES = 4


def renderer_for(
    tokenizer: Tokenizer, renderer: str | Renderer | None = None, *, tools: Sequence[Mapping[str, Any]] | None = None
) -> Renderer:
    """Return the renderer that writes chats for a tokenizer; keep it for many conversations.

    Args:
        tokenizer: The base model's.
        renderer: A renderer, the name of one or of a model; None: the tokenizer's own chat template.
        tools: Declarations of tools, for the template; the named renderers write none.

    Raises:
        DataError: No renderer is named and the tokenizer has no template; or tools are given to a named renderer.
    """
    if renderer is None:
        if not chat_tokenizer(tokenizer).chat_templates:
            raise DataError(
                "the tokenizer has no chat template, so a renderer must be named; known: " + ", ".join(list_renderers())
            )
        return TemplateRenderer(tokenizer, tools=tools)
    if tools is not None:
        raise DataError(
            "declarations of tools are written by a tokenizer's own template only; with a named renderer, put them "
            "into the system message"
        )
    return get_renderer(renderer, tokenizer) if isinstance(renderer, str) else renderer


def render_conversation(
    tokenizer: Tokenizer,
    messages: Iterable[Any],
    *,
    renderer: str | Renderer | None = None,
    train_on: TrainOnWhat | str = TrainOnWhat.LAST_ASSISTANT_MESSAGE,
    max_length: int | None = None,
    on_overflow: Literal["truncate", "refuse"] = "truncate",
    tools: Sequence[Mapping[str, Any]] | None = None,
) -> Rendered:
    """Return the datum that teaches what `train_on` says of a conversation.

    Args:
        tokenizer: The base model's.
        messages: The conversation, as `as_messages` reads it.
        renderer: A renderer, the name of one or of a model; None: the tokenizer's own chat template.
        train_on: What is trained on.
        max_length: Most input tokens that the model takes; None: any number.
        on_overflow: `"truncate"` leaves out the oldest exchanges (a user's message and what follows up to the next),
            then cuts the longest text that is not trained on from the left; `"refuse"` raises instead.
        tools: Declarations of tools, for the template.

    Raises:
        DataError: No renderer fits, the conversation is none, nothing would be trained on, or it does not fit.
    """
    writer = renderer_for(tokenizer, renderer, tools=tools)
    read = as_messages(messages)
    whole = writer.weighted(read, train_on)
    excess = _excess(whole, max_length)
    if excess <= 0:
        return Rendered(whole.datum(), truncated=False)
    assert max_length is not None  # noqa: S101  # there is no excess without it
    if on_overflow == "refuse":
        raise DataError(
            f"the conversation needs {max_length + excess} tokens and the window holds {max_length}; shorten it, or "
            f"set on_overflow: truncate (it has {len(read)} messages)"
        )
    kept, shorter = read, whole
    while excess > 0:
        later = _without_oldest(kept, train_on)
        if later is None:
            break
        kept = later
        shorter = writer.weighted(kept, train_on)
        excess = _excess(shorter, max_length)
    if excess > 0:
        shorter = _cut(writer, tokenizer, kept, train_on, max_length)
    return Rendered(shorter.datum(), truncated=True, dropped_messages=len(read) - len(kept))


def _excess(weighted: Weighted, max_length: int | None) -> int:
    return 0 if max_length is None else len(weighted.tokens) - 1 - max_length  # the last token is never an input


def _without_oldest(messages: Sequence[Message], train_on: TrainOnWhat | str) -> tuple[Message, ...] | None:
    """Return the conversation without its oldest exchange; None if that would leave nothing to train on."""
    system = next((index for index, each in enumerate(messages) if each.role != "system"), len(messages))
    users = [index for index, message in enumerate(messages) if message.role == "user"]
    later = next((index for index in users if index > system), None)
    if later is None:
        return None
    kept = (*messages[:system], *messages[later:])
    try:
        trained_messages(kept, train_on)
    except DataError:
        return None
    return kept


def _cut(
    writer: Renderer,
    tokenizer: Tokenizer,
    messages: Sequence[Message],
    train_on: TrainOnWhat | str,
    max_length: int,
) -> Weighted:
    """Return the conversation with the longest text that is not trained on cut from the left until it fits.

    Raises:
        DataError: No such text is long enough.
    """
    flags = trained_messages(messages, train_on)
    letters = MarkupEncoder(tokenizer, ())  # a special token that is spelled must come back as it was spelled
    free = {
        index: letters.encode_text(message.content)
        for index, message in enumerate(messages)
        if not flags[index] and message.role != "system" and isinstance(message.content, str)
    }
    longest = max(free, key=lambda index: len(free[index]), default=None)
    current = list(messages)
    weighted = writer.weighted(current, train_on)
    if longest is not None:
        dropped = 0
        for _ in range(_TRIES):  # what is left may have another count of tokens on its own
            dropped += _excess(weighted, max_length)
            left = free[longest][dropped:]
            if not left:
                break
            text = tokenizer.decode(left).lstrip("\ufffd")
            current[longest] = msgspec.structs.replace(messages[longest], content=text)
            weighted = writer.weighted(current, train_on)
            if _excess(weighted, max_length) <= 0:
                return weighted
    trained = sum(weight != 0 for weight in weighted.weights)
    raise DataError(
        f"the conversation does not fit: {trained} tokens are trained on, {len(weighted.tokens) - trained} are left "
        f"around them after all that may be cut, and the window holds {max_length}; shorten it or use a longer window"
    )
