"""What a caller says about a file of results that the file cannot say itself."""

from __future__ import annotations

import msgspec

__all__ = ["FORMATS", "Asked"]

FORMATS = {
    "crucible": "scores that Crucible's evaluate stage wrote, one item a line",
    "inspect": "a log of Inspect AI, .eval or .json",
    "lm_eval": "samples of lm-evaluation-harness, one document a line",
    "csv": "a table with commas",
    "ssv": "a table with semicolons",
    "tsv": "a table with tabs",
    "jsonl": "a table, one JSON object a line",
    "json": "a JSON list of objects, or columns or scores by name",
}
"""What each format is, by the name that asks for it."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """How to read a file. Everything empty: whatever its content says.

    Args:
        format: One of `FORMATS`; empty: by content.
        metric: Which of its scores; the column of a table.
        item: Column or field of item ids.
        group: Column that splits one table into conditions.
        repeat: Column or field that tells repeats of an item apart.
        prompt: Column or field that tells prompts or templates apart.
        cluster: Column or field of what items belong to.
        columns: Columns of a table that are conditions of their own, one score of an item each.
        trusts_ids: Whether an id is the same item whatever was asked; False: what was asked is compared, where the
            files hold it.
        is_alone: Whether there is no other file, so that two columns are two conditions.
    """

    format: str = ""
    metric: str = ""
    item: str = ""
    group: str = ""
    repeat: str = ""
    prompt: str = ""
    cluster: str = ""
    columns: tuple[str, ...] = ()
    trusts_ids: bool = False
    is_alone: bool = False
