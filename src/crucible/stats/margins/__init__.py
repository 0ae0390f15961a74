"""Tests against a margin: equivalence and non-inferiority."""
