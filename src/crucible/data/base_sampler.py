"""The untuned base models of a run: which one `model: base` means, and each loaded once.

A base is a resource under its own name and device, and the first one also under `sampler.base`. What was trained on is
read from the metrics `train.<model>`, so a resumed run means the same base as one that never stopped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crucible.backends.protocols import Backend, Sampler
from crucible.backends.registry import get_backend
from crucible.errors import ContractError
from crucible.ir import Experiment
from crucible.pipeline import Context

__all__ = ["base_of_model", "find_base", "with_base"]


def with_base(context: Context, backend: Backend, base_model: str, device: str | None) -> Context:
    """Return a context that has the sampler of a base model; one that is there already is not loaded again.

    Args:
        context: The run so far.
        backend: Where the model lives.
        base_model: Its name.
        device: Where its weights go; None: where the backend likes.
    """
    key = _key(base_model, device)
    if not context.has_resource(key):
        context = context.put_resource(key, backend.create_sampler(base_model, device=device))
    return (
        context if context.has_resource("sampler.base") else context.put_resource("sampler.base", context.resource(key))
    )


def find_base(context: Context, wanted: str | None) -> tuple[Context, Sampler, str]:
    """Return a context with the base model that is meant, its sampler, and its name.

    The device is the one that the base was trained on in this run, else that of the run's first training, else that of
    the document's training_config.

    Args:
        context: The run so far.
        wanted: The name that a stage gives; None: the base that this run trained on, else the document's.

    Raises:
        ContractError: No base model is named, or `model: base` can mean two.
        BackendError: It cannot be loaded.
    """
    trained = _trained(context)
    name = wanted or _meant(context, trained)
    if name is None:
        if not context.has_resource("sampler.base"):
            raise ContractError("no base model is named; give this stage base_model, or the document a training_config")
        sampler: Sampler = context.resource("sampler.base")  # a stage that is not ours put it there
        return context, sampler, sampler.model
    training = context.experiment.training_config
    device = trained.get(name, next(iter(trained.values()), training.device if training else None))
    context = with_base(context, get_backend(context.experiment.backend), name, device)
    return context, context.resource(_key(name, device)), name


def base_of_model(context: Context, model: str) -> str | None:
    """Return the base that a model of this run was trained on; None if no training stage says."""
    return _config(context.get_metric(f"train.{model}")).get("base_model")


def _key(base_model: str, device: str | None) -> str:
    return f"sampler.base {base_model} on {device or 'any device'}"


def _meant(context: Context, trained: Mapping[str, str | None]) -> str | None:
    """Return what `model: base` means without a name of its own."""
    named = _named(context.experiment)
    bases = list(trained)
    if named is not None and named not in trained and named in _evaluated(context):
        bases.insert(0, named)
    if len(bases) > 1:
        raise ContractError(
            f"model: base can mean {' or '.join(bases)} in this run; say which with the option base_model, "
            "and give each its own label"
        )
    return bases[0] if bases else named


def _named(experiment: Experiment) -> str | None:
    training = experiment.training_config
    ref = training.model_ref if training else experiment.baseline
    return ref and (ref.artifact_uri or ref.id)


def _trained(context: Context) -> dict[str, str | None]:
    """Return the device of each base that this run has trained on, in order."""
    found: dict[str, str | None] = {}
    for name, facts in context.metrics.items():
        if name.startswith("train.") and "base_model" in (config := _config(facts)):
            found.setdefault(config["base_model"], config.get("device"))
    return found


def _evaluated(context: Context) -> set[str]:
    """Return the bases that this run has evaluated untuned."""
    return {
        facts["base_model"]
        for name, facts in context.metrics.items()
        if name.startswith("generation.") and facts.get("model") == "base"
    }


def _config(facts: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return (facts or {}).get("config", {})
