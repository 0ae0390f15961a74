"""Running and resuming experiments with everything kept: `crucible.run` and `crucible.resume`."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import platform
import re
import shlex
import tempfile
from collections.abc import Generator, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Unpack

from crucible.assembly.document import problems_of
from crucible.assembly.options import ResumeOptions, RunOptions, flags_of, require_known
from crucible.assembly.recording import RunRecording
from crucible.assembly.run_trace import TraceTerms
from crucible.backends.distributed import place, require_spread
from crucible.errors import Cancelled, SpecError, SpecErrors, StoreError
from crucible.ir import Experiment, content_hash, from_dict
from crucible.pipeline import (
    Cancellation,
    Registry,
    Resume,
    Runner,
    RunResult,
    cancellable,
    new_run_id,
    run_sync,
)
from crucible.store import Store, open_store, require_run_id
from crucible.trace import Collector

__all__ = ["aresume", "arun", "resume", "run"]

_OF_STAGE_OPTIONS = re.compile(r"pipeline\[\d+\](\.fallback)*\.options(?![^.\[])")
_PACKAGES = ("numpy", "scipy", "statsmodels", "torch", "transformers", "peft", "tokenizers", "pydantic", "SQLAlchemy")


def run(experiment: Experiment, **options: Unpack[RunOptions]) -> RunResult:
    """Carry out an experiment and keep everything.

    Args:
        experiment: The document.
        **options: See `RunOptions`.

    Returns:
        The result. A failed stage is a result with `status == "failed"`, not an exception.

    Raises:
        SpecErrors: The document cannot be carried out as written.
        StoreError: The store cannot be opened, the run's start cannot be kept (another run has its id), or in the
            middle of a stage nothing could be kept any more.
        TypeError: An option is unknown or of the wrong kind.
        BackendError: There are several processes, and nothing says how they share the work; see `backends.spread`.
        Cancelled: The run was asked to stop.
    """
    return run_sync(arun(experiment, **options))


async def arun(experiment: Experiment, **options: Unpack[RunOptions]) -> RunResult:
    """Do what `run` does, inside an event loop."""
    require_known(options, RunOptions)
    require_spread("running the document")
    trace = TraceTerms.of(options)
    registry = _registry(options)
    source, run_id = options.get("source"), options.get("run_id")
    run_id = new_run_id() if run_id is None else run_id
    require_run_id(run_id)
    runner = _runner(registry, options)
    if problems := _refused(experiment, registry, options):
        raise SpecErrors(source or experiment.id, problems)
    command = options.get("command")
    if command is None and source is not None:
        command = shlex.join(["crucible", "run", source, *flags_of(options)])
    opened = open_store(options.get("store")) if options.get("persist", True) else None
    try:
        given = dict(options.get("assigns", {}))
        assigns = {**given, "provenance": _provenance(experiment, opened, source, command)}
        course = _Course(experiment, opened, run_id, source, assigns)
        return await course.carry_out(runner, trace)
    finally:
        if opened is not None:
            opened.close()


def resume(run_id: str, **options: Unpack[ResumeOptions]) -> RunResult:
    """Go on with a run that failed, was cancelled or whose process died; completed stages are not run again.

    Args:
        run_id: The run's id or the unique beginning of one.
        **options: See `ResumeOptions`.

    Raises:
        StoreError: There is no such run, it is complete, or it still runs in a living process.
        SpecErrors: The stored document cannot be carried out by what is installed now.
        BackendError: There are several processes, and nothing says how they share the work; see `backends.spread`.
    """
    return run_sync(aresume(run_id, **options))


async def aresume(run_id: str, **options: Unpack[ResumeOptions]) -> RunResult:
    """Do what `resume` does, inside an event loop."""
    require_known(options, ResumeOptions)
    require_spread("going on with the run")
    trace = TraceTerms.of(options)
    registry = _registry(options)
    opened = open_store(options.get("store"), create=False)
    try:
        stored = opened.runs.run(run_id)
        experiment = from_dict(stored.experiment, Experiment, source=f"run {stored.run_id}")
        if problems := _refused(experiment, registry, options):
            raise SpecErrors(f"run {stored.run_id}", problems)
        runner = _runner(registry, options)
        facts = {name: value for name, value in stored.provenance.items() if name != "assigns"}
        assigns = {**stored.provenance.get("assigns", {}), "provenance": facts}
        with _claimed(opened, stored.run_id):
            state = opened.runs.resume_state(stored.run_id)
            course = _Course(experiment, opened, stored.run_id, stored.source, assigns, state)
            return await course.carry_out(runner, trace)
    finally:
        opened.close()


@contextlib.contextmanager
def _claimed(store: Store, run_id: str) -> Generator[None]:
    """Hold a run that goes on; if it does not even begin, it stands afterwards as it did before."""
    store.runs.claim_for_resume(run_id)
    try:
        yield
    except BaseException as error:
        try:
            store.runs.give_back(run_id)
        except StoreError as lost:
            error.add_note(f"the run counts as running until this process ends: {lost}")
        raise
    store.runs.give_back(run_id)


@dataclasses.dataclass(frozen=True)
class _Course:
    """One run that is about to start or to go on."""

    experiment: Experiment
    store: Store | None
    run_id: str
    source: str | None
    assigns: Mapping[str, Any]
    state: Resume | None = None

    async def carry_out(self, runner: Runner, trace: TraceTerms) -> RunResult:
        with cancellable() as cancellation:
            if self.store is None:
                return await self._unrecorded(runner, cancellation, trace)
            return await self._recorded(runner, self.store, cancellation, trace)

    async def _recorded(self, runner: Runner, store: Store, cancellation: Cancellation, trace: TraceTerms) -> RunResult:
        """Run, and stop at once when what happens cannot be kept any more."""
        workspace = store.workspace(self.run_id)
        recording = RunRecording(
            store,
            self.run_id,
            self.experiment.id,
            workspace,
            trace=trace,
            on_failure=lambda _: cancellation.request(),
        )
        runner.recorder = recording
        try:
            result = await self._run(runner, workspace, cancellation)
        except Cancelled as stopped:
            if recording.failure is None:
                raise
            raise recording.failure from stopped
        finally:
            recording.close()
        if recording.start_error is not None:  # a result is of a run that is kept
            raise recording.start_error
        return result

    async def _unrecorded(self, runner: Runner, cancellation: Cancellation, trace: TraceTerms) -> RunResult:
        workspace = Path(tempfile.mkdtemp(prefix=f"crucible-{self.run_id}-"))
        if not trace.is_kept:
            return await self._run(runner, workspace, cancellation)
        collector = Collector(self.run_id, self.experiment.id)
        trace.apply(collector.chain)
        with collector:
            try:
                return await self._run(runner, workspace, cancellation)
            finally:
                collector.chain.save(workspace / "trace.json")

    async def _run(self, runner: Runner, workspace: Path, cancellation: Cancellation) -> RunResult:
        return await runner.arun(
            self.experiment,
            run_id=self.run_id,
            workspace=workspace,
            assigns=self.assigns,
            resume=self.state,
            source=self.source,
            cancellation=cancellation,
        )


def _registry(options: ResumeOptions) -> Registry:
    registry = options.get("registry") or Registry()
    allowed = tuple(options.get("allow_imports", ()))
    return registry.allowing(allowed) if allowed else registry


def _runner(registry: Registry, options: ResumeOptions) -> Runner:
    return Runner(
        registry,
        middleware=options.get("middleware", ()),
        validate_options=options.get("validate_options", "error"),
        max_parallel=options.get("max_parallel", 16),
    )


def _refused(experiment: Experiment, registry: Registry, options: ResumeOptions) -> list[SpecError]:
    """Return what keeps the document from being carried out; mistakes in options count as the caller says."""
    problems = problems_of(experiment, registry)
    if options.get("validate_options", "error") == "error":
        return problems
    return [problem for problem in problems if not _OF_STAGE_OPTIONS.match(problem.path)]


def _provenance(experiment: Experiment, store: Store | None, source: str | None, command: str | None) -> dict[str, Any]:
    """What a reader needs to repeat the run."""
    config = experiment.training_config
    return {
        "source": source,
        "command": command,
        "seed": config.seed if config else None,
        "versions": {"crucible": version("crucible-ml"), "python": platform.python_version(), **_versions()},
        "experiment_hash": content_hash(experiment),
        "started_at": datetime.now(UTC).isoformat(),
        "store": store.location if store else None,
        "platform": platform.platform(),
        **_processes(),
    }


def _processes() -> dict[str, Any]:
    """How many processes share the work, where there is more than this one."""
    return {} if place().is_alone else {"processes": place().count}


@functools.cache
def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for package in _PACKAGES:
        try:
            found[package.lower()] = version(package)
        except PackageNotFoundError:
            continue
    return found
