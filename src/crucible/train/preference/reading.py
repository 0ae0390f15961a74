"""Items read one after another: rendered as places, and counted where they are left out or shortened."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from crucible import events
from crucible.data import Item, input_key
from crucible.errors import DataError
from crucible.ir import LoraConfig
from crucible.text import Datum, Tokenizer
from crucible.train.preference.comparisons import Comparison, Content, comparison_of, prompt_of
from crucible.train.preference.places import Counts, Preferred
from crucible.train.preference.rendering import render_answers
from crucible.train.preference.settings import PreferenceConfig

__all__ = ["Reading"]


class _Answer(msgspec.Struct, frozen=True):
    """One answer that is judged alone."""

    item: Item
    prompt: Content
    content: Content
    desirable: bool
    share: float = 1.0


_WHY: Final = {
    "ties": "neither answer is preferred (ties: skip)",
    "alike": "both answers are the same",
    "truncated": "they are longer than {max_length} tokens",
    "refused": "they are longer than {max_length} tokens",
}


class Reading:
    """Reads items one after another, and keeps count of those that are left out.

    Args:
        tokenizer: The base model's.
        config: Overflow rule, renderer.
        preference: What becomes of ties.
        max_length: Most input tokens.
    """

    def __init__(self, tokenizer: Tokenizer, config: LoraConfig, preference: PreferenceConfig, max_length: int) -> None:
        self._tokenizer = tokenizer
        self._config = config
        self._splits = preference.ties == "split"
        self._max_length = max_length
        self._met: dict[str, list[str]] = {name: [] for name in _WHY}
        self._digest = hashlib.sha256()

    def pairs(self, items: Sequence[Item]) -> list[Preferred]:
        """Return one place an item that has two answers of different worth."""
        found: list[Preferred] = []
        for item in items:
            comparison = self._comparison(item)
            if comparison is None:
                continue
            data = self._render(item, comparison.prompt, (comparison.chosen, comparison.rejected))
            if data is not None and data[0] == data[1]:  # other white space or fields, but the same tokens
                self._met["alike"].append(item.id)
            elif data is not None:
                found.append(Preferred(item.id, _asks(comparison.prompt), *data, is_tie=comparison.is_tie))
        return found

    def answers(self, items: Sequence[Item]) -> list[Preferred]:
        """Return one place an answer, each beside an answer to another prompt."""
        answers = [answer for item in items for answer in self._judged(item)]
        found: list[Preferred] = []
        for place, answer in enumerate(answers):
            own = self._render(answer.item, answer.prompt, (answer.content,))
            other = None if own is None else self._other(answer, _after(answers, place))
            if own is not None and other is not None:
                found.append(
                    Preferred(
                        answer.item.id,
                        _asks(answer.prompt),
                        own[0],
                        other,
                        desirable=answer.desirable,
                        share=answer.share,
                    )
                )
        return found

    def counts(self) -> Counts:
        """Return how many items met which fate."""
        return Counts(**{name: len(set(ids)) for name, ids in self._met.items()})

    def digest(self) -> str:
        """Return the hex SHA-256 of what was read."""
        return self._digest.hexdigest()

    def in_words(self) -> str:
        """Return why items were left out."""
        said = {"ties": "ties", "alike": "with two equal answers", "refused": f"above {self._max_length} tokens"}
        counts = [f"{len(set(self._met[name]))} {words}" for name, words in said.items() if self._met[name]]
        return ", ".join(counts) or "nothing was read"

    def tell(self, count: int) -> None:
        """Tell of the items that were left out or shortened."""
        verbs = {"truncated": "shortened the prompts of", "ties": "split" if self._splits else "left out"}
        for name, ids in self._met.items():
            if not ids:
                continue
            why = _WHY[name].format(max_length=self._max_length)
            if name == "ties" and self._splits:
                why = "neither answer is preferred, so each counts half (ties: split)"
            listed, number = list(dict.fromkeys(ids)), len(set(ids))
            shown = ", ".join(listed[:5]) + (f" and {number - 5} more" if number > 5 else "")
            events.decision(
                f"{verbs.get(name, 'left out')} {number} of {count} comparisons",
                f"{why}: {shown}",
                metadata={"items": number, "reason": name},
            )

    def _comparison(self, item: Item) -> Comparison | None:
        """Return what is to be compared; None where the item says nothing, which is noted."""
        comparison = comparison_of(item)
        self._note(item, comparison)
        if comparison.is_tie:
            self._met["ties"].append(item.id)
            if not self._splits:
                return None
        if comparison.completion_a == comparison.completion_b:
            self._met["alike"].append(item.id)
            return None
        return comparison

    def _judged(self, item: Item) -> list[_Answer]:
        """Return an item's answers for kto: one that is judged alone, or both of a comparison."""
        verdict: Any = item.metadata.get("desirable", item.metadata.get("label"))
        if isinstance(verdict, bool):
            if not item.expected:
                raise DataError(f'item "{item.id}" has no answer to be judged; give it as the expected one')
            prompt = prompt_of(item)
            self._note(item, (prompt, item.expected, verdict))
            return [_Answer(item, prompt, item.expected, verdict)]
        comparison = self._comparison(item)
        if comparison is None:
            return []
        good, bad = comparison.chosen, comparison.rejected
        judged = [(good, True, 1.0), (bad, False, 1.0)]
        if comparison.is_tie:
            judged = [(content, desirable, 0.5) for content in (good, bad) for desirable in (True, False)]
        return [_Answer(item, comparison.prompt, *each) for each in judged]

    def _other(self, answer: _Answer, others: Iterable[_Answer]) -> Datum | None:
        """Return the next answer that was given to another prompt and fits, as if given to this one."""
        own, is_alone = _asks(answer.prompt), True
        for other in others:
            if _asks(other.prompt) == own:
                continue
            is_alone = False
            data = self._render(answer.item, answer.prompt, (other.content,), is_noted=False)
            if data is not None:
                return data[0]
        if is_alone:
            raise DataError("kto estimates a divergence from answers to other prompts: give at least two prompts")
        self._met["refused"].append(answer.item.id)
        return None

    def _render(
        self, item: Item, prompt: Content, contents: Sequence[Content], *, is_noted: bool = True
    ) -> tuple[Datum, ...] | None:
        try:
            answers = render_answers(
                prompt,
                contents,
                self._tokenizer,
                self._config,
                self._max_length,
                tools=item.metadata.get("tools"),
            )
        except DataError as error:
            raise DataError(f'item "{item.id}": {error}') from error
        if is_noted and (answers is None or answers.truncated):
            self._met["refused" if answers is None else "truncated"].append(item.id)
        return None if answers is None else answers.data

    def _note(self, item: Item, content: object) -> None:
        self._digest.update(msgspec.json.encode((item.id, content, item.metadata.get("tools"))) + b"\n")


def _after(answers: Sequence[_Answer], place: int) -> Iterator[_Answer]:
    """Yield the answers behind a place, then those before it."""
    return (answers[(place + step) % len(answers)] for step in range(1, len(answers)))


def _asks(prompt: Content) -> str:
    return input_key(prompt if isinstance(prompt, str) else msgspec.json.encode(prompt).decode())
