"""The same text, up to what is declared not to count."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

import msgspec

from crucible.data.items import Item
from crucible.data.scoring.scorer import NO_ANSWER, bounded
from crucible.ir import Outcome, Scored

__all__ = ["Normalisation", "exact_match"]


class Normalisation(msgspec.Struct, frozen=True):
    """What may differ between two texts that count as the same. Letters, digits, signs and punctuation always count.

    Args:
        strip: White space at both ends.
        collapse: How much white space stands between words.
        casefold: Upper and lower case.

    Texts are always compared in Unicode's composed form (NFC): an accented letter is the same, however it is encoded.
    """

    strip: bool = True
    collapse: bool = False
    casefold: bool = False

    def __call__(self, text: str) -> str:
        """Return the text without what does not count; doing it twice changes nothing."""
        text = unicodedata.normalize("NFC", text)
        if self.casefold:
            text = unicodedata.normalize("NFC", text.casefold())
        if self.collapse:
            text = re.sub(r"\s+", " ", text)
        return text.strip() if self.strip else text


@bounded(0.0, 1.0)
def exact_match(item: Item, output: str, *, normalise: Callable[[str], str] = Normalisation()) -> Outcome:  # noqa: B008  # a frozen value
    """Score 1.0 if the answer is the expected text, else 0.0.

    Args:
        item: Skipped without an expected answer.
        output: The model's answer.
        normalise: Applied to both texts; by default only white space at the ends does not count.
    """
    if item.expected is None:
        return NO_ANSWER
    return Scored(float(normalise(output) == normalise(item.expected)))
