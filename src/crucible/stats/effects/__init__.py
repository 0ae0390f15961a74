"""Sizes of effect, each with its interval."""
