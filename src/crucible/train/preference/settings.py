"""How preferences are trained on: the settings beside those of `LoraConfig`."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from crucible.ir import Model

__all__ = ["PreferenceConfig"]

_WHICH: Final = {
    "label_smoothing": ("cdpo",),
    "desirable_weight": ("kto",),
    "undesirable_weight": ("kto",),
    "reference_model": ("dpo", "ipo", "cdpo", "kto"),
}
"""Settings that not every loss has, with those that have them."""


class PreferenceConfig(Model):
    """Settings of one preference training."""

    loss_type: Literal["dpo", "ipo", "cdpo", "orpo", "kto"] = Field(default="dpo", description="Preference loss.")
    beta: float = Field(
        default=0.1, gt=0, allow_inf_nan=False, description="Weight of a nat of margin; of orpo: of its odds ratio."
    )
    label_smoothing: float = Field(
        default=0.1, ge=0, le=0.5, description="Of cdpo: share of the labels that are taken to be wrong."
    )
    reference_model: str | None = Field(
        default=None,
        min_length=1,
        description="Base model or folder of an adapter to compare with; null: the model as it was before training.",
    )
    ties: Literal["skip", "split"] = Field(
        default="skip", description="Labels that say Tie: left out, or counted half for each answer."
    )
    desirable_weight: float = Field(
        default=1.0, gt=0, allow_inf_nan=False, description="Of kto: weight of a desirable answer."
    )
    undesirable_weight: float = Field(
        default=1.0, gt=0, allow_inf_nan=False, description="Of kto: weight of an undesirable answer."
    )

    @field_validator(*_WHICH)
    @classmethod
    def _is_of_the_loss(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse a setting that the loss does not have, unless it says what it is anyway."""
        name = info.field_name or ""
        loss: Any = info.data.get("loss_type")  # absent where it does not fit itself
        if loss is None or loss in _WHICH[name] or value == cls.model_fields[name].default:
            return value
        message = "is a setting of {others}, and loss_type is {loss}; choose another, or leave it out"
        raise PydanticCustomError("mismatch", message, {"others": ", ".join(_WHICH[name]), "loss": loss})

    @property
    def has_reference(self) -> bool:
        """Whether the loss compares with a reference."""
        return self.loss_type != "orpo"

    @property
    def takes_pairs(self) -> bool:
        """Whether the loss compares two answers to one prompt; kto judges each alone."""
        return self.loss_type != "kto"
