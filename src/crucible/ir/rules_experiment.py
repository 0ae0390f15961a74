"""Rules of an experiment as a whole: its kind, its outputs, its data, its dates, its backend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from crucible.ir.experiment import Experiment, OutputSpec
from crucible.ir.issue import Issue
from crucible.ir.refs import BackendRef, ModelVersion
from crucible.ir.rules import error, rule, warning
from crucible.ir.wording_text import did_you_mean, hidden, listed, show

__all__ = ["dates", "experiment_type", "fallbacks", "formats_and_sink", "group_by", "output_names", "parent", "tags"]

_MOST_FALLBACKS = 10
_SINK_OPTIONS = {
    "path": ("file",),
    "url": ("s3",),
    "options_env": ("s3",),
    "url_env": ("postgres", "database"),
}
"""Sinks of the options that make no sense for any other."""
_BINARY = ("pdf", "png", "jpeg", "parquet", "arrow", "xlsx", "docx", "zip")
"""Formats that are no text."""
_PLACES = ("path", "url", "url_env", "table")
"""Options that say where a result goes."""
_UNCERTAIN = frozenset(("$ref", "allOf", "anyOf", "oneOf", "if", "patternProperties", "$dynamicRef"))
_LISTS = ("fields", "features", "columns")
_TYPES = ("object", "array", "record", "struct")
_SINKS = ("file", "stdout", "s3", "postgres", "database")


@rule(Experiment)
def experiment_type(experiment: Experiment) -> Iterable[Issue]:
    """A comparison has something to compare with, and a training something to train."""
    kind = experiment.experiment_type
    if kind == "comparison" and experiment.baseline is None and not _names_baseline(experiment):
        message = (
            "baseline is required when experiment_type is comparison: "
            "name the model here, or a baseline in the contrasts of a stage"
        )
        yield error("baseline", "missing", message)
    if kind == "training" and experiment.training_config is None:
        yield error("training_config", "missing", "training_config is required when experiment_type is training")


def _names_baseline(experiment: Experiment) -> bool:
    """Whether a stage says what its baseline is, itself or in one of its contrasts."""
    for stage in experiment.pipeline:
        if not stage.enabled:
            continue
        options = stage.options or {}
        if stage.name == "bench" and (options.get("data_source") or "scores") != "scores":
            return True
        lists = (cast("list[Any]", value) for value in options.values() if isinstance(value, list))
        entries = (cast("dict[str, Any]", entry) for values in lists for entry in values if isinstance(entry, dict))
        if options.get("baseline") is not None or any(entry.get("baseline") is not None for entry in entries):
            return True
    return False


@rule(Experiment)
def dates(experiment: Experiment) -> Iterable[Issue]:
    """A document does not change before it is made."""
    if experiment.created_at and experiment.updated_at and experiment.updated_at < experiment.created_at:
        message = f"updated_at must not be before created_at, got {experiment.updated_at.isoformat()}"
        yield error("updated_at", "order", message)


@rule(Experiment)
def tags(experiment: Experiment) -> Iterable[Issue]:
    """A tag is given once."""
    given = experiment.tags or ()
    if len(set(given)) < len(given):
        for place, tag in enumerate(given):
            if tag in given[:place]:
                yield warning(f"tags[{place}]", "duplicate", f"tags[{place}] is given twice, got {show(tag)}")


@rule(Experiment)
def output_names(experiment: Experiment) -> Iterable[Issue]:
    """Two results of one name and format do not go to one place, where the later would replace the earlier."""
    seen: dict[Sequence[Any], int] = {}
    for index, output in enumerate(experiment.outputs or ()):
        if output.sink == "stdout":
            continue  # a terminal forgets
        options = output.options or {}
        where = tuple(str(options.get(name)) for name in _PLACES)
        targets = [(output.sink, where, output.name.casefold(), form) for form in dict.fromkeys(output.formats)]
        clash = next((target for target in targets if target in seen), None)
        if clash is not None:
            first = f"which is that of outputs[{seen[clash]}]"
            what = f"{first}: both would be written as {hidden(clash[-1])} to the same place"
            yield error(f"outputs[{index}].name", "duplicate", f"name must be unique, got {show(output.name)}, {what}")
        for target in targets:
            seen.setdefault(target, index)


@rule(OutputSpec)
def formats_and_sink(output: OutputSpec) -> Iterable[Issue]:
    """There is a format; a sink that is elsewhere says where, and options belong to the sink that is named."""
    if not output.formats:
        yield error("formats", "empty", "formats must contain at least one format, got []")
    options = output.options or {}
    if output.sink == "s3" and not options.get("url"):
        yield error("options.url", "missing", "url is required when sink is s3, such as s3://bucket/folder")
    binary = [name for name in output.formats if name in _BINARY]
    if output.sink == "stdout" and binary:
        message = f"formats must be text when sink is stdout, got {', '.join(binary)}; set sink to file"
        yield error("formats", "mismatch", message)
    if options.get("fragment") and "latex" not in output.formats:
        yield warning("options.fragment", "no_effect", "fragment has no effect without the format latex")
    for key in options:
        owners = _SINK_OPTIONS.get(key)
        if owners is not None and output.sink in _SINKS and output.sink not in owners:
            message = f"{key} belongs to the sink {' or '.join(owners)}, and the sink is {output.sink}"
            yield error(f"options.{key}", "no_effect", message)


@rule(Experiment)
def group_by(experiment: Experiment) -> Iterable[Issue]:
    """The field by which groups are formed is one of the dataset's, where its fields are known."""
    fairness = experiment.reliability.fairness if experiment.reliability else None
    schema = experiment.dataset.schema_ if experiment.dataset else None
    if fairness is None or fairness.group_by is None or not schema:
        return
    fields = _field_names(schema)
    if fields and not {fairness.group_by, fairness.group_by.split(".")[0]} & set(fields):
        got = show(fairness.group_by)
        message = (
            f"group_by must be a field of the dataset's schema, got {got}{did_you_mean(fairness.group_by, fields)}"
        )
        yield error("reliability.fairness.group_by", "choice", f"{message}; it has: {listed(fields)}")


