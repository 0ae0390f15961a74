"""What can be said about how to read a dataset: the options of `load`, of a document's `dataset` and of `data_load`.

One model serves all three, so the words cannot drift apart. None means: not given. Which source takes which option is
written beside the source.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from crucible.ir import Model, Seq

__all__ = ["DatasetOptions", "Dialect", "FieldMap"]


class FieldMap(Model):
    """Which field of a row is what; `a.b` is the field `b` inside the field `a`."""

    input: str = Field(default="input", min_length=1, description="Field with the prompt.")
    expected: str = Field(default="expected", min_length=1, description="Field with the answer.")
    id: str = Field(default="id", min_length=1, description="Field with the id; rows without it are numbered.")
    choices: str | None = Field(
        default=None, min_length=1, description="Field with the possible answers: the item becomes a multiple choice."
    )
    answer_as: Literal["letter", "index", "text"] | None = Field(
        default=None, description="With choices: how the answer is given; A (default), 0, or the choice itself."
    )
    metadata: Seq[str] | None = Field(default=None, description="Fields to keep as metadata; default: all others.")
    transforms: dict[str, Seq[str]] | None = Field(
        default=None, description="Named transforms of a field's value, in order, such as {answer: [after_hashes]}."
    )


class Dialect(Model):
    """How a CSV or TSV file is written, where it is not as usual."""

    delimiter: str | None = Field(
        default=None, min_length=1, max_length=1, description="Between fields; default , or, in TSV, a tab."
    )
    quote: str | None = Field(default=None, min_length=1, max_length=1, description='Around fields; default ".')
    escape: str | None = Field(
        default=None, min_length=1, max_length=1, description="Before a quote inside quotes; default: it is doubled."
    )
    header: Seq[str] | None = Field(
        default=None, min_length=1, description="Names of the fields, where the file's first line holds none."
    )
    encoding: str | None = Field(default=None, min_length=1, description="Encoding of the text; default utf-8.")


class DatasetOptions(Model):
    """How to read a dataset, and what to test on. Every field may be left out."""

    path: str | None = Field(
        default=None, min_length=1, description="Folder or file; ${NAME} stands for an environment variable."
    )
    limit: int | None = Field(default=None, ge=1, description="Items at most: a sample that the seed chooses.")
    seed: int | None = Field(default=None, ge=0, description="Seed of samples, of held-out items, of generated data.")
    fields: FieldMap | None = Field(default=None, description="Which field of a row is what.")
    csv: Dialect | None = Field(default=None, description="How a CSV or TSV file is written, if not as usual.")
    unanswered: Literal["refuse", "keep"] | None = Field(
        default=None, description="Rows without an answer: refuse the file (default), or keep them without one."
    )
    synthetic: bool | None = Field(default=None, description="true: the data is made up, and every output says so.")
    answer_schema: dict[str, Any] | Seq[str] | str | None = Field(
        default=None,
        description="JSON Schema of an answer, the path of its file, or the fields that an answer must have.",
    )
    answer: Literal["full", "final"] | None = Field(
        default=None, description="gsm8k: the whole solution (default), or its last line only."
    )
    config: str | None = Field(
        default=None, min_length=1, description="Configuration of a repository, or of a dataset that has several."
    )
    files: Seq[str] | None = Field(
        default=None, min_length=1, description="huggingface: files of the split in the repository; * is any text."
    )
    offline: bool | None = Field(
        default=None, description="huggingface: true reads what was downloaded before, and asks nobody."
    )
    on_change: Literal["refuse", "accept"] | None = Field(
        default=None,
        description="huggingface: data that is not as first recorded is refused (default), or recorded anew.",
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
