"""Parts of a document that no stage of it carries out, and what a backend does not use: refused by their paths.

Stages say in `reads` what they carry out. Where one does not say, a stranger's, it may be anything, so nothing is
refused for being unread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import entry_points
from typing import Any, Final

from crucible.assembly.knobs_walk import words_of
from crucible.errors import ContractError, SpecError
from crucible.ir import (
    BackendRef,
    EnsembleConfig,
    Experiment,
    FairnessConfig,
    FeedbackConfig,
    HedgingConfig,
    Model,
    ModelRef,
    ReliabilityConfig,
    StageDef,
    did_you_mean,
)
from crucible.ir.wording_text import show
from crucible.pipeline import Registry

__all__ = ["asked_of", "backend_problems", "is_off", "told_of", "unread_problems"]

_KEPT: Final = frozenset(
    {
        "schema_version",
        "id",
        "description",
        "owner",
        "tags",
        "metadata",
        "created_at",
        "updated_at",
        "experiment_type",
        "model_version",
        "extra",
    }
)
"""Facts of a document: kept with the run, and asked of nobody."""
_ELSEWHERE: Final = frozenset({"backend", "pipeline"})
_SWITCHES: Final[dict[type[Model], tuple[str, Any]]] = {
    EnsembleConfig: ("strategy", "none"),
    HedgingConfig: ("strategy", "off"),
    FairnessConfig: ("enabled", False),
    FeedbackConfig: ("enabled", False),
}
"""What switches a part off; nothing has to carry it out then."""
_UNUSED: Final = ("options", "model_version", "endpoint_url", "deployment_id", "fallback")


def unread_problems(experiment: Experiment, registry: Registry) -> list[SpecError]:
    """Return each part of a document that is given and that no enabled stage carries out.

    Args:
        experiment: The document.
        registry: Where stages are found.
    """
    readers = _readers(experiment.pipeline, registry)
    if readers is None:
        return []
    reads = {read for own in readers.values() for read in own}
    found: list[SpecError] = []
    for path, value in _parts(experiment):
        if value is None or value == () or is_off(value) or _covers(reads, path):
            continue
        inside = [read for read in reads if read.startswith(f"{path}.")]
        if not inside:
            found.append(_unread(path, value, registry))
            continue
        unread = [f"{path}.{name}" for name in asked_of(value) if f"{path}.{name}" not in reads]
        found += [_unread(each, None, registry) for each in unread]
    if experiment.baseline is not None and [name for name, own in readers.items() if "baseline" in own] == ["evaluate"]:
        found += _baseline(experiment, experiment.baseline)
    return found


def backend_problems(backend: BackendRef) -> list[SpecError]:
    """Return why the backend of a document is not to be had as it says."""
    known = sorted({point.name for point in entry_points(group="crucible.backends")})
    found: list[SpecError] = []
    if backend.id not in known:
        hint = did_you_mean(backend.id, known) or f"; known: {', '.join(known)}"
        found.append(SpecError(f"unknown backend {show(backend.id)}{hint}", path="backend.id", code="choice"))
    if backend.profile != "default":
        message = f'a backend has the profile "default" only, got {show(backend.profile)}'
        found.append(SpecError(message, path="backend.profile", code="refused"))
    for name in _UNUSED:
        is_taken = name == "options" and backend.id != "local"  # a stranger's says itself what it takes
        if getattr(backend, name) is not None and not is_taken:
            message = "no backend of this version uses it; leave it out"
            found.append(SpecError(message, path=f"backend.{name}", code="refused"))
    return found


def is_off(value: Any) -> bool:
    """Tell whether a part is switched off: an ensemble of strategy none, hedging off, `enabled: false`.

    Whether the switch is written or has that value by default makes no difference, nor does what else the part says:
    equal documents are judged alike.
    """
    return any(isinstance(value, kind) and getattr(value, name) == off for kind, (name, off) in _SWITCHES.items())


def asked_of(value: Any) -> list[str]:
    """Return the fields of a part that say something: those that are not what the type has by itself."""
    if not isinstance(value, Model):
        return []
    fields = type(value).model_fields.items()
    return [
        name
        for name, field in fields
        if name != "extra"
        and not field.is_required()
        and getattr(value, name) != field.get_default(call_default_factory=True)
    ]


def told_of(value: Any, asked: Sequence[str]) -> str:
    """Return what a part asks for as a message names it, such as ` (strategy majority, models)`; empty if nothing.

    Args:
        value: The part.
        asked: Its fields that say something.
    """
    if not isinstance(value, Model):
        return ""
    parts: list[str] = []
    for name, field in type(value).model_fields.items():
        held, words = getattr(value, name), words_of(field)
        if words and isinstance(held, str) and held in words:
            parts.append(f"{name} {held}")
        elif name in asked:
            parts.append(name)
    return f" ({', '.join(parts)})" if parts else ""


def _parts(experiment: Experiment) -> Iterator[tuple[str, Any]]:
    """Yield what a document asks for beside its backend and its stages, in its order."""
    for name in Experiment.model_fields:
        if name == "reliability":
            for part in ReliabilityConfig.model_fields if experiment.reliability else ():
                if part not in _KEPT:
                    yield f"reliability.{part}", getattr(experiment.reliability, part)
        elif name not in _KEPT and name not in _ELSEWHERE:
            yield name, getattr(experiment, name)


def _readers(pipeline: Sequence[StageDef], registry: Registry) -> dict[str, frozenset[str]] | None:
    """Return what the enabled stages carry out, by name, fallbacks included; None where one of them does not say."""
    found: dict[str, frozenset[str]] = {}
    for definition in _enabled(pipeline):
        try:
            stage = registry.resolve(definition)
        except (SpecError, ContractError):
            return None  # reported where it stands
        reads: frozenset[str] | None = getattr(stage, "reads", None)
        if reads is None:
            return None
        found[stage.name] = reads | found.get(stage.name, frozenset())
    return found


def _enabled(pipeline: Iterable[StageDef]) -> Iterator[StageDef]:
    for definition in pipeline:
        if definition.enabled:
            yield definition
            if definition.fallback is not None and definition.on_error == "fallback":
                yield from _enabled((definition.fallback,))


def _covers(reads: Iterable[str], path: str) -> bool:
    return any(path == read or path.startswith(f"{read}.") for read in reads)


def _unread(path: str, value: Any, registry: Registry) -> SpecError:
    makers = [f"`{name}`" for name in registry.names() if _carries_out(name, path, registry)]
    if makers:
        message = f"nothing carries it out: add the stage {' or '.join(makers)}, or leave it out"
    else:
        message = f"nothing in this version carries it out{told_of(value, asked_of(value))}: leave it out"
    return SpecError(message, path=path, code="refused")


def _carries_out(name: str, path: str, registry: Registry) -> bool:
    try:
        stage = registry.get(name)
    except ContractError:
        return False  # a stranger's that cannot be imported is no advice
    return stage.name == name and _covers(getattr(stage, "reads", None) or (), path)


def _baseline(experiment: Experiment, baseline: ModelRef) -> Iterator[SpecError]:
    """Refuse a baseline that is not what `model: base` means in this run, and that no stage names."""
    training = experiment.training_config
    name = baseline.artifact_uri or baseline.id
    told = [entry.options or {} for entry in _enabled(experiment.pipeline) if entry.name == "evaluate"]
    bases = [options.get("base_model") for options in told if options.get("model", "base") == "base"]
    meant = name if training is None else training.model_ref.artifact_uri or training.model_ref.id
    if name in bases or (None in bases and meant == name):
        return
    what = "with a training_config, model: base is the base that was trained on; " if training and bases else ""
    message = f"nothing evaluates {show(name)}: {what}add a stage `evaluate` with it as base_model, or leave it out"
    yield SpecError(message, path="baseline", code="refused")
