"""Two samples of texts by what is in them: the distance between their mean profiles of character n-grams.

It is the maximum mean discrepancy under the cosine kernel of n-gram counts, with a p-value by permutation, which holds
whatever the texts are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from crucible.data.drift.rules import DriftRules

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

__all__ = ["content_test"]

_VOCABULARY: Final = 1_024  # n-grams that are compared: those that the most texts have
_CHARACTERS: Final = 2_000  # of a text that are looked at
_AT_ONCE: Final = 4_000_000  # cells of permutations that are held at once
_RESAMPLES: Final = 1_999  # at most, for each costs as many products as there are texts times n-grams
_SHOWN: Final = 5


def content_test(
    reference: Sequence[str], current: Sequence[str], rules: DriftRules, seed: Sequence[int]
) -> tuple[float, float, str]:
    """Return the distance of two samples of texts, its p-value, and which n-grams became more and less frequent.

    Args:
        reference: Texts, at least 2; more than `max_texts` are drawn from by the seed.
        current: Texts, at least 2.
        rules: Length of the n-grams, resamples, most texts.
        seed: Of permutations.

    Returns:
        The squared maximum mean discrepancy (biased), 0 to 2; the p-value, (1 + as large) / (1 + resamples) with 1,999
        resamples at most; words such as `more: "the"; less: "ing"`.

    Source:
        Gretton et al. (2012), JMLR 13:723-773, section 2.2 for the statistic.
    """
    import numpy as np

    rng = np.random.default_rng(list(seed))
    sides = [_drawn(texts, rules.max_texts, rng) for texts in (reference, current)]
    n, m = map(len, sides)
    names, profiles = _profiles([*sides[0], *sides[1]], rules.ngram)  # (n + m, d)
    weights = np.concatenate([np.full(n, -1.0 / n), np.full(m, 1.0 / m)]).astype(np.float32)
    apart = weights @ profiles  # (d,)
    observed = float(apart @ apart)
    resamples = min(rules.resamples, _RESAMPLES)
    as_extreme, left, at_once = 0, resamples, max(1, _AT_ONCE // (n + m))
    while left:
        size = min(at_once, left)
        dealt = rng.permuted(np.broadcast_to(weights, (size, n + m)), axis=1)
        found = ((dealt @ profiles) ** 2).sum(axis=1)
        as_extreme += int((found >= observed * (1.0 - 1e-5)).sum())
        left -= size
    return observed, (1.0 + as_extreme) / (1.0 + resamples), _told(names, apart)


def _drawn(texts: Sequence[str], most: int, rng: np.random.Generator) -> list[str]:
    if len(texts) <= most:
        return list(texts)
    places: list[int] = sorted(rng.choice(len(texts), size=most, replace=False).tolist())
    return [texts[i] for i in places]


def _profiles(texts: Sequence[str], size: int) -> tuple[list[str], Floats]:
    """Return the n-grams that the most texts have, and each text's counts of them, of length 1 (or 0, without any)."""
    import numpy as np

    counts = [Counter(_ngrams(text[:_CHARACTERS], size)) for text in texts]
    spread = Counter(gram for one in counts for gram in one)
    names = sorted(spread, key=lambda gram: (-spread[gram], gram))[:_VOCABULARY]
    places = {gram: i for i, gram in enumerate(names)}
    found = np.zeros((len(texts), len(names)), dtype=np.float32)
    for row, one in enumerate(counts):
        for gram, count in one.items():
            if (place := places.get(gram)) is not None:
                found[row, place] = count
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return names, np.asarray(found / np.where(lengths == 0.0, 1.0, lengths), dtype=np.float32)


def _ngrams(text: str, size: int) -> list[str]:
    if len(text) <= size:
        return [text] if text else []
    return [text[i : i + size] for i in range(len(text) - size + 1)]


def _told(names: Sequence[str], apart: Floats) -> str:
    order = apart.argsort()
    more = [f'"{names[i]}"' for i in order[::-1][:_SHOWN] if apart[i] > 0]
    less = [f'"{names[i]}"' for i in order[:_SHOWN] if apart[i] < 0]
    parts = (("more", more), ("less", less))
    return "; ".join(f"{word}: {', '.join(grams)}" for word, grams in parts if grams)
