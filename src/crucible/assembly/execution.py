"""Running and resuming experiments with everything kept: `crucible.run` and `crucible.resume`."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from crucible.assembly.document import problems_of
from crucible.assembly.recording import RunRecording
from crucible.errors import SpecErrors
from crucible.ir import Experiment, content_hash
from crucible.pipeline import Registry, Resume, Runner, RunResult, new_run_id, run_sync
from crucible.store import Store, open_store

__all__ = ["aresume", "arun", "resume", "run"]

_PACKAGES = ("numpy", "scipy", "statsmodels", "torch", "transformers", "peft", "tokenizers", "pydantic", "SQLAlchemy")


def run(
    experiment: Experiment,
    *,
    store: str | Path | None = None,
    run_id: str | None = None,
    source: str | None = None,
    command: str | None = None,
    registry: Registry | None = None,
) -> RunResult:
    """Carry out an experiment and keep everything.

    Args:
        experiment: The document.
        store: Folder or database URL; None: `CRUCIBLE_STORE`, or `.crucible` in the working directory.
        run_id: Id of the run; None makes one.
        source: The file that the document was read from, for the record.
        command: The command that repeats the run, for the record.
        registry: Where stages are found; None: the installed ones.

    Returns:
        The result. A failed stage is a result with `status == "failed"`, not an exception.

    Raises:
        SpecErrors: The document cannot be carried out as written.
        StoreError: The store cannot be opened.
    """
    work = arun(experiment, store=store, run_id=run_id, source=source, command=command, registry=registry)
    return run_sync(work)


async def arun(
    experiment: Experiment,
    *,
    store: str | Path | None = None,
    run_id: str | None = None,
    source: str | None = None,
    command: str | None = None,
    registry: Registry | None = None,
) -> RunResult:
    """Do what `run` does, inside an event loop."""
    registry = registry or Registry()
    if problems := problems_of(experiment, registry):
        raise SpecErrors(source or experiment.id, problems)
    opened = open_store(store)
    try:
        run_id = new_run_id() if run_id is None else run_id
        if command is None and source is not None:
            command = shlex.join(["crucible", "run", source])
        provenance = _provenance(experiment, opened, source, command)
        return await _carry_out(experiment, opened, registry, run_id, source, {"provenance": provenance}, None)
    finally:
        opened.close()


def resume(run_id: str, *, store: str | Path | None = None, registry: Registry | None = None) -> RunResult:
    """Go on with a run that failed, was cancelled or whose process died; completed stages are not run again.

    Args:
        run_id: The run's id or the unique beginning of one.
        store: Folder or database URL; None: `CRUCIBLE_STORE`, or `.crucible` in the working directory.
        registry: Where stages are found; None: the installed ones.

    Raises:
        StoreError: There is no such run, it is complete, or it still runs in a living process.
        SpecErrors: The stored document cannot be carried out by what is installed now.
    """
    return run_sync(aresume(run_id, store=store, registry=registry))


async def aresume(run_id: str, *, store: str | Path | None = None, registry: Registry | None = None) -> RunResult:
    """Do what `resume` does, inside an event loop."""
    registry = registry or Registry()
    opened = open_store(store, create=False)
    try:
        stored = opened.runs.run(run_id)
        experiment = Experiment.read(stored.experiment, source=f"run {stored.run_id}")
        if problems := problems_of(experiment, registry):
            raise SpecErrors(f"run {stored.run_id}", problems)
        opened.runs.claim_for_resume(stored.run_id)
        state = opened.runs.resume_state(stored.run_id)
        assigns = {"provenance": stored.provenance}
        return await _carry_out(experiment, opened, registry, stored.run_id, stored.source, assigns, state)
    finally:
        opened.close()


async def _carry_out(
    experiment: Experiment,
    store: Store,
    registry: Registry,
    run_id: str,
    source: str | None,
    assigns: Mapping[str, Any],
    state: Resume | None,
) -> RunResult:
    workspace = store.workspace(run_id)
    recording = RunRecording(store, run_id, experiment.id, workspace)
    try:
        return await Runner(registry, recording).arun(
            experiment, run_id=run_id, workspace=workspace, assigns=assigns, resume=state, source=source
        )
    finally:
        recording.close()


def _provenance(experiment: Experiment, store: Store, source: str | None, command: str | None) -> dict[str, Any]:
    """What a reader needs to repeat the run."""
    config = experiment.training_config
    return {
        "source": source,
        "command": command,
        "seed": config.seed if config else None,
        "versions": {"crucible": version("crucible-ml"), "python": platform.python_version(), **_versions()},
        "experiment_hash": content_hash(experiment),
        "started_at": datetime.now(UTC).isoformat(),
        "store": store.location,
        "platform": platform.platform(),
    }


def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for package in _PACKAGES:
        try:
            found[package.lower()] = version(package)
        except PackageNotFoundError:
            continue
    return found
