"""The table of datasets that have a name."""

from __future__ import annotations

from typing import Final

from crucible.data.known.arc import ARC
from crucible.data.known.fever import FEVER
from crucible.data.known.hellaswag import HELLASWAG
from crucible.data.known.humaneval import HUMANEVAL
from crucible.data.known.math500 import MATH500
from crucible.data.known.mbpp import MBPP
from crucible.data.known.mmlu import MMLU
from crucible.data.known.no_robots import NO_ROBOTS
from crucible.data.known.truthfulqa import TRUTHFULQA

__all__ = ["KNOWN"]

KNOWN: Final = (ARC, FEVER, HELLASWAG, HUMANEVAL, MATH500, MBPP, MMLU, NO_ROBOTS, TRUTHFULQA)
"""In the order of their names. `gsm8k` and `scifact` have sources of their own, older than this table."""
