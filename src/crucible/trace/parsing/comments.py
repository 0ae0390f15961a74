"""What comments say about a text as a whole: `<!-- model: … -->`."""

from __future__ import annotations

from crucible.trace.parsing.entities import read_text
from crucible.trace.parsing.outline import Outline

__all__ = ["KNOWN", "metadata_of"]

KNOWN = frozenset(
    [
        *("model", "provider", "temperature", "seed", "language", "max_tokens", "finish_reason", "stop_reason"),
        *("timestamp", "author", "task", "prompt_id", "prompt_version", "round", "version"),
        *("run_id", "experiment_id", "stage_id"),
    ]
)
"""The keys that are taken; other comments are only comments."""


def metadata_of(outline: Outline) -> dict[str, str]:
    """Return the known keys that comments give, as text; of a key given twice, the first.

    A comment may hold several, one a line.
    """
    found: dict[str, str] = {}
    for start, end in outline.comments:
        for line in outline.text[start:end].split("\n"):
            key, colon, value = line.partition(":")
            name = key.strip().lower().replace("-", "_").replace(" ", "_") if len(key) < 60 else ""
            if colon and name in KNOWN and value.strip():
                found.setdefault(name, read_text(value))
    return found
