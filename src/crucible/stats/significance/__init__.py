"""Tests of one or two columns of scores: ranks, counts, resamples and arrangements, each with its p-value."""
