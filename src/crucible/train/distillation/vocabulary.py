"""Whether a teacher speaks of the same tokens as its student: by what the tokens are, never by a name.

A token id of the one must mean the same text in the other, and texts must be cut alike, or every probability that is
compared would be of another thing.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from crucible.errors import TrainError
from crucible.text import Tokenizer

__all__ = ["check_vocabulary"]

_TEXTS = 256  # of the items, beside the probe
_PROBE = "".join(map(chr, (*range(0x20, 0x250), *range(0x391, 0x460), 0x20AC, 0x4E2D, 0x6771, 0x1F642)))
"""Letters, signs and symbols whose UTF-8 bytes meet every byte token that texts use much."""


def check_vocabulary(teacher: str, theirs: Tokenizer | None, student: Tokenizer, texts: Iterable[str]) -> None:
    """Refuse a teacher with other tokens than the student's.

    Args:
        teacher: Its name, for the message.
        theirs: The teacher's tokenizer; None where it shows none.
        student: The student's.
        texts: Some of what is trained on; the first 256 are compared.

    Raises:
        TrainError: The count of tokens, a special token, the text of an id, or how a text is cut differs.
    """
    if theirs is student:
        return
    if theirs is None:
        raise TrainError(
            f"the teacher {teacher} shows no tokenizer, so its tokens cannot be compared with the student's; "
            "use a teacher of a backend that has tokens"
        )
    difference = _difference(theirs, student, texts)
    if difference is not None:
        raise TrainError(
            f"the teacher {teacher} and the student do not share a vocabulary: {difference}; distil between models "
            "of one tokenizer, or train on the teacher's answers as text"
        )


def _difference(theirs: Tokenizer, ours: Tokenizer, texts: Iterable[str]) -> str | None:
    """Return the first difference in words, None where there is none."""
    for name in ("vocab_size", "eos_id", "bos_id"):
        if (a := getattr(theirs, name)) != (b := getattr(ours, name)):
            return f"its {name} is {a} and the student's {b}"
    for token in range(ours.vocab_size):
        if (a := theirs.decode([token])) != (b := ours.decode([token])):
            return f"token {token} is {a!r} and the student's {b!r}"
    for text in (_PROBE, *islice(texts, _TEXTS)):
        if theirs.encode(text) != ours.encode(text):
            return f"it cuts {text[:40]!r} into other tokens"
    return None
