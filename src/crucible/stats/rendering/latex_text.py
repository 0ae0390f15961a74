r"""LaTeX that shows a text as it is, whatever the text and whatever the engine.

Nothing that a text holds can end a group, start a command or a comment, or join into a ligature. Characters outside of
ASCII and the western accents go through `\crucibleglyph{code}{character}`: it shows the character where the font has
it, and its code where not, so that nothing vanishes from the paper.
"""

from __future__ import annotations

import re
import string

from crucible.stats.rendering.markup import visible

__all__ = ["GLYPH", "block", "escape_latex"]

GLYPH = r"""\providecommand\cruciblecode[1]{\texttt{[U+#1]}}
\ifdefined\Umathcode % XeTeX and LuaTeX ask the font, pdfTeX has no way to
  \protected\def\crucibleglyph#1#2{\iffontchar\font"#1 #2\else\cruciblecode{#1}\fi}
\else
  \protected\def\crucibleglyph#1#2{\cruciblecode{#1}}
\fi
"""
r"""Definition of `\crucibleglyph`; stands before any escaped text."""

_ASCII = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    '"': r"\char34{}",  # a bare one is a shorthand under some languages of babel
    "[": "{[}",  # after the end of a row it would be the row's distance
    "]": "{]}",
    "*": "{*}",  # after the end of a row it would forbid a page break
    "\t": " ",
}
_SIGNS = {
    "\N{EM DASH}": "{---}",
    "\N{EN DASH}": "{--}",
    "\N{MINUS SIGN}": r"\ensuremath{-}",
    "\N{MULTIPLICATION SIGN}": r"\ensuremath{\times}",
    "\N{PLUS-MINUS SIGN}": r"\ensuremath{\pm}",
    "\N{LESS-THAN OR EQUAL TO}": r"\ensuremath{\leq}",
    "\N{GREATER-THAN OR EQUAL TO}": r"\ensuremath{\geq}",
    "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}",
    "\N{MIDDLE DOT}": r"\textperiodcentered{}",
    "\N{LEFT SINGLE QUOTATION MARK}": "{`}",
    "\N{RIGHT SINGLE QUOTATION MARK}": "{'}",
    "\N{LEFT DOUBLE QUOTATION MARK}": "{``}",
    "\N{RIGHT DOUBLE QUOTATION MARK}": "{''}",
    "\N{NO-BREAK SPACE}": "~",
    "\N{RETURN SYMBOL}": r"\ensuremath{\hookleftarrow}",
}
_LETTERS = frozenset("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿ")
"""Known to every encoding of fonts; the other letters of Latin 1 are not."""

_PLAIN = frozenset(string.ascii_letters + string.digits + " !()+./:;=?@" + "".join(_LETTERS))
_LIGATURES = re.compile("--+|''+|,,+")
_LONG_WORD = 24
_BREAK_EVERY = 12


def escape_latex(text: str) -> str:
    """Return `text` on one line as LaTeX that shows it; a new line becomes a hooked arrow.

    Words above 24 characters get places where a line may end, so that they stay within a column.
    """
    line = visible(text).replace("\n", " \N{RETURN SYMBOL} ").strip(" ")
    return re.sub("[^ ]+", lambda word: _word(word.group()), line)


def block(text: str) -> str:
    """Return text of several lines as a LaTeX paragraph in a typewriter font that keeps lines and indents."""
    return "\\par\n".join(_line(line) for line in visible(text).split("\n"))


def _line(line: str) -> str:
    indent = len(line) - len(line.lstrip(" \t"))
    return r"\mbox{}" + "~" * indent + escape_latex(line)


def _word(word: str) -> str:
    parts = [_character(character) for character in word]
    for ligature in _LIGATURES.finditer(word):
        for place in range(ligature.start(), ligature.end() - 1):
            parts[place] += "{}"
    if len(word) > _LONG_WORD:
        for place in range(_BREAK_EVERY - 1, len(word) - 1, _BREAK_EVERY):
            parts[place] += r"\allowbreak{}"
    return "".join(parts)


def _character(character: str) -> str:
    if character in _PLAIN:
        return character
    known = _ASCII.get(character) or _SIGNS.get(character)
    if known is not None or character in "-',":
        return known or character
    return rf"\crucibleglyph{{{ord(character):04X}}}{{{character}}}"
