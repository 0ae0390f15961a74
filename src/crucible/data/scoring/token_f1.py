"""Overlap of words, as SQuAD defines it: a multiset of words, without articles and punctuation."""

from __future__ import annotations

import re
import string
from collections import Counter

from crucible.data.items import Item
from crucible.data.scoring.scorer import NO_ANSWER, bounded, references_of
from crucible.ir import Outcome, Scored

__all__ = ["squad_f1", "squad_words", "token_f1"]

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def squad_words(text: str) -> list[str]:
    """Return the words of a text as SQuAD compares them: lower case, no ASCII punctuation, no English article.

    Words are what stands between white space; a Chinese or Japanese sentence is one word.
    """
    return _ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split()


def squad_f1(answer: str, reference: str) -> float:
    """Return the F1 of the words that two texts share, 0.0 to 1.0; of two texts without words, 1.0.

    Source:
        `compute_f1` of the official evaluation script of SQuAD 2.0 (Rajpurkar, Jia & Liang, 2018).
    """
    given, wanted = squad_words(answer), squad_words(reference)
    if not (given and wanted):
        return float(given == wanted)
    shared = (Counter(given) & Counter(wanted)).total()
    return 2 * shared / (len(given) + len(wanted))


@bounded(0.0, 1.0)
def token_f1(item: Item, output: str) -> Outcome:
    """Score the words that the answer shares with the expected one: F1 over a multiset of words, the best reference.

    "no no no no yes" scores 4/7 against "no yes", not 1.

    Args:
        item: Skipped without an expected answer; further ones stand in `metadata["references"]`.
        output: The model's answer; articles, ASCII punctuation and case do not count.
    """
    references = references_of(item)
    if not references:
        return NO_ANSWER
    return Scored(max(squad_f1(output, reference) for reference in references))
