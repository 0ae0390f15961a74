"""What a document asks of `bench` that it cannot do, each by its path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from crucible.errors import StatsError
from crucible.ir import StatsConfig, did_you_mean
from crucible.stats.bench.plan import BenchOptions
from crucible.stats.comparing.paired import PAIRED_TESTS
from crucible.stats.effects.named import INDEPENDENT_EFFECTS, PAIRED_EFFECTS
from crucible.stats.groups.comparing import GROUP_TESTS
from crucible.stats.groups.omnibus import VARIANCE_EFFECTS
from crucible.stats.names import canonical_correction, canonical_effect, canonical_test

__all__ = ["refusals"]

Problems = list[tuple[str, str]]

_GROUP_EFFECTS = tuple(dict.fromkeys((*INDEPENDENT_EFFECTS, *PAIRED_EFFECTS, *VARIANCE_EFFECTS)))
_KNOWN_OPTIONS = ("seed",)


def refusals(options: BenchOptions, stats: StatsConfig | None) -> Problems:
    """Return what the document asks for and this stage cannot do, as (path, message)."""
    are_pairs = options.source in (None, "scores")
    found = [*_source(options), *_asked_twice(options), *_options("options", options.options)]
    if options.tests == ():
        found.append(("tests", "must name at least one test, or be left out"))
    found += _tests("tests", options.tests or (), are_pairs=are_pairs)
    found += _word("correction", options.correction, canonical_correction)
    found += _effect("effect_size_type", options.effect_size_type, are_pairs=are_pairs)
    if stats is None:
        return found
    root = "reliability.stats"
    found += _tests(f"{root}.tests", stats.tests, are_pairs=are_pairs)
    found += _word(f"{root}.multiple_testing_correction", stats.multiple_testing_correction, canonical_correction)
    found += _effect(f"{root}.effect_size_type", stats.effect_size_type, are_pairs=are_pairs)
    if stats.bootstrap_iterations is not None and stats.bootstrap_iterations < 100:
        found.append((f"{root}.bootstrap_iterations", f"must be at least 100, got {stats.bootstrap_iterations}"))
    return found + _options(f"{root}.options", stats.options)


def _source(options: BenchOptions) -> Problems:
    """Return options that do not go with where the scores come from, and what is missing."""
    source = options.source
    if source is None or (source == "scores" and options.contrasts is None):
        message = "say what to compare: contrasts of evaluated labels, or data_source: assigns, outputs or metrics"
        return [("contrasts", message)]
    found = [
        (name, f"is for data_source: {home}, and this one is {source}; leave it out")
        for name, home, homes, value in (
            ("metrics", "metrics", ("metrics",), options.metrics),
            ("group_by", "outputs", ("outputs",), options.group_by),
            ("baseline", "assigns, outputs or metrics", ("assigns", "outputs", "metrics"), options.baseline),
        )
        if value is not None and source not in homes
    ]
    if source == "scores":
        return found
    if options.baseline is not None and options.contrasts is not None:
        found.append(("baseline", "the contrasts name their baselines; give one or the other"))
    for i, contrast in enumerate(options.contrasts or ()):
        if contrast.metric is not None:
            found.append((f"contrasts[{i}].metric", "is for data_source: scores; groups have one score each"))
    return found + (_metrics(options) if source == "metrics" else [])


def _asked_twice(options: BenchOptions) -> Problems:
    """Return contrasts of a pair that another one compares on the same metric; the order of the pair is no matter."""
    found: Problems = []
    first: dict[tuple[frozenset[str], str], int] = {}
    for i, contrast in enumerate(options.contrasts or ()):
        question = (frozenset((contrast.baseline, contrast.treatment)), options.metric_of(contrast))
        if (j := first.setdefault(question, i)) != i:
            message = (
                f"contrasts[{i}] asks what contrasts[{j}] asks: the same pair on the same metric, which would be "
                "corrected for as two questions; leave one out"
            )
            found.append((f"contrasts[{i}]", message))
    return found


def _metrics(options: BenchOptions) -> Problems:
    names = options.metrics
    if names is None:
        return [("metrics", "name the metrics that are the groups; none is taken that was not named")]
    found = [("metrics", f'"{name}" is there twice') for name in dict.fromkeys(names) if names.count(name) > 1]
    labels = [("baseline", options.baseline)] if options.baseline is not None else []
    for i, contrast in enumerate(options.contrasts or ()):
        labels += [(f"contrasts[{i}].baseline", contrast.baseline), (f"contrasts[{i}].treatment", contrast.treatment)]
    for path, label in labels:
        if label not in names:
            found.append((path, f'"{label}" is none of metrics{did_you_mean(label, names)}'))
    return found


def _tests(path: str, words: Iterable[str], *, are_pairs: bool) -> Problems:
    available = PAIRED_TESTS if are_pairs else GROUP_TESTS
    found: Problems = []
    for word in words:
        try:
            name = canonical_test(word)
        except StatsError as error:
            found.append((path, str(error)))
            continue
        if name not in available and not (are_pairs and name == "ttest"):
            what = "paired scores" if are_pairs else "groups"
            message = (
                f'the bench stage does not execute "{word}", it compares {what} here; '
                f"it executes: {', '.join(available)}"
            )
            found.append((path, message))
    return found


def _word(path: str, word: str | None, canonical: Callable[[str], str]) -> Problems:
    if word is None:
        return []
    try:
        canonical(word)
    except StatsError as error:
        return [(path, str(error))]
    return []


def _effect(path: str, word: str | None, *, are_pairs: bool) -> Problems:
    unknown = _word(path, word, canonical_effect)
    available = PAIRED_EFFECTS if are_pairs else _GROUP_EFFECTS
    if word is None or (not unknown and canonical_effect(word) in available):
        return []
    what = "paired scores" if are_pairs else "groups"
    message = f'"{word}" is not available for {what}{did_you_mean(word, available)}; available: {", ".join(available)}'
    return [(path, message)]


def _options(path: str, options: Mapping[str, Any] | None) -> Problems:
    found: Problems = []
    for key, value in (options or {}).items():
        if key not in _KNOWN_OPTIONS:
            hint = did_you_mean(key, _KNOWN_OPTIONS)
            found.append((f"{path}.{key}", f'the bench stage has no option "{key}"{hint}; known: seed'))
        elif not isinstance(value, int) or isinstance(value, bool) or value < 0:
            found.append((f"{path}.{key}", f"must be an integer of at least 0, got {value!r}"))
    return found
