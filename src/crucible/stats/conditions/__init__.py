"""Measurements as they were made: items, repeats, clusters, prompts of each condition, and the test that fits them."""
