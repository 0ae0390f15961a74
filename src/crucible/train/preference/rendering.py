"""Answers to one prompt as data, with weights of 1 on the answers and the same prompt before each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from crucible.errors import DataError
from crucible.ir import LoraConfig
from crucible.text import Datum, Message, Rendered, Tokenizer, completion_datum, render_conversation
from crucible.train.preference.comparisons import Content

__all__ = ["Answers", "render_answers"]

_UNLIMITED = 2**62


class Answers(msgspec.Struct, frozen=True):
    """Rendered answers to one prompt.

    Attributes:
        data: One an answer.
        truncated: The prompt was shortened, for all of them alike.
    """

    data: tuple[Datum, ...]
    truncated: bool


def render_answers(
    prompt: Content,
    answers: Sequence[Content],
    tokenizer: Tokenizer,
    config: LoraConfig,
    max_length: int,
    *,
    tools: Sequence[Mapping[str, Any]] | None = None,
) -> Answers | None:
    """Return the data of answers to a prompt; None where the longest does not fit and nothing may be cut for it.

    What the longest answer costs the prompt, it costs it before every other one: the answers are compared after the
    same words.

    Args:
        prompt: Text, or the conversation so far.
        answers: At least one.
        tokenizer: The base model's.
        config: Renderer, overflow rule.
        max_length: Most input tokens.
        tools: Declarations of tools, for the renderer.

    Raises:
        DataError: Something is empty or cannot be rendered.
    """

    def render(answer: Content, limit: int) -> Rendered:
        if isinstance(prompt, str) and isinstance(answer, str):
            return completion_datum(tokenizer, prompt, answer, max_length=limit)
        how: dict[str, Any] = {"renderer": config.renderer, "train_on": "customized", "tools": tools}
        return render_conversation(tokenizer, _conversation(prompt, answer), **how, max_length=limit)

    whole = [render(answer, _UNLIMITED) for answer in answers]
    excess = max(len(each.datum) for each in whole) - max_length
    if excess <= 0:
        return Answers(tuple(each.datum for each in whole), truncated=False)
    if config.on_overflow == "refuse" or any(len(each.datum) <= excess for each in whole):
        return None
    try:
        cut = [render(answer, len(each.datum) - excess) for answer, each in zip(answers, whole, strict=True)]
    except DataError:  # rendered once already, so it can only be too long
        return None
    if len({_before_answer(each.datum) for each in cut}) > 1:  # whole messages went, and not the same ones
        return None
    return Answers(tuple(each.datum for each in cut), truncated=True)


def _before_answer(datum: Datum) -> tuple[int, ...]:
    """Return the input tokens before the first weighted target."""
    first = next(place for place, weight in enumerate(datum.weights) if weight)
    return datum.model_input.tokens[: first + 1]


def _conversation(prompt: Content, answer: Content) -> list[Message]:
    """Return both as one conversation in which only what the assistant answers is trained on."""
    asked = (Message("user", prompt),) if isinstance(prompt, str) else prompt
    answered = (Message("assistant", answer),) if isinstance(answer, str) else answer
    if all(message.role != "assistant" for message in answered):
        raise DataError("an answer that is a list of messages needs one of the assistant's")
    marked = [msgspec.structs.replace(message, trainable=False) for message in asked]
    return marked + [msgspec.structs.replace(message, trainable=message.role == "assistant") for message in answered]
