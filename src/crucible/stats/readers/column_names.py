"""What a column is for, told by its name; a caller who names it is always believed instead."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from crucible.errors import StatsError
from crucible.ir import did_you_mean
from crucible.stats.readers.asked import Asked

__all__ = ["NAMES", "Columns", "columns_for", "score_names"]

NAMES = {
    "item": (
        "id", "item", "item_id", "doc_id", "question_id", "sample_id", "example_id", "instance_id", "problem_id",
        "query_id", "task_id", "case_id", "qid", "uid", "uuid", "key",
    ),
    "group": ("model", "model_name", "condition", "group", "system", "variant", "arm"),
    "repeat": ("repeat", "epoch", "trial", "replicate", "attempt", "seed"),
    "prompt": ("prompt_id", "prompt_name", "prompt_template", "template"),
    "cluster": ("cluster", "cluster_id"),
}  # fmt: skip
"""Names of columns by what they are for, the first that a table has counts."""

_SCORES = (
    "score", "value", "correct", "is_correct", "accuracy", "acc", "exact_match", "em", "f1", "passed", "pass", "reward",
    "rating", "grade",
)  # fmt: skip


class Columns(msgspec.Struct, frozen=True):
    """Which columns of a table are for what; empty where there is none."""

    item: str = ""
    group: str = ""
    repeat: str = ""
    prompt: str = ""
    cluster: str = ""

    @property
    def taken(self) -> frozenset[str]:
        """All of them."""
        return frozenset({self.item, self.group, self.repeat, self.prompt, self.cluster})


def columns_for(path: str, names: Sequence[str], asked: Asked) -> Columns:
    """Return what the columns of a table are for.

    Args:
        path: The file, for the error.
        names: Of its columns.
        asked: Those that the caller named.

    Raises:
        StatsError: There is no column of a name that the caller gave, or two could be the items' ids.
    """
    found: dict[str, str] = {}
    named = {getattr(asked, role) for role in NAMES}  # what the caller says a column is for, it is for nothing else
    for role, known in NAMES.items():
        told: str = getattr(asked, role)
        if told and told not in names:
            raise StatsError(
                f'{path}: no column "{told}"{did_you_mean(told, names)} for --{role}; it has: {", ".join(names)}'
            )
        found[role] = told or next(
            (name for word in known for name in names if name.strip().lower() == word and name not in named), ""
        )
    return Columns(**found)


def score_names(names: Sequence[str]) -> list[str]:
    """Return those names that say that a column holds scores."""
    return [name for name in names if name.strip().lower().replace(" ", "_") in _SCORES]
