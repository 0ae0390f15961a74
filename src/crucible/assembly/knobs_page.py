"""The table of knobs as Markdown, for `docs/knobs.md`; a test holds the page to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from crucible.assembly.knobs import FATES, Fate, fate_of, is_refused_whole
from crucible.assembly.knobs_walk import ANY, Knob, document_types, knobs_of
from crucible.ir import Model

__all__ = ["knob_tables"]


def knob_tables() -> str:
    """Return a heading and a table for each type of which something is carried out, then a list of the others."""
    kinds = {kind.__name__: kind for kind in document_types()}
    ordered = [kinds[name] for name in FATES]
    refused = [kind for kind in ordered if is_refused_whole(kind)]
    kept = [kind for kind in ordered if all(fate_of(knob).kind == "recorded" for knob in knobs_of(kind))]
    rest = [kind for kind in ordered if kind not in refused and kind not in kept]
    lines = ["## Carried out, at least in part", ""]
    lines += [line for kind in rest for line in (f"### {kind.__name__}", "", *_rows(kind), "")]
    lines += ["## Refused as a whole", "", *map(_line, refused), "", "## Kept as records", "", *map(_line, kept)]
    return "\n".join(lines) + "\n"


def _rows(kind: type[Model]) -> Iterator[str]:
    yield "| field | value | what becomes of it |"
    yield "| --- | --- | --- |"
    grouped: dict[tuple[str, Fate], list[Knob]] = {}
    for knob in knobs_of(kind):
        grouped.setdefault((knob.field, fate_of(knob)), []).append(knob)
    for (field, fate), knobs in grouped.items():
        told = {"executed": "", "refused": "**refused**: ", "recorded": "recorded: "}[fate.kind] + fate.by
        yield f"| `{field}` | {_words(knobs) or 'any'} | {told} |"


def _line(kind: type[Model]) -> str:
    """Return what becomes of a type, the words that it accepts, and those that switch it off."""
    knobs = list(knobs_of(kind))
    off = [knob for knob in knobs if fate_of(knob).kind == "executed"]
    listed: dict[str, list[Knob]] = {}
    for knob in knobs:
        if knob not in off and knob.word not in (ANY, "true", "false"):
            listed.setdefault(knob.field, []).append(knob)
    words = [f"{field} {_words(own)}" for field, own in listed.items()]
    told = f" ({'; '.join(words)})" if words else ""
    switch = f"; off with {', '.join(f'`{knob.field}: {knob.word}`' for knob in off)}" if off else ""
    return f"- `{kind.__name__}`: {FATES[kind.__name__]['*'].by}{told}{switch}."


def _words(knobs: Iterable[Knob]) -> str:
    return ", ".join(f"`{knob.word}`" for knob in knobs if knob.word != ANY)
