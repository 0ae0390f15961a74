"""Moving versions from stage to stage: judged on what is in production now, and done only if that is still so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from crucible import events
from crucible.errors import PromotionRefused, SpecError, StoreError
from crucible.store.models import (
    ChangeKind,
    ModelRepository,
    ModelScores,
    StoredModelVersion,
    Transition,
    check_move,
    check_stage,
)
from crucible.train.registry.gates import GateReport, Gates
from crucible.train.registry.judging import judge

__all__ = ["Promotion", "Promotions"]


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """A change of stage that was made.

    Args:
        version: The version as it is now.
        from_stage: Where it was.
        to_stage: Where it is.
        report: Its gates.
        forced: Whether it was moved although a gate was not passed.
        replaced: Versions that were archived for it.
    """

    version: StoredModelVersion
    from_stage: str
    to_stage: str
    report: GateReport = GateReport()
    forced: bool = False
    replaced: tuple[str, ...] = ()


class Promotions:
    """Judges versions and moves them.

    Args:
        models: The models of a store.
    """

    def __init__(self, models: ModelRepository) -> None:
        self._models = models

    def judge(self, version: StoredModelVersion, gates: Gates) -> GateReport:
        """Return how a version stands with gates, held against what is in production now."""
        return judge(version, gates, self._models.production(version.model), self._scores)

    def promote(
        self,
        version: StoredModelVersion,
        to: str,
        gates: Gates,
        *,
        why: str,
        by: str,
        force: bool = False,
        keep_current: bool = False,
        evidence: Mapping[str, Any] | None = None,
    ) -> Promotion:
        """Move a version to another stage, if it passes its gates; done or refused, the audit says so.

        Args:
            version: As it was read; if it moved since, nothing is done.
            to: Stage to move it to.
            gates: What it must show.
            why: Why, for the audit.
            by: Who.
            force: Move it although it does not pass; it is recorded as forced.
            keep_current: Leave what is in production there, beside it.
            evidence: Anything else worth keeping with the decision, JSON data.

        Raises:
            PromotionRefused: A gate was not passed; the message says what was measured and what was wanted.
            SpecError: `why` is empty, or there is no such stage.
            StoreError: The stages do not follow each other, or somebody moved a version in between.
        """
        if not why.strip():
            raise SpecError("say why a version is promoted: the audit keeps it", code="why")
        check_stage(to)
        check_move(version, to)
        production = self._models.production(version.model)
        report = judge(version, gates, production, self._scores)
        change = Transition(
            model=version.model,
            version=version.version,
            to=check_stage(to),
            by=by,
            why=why,
            seen_stage=version.stage,
            seen_production=tuple(each.version for each in production),
            keep_current=keep_current,
            forced=force and not report.passed,
            evidence={**(evidence or {}), "gates": report.to_list()},
            kind=_kind(version.stage, to),
        )
        if not report.passed and not force:
            self._refuse(version, change, report)
        moved, replaced = self._models.move(change)
        self._tell(version, change, report, replaced)
        return Promotion(
            version=moved,
            from_stage=version.stage,
            to_stage=change.to,
            report=report,
            forced=change.forced,
            replaced=tuple(replaced),
        )

    def rollback(self, model: str, *, why: str, by: str) -> Promotion:
        """Bring back the version that was in production before, and archive what is there.

        Raises:
            SpecError: `why` is empty.
            StoreError: No version that was in production before is left, or somebody promoted in between.
        """
        if not why.strip():
            raise SpecError("say why production is rolled back: the audit keeps it", code="why")
        production = self._models.production(model)
        before = self._before(model, {each.version for each in production})
        change = Transition(
            model=model,
            version=before.version,
            to="production",
            by=by,
            why=why,
            seen_stage=before.stage,
            seen_production=tuple(each.version for each in production),
            kind="rolled_back",
        )
        moved, replaced = self._models.move(change)
        self._tell(before, change, GateReport(), replaced)
        return Promotion(version=moved, from_stage=before.stage, to_stage="production", replaced=tuple(replaced))

    def _before(self, model: str, current: set[str]) -> StoredModelVersion:
        """Return what was in production before; going back twice goes back further, never to what was left."""
        there = {each.version: each for each in self._models.list(model)}
        if not there:
            self._models.find(model)  # says what there is instead
        changes = self._models.changes(model)
        imported = {change.version for change in changes if change.kind == "imported"}
        held: list[str] = []
        for change in changes:
            elsewhere = change.kind == "imported" and not imported.issuperset(held)  # another store's past, not ours
            if change.to_stage == "production" and change.kind == "promoted":
                held.append(change.version)
            elif change.kind == "rolled_back" and change.version in held:
                del held[len(held) - held[::-1].index(change.version) :]
            elif change.kind == "removed" or elsewhere:  # what has that number later is another one
                held = [version for version in held if version != change.version]
        for version in reversed(held):
            found = there.get(version)
            if found is not None and version not in current and found.stage == "archived":
                return found
        raise StoreError(f"no archived version of {model} was in production before, so there is none to go back to")

    def _refuse(self, version: StoredModelVersion, change: Transition, report: GateReport) -> None:
        self._models.refuse(change)
        failed = "; ".join(each.wording for each in report.failed)
        about = {"model": version.model, "version": version.version, "stage": change.to, "by": change.by}
        events.emit("crucible_train.model.refused", {"gates_failed": len(report.failed)}, about)
        events.decision(
            f"did not promote {version.reference} to {change.to}",
            failed,
            alternatives=[f"promote {version.reference} to {change.to} all the same"],
            metadata={**about, "gates": report.to_list()},
        )
        message = f"{version.reference} was not promoted to {change.to}: {failed}"
        raise PromotionRefused(message, gates=report.to_list())

    def _tell(
        self, version: StoredModelVersion, change: Transition, report: GateReport, replaced: Sequence[str]
    ) -> None:
        about = {
            "model": version.model,
            "version": version.version,
            "from_stage": version.stage,
            "to_stage": change.to,
            "forced": change.forced,
            "by": change.by,
        }
        events.emit("crucible_train.model.promoted", {"gates_passed": len(report.results) - len(report.failed)}, about)
        is_back = change.kind == "rolled_back"
        events.decision(
            f"{'went back to' if is_back else 'promoted'} {version.reference} {'in' if is_back else 'to'} {change.to}",
            f"{change.why}; {'forced although ' if change.forced else ''}{report.words}",
            alternatives=[f"keep {version.model}@{each} in production" for each in replaced]
            or [f"leave {version.reference} in {version.stage}"],
            metadata={**about, "gates": report.to_list()},
        )

    def _scores(self, version: StoredModelVersion, metric: str) -> ModelScores | None:
        return self._models.scores(version, metric)


def _kind(before: str, after: str) -> ChangeKind:
    """Return how the audit calls a step: on towards production, out of use, or back."""
    if after == "archived":
        return "archived"
    on = ("development", "staging", "production")
    return "promoted" if before in on and on.index(after) > on.index(before) else "moved"
