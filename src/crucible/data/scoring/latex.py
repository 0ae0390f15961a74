r"""One spelling for mathematics in LaTeX: `\dfrac12`, `1/2` and `\frac{1}{2}` come to the same text.

Spelling only: nothing is computed, `x+1` and `1+x` stay two answers.
"""

from __future__ import annotations

import re

__all__ = ["normal_latex"]

_WRAPPED = re.compile(r"\$\$(.*)\$\$|\$([^$]*)\$|\\\((.*)\\\)|\\\[(.*)\\\]", re.DOTALL)
_ROW_END = re.compile(r"(?<=[^\\])\\\\(?!\\|begin|end)")
_STEPS = [
    (re.compile(r"\n"), " "),
    (re.compile(r"\\!"), ""),
    (re.compile(r"\\\\"), r"\\"),
    (re.compile(r"\\[td]frac"), r"\\frac"),
    (re.compile(r"\\(?:left|right)(?![A-Za-z])"), ""),
    (re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![A-Za-z]))"), ""),
    (re.compile(r"\\\$"), ""),
    (
        re.compile(r"(?<=.)\\(?:text|mbox|mathrm)\{ (?![^{}]*(?:[0-9]|\b(?:or|and|not)\b))[^{}]*\}(?:\^\{?[0-9]\}?)?$"),
        "",
    ),  # a unit on the right
    (re.compile(r"\\(?:text|textbf|mathrm|mathbf|mbox)\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\?%"), ""),
    (re.compile(r"(?<![0-9])\.(?=[0-9])"), "0."),
    (re.compile(r"^\s*[A-Za-z][A-Za-z0-9']?\s*=(?=[^=]*\S[^=]*$)"), ""),  # x = 5 is 5
    (re.compile(r"\\sqrt\s*([0-9A-Za-z])"), r"\\sqrt{\1}"),
    (re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))|\{,\}"), ""),
    (re.compile(r"(?<=[0-9])(?:\\[ ,;:]|\s+)(?=[0-9]{3}(?![0-9]))"), ""),
    (re.compile(r"(?<=[0-9])(?:\\[ ,;:]|\s+)(?=[0-9])"), "~"),  # 1 2 is not 12
    (re.compile(r"\\[ ,;:]|\s+"), ""),
    (re.compile(r"^\(([A-Z])\)$"), r"\1"),
    (re.compile(r"\\frac([^{}\\])([^{}\\])"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\frac([^{}\\])\{"), r"\\frac{\1}{"),
    (re.compile(r"^(-?)(\d+)/(\d+)$"), r"\1\\frac{\2}{\3}"),
    (re.compile(r"^0\.50*$"), r"\\frac{1}{2}"),
    (re.compile(r"\.$"), ""),
]


def normal_latex(text: str) -> str:
    r"""Return an answer in the one spelling; doing it twice changes nothing.

    Spaces, sizes of fractions and brackets, `\$`, `\%`, degrees, a unit in `\text{ …}` on the right, a short left side
    such as `x =` and a final dot do not count.

    Source:
        The steps of `is_equiv` of Hendrycks et al. (2021), "Measuring Mathematical Problem Solving With the MATH
        Dataset", https://github.com/hendrycks/math, in our own words and with thousands commas.
    """
    before = None
    while before != text:  # every round shortens the text or leaves it; one more to see that it stays
        before = text
        text = text.strip()
        wrapped = _WRAPPED.fullmatch(text)
        if wrapped is not None:
            text = next(group for group in wrapped.groups() if group is not None)
        if r"\begin" in text and r"\\begin" not in text:
            text = _ROW_END.sub(r"{\\cr}", text)
        for pattern, plain in _STEPS:
            text = pattern.sub(plain, text)
    return text
