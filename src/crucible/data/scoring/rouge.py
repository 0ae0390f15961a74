"""ROUGE, as rouge-score computes it: overlap of words, word pairs, or the longest common subsequence."""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import Any, Literal, get_args

from crucible.data.items import Item
from crucible.data.scoring.scorer import NO_ANSWER, Scorer, bounded, references_of
from crucible.errors import DataError, require
from crucible.ir import Failed, Outcome, Scored

__all__ = ["RougeKind", "rouge", "rouge1", "rouge2", "rouge_l"]

RougeKind = Literal["rouge1", "rouge2", "rougeL"]


class _AnyLetters:
    """Words of any script, for rouge-score: runs of letters, digits and marks; each Chinese or Japanese sign alone."""

    _SIGN = re.compile("([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff])")

    def tokenize(self, text: str) -> list[str]:
        text = unicodedata.normalize("NFC", text.casefold())
        kept = "".join(each if unicodedata.category(each)[0] in "LNM" else " " for each in text)
        return self._SIGN.sub(r" \1 ", kept).split()


@functools.cache
def _scorer(kind: str, stem: bool, words: str) -> Any:
    require("rouge_score", extra="data", feature=kind)
    from rouge_score import rouge_scorer

    tokens = _AnyLetters() if words == "any" else None
    return rouge_scorer.RougeScorer([kind], use_stemmer=stem, tokenizer=tokens)


def rouge(kind: RougeKind, *, stem: bool = False, words: Literal["ascii", "any"] = "ascii") -> Scorer:
    """Return a scorer of one kind of ROUGE: its F1, 0.0 to 1.0, against the best reference.

    Args:
        kind: `rouge1` words, `rouge2` pairs of words, `rougeL` the longest common subsequence.
        stem: Compare Porter's stems; English only.
        words: `ascii`: rouge-score's own, in which every letter but a to z is a gap (`é` is lost, Chinese has no
            words). `any`: letters of all scripts; not comparable with published figures.

    Raises:
        DataError: A word is unknown, or stems are asked of `words="any"`.
    """
    if kind not in get_args(RougeKind) or words not in ("ascii", "any"):
        raise DataError(
            f'unknown ROUGE "{kind}" of words "{words}"; known: {", ".join(get_args(RougeKind))}; ascii, any'
        )
    if stem and words == "any":
        raise DataError('stems are of English words: leave out stem, or words="any"')

    @bounded(0.0, 1.0)
    def scorer(item: Item, output: str) -> Outcome:
        return _score(kind, item, output, stem=stem, words=words)

    scorer.__name__ = kind
    return scorer


def _score(kind: str, item: Item, output: str, *, stem: bool = False, words: str = "ascii") -> Outcome:
    references = references_of(item)
    if not references:
        return NO_ANSWER
    if words == "ascii" and not any(re.search("[a-z0-9]", each.lower()) for each in references):
        return Failed(
            'no reference has a letter a to z or a digit, all that rouge-score reads; use rouge(…, words="any")'
        )
    return Scored(float(_scorer(kind, stem, words).score_multi(list(references), output)[kind].fmeasure))


@bounded(0.0, 1.0)
def rouge1(item: Item, output: str) -> Outcome:
    """Score ROUGE-1: F1 over words, 0.0 to 1.0, against the best reference; see `rouge`."""
    return _score("rouge1", item, output)


@bounded(0.0, 1.0)
def rouge2(item: Item, output: str) -> Outcome:
    """Score ROUGE-2: F1 over pairs of words, 0.0 to 1.0, against the best reference; see `rouge`."""
    return _score("rouge2", item, output)


@bounded(0.0, 1.0)
def rouge_l(item: Item, output: str) -> Outcome:
    """Score ROUGE-L: F1 over the longest common subsequence of words, 0.0 to 1.0; see `rouge`."""
    return _score("rougeL", item, output)
