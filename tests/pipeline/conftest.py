"""A laboratory for pipelines: a few stages, a recorder that remembers, and a runner over both."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, Field

from crucible.errors import StoreError
from crucible.ir import BackendRef, Experiment, StageDef
from crucible.pipeline import (
    Context,
    ContextDelta,
    Failure,
    NoOptions,
    Registry,
    RunInfo,
    Runner,
    RunResult,
    RunStatus,
    Stage,
    StageBase,
    StageOptions,
    StageRecord,
    stage,
)

Entry = str | dict[str, Any] | StageDef


class CountOptions(StageOptions):
    """Options of the counting stage."""

    by: int = Field(default=1, ge=1, description="Step.")


class Count(StageBase):
    """Count up."""

    name: ClassVar[str] = "count"
    Options: ClassVar[type[BaseModel]] = CountOptions

    def run(self, context: Context, options: CountOptions) -> Context:
        """Add to the metric `n`."""
        return context.put_metric("n", context.get_metric("n", 0) + options.by).put_resource("live", "run")

    def rebuild(self, context: Context, options: CountOptions) -> Context:
        """Bring the resource back."""
        return context.put_resource("live", f"rebuilt by {options.by}")

    def check(self, experiment: Experiment, options: CountOptions) -> list[tuple[str, str]]:
        """Refuse thirteen."""
        return [("by", "13 is unlucky"), ("dataset", "is not used")] if options.by == 13 else []


@stage("boom")
def boom(context: Context, options: NoOptions) -> Context:
    """Fail."""
    raise ValueError("broken glass")


@stage("later")
async def later(context: Context, options: NoOptions) -> Context:
    """Work in the event loop."""
    await asyncio.sleep(0)
    return context.put_metric("later", True)


@stage("lost")
def lost(context: Context, options: NoOptions) -> Any:
    """Forget to return."""


class Memory:
    """A recorder that keeps everything in a list, notices calls that overlap, and can be told to fail."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.fail_at = ""
        self.overlaps = 0
        self._busy = threading.Lock()

    def _keep(self, what: str, value: Any) -> None:
        if not self._busy.acquire(blocking=False):
            self.overlaps += 1
            return
        try:
            if what == self.fail_at:
                raise StoreError("disk full")
            self.calls.append((what, value))
        finally:
            self._busy.release()

    def run_started(self, run: RunInfo) -> None:
        """Keep."""
        self._keep("run_started", run)

    def stage_started(self, run_id: str, record: StageRecord) -> None:
        """Keep."""
        self._keep("stage_started", record)

    def stage_finished(self, run_id: str, record: StageRecord, delta: ContextDelta) -> None:
        """Keep."""
        self._keep("stage_finished", (record, delta))

    def run_finished(self, run_id: str, status: RunStatus, failure: Failure | None) -> None:
        """Keep."""
        self._keep("run_finished", (status, failure))

    @property
    def names(self) -> list[str]:
        """Names of the calls, in order."""
        return [what for what, _ in self.calls]

    @property
    def finished(self) -> list[tuple[StageRecord, ContextDelta]]:
        """Every attempt that ended, with what it changed."""
        return [value for what, value in self.calls if what == "stage_finished"]

    @property
    def ended(self) -> Any:
        """How the run ended, as the recorder was told: (status, failure)."""
        assert self.calls[-1][0] == "run_finished"
        return self.calls[-1][1]


class Lab:
    """Runs pipelines of a test's own stages, and remembers what the recorder was told."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        self.memory = Memory()
        self.registry = Registry(Count(), boom, later, lost, installed=False)
        self.middleware: tuple[Any, ...] = ()

    def knows(self, *stages: Stage) -> Lab:
        """Add stages."""
        for each in stages:
            self.registry.register(each)
        return self

    def stage(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Add a function as a stage of its name, as a decorator."""
        self.registry.register(stage(function.__name__)(function))
        return function

    def runner(self, **options: Any) -> Runner:
        """Return a runner over the stages."""
        return Runner(self.registry, self.memory, middleware=self.middleware, **options)

    def run(self, *entries: Entry, validate_options: Any = "error", **options: Any) -> RunResult:
        """Run a pipeline of names, mappings or definitions."""
        runner = self.runner(validate_options=validate_options)
        return runner.run(self.experiment(*entries), **{"workspace": self.workspace, **options})

    async def arun(self, *entries: Entry, **options: Any) -> RunResult:
        """Run a pipeline inside an event loop."""
        return await self.runner().arun(self.experiment(*entries), workspace=self.workspace, **options)

    @staticmethod
    def experiment(*entries: Entry) -> Experiment:
        """Return an experiment of these entries."""
        pipeline = tuple(_definition(entry) for entry in entries)
        return Experiment(id="e", backend=BackendRef(id="local"), pipeline=pipeline)


def _definition(entry: Entry) -> StageDef:
    if isinstance(entry, StageDef):
        return entry
    return StageDef.read({"name": entry} if isinstance(entry, str) else entry)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Return a laboratory that knows `count`, `boom`, `later` and `lost`."""
    return Lab(tmp_path)
