"""The designs by name, with the other words that people use for them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from crucible.errors import StatsError
from crucible.ir import did_you_mean
from crucible.stats.planning.design import PowerDesign
from crucible.stats.planning.margins import Equivalence, NonInferiority
from crucible.stats.planning.means import Anova, Independent, OneSample, Paired, Welch
from crucible.stats.planning.pairs import McNemar
from crucible.stats.planning.proportions import Proportion, Proportions
from crucible.stats.planning.repeats import Repeats

__all__ = ["DESIGNS", "DESIGN_ALIASES", "designed"]

DESIGNS: Mapping[str, type[PowerDesign]] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            *(OneSample, Paired, Independent, Welch, Anova),
            *(Proportion, Proportions, McNemar, Repeats, Equivalence, NonInferiority),
        )
    }
)
"""Class of the design by its canonical name."""

DESIGN_ALIASES: Mapping[str, str] = MappingProxyType(
    {name: name for name in DESIGNS}
    | {
        "binomial": "proportion",
        "clustered": "repeats",
        "fisher": "proportions",
        "items_by_repeats": "repeats",
        "one_proportion": "proportion",
        "one_way_anova": "anova",
        "paired_t": "paired",
        "paired_ttest": "paired",
        "student": "independent",
        "tost": "equivalence",
        "two_proportions": "proportions",
        "two_sample": "independent",
        "welch_t": "welch",
    }
)
"""Canonical name of a design, by accepted word; `fisher` is `proportions`, whose test is Fisher's unless it is told."""


def designed(design: str | PowerDesign, fields: Mapping[str, Any]) -> PowerDesign:
    """Return the design that a word and its fields, or an object, name.

    Raises:
        StatsError: No design goes by that word, or a field is unknown, missing, out of range or of another type.
    """
    if isinstance(design, PowerDesign):
        if not fields:
            return design
        raise StatsError(f"{', '.join(sorted(fields))}: give the fields of a design to the design itself")
    key = design.strip().lower().replace("-", "_").replace(" ", "_")
    if key not in DESIGN_ALIASES:
        raise StatsError(
            f'unknown design "{design}"{did_you_mean(key, DESIGN_ALIASES)}; known: {", ".join(sorted(DESIGNS))}'
        )
    kind = DESIGNS[DESIGN_ALIASES[key]]
    known = {field.name: field.required for field in msgspec.structs.fields(kind)}
    for name in fields:
        if name not in known:
            raise StatsError(
                f'design "{key}" has no field "{name}"{did_you_mean(name, known)}; it has: {", ".join(known)}'
            )
    missing = [name for name, is_required in known.items() if is_required and name not in fields]
    if missing:
        raise StatsError(f'design "{key}" needs {" and ".join(missing)}: give it as a keyword, such as {missing[0]}=…')
    try:
        return msgspec.convert(dict(fields), type=kind)
    except msgspec.ValidationError as error:
        raise StatsError(f'design "{key}": {error}') from error
