"""How a student is distilled: everything beside the `LoraConfig` that says how it is trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from crucible.ir import LoraConfig, Model

__all__ = ["DistillConfig", "config_refusals"]


class DistillConfig(Model):
    """Configuration of a distillation.

    `off_policy` trains on answers that are there, the items' own or the teacher's, towards the teacher's probabilities
    at each of their tokens. `on_policy` trains on what the student says itself, each token by how much likelier the
    teacher finds it than the student.
    """

    mode: Literal["off_policy", "on_policy"] = Field(
        default="off_policy", description="Learn on answers that are there, or on the student's own."
    )
    alpha: float = Field(
        default=1.0, ge=0, le=1, description="The teacher's share; the rest of 1 is the items' own answers'."
    )
    temperature: float = Field(
        default=1.0,
        ge=0.01,
        le=100,
        description="Off-policy: how soft teacher and student are compared; above 1 is softer.",
    )
    top_k: int = Field(default=20, ge=1, le=10**6, description="Off-policy: the teacher's likeliest tokens compared.")
    rest: Literal["left_out", "renormalised"] | None = Field(
        default=None,
        description="Off-policy: the probability outside of top_k. null: left_out at temperature 1, else renormalised.",
    )
    divergence: Literal["forward_kl", "reverse_kl"] = Field(
        default="forward_kl", description="Off-policy: cover what the teacher says, or keep to what it finds likely."
    )
    answers: Literal["own", "teacher"] = Field(
        default="own", description="Off-policy: train on the items' own answers, or on the teacher's to their prompts."
    )
    kl_discount: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="On-policy: how much of the next token's divergence counts for this one; 0: each its own.",
    )
    group_size: int = Field(default=4, ge=1, le=10**4, description="On-policy: answers drawn a prompt.")
    max_tokens: int = Field(default=64, ge=1, le=10**6, description="Most tokens of an answer that is drawn.")

    @property
    def kept_rest(self) -> Literal["left_out", "renormalised"]:
        """What becomes of the probability outside of `top_k`, said or not."""
        if self.rest is not None:
            return self.rest
        return "left_out" if self.temperature == 1 else "renormalised"

    def problems(self) -> list[tuple[str, str]]:
        """Return what cannot be carried out, as (field, what to do)."""
        default = type(self).model_fields
        others = _OFF_POLICY if self.mode == "on_policy" else _ON_POLICY
        other = "off_policy" if self.mode == "on_policy" else "on_policy"
        found = [
            (name, f"is a setting of mode: {other}; leave it out, or choose that mode")
            for name in others
            if getattr(self, name) != default[name].default
        ]
        if self.alpha == 0 and (self.mode == "on_policy" or self.answers == "own"):
            instead = "" if self.mode == "on_policy" else ", or set answers: teacher"
            found.append(("alpha", f"of 0 leaves the teacher nothing to teach; raise it{instead}"))
        elif self.alpha == 0:
            found += [
                (name, "says how the teacher's probabilities count, and at alpha: 0 they do not; leave it out")
                for name in _OF_PROBABILITIES
                if getattr(self, name) != default[name].default
            ]
        if self.mode == "off_policy" and self.answers == "own" and self.max_tokens != default["max_tokens"].default:
            found.append(("max_tokens", "nothing is drawn: set answers: teacher or mode: on_policy, or leave it out"))
        if self.mode == "off_policy" and self.rest == "left_out" and self.temperature != 1:
            message = "must be renormalised at another temperature than 1: what the rest would have there is not known"
            found.append(("rest", message))
        if self.mode == "off_policy" and self.kept_rest == "renormalised" and self.top_k == 1:
            found.append(("top_k", "must be 2 or more where the rest is renormalised: one candidate always has it all"))
        return found


def config_refusals(config: LoraConfig, settings: DistillConfig) -> list[tuple[str, str]]:
    """Return what a `LoraConfig` says that a distillation does not carry out, as (field, what to do)."""
    default = LoraConfig.model_fields
    said = {"loss": "a distillation has a loss of its own (divergence, alpha); leave it out"}
    if settings.mode == "on_policy":
        said["train_on"] = "what the student wrote is trained on, and nothing else; leave it out"
    return [
        (name, f"is {getattr(config, name)}, and {why}")
        for name, why in said.items()
        if getattr(config, name) != default[name].default
    ]


_OF_PROBABILITIES = ("temperature", "top_k", "rest", "divergence")
_OFF_POLICY = (*_OF_PROBABILITIES, "answers")
_ON_POLICY = ("kl_discount", "group_size")
