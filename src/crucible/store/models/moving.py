"""The side of the repository of models that moves versions from stage to stage.

What was decided on one state of things is done only on that state: a version that moved meanwhile, or another one in
production, refuses the change, so two promotions at once are never both done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import update

from crucible.errors import StoreError
from crucible.store import tables
from crucible.store.models.names import ModelStage, check_stage
from crucible.store.models.records import ModelChange, StoredModelVersion, Transition
from crucible.store.models.rows import ModelRows
from crucible.store.models.writing import ModelWriting

__all__ = ["ALLOWED", "ModelMoving", "check_move", "in_production"]

ALLOWED: Final[Mapping[ModelStage, tuple[ModelStage, ...]]] = {
    "development": ("staging", "archived"),
    "staging": ("production", "development", "archived"),
    "production": ("archived", "staging"),
    "archived": ("development", "staging"),
}
"""Where a version may go from each stage; `rolled_back` alone leads from archived to production."""

_versions = tables.model_versions


class ModelMoving(ModelWriting):
    """The part of the repository that moves versions."""

    def move(self, change: Transition) -> tuple[StoredModelVersion, Sequence[str]]:
        """Move a version to another stage.

        To production: what is there is archived in the same transaction, unless `keep_current`.

        Returns:
            The version as it is now, and the versions that were archived for it.

        Raises:
            StoreError: The stages do not follow each other, or the state is not the one that was decided on.
        """
        with self._writing(f"move {change.model}@{change.version} to {change.to}") as rows:
            now = rows.find(change.model, change.version)
            production = in_production(rows, change.model)
            _check_seen(now, production, change)
            if change.kind != "rolled_back":
                check_move(now, change.to)
            replaced = [each for each in production if each.version != now.version]
            if change.to != "production" or change.keep_current:
                replaced = []
            for each in replaced:
                self._put(rows, each, "archived")
                why = f"replaced by {now.reference}: {change.why}"
                self._note(rows, each, "archived", change.by, why, stages=(each.stage, "archived"))
            self._put(rows, now, change.to)
            evidence: dict[str, Any] = dict(change.evidence)
            if change.to == "production":
                evidence["replaced"] = [each.version for each in replaced]
                evidence["beside"] = [each.version for each in production if each not in replaced]
            self._note(
                rows,
                now,
                change.kind,
                change.by,
                change.why,
                stages=(now.stage, change.to),
                forced=change.forced,
                evidence=evidence,
            )
            return rows.find(now.model, now.version), [each.version for each in replaced]

    def refuse(self, change: Transition) -> ModelChange:
        """Write down that a change of stage was asked for and refused, and on what grounds."""
        with self._writing(f"write down what was refused to {change.model}@{change.version}") as rows:
            now = rows.find(change.model, change.version)
            return self._note(
                rows,
                now,
                "refused",
                change.by,
                change.why,
                stages=(now.stage, change.to),
                evidence=change.evidence,
            )

    def production(self, model: str) -> Sequence[StoredModelVersion]:
        """Return what is in production of a model, the lowest version first."""
        with self._reading(f"look what is in production of {model}") as rows:
            return in_production(rows, model)

    def _put(self, rows: ModelRows, version: StoredModelVersion, stage: ModelStage) -> None:
        row = rows.id_of(version.model, version.version)
        rows.execute(update(_versions).where(_versions.c.id == row), {"stage": stage})


def in_production(rows: ModelRows, model: str) -> list[StoredModelVersion]:
    """Return what a transaction sees in production of a model, the lowest version first."""
    return rows.load((_versions.c.model == model) & (_versions.c.stage == "production"))


def check_move(version: StoredModelVersion, to: str) -> None:
    """Refuse a step that no version may take.

    Raises:
        StoreError: It is there already, or that stage does not follow its own.
        SpecError: There is no such stage.
    """
    check_stage(to)
    if version.stage == to:
        raise StoreError(f"{version.reference} is in {to} already")
    if to not in ALLOWED[version.stage]:
        way = "; promote it to staging first" if to == "production" else ""
        if way and version.stage == "archived":
            way += f", or go back to what was there before: crucible models rollback {version.model}"
        raise StoreError(
            f"{version.reference} is in {version.stage}, from where it may go to "
            f"{' or '.join(ALLOWED[version.stage])}, not to {to}{way}"
        )


def _check_seen(now: StoredModelVersion, production: Sequence[StoredModelVersion], change: Transition) -> None:
    if now.stage != change.seen_stage:
        raise StoreError(
            f"{now.reference} was in {change.seen_stage} when this was decided and is in {now.stage} now: somebody "
            "else moved it meanwhile; look again"
        )
    there = tuple(each.version for each in production)
    if change.to == "production" and there != change.seen_production:
        was, is_now = (", ".join(each) or "nothing" for each in (change.seen_production, there))
        raise StoreError(
            f"{now.reference} was held against what was in production of {now.model} ({was}), and that is {is_now} "
            "now: somebody else promoted meanwhile; decide again"
        )
