"""The verdict of a contrast in words: what was compared, whether it is real, how big it is, how sure.

Words only, from numbers given; nothing is tested here. A difference that was not found is never called equality.
"""

from __future__ import annotations

from crucible.report import number
from crucible.report.findings import Contrast, Evaluation, Score
from crucible.report.titles import correction_title

__all__ = ["find_score", "headline", "sentence"]


def find_score(evaluations: list[Evaluation], label: str, scorer: str) -> Score | None:
    """Return the score of one scorer in one evaluation, if the run has it."""
    scores = (score for evaluation in evaluations if evaluation.label == label for score in evaluation.scores)
    return next((score for score in scores if score.scorer == scorer), None)


def headline(contrast: Contrast) -> str:
    """Return the verdict in a few words, such as `tuned scores higher than base`."""
    if contrast.baseline == contrast.treatment:
        found = "a difference where there can be none" if contrast.verdict == "difference" else "no difference found"
        return f"{contrast.baseline} against itself: {found}"
    if contrast.verdict is None:
        return f"{contrast.treatment} against {contrast.baseline}: not tested"
    if contrast.verdict == "no_difference_found":
        return f"No difference found between {contrast.treatment} and {contrast.baseline}"
    if contrast.verdict == "difference" and contrast.difference:
        direction = "higher" if contrast.difference > 0 else "lower"
        return f"{contrast.treatment} scores {direction} than {contrast.baseline}"
    if contrast.verdict == "difference":
        return f"{contrast.treatment} differs from {contrast.baseline}"
    return f"{contrast.treatment} against {contrast.baseline}: {contrast.verdict.replace('_', ' ')}"


def sentence(contrast: Contrast) -> str:
    """Return what was compared, how big the difference is and how sure, in plain sentences."""
    if contrast.difference is None:
        return contrast.wording or "The run recorded no difference."
    parts = (_what(contrast), _how_sure(contrast), _meaning(contrast), _failures(contrast))
    return " ".join(part for part in parts if part)


def _what(contrast: Contrast) -> str:
    metric = contrast.metric or "the score"
    gap = f"a difference of {number.difference(contrast.difference, contrast.unit)}"
    if contrast.interval is not None:
        span = number.interval_text(contrast.interval, contrast.unit, signed=True)
        gap += f" ({number.confidence(contrast.interval)} interval {span})".replace(" points)", ")")
    if contrast.baseline_mean is None or contrast.treatment_mean is None:
        text = f"In {metric}, {gap}"
    else:
        treated, base = (number.mean_text(m, contrast.unit) for m in (contrast.treatment_mean, contrast.baseline_mean))
        is_check = contrast.baseline == contrast.treatment
        other = " on both sides" if is_check else f", {contrast.baseline} {base}"
        text = f"{contrast.treatment} reaches {treated} in {metric}{other}: {gap}"
    if contrast.n is None:
        return f"{text}."
    if contrast.is_paired:
        return f"{text}, over the same {number.count(contrast.n)} items."
    treated_n, base_n = (number.number(contrast.counts[side]) for side in ("treatment", "baseline"))
    return f"{text}, over {treated_n} and {base_n} observations."


def _how_sure(contrast: Contrast) -> str:
    if contrast.p is None:
        return ""
    text = f"{contrast.test or 'Test'}: {number.p_phrase(contrast.p, contrast.alpha)}"
    decisive = contrast.p
    if contrast.p_adjusted is not None:
        decisive = contrast.p_adjusted
        title = f"{correction_title(contrast.correction)} " if contrast.correction else ""
        count = f" for {contrast.comparisons} comparisons" if contrast.comparisons else ""
        text += f", {number.p_phrase(decisive, contrast.alpha)} after {title}correction{count}"
    if contrast.alpha is not None:
        side = "below" if decisive < contrast.alpha else "above" if decisive > contrast.alpha else "equal to"
        text += f"; {side} the threshold of {number.number(contrast.alpha)}"
    return text + "."


def _meaning(contrast: Contrast) -> str:
    found, interval = contrast.verdict == "difference", contrast.interval
    parts: list[str] = []
    if contrast.baseline == contrast.treatment:
        return "This checks the comparison itself: the same answers stand on both sides."
    if contrast.verdict == "no_difference_found":
        inside = ": every difference inside the interval fits the data" if interval else ""
        parts.append(f"This is no proof that they are equal{inside}.")
    if contrast.verdict and interval and found == (interval.low <= 0.0 <= interval.high):
        parts.append(f"The verdict is the test's; the interval alone would {'include' if found else 'exclude'} zero.")
    return " ".join(parts)


def _failures(contrast: Contrast) -> str:
    return f"{contrast.failures[:1].upper()}{contrast.failures[1:].rstrip('.')}." if contrast.failures else ""
