"""How a question, an item or a chat becomes the tokens that the policy reads first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from crucible.data import Item
from crucible.errors import DataError
from crucible.text import Message, Renderer, Tokenizer, as_messages, renderer_for
from crucible.train.conversations import conversation
from crucible.train.rl.observation import Observation

__all__ = ["prompt_observation", "question_observation"]


def prompt_observation(item: Item, tokenizer: Tokenizer, renderer: Renderer | str | None = None) -> Observation:
    """Return an item as a prompt: its text, or its messages up to where the policy is to go on.

    Args:
        item: Of a chat whose last message is the assistant's, that one is left out: it is the answer.
        tokenizer: The policy's.
        renderer: How a chat is written; None: the tokenizer's own template.

    Raises:
        DataError: There is no prompt, or the messages cannot be rendered; names the item.
    """
    try:
        messages = conversation(item)
        if messages is None:
            return _text(item.input, tokenizer)
        asks = messages[:-1] if messages[-1].role == "assistant" else messages
        return _chat(asks, tokenizer, renderer, tools=item.metadata.get("tools"))
    except DataError as error:
        raise DataError(f'item "{item.id}": {error}') from error


def question_observation(
    question: str,
    tokenizer: Tokenizer,
    convo_prefix: Sequence[Message | Mapping[str, Any]] = (),
    renderer: Renderer | str | None = None,
) -> Observation:
    """Return a question as text, or as a chat where there are messages ahead of it or a renderer is given.

    Args:
        question: What is asked.
        tokenizer: The policy's.
        convo_prefix: Messages ahead of it.
        renderer: How a chat is written; None: the tokenizer's own template.

    Raises:
        DataError: There is nothing to ask, or the chat cannot be rendered.
    """
    if convo_prefix or renderer is not None:
        return _chat([*convo_prefix, {"role": "user", "content": question}], tokenizer, renderer)
    return _text(question, tokenizer)


def _text(text: str, tokenizer: Tokenizer) -> Observation:
    start = () if tokenizer.bos_id is None else (tokenizer.bos_id,)
    tokens = (*start, *tokenizer.encode(text))
    if not tokens:
        raise DataError("there is no prompt, so there is nothing to answer")
    return Observation(tokens)


def _chat(
    messages: Iterable[Any],
    tokenizer: Tokenizer,
    renderer: Renderer | str | None,
    *,
    tools: Sequence[Mapping[str, Any]] | None = None,
) -> Observation:
    writer = renderer_for(tokenizer, renderer, tools=tools)
    prompt = writer.build_generation_prompt(as_messages(messages))
    texts = tuple(stop for stop in writer.stop_sequences if isinstance(stop, str))
    tokens = tuple(stop for stop in writer.stop_sequences if isinstance(stop, int))
    return Observation(tuple(prompt.tokens), texts, tokens)
