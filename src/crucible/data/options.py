"""What can be said about how to read a dataset: the options of `load`, of a document's `dataset` and of `data_load`.

One model serves all three, so the words cannot drift apart. None means: not given. Which source takes which option is
written beside the source.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from crucible.ir import Model, Seq

__all__ = ["DatasetOptions", "FieldMap"]


class FieldMap(Model):
    """Which field of a row is what; the fields that are not named become metadata."""

    input: str = Field(default="input", min_length=1, description="Field with the prompt.")
    expected: str = Field(default="expected", min_length=1, description="Field with the answer.")
    id: str = Field(default="id", min_length=1, description="Field with the id; rows without it are numbered.")


class DatasetOptions(Model):
    """How to read a dataset, and what to test on. Every field may be left out."""

    path: str | None = Field(
        default=None, min_length=1, description="Folder or file; ${NAME} stands for an environment variable."
    )
    limit: int | None = Field(default=None, ge=1, description="Items at most: a sample that the seed chooses.")
    seed: int | None = Field(default=None, ge=0, description="Seed of samples, of held-out items, of generated data.")
    fields: FieldMap | None = Field(default=None, description="Which field of a row is what.")
    unanswered: Literal["refuse", "keep"] | None = Field(
        default=None, description="Rows without an answer: refuse the file (default), or keep them without one."
    )
    synthetic: bool | None = Field(default=None, description="true: the data is made up, and every output says so.")
    answer_schema: dict[str, Any] | str | None = Field(
        default=None, description="JSON Schema of an answer, or the path of a file that holds it."
    )
    answer: Literal["full", "final"] | None = Field(
        default=None, description="gsm8k: the whole solution (default), or its last line only."
    )
    config: str | None = Field(default=None, min_length=1, description="huggingface: configuration of the repository.")
    files: Seq[str] | None = Field(
        default=None, min_length=1, description="huggingface: files of the split in the repository; * is any text."
    )
    test_path: str | None = Field(default=None, min_length=1, description="Folder or file of the test items.")
    test_split: str | None = Field(default=None, min_length=1, description="Split to test on; default: test.")
    test_limit: int | None = Field(
        default=None, ge=1, description="Test items at most: a sample that the seed chooses."
    )
    test_fraction: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Share of the items to hold out for the test; default 0.2, if no split is.",
    )
    on_overlap: Literal["keep", "drop", "refuse"] | None = Field(
        default=None,
        description="Training items whose input is a test input: keep and report (default), drop them, or refuse.",
    )
