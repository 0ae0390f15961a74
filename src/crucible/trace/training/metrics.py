"""Events of measurements: losses, metrics, gradients, validations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from crucible.trace.event import Event, EventFields
from crucible.trace.training.making import computed_over, event_of, given, mapping, number, text, whole

__all__ = ["gradient_computed", "loss_computed", "metric_recorded", "validation_run"]


def loss_computed(
    loss: float,
    *,
    loss_type: str | None = None,
    epoch: int | None = None,
    step: int | None = None,
    **fields: Unpack[EventFields],
) -> Event:
    """Make a `loss_computed`.

    Args:
        loss: The loss; NaN and infinities are kept as words.
        loss_type: Which loss, such as `cross_entropy`.
        epoch: The epoch at which it was computed.
        step: The step at which it was computed.
        **fields: Any other field of `Event`.
    """
    value = number("loss", loss)
    computed = {
        "loss_value": value,
        **given(text, loss_type=loss_type),
        **given(whole, epoch=epoch, step=step),
    }
    return event_of("loss_computed", f"Loss: {value}", "Loss value computed", computed, fields)


def metric_recorded(
    name: str,
    value: float,
    *,
    unit: str | None = None,
    epoch: int | None = None,
    step: int | None = None,
    **fields: Unpack[EventFields],
) -> Event:
    """Make a `metric_recorded`.

    Args:
        name: Which metric, such as `accuracy`.
        value: What was measured; NaN and infinities are kept as words.
        unit: Its unit.
        epoch: The epoch at which it was measured.
        step: The step at which it was measured.
        **fields: Any other field of `Event`.
    """
    name, measured = text("name", name), number("value", value)
    computed = {
        "name": name,
        "value": measured,
        **given(text, unit=unit),
        **given(whole, epoch=epoch, step=step),
    }
    return event_of("metric_recorded", f"{name}: {measured}", "Metric recorded", computed, fields)


def gradient_computed(
    gradient_norm: float,
    *,
    clipped_to: float | None = None,
    epoch: int | None = None,
    step: int | None = None,
    **fields: Unpack[EventFields],
) -> Event:
    """Make a `gradient_computed`.

    Args:
        gradient_norm: Norm of the gradient, before any clipping.
        clipped_to: The norm that it was clipped to.
        epoch: The epoch at which it was computed.
        step: The step at which it was computed.
        **fields: Any other field of `Event`.
    """
    norm = number("gradient_norm", gradient_norm)
    computed = {
        "gradient_norm": norm,
        **given(number, clipped_to=clipped_to),
        **given(whole, epoch=epoch, step=step),
    }
    return event_of("gradient_computed", f"Gradient norm: {norm}", "Gradients computed", computed, fields)


def validation_run(
    metrics: Mapping[str, Any],
    *,
    dataset: str | None = None,
    epoch: int | None = None,
    step: int | None = None,
    **fields: Unpack[EventFields],
) -> Event:
    """Make a `validation_run`.

    Args:
        metrics: What was measured; each becomes a key of the metadata.
        dataset: The held-out data.
        epoch: The epoch after which it was measured.
        step: The step after which it was measured.
        **fields: Any other field of `Event`.
    """
    about = given(text, dataset=dataset)
    computed = computed_over({**about, **given(whole, epoch=epoch, step=step)}, mapping("metrics", metrics))
    on = f" on {about['dataset']}" if about else ""
    return event_of("validation_run", f"Validated{on}", "Model measured on held-out data", computed, fields)
