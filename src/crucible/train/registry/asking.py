"""The side of the registry that asks: versions by name, by what was measured, by lineage; their files and samplers."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from crucible.backends import Backend, Sampler
from crucible.backends.placing import check_free, placed
from crucible.errors import SpecError, StoreError
from crucible.store import Store, open_store
from crucible.store.models import (
    Bump,
    LineageStep,
    ModelChange,
    ModelFile,
    ModelStage,
    StoredModelVersion,
    check_model,
    next_version,
    tree_sha256,
)
from crucible.train.registry.choosing import chosen, ranked
from crucible.train.registry.details import words
from crucible.train.registry.sampling import open_sampler

__all__ = ["RegistryAsking"]


class RegistryAsking:
    """The part of the registry that asks.

    Args:
        store: An open store, which stays its owner's to close.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._models = store.models
        self._owned: Store | None = None

    @classmethod
    def open(cls, store: Store | str | Path | None = None, *, create: bool = True) -> Self:
        """Open the registry of a store.

        Args:
            store: An open store, a folder, or a URL; None: the environment variable CRUCIBLE_STORE, or `.crucible`.
            create: Whether a store that does not exist is made.

        Raises:
            StoreError: The store cannot be opened.
        """
        if isinstance(store, Store):
            return cls(store)
        opened = open_store(store, create=create)
        registry = cls(opened)
        registry._owned = opened
        return registry

    def get(self, reference: str) -> StoredModelVersion:
        """Return one version.

        Raises:
            StoreError: There is none; the message names what there is.
            SpecError: The reference cannot be understood.
        """
        return self._models.find(reference)

    def list(
        self, name: str | None = None, *, stage: ModelStage | None = None, run_id: str | None = None
    ) -> Sequence[StoredModelVersion]:
        """Return versions by model, the lowest first; only of a model, in a stage, or of a run where said."""
        return self._models.list(name, stage=stage, run_id=run_id)

    def query(
        self,
        *where: str,
        name: str | None = None,
        stage: ModelStage | None = None,
        tags: Iterable[str] = (),
        sort_by: str | None = None,
        direction: Literal["min", "max"] | None = None,
    ) -> Sequence[StoredModelVersion]:
        """Return the versions that fulfil every condition, such as `exact_match>=0.8`.

        A version without the metric does not fulfil a condition on it.

        Args:
            *where: Conditions on metrics: a name, one of < <= == != >= > and a value.
            name: Only those of this model.
            stage: Only those in this stage.
            tags: Only those that have all of these tags.
            sort_by: A metric, the best first; versions without it come last. None: by model and version.
            direction: `min` or `max`; None: as the metric's name says.

        Raises:
            SpecError: A condition cannot be read, or nothing says which side of `sort_by` is better.
        """
        found = chosen(self._models.list(name, stage=stage), where, words(tags))
        return found if sort_by is None else ranked(found, sort_by, direction, keep_unmeasured=True)

    def find_for_ensemble(  # the predecessor's names
        self,
        sort_by: str,
        top_n: int = 5,
        tags: Iterable[str] = (),
        direction: Literal["min", "max"] | None = None,
        *,
        name: str | None = None,
        stage: ModelStage | None = None,
    ) -> Sequence[StoredModelVersion]:
        """Return the best versions by a metric: of a loss the smallest, of an accuracy the largest.

        Versions without the metric do not take part, archived ones only where `stage` asks for them. Of equals, the
        first by model and version comes first.

        Args:
            sort_by: The metric.
            top_n: At most so many, at least 1.
            tags: Only versions that have all of these.
            direction: `min` or `max`; None: as the metric's name says.
            name: Only versions of this model.
            stage: Only versions in this stage.

        Raises:
            SpecError: Nothing says which side of the metric is better, or `top_n` is below 1.
        """
        if top_n < 1:
            raise SpecError(f"top_n must be at least 1, got {top_n}", code="top_n")
        found = chosen(self._models.list(name, stage=stage), (), words(tags))
        taking_part = [each for each in found if stage is not None or each.stage != "archived"]
        return ranked(taking_part, sort_by, direction)[:top_n]

    def history(self, name: str, version: str | None = None) -> Sequence[ModelChange]:
        """Return the audit of a model, or of one version: who did what, when, from and to which stage, why, on what."""
        return self._models.changes(check_model(name), version)

    def ancestors(self, reference: str) -> Sequence[LineageStep]:
        """Return all that a version came of, the nearest first."""
        return self._models.lineage(self.get(reference), "up")

    def descendants(self, reference: str) -> Sequence[LineageStep]:
        """Return all that came of a version, the nearest first."""
        return self._models.lineage(self.get(reference), "down")

    def next_version(self, name: str, bump: Bump = "minor") -> str:
        """Return the version that `register` would give now; another process may take it first."""
        return str(next_version(self._models.latest(check_model(name)), bump))

    # --- files ---

    def files(self, reference: str) -> Sequence[ModelFile]:
        """Return the kept files of a version, by path."""
        return self._models.files(self.get(reference))

    def verify(self, reference: str) -> dict[str, str]:
        """Hold the kept files of a version against their digests and return what is wrong, by path."""
        return self._models.problems(self.get(reference))

    def fetch(self, reference: str, into: Path | str) -> Path:
        """Copy the files of a version to a new folder, verified, whole or not at all, and return that.

        Raises:
            StoreError: No files are kept, one is missing or damaged (it is named), or the folder holds something.
        """
        version, target = self.get(reference), Path(into)
        files = self._models.files(version)
        check_free(target, lambda _: False, f"the files of {version.reference}")
        if tree_sha256(files) != version.tree_sha256:
            raise StoreError(f"the list of files of {version.reference} was altered in the store; restore a copy of it")
        with placed(target, f"the files of {version.reference}") as temporary:
            for file in files:
                self._models.objects.copy(file, temporary / file.path)
        return target

    @contextlib.contextmanager
    def opened(self, reference: str) -> Generator[Path]:
        """Yield a folder with the verified files of a version, which is gone after the block."""
        with tempfile.TemporaryDirectory(prefix="crucible-model-") as folder:
            yield self.fetch(reference, Path(folder) / "model")

    def create_sampler(self, reference: str, backend: Backend | None = None) -> Sampler:
        """Return a sampler of a version's weights, on the base model that it names.

        Args:
            reference: The version.
            backend: Where the model lives; None: this machine.

        Raises:
            CheckpointError: Its files are no adapter, or the base model is not the one it was trained on.
            StoreError: A file is missing or damaged.
        """
        version = self.get(reference)
        with self.opened(version.reference) as folder:
            return open_sampler(version, folder, backend)

    # --- the end ---

    def close(self) -> None:
        """Close the store, if it was opened here."""
        if self._owned is not None:
            self._owned.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()
