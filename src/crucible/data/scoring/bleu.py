"""BLEU and chrF, as sacrebleu computes them: of one answer, and of a whole corpus with its signature.

The mean of sentence BLEU is not corpus BLEU. Papers report the latter: `corpus_bleu`, `corpus_chrf`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from crucible.data.items import Item
from crucible.data.scoring.scorer import NO_ANSWER, bounded, references_of
from crucible.errors import DataError, require
from crucible.ir import Interval, Outcome, Scored

__all__ = ["CorpusScore", "bleu", "chrf", "corpus_bleu", "corpus_chrf"]

_HIGHEST = 100.0
_LEVEL = 0.95  # the one that sacrebleu computes


class CorpusScore(msgspec.Struct, frozen=True):
    """One figure of a whole corpus.

    Args:
        name: `BLEU` or `chrF2`.
        score: 0 to 100.
        signature: What sacrebleu prints so that others can compute the same: references, case, tokens, version.
        n: Answers.
        interval: By resampling the answers; None where it was not asked for, or there is one answer.
    """

    name: str
    score: float
    signature: str
    n: int
    interval: Interval | None


def _metric(name: str, **options: Any) -> Any:
    require("sacrebleu", extra="data", feature=name)
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    return {"bleu": BLEU, "chrf": CHRF}[name](**options)


@functools.cache
def _of_sentences(name: str) -> Any:
    return _metric(name, **({"effective_order": True} if name == "bleu" else {}))


def _sentence(name: str, item: Item, output: str) -> Outcome:
    references = references_of(item)
    if not references:
        return NO_ANSWER
    score = float(_of_sentences(name).sentence_score(output, list(references)).score)
    return Scored(min(max(score, 0.0), _HIGHEST))  # sacrebleu says 100.00000000000004 of equal texts


@bounded(0.0, _HIGHEST)
def bleu(item: Item, output: str) -> Outcome:
    """Score sentence BLEU, 0 to 100: tokens `13a`, case kept, exponential smoothing, effective order.

    The mean over items is not corpus BLEU; see `corpus_bleu`.

    Args:
        item: Skipped without an expected answer; further ones stand in `metadata["references"]`.
        output: The model's answer.

    Raises:
        MissingExtra: sacrebleu is not installed.
    """
    return _sentence("bleu", item, output)


@bounded(0.0, _HIGHEST)
def chrf(item: Item, output: str) -> Outcome:
    """Score chrF2, 0 to 100: F2 over character n-grams of up to 6, white space left out; it works without word borders.

    Args:
        item: Skipped without an expected answer; further ones stand in `metadata["references"]`.
        output: The model's answer.

    Raises:
        MissingExtra: sacrebleu is not installed.
    """
    return _sentence("chrf", item, output)


def corpus_bleu(
    outputs: Sequence[str],
    references: Sequence[str | Sequence[str]],
    *,
    tokenize: Literal["13a", "intl", "char", "zh", "none"] = "13a",
    lowercase: bool = False,
    resamples: int = 1000,
) -> CorpusScore:
    """Return BLEU of a corpus: n-grams are counted over all answers before anything is divided.

    Args:
        outputs: One answer an item.
        references: Its reference, or several, in the same order.
        tokenize: sacrebleu's word splitting: `zh` or `char` for text without spaces.
        lowercase: Whether case does not count.
        resamples: Bootstrap resamples of the interval, or 0 for none.

    Raises:
        DataError: There is no answer, or an answer has no reference, or the lengths differ.
        MissingExtra: sacrebleu is not installed.

    Source:
        Post (2018), "A Call for Clarity in Reporting BLEU Scores", WMT; computed by sacrebleu.
    """
    return _corpus(_metric("bleu", tokenize=tokenize, lowercase=lowercase), outputs, references, resamples)


def corpus_chrf(
    outputs: Sequence[str],
    references: Sequence[str | Sequence[str]],
    *,
    word_order: Literal[0, 1, 2] = 0,
    lowercase: bool = False,
    resamples: int = 1000,
) -> CorpusScore:
    """Return chrF of a corpus.

    Args:
        outputs: One answer an item.
        references: Its reference, or several, in the same order.
        word_order: Word n-grams beside those of characters: 0 is chrF, 2 is chrF++.
        lowercase: Whether case does not count.
        resamples: Bootstrap resamples of the interval, or 0 for none.

    Raises:
        DataError: There is no answer, or an answer has no reference, or the lengths differ.
        MissingExtra: sacrebleu is not installed.

    Source:
        Popović (2015), "chrF: character n-gram F-score for automatic MT evaluation", WMT; computed by sacrebleu.
    """
    return _corpus(_metric("chrf", word_order=word_order, lowercase=lowercase), outputs, references, resamples)


def _corpus(
    metric: Any, outputs: Sequence[str], references: Sequence[str | Sequence[str]], resamples: int
) -> CorpusScore:
    if not outputs or len(outputs) != len(references):
        raise DataError(f"a corpus has one reference an answer; got {len(outputs)} answers, {len(references)} of them")
    rows = [[each] if isinstance(each, str) else list(each) for each in references]
    if not all(rows):
        raise DataError(f"answer {next(place for place, row in enumerate(rows) if not row)} has no reference")
    streams = [[row[place] if place < len(row) else None for row in rows] for place in range(max(map(len, rows)))]
    score = metric.corpus_score(list(outputs), streams)
    signature, interval = str(metric.get_signature()), None
    if resamples and len(outputs) > 1:
        require("numpy", extra="stats", feature="the interval of a corpus score")
        resampled = metric.corpus_score(list(outputs), streams, n_bootstrap=resamples)
        signature = str(metric.get_signature())
        middle, half = float(resampled._mean), float(resampled._ci)  # noqa: SLF001  # sacrebleu offers them in text only
        method = f"sacrebleu bootstrap, {resamples} resamples: their mean and half the width of the middle 95 %"
        interval = Interval(max(0.0, middle - half), min(_HIGHEST, middle + half), _LEVEL, method)
    return CorpusScore(score.name, min(float(score.score), _HIGHEST), signature, len(outputs), interval)
