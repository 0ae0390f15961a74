"""Which class an answer says: the whole of it, the answer that it declares, or the only class that it names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from crucible.data.final_answer import answered_part, declared_answers

__all__ = ["label_problem", "read_label"]

_SPACES = "".join(filter(str.isspace, map(chr, range(0x3001))))  # all that there are
_BEFORE, _BEHIND = f"{_SPACES}*_`\"'“”([", f"{_SPACES}*_`\"'“”)].!,:;"


def read_label(text: str, labels: Sequence[str]) -> str | None:
    """Return the class that an answer says, or None if it says none, or several.

    In this order: the class that is the whole answer; the one where the text says that its answer is (`####`,
    `answer is`); the only one that the text names as a word. Upper and lower case and what stands around it do not
    count. `not supported` names `supported`: where that can be an answer, give it as a class of its own.

    Args:
        text: The answer.
        labels: The classes, each once.
    """
    folded = {_folded(label): label for label in labels}
    text = answered_part(text)
    whole = folded.get(_folded(text))
    if whole is not None:
        return whole
    for _, span in declared_answers(text):
        found = folded.get(_folded(span)) or _only_named(span, labels)
        if found is not None:
            return found
    return _only_named(text, labels)


def label_problem(labels: Sequence[str]) -> str | None:
    """Return why answers could not be told apart by these classes; None where they can.

    Args:
        labels: The classes.
    """
    seen: dict[str, str] = {}
    for label in labels:
        folded = _folded(label)
        if not folded:
            return f"{label!r:.60} has no word by which an answer could name it; give each class a word"
        if folded in seen:
            both = f"{seen[folded]!r:.60} and {label!r:.60}"
            return f"{both} are one class to who reads answers (upper and lower case do not count); leave one out"
        seen[folded] = label
    return None


def _folded(text: str) -> str:
    return " ".join(text.lstrip(_BEFORE).rstrip(_BEHIND).casefold().split())


def _only_named(text: str, labels: Sequence[str]) -> str | None:
    """Return the only class that is named; one inside of the name of a longer one that stands there does not count."""
    rest = " ".join(text.casefold().split())
    named: list[str] = []
    for label in sorted(labels, key=len, reverse=True):
        words = re.escape(_folded(label))
        rest, times = re.subn(rf"(?<!\w){words}(?!\w)", "\0", rest) if words else (rest, 0)
        if times:
            named.append(label)
    return named[0] if len(named) == 1 else None
