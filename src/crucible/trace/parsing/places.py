"""Where patterns occur in a text: each is looked for once, however often somebody asks for its next occurrence.

This is what keeps the parser linear: looking ahead for a closing tag from 100,000 opening ones reads the text once.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_left

__all__ = ["NOWHERE", "Places"]

NOWHERE = sys.maxsize
"""The offset of what does not occur; larger than any other."""


class Places:
    """The occurrences of patterns in one text.

    Args:
        text: The text. The patterns must be linear themselves, and no occurrence may begin within another.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._found: dict[re.Pattern[str], list[int]] = {}

    def next(self, pattern: re.Pattern[str], start: int) -> int:
        """Return the offset of the first occurrence at or after `start`; `NOWHERE` if there is none."""
        found = self._found.get(pattern)
        if found is None:
            found = self._found[pattern] = [match.start() for match in pattern.finditer(self.text)]
        at = bisect_left(found, start)
        return found[at] if at < len(found) else NOWHERE
