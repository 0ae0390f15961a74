"""What travels from stage to stage: immutable, and split into what persists and what does not.

Metrics, outputs, artifacts and assigns are JSON values and are stored after each stage. Resources (datasets, samplers)
are any objects; they are gone after the process and come back through a stage's `rebuild`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, cast

import msgspec

from crucible.errors import ContractError
from crucible.ir import ArtifactRef, Experiment, file_sha256
from crucible.pipeline.records import ContextDelta

__all__ = ["Context"]

_MISSING = object()


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """The state of a run between two stages; every method returns a new one.

    Args:
        run_id: The run.
        experiment: The document that is carried out.
        workspace: Folder for the run's files; it exists.
        metrics: Results by name, JSON values.
        outputs: Results to hand out, in order, JSON mappings.
        artifacts: Files of the run by name.
        assigns: Anything else that later stages need, JSON values.
        resources: Live objects by name; not stored.
    """

    run_id: str
    experiment: Experiment
    workspace: Path
    metrics: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    outputs: tuple[Mapping[str, Any], ...] = ()
    artifacts: Mapping[str, ArtifactRef] = dataclasses.field(default_factory=dict[str, ArtifactRef])
    assigns: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    resources: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any], repr=False)

    @property
    def experiment_id(self) -> str:
        """The experiment's id."""
        return self.experiment.id

    def put_metric(self, name: str, value: Any) -> Context:
        """Set one metric.

        Raises:
            ContractError: `value` is not a JSON value.
        """
        return self.merge_metrics({name: value})

    def merge_metrics(self, metrics: Mapping[str, Any]) -> Context:
        """Set several metrics.

        Raises:
            ContractError: A value is not a JSON value.
        """
        checked = {name: _plain(value, f"metrics.{name}") for name, value in metrics.items()}
        return dataclasses.replace(self, metrics={**self.metrics, **checked})

    def get_metric(self, name: str, default: Any = None) -> Any:
        """Return a metric, or `default`."""
        return self.metrics.get(name, default)

    def has_metric(self, name: str) -> bool:
        """Return whether a metric is set."""
        return name in self.metrics

    def add_output(self, output: Mapping[str, Any]) -> Context:
        """Append one output.

        Raises:
            ContractError: `output` is not a JSON mapping.
        """
        checked = _plain(dict(output), f"outputs[{len(self.outputs)}]")
        return dataclasses.replace(self, outputs=(*self.outputs, checked))

    def put_artifact(self, name: str, artifact: ArtifactRef) -> Context:
        """Set the reference of a file."""
        return dataclasses.replace(self, artifacts={**self.artifacts, name: artifact})

    def add_file(self, name: str, path: Path, *, media_type: str = "application/octet-stream") -> Context:
        """Reference a file that lies in the workspace, with its digest and size.

        Raises:
            ContractError: The file lies elsewhere.
            StoreError: The file cannot be read.
        """
        try:
            relative = path.resolve().relative_to(self.workspace.resolve())
        except ValueError:
            raise ContractError(
                f"artifact {name}: {path} lies outside the run's workspace {self.workspace}; write it inside"
            ) from None
        reference = ArtifactRef(
            path=PurePosixPath(relative).as_posix(),
            sha256=file_sha256(path),
            size_bytes=path.stat().st_size,
            media_type=media_type,
        )
        return self.put_artifact(name, reference)

    def artifact_path(self, name: str) -> Path:
        """Return where the file of an artifact lies.

        Raises:
            ContractError: No stage made this artifact.
        """
        if name not in self.artifacts:
            known = ", ".join(sorted(self.artifacts)) or "none yet"
            raise ContractError(f'no artifact "{name}"; the run has: {known}')
        return self.workspace / self.artifacts[name].path

    def assign(self, name: str, value: Any) -> Context:
        """Set one assign.

        Raises:
            ContractError: `value` is not a JSON value.
        """
        return dataclasses.replace(self, assigns={**self.assigns, name: _plain(value, f"assigns.{name}")})

    def get_assign(self, name: str, default: Any = None) -> Any:
        """Return an assign, or `default`."""
        return self.assigns.get(name, default)

    def put_resource(self, name: str, value: Any) -> Context:
        """Set a live object that is not stored; the stage that does so has a `rebuild`."""
        return dataclasses.replace(self, resources={**self.resources, name: value})

    def has_resource(self, name: str) -> bool:
        """Return whether a resource is there."""
        return name in self.resources

    def resource(self, name: str) -> Any:
        """Return a live object that an earlier stage provided.

        Raises:
            ContractError: No earlier stage provides it.
        """
        if name not in self.resources:
            known = ", ".join(sorted(self.resources)) or "none"
            raise ContractError(f'no resource "{name}"; earlier stages provide: {known}')
        return self.resources[name]

    def delta_since(self, before: Context) -> ContextDelta:
        """Return what was added to the persistent part since `before`."""
        return ContextDelta(
            metrics=_changed(before.metrics, self.metrics),
            outputs=[dict(output) for output in self.outputs[len(before.outputs) :]],
            artifacts={
                name: msgspec.to_builtins(value) for name, value in _changed(before.artifacts, self.artifacts).items()
            },
            assigns=_changed(before.assigns, self.assigns),
        )

    def restored(self, snapshot: ContextDelta) -> Context:
        """Return this context with the persistent part of a snapshot."""
        return dataclasses.replace(
            self,
            metrics={**self.metrics, **snapshot.metrics},
            outputs=(*self.outputs, *snapshot.outputs),
            artifacts={**self.artifacts, **msgspec.convert(snapshot.artifacts, dict[str, ArtifactRef])},
            assigns={**self.assigns, **snapshot.assigns},
        )


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in after.items() if before.get(name, _MISSING) is not value}


def _plain(value: Any, path: str) -> Any:
    """Return `value` as plain JSON data of its own, or refuse it by path."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        raise ContractError(f"{path}: {value} is not a JSON number; store a word or leave it out")
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        for key, _ in items:
            if not isinstance(key, str):
                raise ContractError(f"{path}: keys must be text, got {key!r}")
        return {key: _plain(inner, f"{path}.{key}") for key, inner in items}
    if isinstance(value, (list, tuple)):
        return [_plain(inner, f"{path}[{i}]") for i, inner in enumerate(cast("list[Any]", value))]
    raise ContractError(
        f"{path}: a {type(value).__name__} cannot be stored; put JSON values here, files under `add_file` "
        "and live objects under `put_resource`"
    )