def _field_names(schema: Mapping[str, Any]) -> list[str]:
    """Return the fields of a schema, none where there may be others.

    A JSON Schema that lists all its properties, a list or a map under `fields`, `features` or `columns`, and a map of
    types by name say which fields there are.
    """
    if not _UNCERTAIN.isdisjoint(schema) or schema.get("additionalProperties"):
        return []
    for key in ("properties", *_LISTS):
        found: Any = schema.get(key)
        if isinstance(found, dict):
            return list(cast("dict[str, Any]", found))
        if isinstance(found, list):
            entries = cast("list[Any]", found)
            names = [
                cast("dict[str, Any]", entry).get("name") if isinstance(entry, dict) else entry for entry in entries
            ]
            return [name for name in names if isinstance(name, str)]
    is_keyword = schema.get("type") in _TYPES or "required" in schema or any(key.startswith("$") for key in schema)
    return [] if is_keyword or not all(isinstance(value, str) for value in schema.values()) else list(schema)


@rule(Experiment)
def fallbacks(experiment: Experiment) -> Iterable[Issue]:
    """A backend does not fall back on itself, and not for ever."""
    return _of_chain(experiment.backend, "backend.") if experiment.backend.fallback else ()


def _of_chain(backend: BackendRef, prefix: str) -> Iterator[Issue]:
    seen = [_identity(backend)]
    path, fallback = f"{prefix}fallback", backend.fallback
    while fallback is not None:
        if _identity(fallback) in seen:
            message = f"fallback must be another backend, got {show(fallback.id)} again; it would fail as before"
            yield error(path, "cycle", message)
        if len(seen) > _MOST_FALLBACKS:
            yield error(path, "depth", f"fallback must not be nested deeper than {_MOST_FALLBACKS} levels")
            return
        seen.append(_identity(fallback))
        path, fallback = f"{path}.fallback", fallback.fallback


def _identity(backend: BackendRef) -> Sequence[Any]:
    """Return what tells two backends apart: the same service with another model is another one."""
    options = backend.options or None
    return (backend.id, backend.profile, backend.model_version, backend.endpoint_url, backend.deployment_id, options)


@rule(ModelVersion)
def parent(version: ModelVersion) -> Iterable[Issue]:
    """A version is not trained from itself."""
    if version.parent_version == version.version:
        return (
            error("parent_version", "cycle", f"parent_version must be another version, got {show(version.version)}"),
        )
    return ()
