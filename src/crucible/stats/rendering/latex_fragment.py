r"""What is told of a result as LaTeX tables with booktabs rules, sentences and notes under the last of them.

Needs `\usepackage{booktabs}` and `\usepackage{array}` before the document begins, and nothing else. A table that is too
wide for a line of text goes on below itself, its first column repeated, so that nothing is shrunk or cut off.
"""

from __future__ import annotations

from collections.abc import Sequence

from crucible.stats.rendering.latex_text import GLYPH, escape_latex
from crucible.stats.rendering.markup import visible
from crucible.stats.rendering.telling import Note, Table, Telling

__all__ = ["draw_latex"]

_LINE = 78
r"""Characters that a line of `\footnotesize` holds in LaTeX's own article class, 345 points wide."""
_GAP = 2  # characters that the space between two columns takes
_NAME, _TEXT = 24, 15  # characters of the first column, and of others of words, before they break
_EM = 0.54  # of a character, on the generous side


def draw_latex(telling: Telling) -> str:
    """Return floating tables; sentences and notes stand under the last one, or alone where there is no table."""
    words = _words(telling)
    if not telling.tables:
        return _with_glyphs("\n".join(words))
    drawn = [_table(table, []) for table in telling.tables[:-1]]
    return _with_glyphs("\n\n".join([*drawn, _table(telling.tables[-1], words)]))


def _with_glyphs(body: str) -> str:
    needs = "% needs \\usepackage{booktabs} and \\usepackage{array}\n"
    return needs + (GLYPH if r"\crucibleglyph" in body else "") + body + "\n"


def _table(table: Table, words: list[str]) -> str:
    lines = [
        r"\begin{table}[htbp]",
        r"\centering\footnotesize\setlength\tabcolsep{4pt}",
        rf"\caption{{{escape_latex(table.caption)}}}",
        "\n\\par\\medskip\n".join(_tabulars(table)),
        *words,
        r"\end{table}",
    ]
    return "\n".join(lines)


def _tabulars(table: Table) -> list[str]:
    """Return the table in as few parts as can be; numbers break before their bracket only where that saves a part."""
    places = range(len(table.columns))
    whole = [_width(table, place, may_break=False) for place in places]
    broken = [_width(table, place, may_break=True) for place in places]
    widths = whole if len(_filled(whole, _LINE)) == len(_filled(broken, _LINE)) else broken
    return [_tabular(table, part, widths) for part in _parts(widths)]


def _tabular(table: Table, places: Sequence[int], widths: Sequence[int]) -> str:
    columns = "".join(_column(table, place, widths[place]) for place in places)
    heads = [escape_latex(table.columns[place].heading) for place in places]
    lines = [
        rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}",
        r"\toprule",
        *([] if table.is_facts else [_line(heads), r"\midrule"]),
        *(_line([_cell(row[place]) for place in places]) for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _cell(text: str) -> str:
    """Return a cell; a number stays with what is before it, and the bracket after an estimate stays whole."""
    head, found, tail = text.replace("< ", "<\N{NO-BREAK SPACE}").partition(" (")
    is_span = found and " to " in tail and len(tail) < _NAME
    return escape_latex(head + found + (tail.replace(" ", "\N{NO-BREAK SPACE}") if is_span else tail))


def _parts(widths: Sequence[int]) -> list[list[int]]:
    """Return the columns of each part, the first one in all: as few parts as fit, and these about equally wide."""
    parts = _filled(widths, _LINE)
    for limit in range(_LINE - 1, 0, -1):
        narrower = _filled(widths, limit)
        if len(narrower) > len(parts):
            break
        parts = narrower
    return parts


def _filled(widths: Sequence[int], limit: int) -> list[list[int]]:
    parts, used = [[0]], widths[0]
    for place, width in enumerate(widths[1:], start=1):
        if used + _GAP + width > limit and len(parts[-1]) > 1:
            parts.append([0])
            used = widths[0]
        parts[-1].append(place)
        used += _GAP + width
    return parts


def _column(table: Table, place: int, width: int) -> str:
    """Return a plain column where no text needs to break, otherwise one that breaks at its width."""
    is_number = table.columns[place].is_number
    if max(map(_length, _texts(table, place)), default=0) <= width:
        return "r" if is_number else "l"
    side = "left" if is_number else "right"
    return rf">{{\ragged{side}\arraybackslash}}p{{{_EM * width:.2f}em}}"


def _texts(table: Table, place: int) -> list[str]:
    heading = [] if table.is_facts else [table.columns[place].heading]
    return [*heading, *(row[place] for row in table.rows)]


def _width(table: Table, place: int, *, may_break: bool) -> int:
    """Return how many characters wide a column is: words break where they must, numbers before their bracket."""
    column, cells = table.columns[place], [row[place] for row in table.rows]
    if table.is_facts:
        name = min(max((_length(row[0]) for row in table.rows), default=0), 30)
        return name if place == 0 else min(max(map(_length, cells), default=0), _LINE - name - 3 * _GAP)
    splits = column.is_number and may_break
    longest = max((_length(piece) for cell in cells for piece in (cell.split(" (") if splits else [cell])), default=0)
    heading = max(map(_length, column.heading.split()), default=0)
    return max(longest if column.is_number else min(longest, _TEXT if place else _NAME), heading)


def _length(text: str) -> int:
    """Return how many characters a text takes, of which pdfLaTeX writes those beyond Latin as their codes."""
    shown = visible(text)
    return len(shown) + len("[U+0000]") * sum(ord(one) > 0x2FF and not 0x2000 <= ord(one) < 0x2300 for one in shown)


def _words(telling: Telling) -> list[str]:
    lines = [escape_latex(sentence) for sentence in (telling.lead, *telling.sentences) if sentence]
    lines += [_note(note) for note in telling.notes]
    if not lines:
        return []
    begin = r"\par\smallskip{\footnotesize\raggedright\setlength\parskip{0pt}"
    return [begin, *(rf"{line}\par" for line in lines), "}"]


def _note(note: Note) -> str:
    told = " ".join(line if line.endswith(".") else f"{line}." for line in note.lines)
    return rf"\emph{{{escape_latex(note.title)}:}} {escape_latex(told)}"
