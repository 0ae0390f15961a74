"""Posteriors: how probable it is that the treatment is better, and by how much, under a prior that is stated.

A region of practical equivalence (ROPE) is a range of differences that are too small to matter; the caller sets it.
Probabilities come from distribution functions and quadrature, never from simulation.
"""

from crucible.stats.bayes.pairs import paired, paired_shares
from crucible.stats.bayes.posterior import Posterior, Rope
from crucible.stats.bayes.shares import beta_binomial, beta_binomial_difference

__all__ = [
    "Posterior",
    "Rope",
    "beta_binomial",
    "beta_binomial_difference",
    "paired",
    "paired_shares",
]
