"""Where the trained messages are in the text that a chat template makes of a conversation.

Where a trained message begins and ends is found by rendering less: up to the message with the header of an answer, and
up to and with the message. A place that the renderings do not agree on is none: nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from crucible.errors import DataError
from crucible.text.chat.places import bracket_in, bracketed, end_in, header_end, holds
from crucible.text.template import ChatTemplate, RenderedText, RenderJob

__all__ = ["Stretch", "StretchFinder"]

Plain = list[dict[str, Any]]


class Stretch(NamedTuple):
    """A trained part of the text, `[start, end)` in characters."""

    start: int
    end: int


class StretchFinder:
    """Finds the trained messages in what a template writes.

    Args:
        template: The template.
        job: Makes the rendering of plain messages; `answer=True`: with the header of an answer.
        special: Finds a special token of the tokenizer in a text.
    """

    def __init__(self, template: ChatTemplate, job: Callable[..., RenderJob], special: re.Pattern[str]) -> None:
        self._template = template
        self._job = job
        self._special = special

    def find(self, plain: Plain, flags: list[bool]) -> tuple[str, list[Stretch]]:
        """Return the text of a conversation, and the trained parts of it in order.

        Args:
            plain: The messages, as the template gets them.
            flags: Which are trained on.

        Raises:
            DataError: The template is broken, refuses the conversation, or rewrites a message so that its place cannot
                be told.
        """
        trained = [index for index, flag in enumerate(flags) if flag]
        jobs = [probe for index in trained for probe in self._probes(plain, index)]
        whole, *probes = self._template.try_render([self._job(plain), *jobs])
        if isinstance(whole, DataError):
            raise whole
        if trained[-1] == len(plain) - 1:
            probes.append(whole)  # up to and with the last message is all of it
        marked = _generated(whole, plain, trained)
        if marked is not None:
            return whole.text, marked
        stretches: list[Stretch] = []
        at = 0
        for number, index in enumerate(trained):
            before, with_it = probes[2 * number : 2 * number + 2]
            stretch = self._place(whole.text, at, plain, index, before, with_it)
            if stretch is None:
                raise DataError(
                    f"the chat template in {self._template.source} writes messages[{index}] of role "
                    f"{plain[index]['role']} otherwise when more follows, so its tokens cannot be told from the rest: "
                    "train on last_assistant_message, use a template with {% generation %} blocks, or name a renderer"
                )
            stretches.append(stretch)
            at = stretch.end
        return whole.text, stretches

    def _probes(self, plain: Plain, index: int) -> list[RenderJob]:
        upto = [self._job(plain[: index + 1])] if index < len(plain) - 1 else []
        if plain[index]["role"] == "assistant":
            return [self._job(plain[:index], answer=True), *upto]
        return [self._marked(plain, index), *upto]

    def _marked(self, plain: Plain, index: int) -> RenderJob:
        return self._job([*plain[:index], bracketed(plain[index]), *plain[index + 1 :]])

    def _place(
        self,
        text: str,
        at: int,
        plain: Plain,
        index: int,
        before: RenderedText | DataError,
        with_it: RenderedText | DataError,
    ) -> Stretch | None:
        """Return where the trained part of message `index` is in `text`, None if it cannot be told."""
        if isinstance(before, DataError):
            raise before
        if isinstance(with_it, DataError):
            raise with_it
        if plain[index]["role"] != "assistant":
            words = bracket_in(before.text, text)
            start = None if words is None else words.start
        elif text.startswith(before.text):
            start = len(before.text)
        else:
            start = self._after_header(text, plain, index, before.text)
        end = None if start is None else end_in(text, start, with_it.text)
        if start is None or end is None or start < at:
            return None
        closing = [match.end() for match in self._special.finditer(text, start, end)]
        end = closing[-1] if closing else end
        return Stretch(start, end) if holds(text[start:end], plain[index]) else None

    def _after_header(self, text: str, plain: Plain, index: int, prompt: str) -> int | None:
        """Return where an answer begins whose prompt is written otherwise when more follows.

        The header may end otherwise (such as without `<think>`), or something before it may be written otherwise; the
        answer begins after its header, between the words of the message before it and its own.
        """
        jobs = [self._marked(plain, index)]
        if index:
            jobs += [self._marked(plain, index - 1), self._job(plain[:index])]
        own, *rest = self._template.try_render(jobs)
        words = None if isinstance(own, DataError) else bracket_in(own.text, text)
        previous, shorter = rest or (None, RenderedText(""))
        if words is None or isinstance(shorter, DataError) or isinstance(previous, DataError):
            return None
        earlier = None if previous is None else bracket_in(previous.text, text)
        if previous is not None and earlier is None:
            return None
        low = 0 if earlier is None else earlier.end
        if not prompt.startswith(shorter.text):
            return None
        return header_end(text, low, words.start, prompt, len(shorter.text), self._special)


def _generated(whole: RenderedText, plain: Plain, trained: list[int]) -> list[Stretch] | None:
    """Return the places that the template itself marks, if it marks every message of an assistant."""
    assistants = [index for index, message in enumerate(plain) if message["role"] == "assistant"]
    if not whole.generation or len(whole.generation) != len(assistants) or not set(trained) <= set(assistants):
        return None
    return [Stretch(*whole.generation[assistants.index(index)]) for index in trained]
