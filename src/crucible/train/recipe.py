"""The recipe of a small base model: every value that decides its weights, and the name that follows from them.

Kept apart from the building, so that both the cache and the pre-training read it and neither imports the other.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
from typing import Final

from crucible.data.tickets import GENERATOR

__all__ = ["BUILD_PACKAGES", "RECIPES", "TinyBaseRecipe", "build_versions"]

BUILD_PACKAGES: Final = ("torch", "transformers", "tokenizers")
"""The packages that a base model is built with; their versions are part of its identity."""

_METHOD: Final = "crucible-base/1"  # raised when the way of building changes, so that old cache entries do not count


@dataclasses.dataclass(frozen=True)
class TinyBaseRecipe:
    """How a small base model is made; each recipe has a cache entry of its own.

    Args:
        steps: Optimiser steps of pre-training; a count, not a time, so the machine's load changes nothing.
        batch_size: Texts a step.
        learning_rate: Peak rate; it falls to a twentieth along a cosine.
        warmup_steps: Steps of linear warm-up.
        answer_weight: Weight of an answer's tokens in the loss; those of the text before it have weight 1.
        seed: Seed of texts, order and initial weights.
        vocab_size: Tokens of the byte-level BPE vocabulary at most, at least 258.
        hidden_size: Width, a multiple of `heads`.
        intermediate_size: Width of the feed-forward layers.
        layers: Count of transformer blocks.
        heads: Attention heads.
        window: Most tokens of a sequence.
        tokenizer_texts: Texts that the vocabulary is trained on.
    """

    steps: int = 1000
    batch_size: int = 16
    learning_rate: float = 5e-3
    warmup_steps: int = 50
    answer_weight: float = 5.0
    seed: int = 0
    vocab_size: int = 800
    hidden_size: int = 128
    intermediate_size: int = 344
    layers: int = 3
    heads: int = 4
    window: int = 512
    tokenizer_texts: int = 2000

    def key(self) -> str:
        """Return the name of the recipe's cache entry: a digest of the recipe and of all versions that matter."""
        content = {
            "recipe": dataclasses.asdict(self),
            "text": GENERATOR,
            "method": _METHOD,
            "versions": build_versions(),
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


RECIPES: Final = {
    "crucible/tiny": TinyBaseRecipe(),
    "crucible/tiny-s": TinyBaseRecipe(steps=400, hidden_size=64, intermediate_size=172, layers=2, heads=2),
}
"""The built-in base models by name. `crucible/tiny-s` is a smaller student for `crucible/tiny`: it reads the same texts
from the same seed, so it has the same vocabulary to the bit, and has fewer weights and fewer steps."""


def build_versions() -> dict[str, str]:
    """Return the installed versions of `BUILD_PACKAGES`."""
    return {name: importlib.metadata.version(name) for name in BUILD_PACKAGES}
