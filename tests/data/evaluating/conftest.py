"""Models and datasets for evaluations: plainly fakes, with a count of what they were asked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import pytest

from crucible.backends.records import Sample, SamplingParams
from crucible.backends.scripted import ScriptedSampler
from crucible.data import Dataset, Item, load
from crucible.errors import BackendError


def right(prompt: str) -> str:
    """Answer correctly."""
    return prompt.removeprefix("q")


class Asked(ScriptedSampler):
    """Answers correctly and writes down what it was asked; breaks on poisoned prompts.

    Args:
        poisoned: Prompts that break every call in which they are.
        broken_calls: Calls, counted from 1, that break whatever is in them, and say that another try can help.
        wait_s: How long each call takes.
    """

    def __init__(self, *poisoned: str, broken_calls: Sequence[int] = (), wait_s: float = 0.0) -> None:
        super().__init__(right)
        self.calls: list[list[str]] = []
        self.params: list[SamplingParams | None] = []
        self.poisoned = set(poisoned)
        self.broken_calls = broken_calls
        self.wait_s = wait_s
        self.under_way = 0
        self.most_under_way = 0

    @property
    def prompts(self) -> list[str]:
        """All prompts of all calls."""
        return [prompt for call in self.calls for prompt in call]

    async def asample(self, prompts: Sequence[str], params: SamplingParams | None = None) -> list[Sample]:
        """Answer, or break."""
        self.calls.append(list(prompts))
        self.params.append(params)
        number = len(self.calls)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            if self.wait_s:
                await asyncio.sleep(self.wait_s)
        finally:
            self.under_way -= 1
        if number in self.broken_calls:
            raise BackendError("the line went dead", backend="scripted", is_retryable=True)
        if bad := self.poisoned & set(prompts):
            raise BackendError(f"cannot digest {min(bad)}", backend="scripted")
        return self.sample(prompts, params)


class Lazy:
    """A dataset that makes its items when they are looked at, and keeps none."""

    name = "lazy"
    split = "test"

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Item]:
        return (Item(f"item-{index}", f"q{index}", str(index)) for index in range(self.count))


class Tokens(Asked):
    """Tells tokens: 3 of each prompt and 2 of each answer."""

    async def asample(self, prompts: Sequence[str], params: SamplingParams | None = None) -> list[Sample]:
        """Answer with tokens."""
        found = await super().asample(prompts, params)
        return [Sample(one.text, (1, 2), "stop", None, 3, truncated_prompt=False) for one in found]


@pytest.fixture
def asked() -> type[Asked]:
    """A model that notes what it is asked."""
    return Asked


@pytest.fixture
def tokens() -> type[Tokens]:
    """A model that tells tokens."""
    return Tokens


@pytest.fixture
def lazy() -> type[Lazy]:
    """A dataset that holds nothing."""
    return Lazy


@pytest.fixture
def twenty() -> Dataset:
    """Twenty questions whose answers are in them."""
    return load([(f"q{index}", str(index)) for index in range(20)])
