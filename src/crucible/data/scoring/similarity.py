"""Likeness in meaning, as far as an embedding model knows it. No model comes with Crucible: bring one."""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Callable, Sequence

from crucible.data.items import Item
from crucible.data.scoring.scorer import NO_ANSWER, Scorer, bounded, references_of
from crucible.errors import DataError
from crucible.ir import Failed, Outcome, Scored

__all__ = ["Embedder", "FakeCharacterNgramEmbedder", "cosine", "semantic_similarity"]

Embedder = Callable[[Sequence[str]], Sequence[Sequence[float]]]
"""Turns texts into vectors of one length, in order; any function will do, such as `model.encode`."""


class FakeCharacterNgramEmbedder:
    """A fake for tests: counts of hashed character n-grams. It knows spelling and nothing of meaning.

    Args:
        n: Characters of an n-gram.
        dimensions: Length of a vector.
    """

    def __init__(self, n: int = 3, dimensions: int = 512) -> None:
        self.n = n
        self.dimensions = dimensions

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector a text."""
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> list[float]:
        padded = f" {text.strip().casefold()} "
        grams = (padded[start : start + self.n] for start in range(max(1, len(padded) - self.n + 1)))
        counts = Counter(zlib.crc32(gram.encode()) % self.dimensions for gram in grams)
        return [float(counts[place]) for place in range(self.dimensions)]


def cosine(one: Sequence[float], two: Sequence[float]) -> float:
    """Return the cosine of two vectors, -1 to 1.

    Raises:
        DataError: The lengths differ, a number is not finite, or a vector is all zeros.
    """
    if len(one) != len(two):
        raise DataError(f"an embedder returns vectors of one length, got {len(one)} and {len(two)}")
    left, right = [float(x) for x in one], [float(x) for x in two]
    if not all(map(math.isfinite, (*left, *right))):
        raise DataError("an embedding holds a number that is not finite")
    sizes = [max(map(abs, vector), default=0.0) for vector in (left, right)]
    if 0.0 in sizes:
        raise DataError("an embedding is all zeros, so it has no direction")
    left, right = [x / sizes[0] for x in left], [x / sizes[1] for x in right]
    found = math.fsum(x * y for x, y in zip(left, right, strict=True)) / (math.hypot(*left) * math.hypot(*right))
    return min(1.0, max(-1.0, found))


def semantic_similarity(embedder: Embedder) -> Scorer:
    """Return a scorer: the cosine of the answer's and the expected answer's embedding, -1 to 1, the best reference.

    It is as good as the embedder, and none tells "is" from "is not" well: it grades likeness, not truth. An empty
    answer scores 0.0; an embedding that has no direction, or no finite numbers, is a failure.

    Args:
        embedder: Called once an item, with the answer and its references.
    """

    @bounded(-1.0, 1.0)
    def scorer(item: Item, output: str) -> Outcome:
        references = references_of(item)
        if not references:
            return NO_ANSWER
        if not output.strip():
            return Scored(0.0)
        vectors = list(embedder([output, *references]))
        if len(vectors) != len(references) + 1:
            return Failed(f"the embedder returned {len(vectors)} vectors for {len(references) + 1} texts")
        try:
            return Scored(max(cosine(vectors[0], vector) for vector in vectors[1:]))
        except DataError as error:
            return Failed(str(error))

    scorer.__name__ = "semantic_similarity"
    return scorer
