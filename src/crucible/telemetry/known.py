"""Words that a caller may use: others are refused, with the near one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from crucible.errors import SpecError

__all__ = ["refuse_unknown"]


def refuse_unknown(words: Iterable[str], known: Sequence[str], saying: str) -> None:
    """Refuse the first word that is not known.

    Args:
        words: What a caller used.
        known: What there is.
        saying: The beginning of the message, such as `an experiment is not asked for`.

    Raises:
        SpecError: A word is not known; the message names the near one.
    """
    for word in words:
        if word not in known:
            near = difflib.get_close_matches(word, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"expected some of {', '.join(known)}"
            raise SpecError(f'{saying} "{word}"; {hint}', path=word, code="unknown_key")
