"""One vocabulary for the methods: their names, the other words that people use for them, and their options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from crucible.errors import SpecError
from crucible.ir import did_you_mean
from crucible.telemetry.anomalies.anomaly import Anomaly
from crucible.telemetry.anomalies.cusum import Cusum
from crucible.telemetry.anomalies.ewma import Ewma
from crucible.telemetry.anomalies.iqr import Iqr
from crucible.telemetry.anomalies.method import Method
from crucible.telemetry.anomalies.modified_z import ModifiedZ
from crucible.telemetry.anomalies.seasonal_naive import SeasonalNaive
from crucible.telemetry.anomalies.z_score import ZScore

__all__ = ["METHODS", "METHOD_ALIASES", "canonical_method", "detect", "method"]

METHODS: Mapping[str, type[Method]] = MappingProxyType(
    {kind.name: kind for kind in (ZScore, ModifiedZ, Iqr, Ewma, Cusum, SeasonalNaive)}
)
"""The methods by canonical name."""

METHOD_ALIASES: Mapping[str, str] = MappingProxyType(
    {name: name for name in METHODS}
    | {
        "zscore": "z_score",
        "z": "z_score",
        "mad": "modified_z",
        "modified_zscore": "modified_z",
        "modified_z_score": "modified_z",
        "robust_z": "modified_z",
        "tukey": "iqr",
        "fences": "iqr",
        "ewma_change": "ewma",
        "cusum_change": "cusum",
        "seasonal": "seasonal_naive",
        "snaive": "seasonal_naive",
    }
)
"""Canonical name of a method by accepted word."""


def canonical_method(word: str, *, path: str = "") -> str:
    """Return the canonical name of a method.

    Args:
        word: A name or an alias; case, hyphens and spaces do not matter.
        path: Where it stands, for the error.

    Raises:
        SpecError: No method goes by that word.
    """
    key = word.strip().lower().replace("-", "_").replace(" ", "_")
    if key in METHOD_ALIASES:
        return METHOD_ALIASES[key]
    message = f'unknown method "{word}"{did_you_mean(key, METHOD_ALIASES)}; known: {", ".join(METHODS)}'
    raise SpecError(message, path=path, code="choice")


def method(word: str, **options: Any) -> Method:
    """Return a method with its options.

    Args:
        word: A name or an alias.
        **options: Fields of its options, such as `threshold`.

    Raises:
        SpecError: No method goes by that word.
        SpecErrors: An option is unknown or out of its range; every problem, each with its path.
    """
    return METHODS[canonical_method(word, path="method")].read(options)


def detect(
    values: Iterable[float],
    how: str | Method = "modified_z",
    *,
    steps: Sequence[int | None] | None = None,
    timestamps_ns: Sequence[int | None] | None = None,
    metric: str = "",
) -> list[Anomaly]:
    """Return what is out of the ordinary in a whole sequence, in its order.

    Args:
        values: Any floats; NaN and infinities are flagged as `non_finite`.
        how: A method, or its name with default options.
        steps: Step of each value.
        timestamps_ns: Wall clock of each value, nanoseconds since 1970-01-01 UTC.
        metric: What is measured.

    Raises:
        SpecError: No method goes by that word, or `steps` or `timestamps_ns` is not as long as the values.
        SpecErrors: The method needs an option that has no default (`period` of `seasonal_naive`).
    """
    chosen = how if isinstance(how, Method) else method(how)
    return chosen.detect(values, steps=steps, timestamps_ns=timestamps_ns, metric=metric)
