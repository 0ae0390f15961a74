"""What travels from stage to stage: immutable, and split into what persists and what does not.

Metrics, outputs, artifacts and assigns are JSON values and are stored after each stage. Resources (datasets, samplers)
are any objects; they are gone after the process and come back through a stage's `rebuild`. Who reads a list or a dict
gets a copy: changing it does not change the context. Deriving shares structure,
so a context of ten thousand metrics costs no more to change than an empty one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, cast

import msgspec

from crucible.errors import ContractError
from crucible.ir import ArtifactRef, Experiment, file_sha256
from crucible.pipeline.persistent import FrozenList, FrozenMap, JsonList, JsonMap, own_json
from crucible.pipeline.records import ContextDelta

__all__ = ["Context"]

_MISSING = object()


class Context(msgspec.Struct, frozen=True):
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
        completed_stages: Names of the stages that are done, in order; one that ran twice is there twice.
    """

    run_id: str
    experiment: Experiment
    workspace: Path
    metrics: FrozenMap[Any] = msgspec.field(default_factory=JsonMap)
    outputs: FrozenList[Mapping[str, Any]] = msgspec.field(default_factory=JsonList)
    artifacts: FrozenMap[ArtifactRef] = msgspec.field(default_factory=FrozenMap[ArtifactRef])
    assigns: FrozenMap[Any] = msgspec.field(default_factory=JsonMap)
    resources: FrozenMap[Any] = msgspec.field(default_factory=FrozenMap[Any])
    completed_stages: FrozenList[str] = msgspec.field(default_factory=FrozenList[str])

    def __repr__(self) -> str:
        kept = ", ".join(
            f"{name}={len(getattr(self, name))}" for name in ("metrics", "outputs", "artifacts", "assigns")
        )
        return f"Context(run_id={self.run_id!r}, experiment={self.experiment.id!r}, {kept})"

    @property
    def experiment_id(self) -> str:
        """The experiment's id."""
        return self.experiment.id

    # --- metrics ---

    def put_metric(self, name: str, value: Any) -> Context:
        """Set one metric.

        Raises:
            ContractError: `value` is not a JSON value.
        """
        return msgspec.structs.replace(self, metrics=self.metrics.update(_all_plain({name: value}, "metrics")))

    def merge_metrics(self, metrics: Mapping[str, Any]) -> Context:
        """Set several metrics.

        Raises:
            ContractError: A value is not a JSON value.
        """
        return msgspec.structs.replace(self, metrics=self.metrics.update(_mapping(metrics, "metrics")))

    def update_metric(self, name: str, change: Callable[[Any], Any], default: Any = _MISSING) -> Context:
        """Set a metric to what `change` makes of its value.

        Args:
            name: The metric.
            change: From the old value to the new one.
            default: The old value where the metric is not set.

        Raises:
            ContractError: The metric is not set and there is no default, or the new value is not a JSON value.
        """
        if name not in self.metrics and default is _MISSING:
            known = ", ".join(self.metrics) or "none yet"
            raise ContractError(f'no metric "{name}" to update; give a default, or set it first. There are: {known}')
        return self.put_metric(name, change(self.metrics.get(name, default)))

    def get_metric(self, name: str, default: Any = None) -> Any:
        """Return a metric, or `default`."""
        return self.metrics.get(name, default)

    def has_metric(self, name: str) -> bool:
        """Return whether a metric is set."""
        return name in self.metrics

    # --- outputs ---

    def add_output(self, output: Mapping[str, Any]) -> Context:
        """Append one output.

        Raises:
            ContractError: `output` is not a JSON mapping.
        """
        return self.add_outputs([output])

    def add_outputs(self, outputs: Iterable[Mapping[str, Any]]) -> Context:
        """Append several outputs.

        Raises:
            ContractError: One of them is not a JSON mapping.
        """
        first = len(self.outputs)
        plain = [_mapping(output, f"outputs[{first + i}]") for i, output in enumerate(outputs)]
        return msgspec.structs.replace(self, outputs=self.outputs.append(*plain))

    # --- artifacts ---

    def put_artifact(self, name: str, artifact: ArtifactRef) -> Context:
        """Set the reference of a file.

        Raises:
            ContractError: `artifact` is not an `ArtifactRef`.
        """
        if not isinstance(artifact, ArtifactRef):  # pyright: ignore[reportUnnecessaryIsInstance]  # a stage may do so
            raise ContractError(f"artifacts.{name}: expected an ArtifactRef, got {artifact!r}; use `add_file`")
        return msgspec.structs.replace(self, artifacts=self.artifacts.set(name, artifact))

    def get_artifact(self, name: str, default: ArtifactRef | None = None) -> ArtifactRef | None:
        """Return the reference of a file, or `default`."""
        return self.artifacts.get(name, default)

    def has_artifact(self, name: str) -> bool:
        """Return whether there is a file of this name."""
        return name in self.artifacts

    def add_file(
        self,
        name: str,
        path: Path | str,
        *,
        media_type: str = "application/octet-stream",
        made_from: Sequence[str] = (),
    ) -> Context:
        """Reference a file that lies in the workspace, with its digest and size.

        Args:
            name: Name of the artifact.
            path: The file; a relative one is looked for in the workspace first.
            media_type: Such as `text/html`.
            made_from: Names of the artifacts that it was made from.

        Raises:
            ContractError: The file lies elsewhere, or an artifact that it was made from is not there.
            StoreError: The file cannot be read.
        """
        inside = self.workspace / path
        path = inside if inside.exists() else Path(path)
        try:
            relative = path.resolve().relative_to(self.workspace.resolve())
        except ValueError:
            raise ContractError(
                f"artifact {name}: {path} lies outside the run's workspace {self.workspace}; write it inside"
            ) from None
        for source in made_from:
            self.artifact_path(source)
        reference = ArtifactRef(
            path=PurePosixPath(relative).as_posix(),
            sha256=file_sha256(path),
            size_bytes=path.stat().st_size,
            media_type=media_type,
            made_from=tuple(made_from),
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

    # --- assigns ---

    def assign(self, name: str | Mapping[str, Any], value: Any = None) -> Context:
        """Set one assign, or all of a mapping.

        Raises:
            ContractError: A value is not a JSON value.
        """
        changes = name if isinstance(name, Mapping) else {name: value}
        return msgspec.structs.replace(self, assigns=self.assigns.update(_all_plain(changes, "assigns")))

    def get_assign(self, name: str, default: Any = None) -> Any:
        """Return an assign, or `default`."""
        return self.assigns.get(name, default)

    # --- resources ---

    def put_resource(self, name: str, value: Any) -> Context:
        """Set a live object that is not stored; the stage that does so has a `rebuild`."""
        return msgspec.structs.replace(self, resources=self.resources.set(name, value))

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

    # --- bookkeeping ---

    def mark_stage_complete(self, name: str) -> Context:
        """Note that a stage is done; the runner does so."""
        return msgspec.structs.replace(self, completed_stages=self.completed_stages.append(name))

    def stage_completed(self, name: str) -> bool:
        """Return whether a stage of this name is done."""
        return name in self.completed_stages

    def delta_since(self, before: Context) -> ContextDelta:
        """Return what was added to the persistent part since `before`."""
        if self is before:
            return ContextDelta()
        files = self.artifacts.changed_since(before.artifacts)
        return ContextDelta(
            metrics=self.metrics.changed_since(before.metrics),
            outputs=[dict(output) for output in self.outputs[len(before.outputs) :]],
            artifacts={name: msgspec.to_builtins(value) for name, value in files.items()} if files else {},
            assigns=self.assigns.changed_since(before.assigns),
        )

    def restored(self, delta: ContextDelta) -> Context:
        """Return this context with what a stage once added to the persistent part."""
        return msgspec.structs.replace(
            self,
            metrics=self.metrics.update(own_json(delta.metrics)),
            outputs=self.outputs.append(*own_json(delta.outputs)),
            artifacts=self.artifacts.update(msgspec.convert(delta.artifacts, dict[str, ArtifactRef])),
            assigns=self.assigns.update(own_json(delta.assigns)),
        )


def _all_plain(values: Mapping[Any, Any], path: str) -> dict[str, Any]:
    for name in values:
        if not isinstance(name, str):
            raise ContractError(f"{path}: keys must be text, got {name!r}")
    return {name: _plain(value, f"{path}.{name}") for name, value in values.items()}


def _mapping(value: object, path: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ContractError(f"{path}: expected a mapping, got a {type(value).__name__}")
    return _all_plain(cast("Mapping[Any, Any]", value), path)


def _plain(value: Any, path: str) -> Any:
    """Return `value` as plain JSON data of its own, or refuse it by path."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        raise ContractError(f"{path}: {value} is not a JSON number; store a word or leave it out")
    if isinstance(value, Mapping):
        return _all_plain(cast("Mapping[Any, Any]", value), path)
    if isinstance(value, (list, tuple)):
        return [_plain(inner, f"{path}[{i}]") for i, inner in enumerate(cast("list[Any]", value))]
    raise ContractError(
        f"{path}: a {type(value).__name__} cannot be stored; put JSON values here, files under `add_file` "
        "and live objects under `put_resource`"
    )
