r"""The report in LaTeX: a whole document for any engine, or the tables alone for `\input` in a paper.

Only draws; no picture, since the numbers behind each stand in a table. The document needs packages of every TeX
distribution: array, booktabs, geometry and longtable; a fragment needs array and booktabs.
"""

from __future__ import annotations

from collections.abc import Callable

from crucible.report import loss_curves as curves
from crucible.report import wording
from crucible.report.answers import clip
from crucible.report.findings import Contrast
from crucible.report.glossary import ABSENT_NOTE, SYNTHETIC_NOTE, terms
from crucible.report.latex_table import latex_table
from crucible.report.outline import Section, SectionKey, sections
from crucible.report.results import Results, SampleItem
from crucible.stats.rendering.latex_text import GLYPH, block, escape_latex

__all__ = ["render_latex", "render_latex_tables"]

_PREAMBLE = r"""\documentclass[11pt]{article}
\ifdefined\Umathcode\else
  \usepackage[T1]{fontenc}
  \usepackage[utf8]{inputenc}
  \IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}
\fi
\usepackage[a4paper,margin=20mm]{geometry}
\usepackage{array,booktabs,longtable}
\setlength\LTleft{0pt}
\setlength\LTright{0pt}
\setlength\parindent{0pt}
\setlength\parskip{0.5\baselineskip}
\setcounter{secnumdepth}{0}
\emergencystretch=3em
"""
_FRAGMENT_SECTIONS = ("scores-and-differences", "measurements")
_FRAGMENT_HEAD = r"""% Tables of a Crucible report, for \input in a document that loads the packages array and booktabs.
"""


def render_latex(results: Results) -> str:
    """Return the whole document."""
    body = [
        *_head(results),
        *(part for section in sections(results) for part in _section(section, results)),
        r"\section{Terms}",
        *_terms(results),
        escape_latex(ABSENT_NOTE),
    ]
    return "\n\n".join([_PREAMBLE + GLYPH, r"\begin{document}", *body, r"\end{document}"]) + "\n"


def render_latex_tables(results: Results) -> str:
    r"""Return the tables of scores, differences and other measurements as floats, for `\input`."""
    found = [table for section in sections(results) if section.key in _FRAGMENT_SECTIONS for table in section.tables]
    stamp = wording.SYNTHETIC if results.synthetic else ""
    tables = [latex_table(table, environment="table", stamp=stamp) for table in found]
    nothing = [escape_latex("This run recorded no scores and no other measurements.")]
    return "\n\n".join([_FRAGMENT_HEAD + GLYPH, *(tables or nothing)]) + "\n"


def _terms(results: Results) -> list[str]:
    entries = [(escape_latex(term), escape_latex(meaning)) for term, meaning in terms(results)]
    return [_described(entries)] if entries else []


def _head(results: Results) -> list[str]:
    parts = [
        rf"{{\LARGE\bfseries\raggedright {escape_latex(results.experiment_id)}\par}}",
        *([escape_latex(results.description)] if results.description else []),
        rf"{{\small {escape_latex(wording.tool_line(results))}\par}}",
    ]
    if results.synthetic:
        words = rf"\textbf{{{wording.SYNTHETIC}.}} {escape_latex(SYNTHETIC_NOTE)}"
        parts.append(rf"\noindent\fbox{{\parbox{{\dimexpr\linewidth-2\fboxsep-2\fboxrule\relax}}{{{words}}}}}")
    return parts


def _section(section: Section, results: Results) -> list[str]:
    before = _BEFORE.get(section.key, _nothing)(results)
    after = _AFTER.get(section.key, _nothing)(results)
    stamp = wording.SYNTHETIC if results.synthetic else ""
    tables = [latex_table(table, environment="longtable", stamp=stamp) for table in section.tables]
    parts = [*before, *tables, *after]
    return [rf"\section{{{escape_latex(section.title)}}}", *parts] if parts else []


def _verdict(results: Results) -> list[str]:
    cautions = [rf"\textbf{{{wording.CAUTIONS}}}", _bullets(results.cautions)] if results.cautions else []
    groups = [escape_latex(wording.tied(sentence)) for sentence in wording.group_sentences(results)]
    return [*groups, *map(_contrast, results.contrasts), *cautions]


def _contrast(contrast: Contrast) -> str:
    name = f" ({escape_latex(contrast.name)})" if wording.is_named(contrast) else ""
    return rf"\textbf{{{escape_latex(contrast.headline)}}}{name}. {escape_latex(wording.tied(contrast.sentence))}"


def _curves(results: Results) -> list[str]:
    drawn = [model for model in results.training if curves.losses(model)]
    return [escape_latex(curves.describe(drawn))] if drawn else []


def _answers(results: Results) -> list[str]:
    if results.samples is None or not results.samples.items:
        return []
    return [escape_latex(results.samples.rule), *(part for item in results.samples.items for part in _item(item))]


def _item(item: SampleItem) -> list[str]:
    rows = [("Input", item.input, ""), ("Expected", item.expected, "")]
    rows += [(answer.label, wording.answer_text(answer), wording.score_line(answer)) for answer in item.answers]
    shown = [
        (escape_latex(f"{name} ({note})" if note else name), rf"\mbox{{}}\par {_typewritten(clip(text))}")
        for name, text, note in rows
        if text is not None
    ]
    return [rf"\subsection{{Item {escape_latex(item.id)}}}", _described(shown)]


def _typewritten(text: str) -> str:
    return rf"{{\ttfamily\small\raggedright\frenchspacing\setlength\parskip{{0pt}}{block(text)}\par}}"


def _described(entries: list[tuple[str, str]]) -> str:
    lines = [rf"\item[{{{term}}}] {text}" for term, text in entries]
    return "\n".join([r"\begin{description}", *lines, r"\end{description}"])


def _bullets(lines: list[str]) -> str:
    return "\n".join([r"\begin{itemize}", *(rf"\item {escape_latex(line)}" for line in lines), r"\end{itemize}"])


def _document(results: Results) -> list[str]:
    if not results.configuration:
        return []
    return [rf"\subsection{{{escape_latex(wording.DOCUMENT)}}}", _typewritten(wording.document_text(results))]


def _command(results: Results) -> list[str]:
    command = results.provenance.command
    return [_typewritten(command)] if command else []


def _missing(results: Results) -> list[str]:
    return [_bullets(results.missing)] if results.missing else []


def _nothing(_results: Results) -> list[str]:
    return []


_BEFORE: dict[SectionKey, Callable[[Results], list[str]]] = {
    "verdict": _verdict,
    "training-loss": _curves,
    "answers": _answers,
    "reproduce": _command,
    "missing": _missing,
}
_AFTER: dict[SectionKey, Callable[[Results], list[str]]] = {"configuration": _document}
