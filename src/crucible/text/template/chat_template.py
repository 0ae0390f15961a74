"""One chat template, and the process that renders it.

The process is started at the first rendering, kept for the next ones, and ended with the template or when it hangs.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from crucible.errors import DataError
from crucible.text.template.process import RenderProcess

__all__ = ["MAX_TEMPLATE_CHARACTERS", "ChatTemplate", "RenderJob", "RenderedText"]

MAX_TEMPLATE_CHARACTERS = 1 << 18
"""Longest template that is read; the longest of known models has 20,000 characters."""


class RenderJob(msgspec.Struct, frozen=True):
    """One rendering.

    Attributes:
        messages: The conversation, as plain mappings.
        add_generation_prompt: Whether the header of an answer follows.
        tools: Declarations of tools; None if there are none.
        variables: What else the template may read, such as `enable_thinking`.
    """

    messages: Sequence[Mapping[str, Any]]
    add_generation_prompt: bool = False
    tools: Sequence[Mapping[str, Any]] | None = None
    variables: Mapping[str, Any] = {}


class RenderedText(msgspec.Struct, frozen=True):
    """What came out.

    Attributes:
        text: The conversation as text.
        generation: Places of the `{% generation %}` blocks in it, `[start, end)`, in characters.
    """

    text: str
    generation: tuple[tuple[int, int], ...] = ()


class ChatTemplate:
    """A chat template of a tokenizer.

    May be used from any thread; renderings of one template follow each other.

    Args:
        text: The Jinja source.
        source: Where it came from, for messages.
        time_limit_s: Longest that the template may take for one call of `render`.
        now: Clock of `strftime_now`; the wall clock in local time if None.

    Raises:
        DataError: The source is too long.
    """

    def __init__(
        self, text: str, source: str = "the template", *, time_limit_s: float = 20.0, now: datetime | None = None
    ) -> None:
        if len(text) > MAX_TEMPLATE_CHARACTERS:
            raise DataError(
                f"the chat template in {source} has {len(text)} characters and at most {MAX_TEMPLATE_CHARACTERS} are "
                "read; it is no template that anybody wrote"
            )
        self.text = text
        self.source = source
        self.time_limit_s = time_limit_s
        self.now = now
        self._lock = threading.Lock()
        self._process: RenderProcess | None = None
        _made.add(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.text, self.source, self.time_limit_s, self.now)

    @property
    def has_generation_blocks(self) -> bool:
        """Whether the template marks by itself what an assistant generated."""
        return "endgeneration" in self.text

    def render(self, jobs: Sequence[RenderJob]) -> list[RenderedText]:
        """Render conversations.

        Args:
            jobs: What to render; one call costs one exchange with the process, however many there are.

        Raises:
            DataError: The template is broken, refuses a conversation (its own words are told), does what the sandbox
                forbids, takes too long or too much memory, or a value is no JSON.
            MissingExtra: Jinja is not installed.
        """
        results = self.try_render(jobs)
        for result in results:
            if isinstance(result, DataError):
                raise result
        return [result for result in results if isinstance(result, RenderedText)]

    def try_render(self, jobs: Sequence[RenderJob]) -> list[RenderedText | DataError]:
        """Render conversations, each with what came of it: the text, or the error of the template.

        Raises:
            DataError: What concerns them all: a broken template, one that takes too long, a value that is no JSON.
            MissingExtra: Jinja is not installed.
        """
        now = self.now or datetime.now().astimezone()
        try:
            request = msgspec.json.encode({"now": now.isoformat(), "jobs": jobs})
        except (TypeError, ValueError, RecursionError) as error:
            raise DataError(
                f"a conversation for the chat template in {self.source} is no plain JSON: {error}"
            ) from error
        with self._lock:
            running = self._running()
            answer = running.ask(request, time.monotonic() + self.time_limit_s)  # neither its start nor a queue counts
        try:
            read = msgspec.json.decode(answer)
        except msgspec.DecodeError as error:
            raise DataError(f"the chat template in {self.source} makes text that is none: {error}") from error
        return [self._result(result) for result in read["results"]]

    def _result(self, result: Mapping[str, Any]) -> RenderedText | DataError:
        if "error" in result:
            return DataError(f"the chat template in {self.source} {result['error']}")
        return RenderedText(result["text"], tuple((start, end) for start, end in result["generation"]))

    def _running(self) -> RenderProcess:
        process = self._process
        if process is not None and process.is_alive:
            return process
        process = self._process = RenderProcess(self.text, self.source, self.time_limit_s)
        weakref.finalize(self, process.close)
        return process

    def close(self) -> None:
        """End the process; a later rendering starts another."""
        with self._lock:
            if self._process is not None:
                self._process.close()
            self._process = None

    def after_fork(self) -> None:
        """Start anew in a forked process: the renderer is the parent's, and so is whoever held the lock."""
        self._lock = threading.Lock()
        if self._process is not None:
            self._process.leave_to_parent()
        self._process = None


def _rebuild(text: str, source: str, time_limit_s: float, now: datetime | None) -> ChatTemplate:
    return ChatTemplate(text, source, time_limit_s=time_limit_s, now=now)


_made: weakref.WeakSet[ChatTemplate] = weakref.WeakSet()


def _after_fork() -> None:
    for template in list(_made):
        template.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
