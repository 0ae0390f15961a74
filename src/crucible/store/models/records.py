"""What the repository of models takes and hands out: plain frozen structs, with no connection behind them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from crucible.store.models.names import ModelStage, Relation
from crucible.store.models.semver import Bump, Version

__all__ = [
    "ChangeKind",
    "ModelChange",
    "ModelFile",
    "ModelParent",
    "ModelScores",
    "NewModelVersion",
    "StoredModelVersion",
    "Transition",
    "tree_sha256",
]

ChangeKind = Literal[
    "registered", "imported", "promoted", "moved", "archived", "rolled_back", "refused", "metrics", "scores", "tags",
    "linked", "removed",
]  # fmt: skip
"""What was done to a version, or asked for and refused."""


class ModelFile(msgspec.Struct, frozen=True):
    """One file of a version.

    Args:
        path: Relative, with `/` between parts.
        sha256: Hex digest of the content, by which it is kept.
        size_bytes: Length of the content.
    """

    path: str
    sha256: str
    size_bytes: int


class ModelParent(msgspec.Struct, frozen=True):
    """What a version came of.

    Args:
        relation: How.
        model: The other version's model.
        version: The other version.
    """

    relation: Relation
    model: str
    version: str


class ModelScores(msgspec.Struct, frozen=True):
    """The scores of a version, item by item, so that another one can be held against it.

    Args:
        metric: What the scores are called.
        items: Score by item id; None for an item that was tried and has none.
        asked_sha256: Of what was asked, by item; two with different ones are not of the same items. Empty: unknown.
        is_share: Whether scores that are all 0 or 1 are right or wrong.
        recorded_at: ISO 8601 UTC; empty before they are kept.
    """

    metric: str
    items: dict[str, float | None]
    asked_sha256: str = ""
    is_share: bool = True
    recorded_at: str = ""


class NewModelVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version to register.

    Args:
        model: Name of the model; made with its first version.
        version: A semantic version; None: the next one by `bump`.
        bump: What is raised where no version is given.
        label: Word of a pre-release.
        stage: `development` or `staging`; what is in production was promoted there.
        description: What is new in it.
        run_id: Run that trained it.
        source_key: What it was made of, such as a run and a stage of it; registering the same once more returns what
            is there.
        artifact_uri: Where its files are, if they are not kept here.
        files: Kept files.
        metrics: What was measured of it.
        tags: Words for people.
        parents: What it came of.
        origin: What its files say they were made from, as JSON data.
        scores: Scores item by item.
        by: Who registers it.
        why: Why.
    """

    model: str
    version: str | None = None
    bump: Bump = "minor"
    label: str = "rc"
    stage: ModelStage = "development"
    description: str | None = None
    run_id: str | None = None
    source_key: str | None = None
    artifact_uri: str | None = None
    files: tuple[ModelFile, ...] = ()
    metrics: dict[str, float] = {}
    tags: tuple[str, ...] = ()
    parents: tuple[ModelParent, ...] = ()
    origin: dict[str, Any] = {}
    scores: tuple[ModelScores, ...] = ()
    by: str = "unknown"
    why: str = ""


class StoredModelVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version as it stands in the store.

    Args:
        model: Name of the model.
        version: Its semantic version.
        stage: How far it has come.
        created_at: ISO 8601 UTC.
        created_by: Who registered it.
        description: What is new in it.
        run_id: Run that trained it.
        source_key: What it was made of; see `NewModelVersion`.
        artifact_uri: Where its files are, if they are not kept here.
        tree_sha256: Digest of its files together; None where none are kept.
        metrics: What was measured of it.
        tags: Words for people, sorted.
        parents: What it came of.
        origin: What its files say they were made from: `base_model`, `base_digest`, `data`, `step` and more.
        scored: Names of the metrics with scores item by item.
    """

    model: str
    version: str
    stage: ModelStage
    created_at: str
    created_by: str
    description: str | None = None
    run_id: str | None = None
    source_key: str | None = None
    artifact_uri: str | None = None
    tree_sha256: str | None = None
    metrics: dict[str, float] = {}
    tags: tuple[str, ...] = ()
    parents: tuple[ModelParent, ...] = ()
    origin: dict[str, Any] = {}
    scored: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        """Its name for people and commands: `model@version`."""
        return f"{self.model}@{self.version}"

    @property
    def order(self) -> Any:
        """What versions of one model are sorted by."""
        return Version.parse(self.version).key

    @property
    def is_synthetic(self) -> bool:
        """Whether it says that it was trained on made-up data."""
        data: Any = self.origin.get("data")
        told = isinstance(data, dict) and data.get("synthetic") is True  # pyright: ignore[reportUnknownMemberType]  # JSON of somebody else
        return told or self.origin.get("synthetic") is True


class ModelChange(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the audit: who did what to which version, when and why; it outlives the version.

    Args:
        model: Name of the model.
        version: The version.
        kind: What was done, or refused.
        at: ISO 8601 UTC.
        by: Who.
        why: As they said.
        from_stage: Stage before, of a promotion or a refusal.
        to_stage: Stage after, or asked for.
        forced: Whether it was done although a gate was not passed.
        evidence: What was measured and wanted, and whatever else was handed over, as JSON data.
    """

    model: str
    version: str
    kind: ChangeKind
    at: str
    by: str
    why: str
    from_stage: str | None = None
    to_stage: str | None = None
    forced: bool = False
    evidence: dict[str, Any] = {}


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """A change of stage, on the state of things that it was decided on.

    Args:
        model: Name of the model.
        version: The version to move.
        to: Stage to move it to.
        by: Who.
        why: Why.
        seen_stage: Its stage when it was decided; another one by now refuses the change.
        seen_production: Versions in production when it was decided; others by now refuse the change.
        keep_current: Leave what is in production there, beside the new one.
        forced: Whether a gate was not passed.
        evidence: What was measured and wanted.
        kind: How the audit calls it.
    """

    model: str
    version: str
    to: ModelStage
    by: str
    why: str
    seen_stage: ModelStage
    seen_production: tuple[str, ...]
    keep_current: bool = False
    forced: bool = False
    evidence: dict[str, Any] = {}
    kind: ChangeKind = "promoted"


def tree_sha256(files: Iterable[ModelFile]) -> str:
    """Return the digest of files together: of one line `sha256  size  path` each, by path."""
    lines = (f"{file.sha256}  {file.size_bytes}  {file.path}\n" for file in sorted(files, key=lambda file: file.path))
    return hashlib.sha256("".join(lines).encode()).hexdigest()
