"""What users say of answers, and how that is collected."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from crucible.ir.instant import Instant
from crucible.ir.model import Document, Seq
from crucible.ir.monitoring import DriftConfig, RetrainingTrigger
from crucible.ir.opaque import Loose, Opaque, PlainValue
from crucible.ir.words import Name, Words

__all__ = ["FeedbackConfig", "FeedbackEvent"]

FeedbackType = Annotated[Name, Words(("thumbs", "rating", "correction", "label", "flag"))]


class FeedbackEvent(Document):
    """One thing that one user said of one answer."""

    id: Name = Field(description="Name of the event.")
    deployment_id: str | None = Field(default=None, description="Deployment that answered.")
    model_version: str | None = Field(default=None, description="Version that answered.")
    input: Opaque | None = Field(default=None, description="What was asked.")
    output: Opaque | None = Field(default=None, description="What was answered.")
    feedback_type: FeedbackType = Field(default="thumbs", description="thumbs, rating, correction, label, flag.")
    feedback_value: PlainValue = Field(default=None, description="What was said: any JSON value.")
    user_id: str | None = Field(default=None, description="Who said it.")
    session_id: str | None = Field(default=None, description="In which session.")
    latency_ms: float | None = Field(default=None, ge=0, description="How long the answer took, in milliseconds.")
    timestamp: Instant | None = Field(default=None, description="When it was said.")
    metadata: Opaque | None = Field(default=None, description="Anything else worth keeping.")


class FeedbackConfig(Document):
    """How feedback is collected."""

    enabled: bool = Field(default=False, description="Whether it is collected.")
    sampling_rate: float = Field(default=1.0, ge=0, le=1, description="Share of the answers to ask about.")
    feedback_types: Seq[FeedbackType] = Field(default=("thumbs", "correction"), description="What may be said.")
    storage: Annotated[Name, Words(("postgres", "s3", "bigquery", "local"))] = Field(
        default="postgres", description="Where it is kept."
    )
    retention_days: int | None = Field(default=None, ge=1, description="Days that it is kept; null: for good.")
    anonymize_pii: bool = Field(default=True, description="Whether personal data is replaced first.")
    drift_detection: Loose[DriftConfig] | None = Field(default=None, description="When answers count as changed.")
    retraining_trigger: Loose[RetrainingTrigger] | None = Field(default=None, description="What starts a training.")
    options: Opaque | None = Field(default=None, description="Anything else.")
