r"""Numbers as people type them, out of the ways in which LaTeX, Markdown and Unicode dress them: `\frac{1}{2}`, `½`."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["plain_numbers"]

_LATEX = [
    (re.compile(r"\\[dtc]?frac\s*(\d)\s*(\d)"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\[dtc]?frac\s*\{\s*[-−]?\d{1,64}\s*\}\s*\{\s*\d{1,64}\s*\}\s*(?=\d)"), "√"),  # a product
    (re.compile(r"(?<=[-−])\s*\\[dtc]?frac\s*\{\s*(\d{1,64})\s*\}\s*\{\s*(\d{1,64})\s*\}"), r"\1/\2"),
    (re.compile(r"\\[dtc]?frac\s*\{\s*([-−]?\d{1,64})\s*\}\s*\{\s*(\d{1,64})\s*\}"), r" \1/\2"),
    (re.compile(r"\\(?:text|mathrm|mathbf|textbf|textit|mbox|operatorname)\s*\{([^{}]*)\}"), r" \1 "),
    (re.compile(r"\\sqrt\s*(?:\[[^\]]{0,9}\])?\s*(?:\{[^{}]*\}|\w)?"), "√"),
    (re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ\b)"), "°"),
    (re.compile(r"\\(?:times|cdot)(?![A-Za-z])[ \t]*"), "×"),
    (re.compile(r"(?<=\d)\{,\}(?=\d)"), ","),
    (re.compile(r"(?<=\d)\\[,;: ](?=\d{3})"), ","),
    (re.compile(r"\\[!]"), ""),
    (re.compile(r"\\(?:left|right)\b"), ""),
    (re.compile(r"\\([$%#&])"), r"\1"),
    (re.compile(r"\\[,;: ]"), " "),
    (re.compile(r"(?<=[\d)])\*\*(?=[\d(])"), "^"),  # a power of Python, not bold type
    (re.compile(r"\*\*|__"), " "),
    (
        re.compile(r"(?<=\d)(?:\\|\s+\\(?=(?:pi|theta|alpha|ln|log|sin|cos|tan)(?![A-Za-z])))(?=[A-Za-z])"),
        "",
    ),  # 2\pi is no 2
    (re.compile(r"=\s*([-−–])[ \t]+(?=[.\d$€£])"), r"= \1"),
    (re.compile(r"(\d[ \t]+)minus[ \t]+(?=[.\d$€£])", re.IGNORECASE), r"\1- "),
    (re.compile(r"\b(?:negative|minus)[ \t]+(?=[.\d$€£])", re.IGNORECASE), "-"),
]
_DRESSED = re.compile(r"[\\*_^={]|minus|negative", re.IGNORECASE)
"""What every pattern of `_LATEX` needs, so that a plain text costs one look and not twenty."""
_WIDE = {
    **{0xFF10 + digit: str(digit) for digit in range(10)},  # full width, as in Chinese and Japanese text
    0xFF0D: "-",
    0xFF0E: ".",
    0xFF0C: ",",
    0xFF05: "%",
    ord("\N{FRACTION SLASH}"): "/",
    ord("\u00a0"): " ",
    ord("\u202f"): " ",
    ord("\u2009"): " ",
    ord("\u2011"): "-",
}
_VULGAR = re.compile("[¼½¾⅐-⅞]")


def plain_numbers(text: str) -> str:
    """Return a text whose numbers are written in plain ASCII; what is no number may look odd afterwards."""
    text = _VULGAR.sub(lambda match: " " + unicodedata.normalize("NFKC", match[0]), text).translate(_WIDE)
    if _DRESSED.search(text):
        for pattern, plain in _LATEX:
            text = pattern.sub(plain, text)
    return text
