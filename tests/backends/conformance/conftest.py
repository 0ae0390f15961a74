"""Which backends the suite runs over, and what each brings: a fixture `<name>_under_test` that returns `UnderTest`.

Another backend needs its name in `BACKENDS`, and its fixture here or in a conftest above.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.backends.tinker.fake import FakeTinkerService

from crucible.backends import Backend, LocalBackend, Session, TinkerBackend
from crucible.ir import LoraConfig
from crucible.text import Datum, ModelInput

BACKENDS = ("local", "tinker")


@dataclass(frozen=True)
class UnderTest:
    """A backend, what it trains, and what it does not offer.

    Attributes:
        backend: The backend.
        base_model: A small model that it has, with at least 300 tokens and a window of at least 32.
        options: Fields of `LoraConfig` that it needs.
        unsupported: Names of what it does not offer, such as `sgd` or `exact_resume`, each with the reason.
        tolerance: Relative error of numbers that should be equal.
    """

    backend: Backend
    base_model: str
    options: dict[str, Any] = field(default_factory=dict)
    unsupported: dict[str, str] = field(default_factory=dict)
    tolerance: float = 1e-4

    def needs(self, *names: str) -> None:
        """Skip a test of what the backend does not offer, with the reason."""
        for name in names:
            if name in self.unsupported:
                pytest.skip(f"{name}: {self.unsupported[name]}")

    def config(self, **changes: Any) -> LoraConfig:
        """A small configuration without dropout."""
        fields = {"base_model": self.base_model, "rank": 4, "dropout": 0.0, "seed": 7, **self.options, **changes}
        return LoraConfig(**fields)

    @contextmanager
    def session(self, **changes: Any) -> Iterator[Any]:
        """A session that is closed at the end."""
        opened = self.backend.start_session(self.config(**changes))
        try:
            yield opened
        finally:
            opened.close()

    def near(self, value: float) -> Any:
        """What compares equal within the backend's precision."""
        return pytest.approx(value, rel=self.tolerance, abs=self.tolerance)


@pytest.fixture(scope="session")
def local_under_test(base_folder: Path) -> UnderTest:
    """The local backend over a tiny Llama."""
    return UnderTest(LocalBackend(), str(base_folder))


@pytest.fixture(scope="module")
def tinker_under_test(base_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[UnderTest]:
    """The tinker backend over a fake service that speaks SDK 0.38's bytes, with the same tiny Llama behind it."""
    reason = "Tinker's optimiser is AdamW"
    with (
        FakeTinkerService(tmp_path_factory.mktemp("tinker"), {"tiny": base_folder}) as fake,
        TinkerBackend(fake.api_key, base_url=fake.base_url, tokenizer=str(base_folder), timeout=60.0) as backend,
    ):
        unsupported = dict.fromkeys(("sgd", "rmsprop", "adam"), reason)
        unsupported["entropy"] = "a service sends log-probabilities of targets, not the whole distribution"
        yield UnderTest(backend, "tiny", unsupported=unsupported)


@pytest.fixture(params=BACKENDS)
def under_test(request: pytest.FixtureRequest) -> UnderTest:
    """Each backend in turn."""
    found: UnderTest = request.getfixturevalue(f"{request.param}_under_test")
    return found


@pytest.fixture
def session(under_test: UnderTest) -> Iterator[Session]:
    """A fresh session."""
    with under_test.session() as opened:
        yield opened


@pytest.fixture(scope="session")
def batch() -> list[Datum]:
    """Four ragged data with weights of 0 among others."""
    return [datum(3 + number, 7 * number) for number in range(4)]


@pytest.fixture(scope="session")
def make_datum() -> Callable[..., Datum]:
    """`make_datum(length, first, **changes)`."""
    return datum


def datum(length: int, first: int, **changes: Any) -> Datum:
    """An example of `length` targets, the first of which is not trained on."""
    tokens = tuple(20 + (first + 13 * place) % 250 for place in range(length + 1))
    fields: dict[str, Any] = {
        "model_input": ModelInput(tokens[:-1]),
        "target_tokens": tokens[1:],
        "weights": (0.0, *([1.0] * (length - 1))),
        **changes,
    }
    return Datum(**fields)
