"""The LaTeX report holds together whatever the texts in it, with no TeX needed to tell; where one is, it compiles."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.errors import SpecError
from crucible.pipeline import Context
from crucible.report import build_results, render
from crucible.report.latex_table import latex_table
from crucible.report.table import Cell, Column, Row, Table
from crucible.stats.rendering.latex_text import block, escape_latex

HOSTILE = (
    "%&_#${}\\~^ [x]* `\"' -- --- '' ,, << >> | größer 日本 \U0001f600 a\u0301 \u202e \x00 \\end{document} x^2_i $x$ #1"
)
anything = st.text(st.characters(codec="utf-8"))
nasty = st.text(st.sampled_from("\\{}$&#_%~^<>|`\"'[]*-, \n\tab1é日"))
COMMANDS = {
    "\\textbackslash{}": "\\", "\\{": "{", "\\}": "}", "\\$": "$", "\\&": "&", "\\#": "#", "\\_": "_", "\\%": "%",
    "\\textasciitilde{}": "~", "\\textasciicircum{}": "^", "\\textless{}": "<", "\\textgreater{}": ">",
    "\\textbar{}": "|", "\\textasciigrave{}": "`", "\\char34{}": '"', "{[}": "[", "{]}": "]", "{*}": "*",
    "\\ensuremath{\\hookleftarrow}": "⏎", "\\allowbreak{}": "", "{}": "", "\\ensuremath{-}": "−", "{---}": "—",
    "{--}": "–", "\\ensuremath{\\times}": "×", "\\ensuremath{\\pm}": "±", "\\ensuremath{\\leq}": "≤", "~": "\u00a0",
    "\\ensuremath{\\geq}": "≥",
    "\\ldots{}": "…", "\\textperiodcentered{}": "·", "{`}": "\u2018", "{'}": "’", "{``}": "“",
    "{''}": "”",
}  # fmt: skip
KNOWN = re.compile(
    "|".join([r"\\crucibleglyph\{([0-9A-F]{4,6})\}\{(.)\}", *map(re.escape, sorted(COMMANDS, key=len, reverse=True))])
)


def read(latex: str) -> str:
    """Return the text that escaped LaTeX shows, as TeX would read it; nothing active is left over."""
    rest = KNOWN.sub("", latex)
    assert not set(rest) & set('\\{}$&#_%~^<>|`"[]*'), rest
    return KNOWN.sub(lambda found: chr(int(found[1], 16)) if found[1] else COMMANDS[found[0]], latex)


def check(latex: str) -> None:
    """Hold that groups and environments are balanced, and that nothing stands after the end."""
    bare = re.sub(r"\\[\\{}%]", "", re.sub(r"(?<!\\)%.*", "", latex))
    depth = 0
    for character in bare:
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0
    opened: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+\*?)\}", latex):
        if kind == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert opened == []


def hostile() -> dict[str, Any]:
    """Return results in which every text is hostile."""
    score = {"scorer": HOSTILE, "mean": 0.5, "attempted": 3}
    return {
        "experiment_id": HOSTILE,
        "description": HOSTILE,
        "synthetic": True,
        "stamp": "SYNTHETIC DATA",
        "cautions": [HOSTILE],
        "contrasts": [{"name": HOSTILE, "baseline": HOSTILE, "treatment": "t", "sentence": HOSTILE, "headline": "h"}],
        "evaluations": [{"label": HOSTILE, "scores": [score]}],
        "samples": {"rule": HOSTILE, "items": [{"id": HOSTILE, "input": f"{HOSTILE}\n\n  {HOSTILE}"}]},
        "other": {HOSTILE: {HOSTILE: {HOSTILE: HOSTILE}}, "l": [{HOSTILE: HOSTILE}]},
        "configuration": {"id": HOSTILE},
        "provenance": {"command": HOSTILE},
        "missing": [HOSTILE],
    }  # fmt: skip


@given(st.one_of(anything, nasty))
def test_any_text_reads_back(text: str) -> None:
    """What TeX shows is the text, letter by letter; nothing in it acts, and no two signs join into another."""
    from crucible.stats.rendering.markup import visible

    escaped = escape_latex(text)
    shown = visible(text).replace("\n", " ⏎ ").strip(" ").replace("\t", " ")
    assert read(escaped) == shown
    assert "--" not in re.sub(r"\{---?\}", "", escaped)
    assert not re.search("''|,,", escaped.replace("{''}", ""))
    assert "\n" not in escaped


@given(st.one_of(anything, nasty))
def test_a_block_keeps_its_lines(text: str) -> None:
    """Every line of a text is a paragraph of its own, with its indent."""
    from crucible.stats.rendering.markup import visible

    lines = block(text).split("\\par\n")
    assert len(lines) == visible(text).count("\n") + 1
    assert all(line.startswith("\\mbox{}") for line in lines)


def test_long_words_can_break() -> None:
    """A digest has places where a line may end, a short word has none."""
    assert escape_latex("ab" * 32).count("\\allowbreak{}") == 5
    assert escape_latex("a" * 24) == "a" * 24


def test_ordinary_text_stays_readable() -> None:
    """Words, numbers and western accents are not touched."""
    for plain in ("Größe: 12.5 (n = 3), a-b; c/d!", "Is it real?", "p = 0.0312"):
        assert escape_latex(plain) == plain


def test_whole_document(whole_run: Context) -> None:
    """A preamble, every section, every table with its number of columns, and the stamp where the data is made up."""
    latex = render(build_results(whole_run), "latex")
    check(latex)
    assert latex.startswith("\\documentclass")
    assert latex.endswith("\\end{document}\n")
    sections = re.findall(r"\\section\{(.*)\}", latex)
    assert sections == [
        "Verdict", "Scores and differences", "Training", "Sample answers", "Data", "Configuration", "Reproduce",
        "Terms",
    ]  # fmt: skip
    assert "\\textbf{rank16 scores higher than base}" in latex
    assert latex.count("\\caption{SYNTHETIC DATA: ") == latex.count("\\caption{") > 5
    assert "68.2\\% &" in latex
    assert "\\mbox{}crucible run examples/quickstart.yaml -{}-set" in latex


def test_fragment(whole_run: Context) -> None:
    """The tables alone, as floats with labels to refer to; wide ones go over both columns of a page."""
    results = build_results(whole_run)
    fragment = render(results, "latex", fragment=True)
    check(fragment)
    assert "\\documentclass" not in fragment
    assert "longtable" not in fragment
    assert re.findall(r"\\label\{tab:crucible-([\w-]+)\}", fragment) == ["scores", "comparisons"]
    assert fragment.count("\\begin{table*}") == 2
    assert "recorded no scores" in render({}, "latex", fragment=True)
    assert "\\begin{table}[htbp]" in render({"other": {"a": 1}}, "latex", fragment=True)
    with pytest.raises(SpecError, match="only latex has one, html has not"):
        render(results, "html", fragment=True)


@pytest.mark.parametrize("fragment", [False, True])
def test_hostile_texts_hold_together(fragment: bool) -> None:
    """Groups and environments stay balanced, and the document ends where it ends."""
    latex = render(hostile(), "latex", fragment=fragment)
    check(latex)
    assert latex.count("\\end{document}") == (0 if fragment else 1)
    assert "\\crucibleglyph{65E5}{日}" in latex


def test_a_row_is_not_taken_for_an_option() -> None:
    """A first cell that begins with a bracket or a star is not read as the distance to the row above."""
    table = Table("t", "c", (Column("[x]"), Column("*", True)), (Row("[3em]", (Cell("*", note="[n]"),), group="*"),))
    for environment in ("longtable", "table"):
        latex = latex_table(table, environment=environment)  # pyright: ignore[reportArgumentType]
        check(latex)
        assert not [line for line in latex.splitlines() if line.startswith(("[", "*"))]
        assert "\n{[}3em{]} & {*} " in latex


@pytest.mark.parametrize("engine", ["pdflatex", "xelatex", "lualatex"])
@pytest.mark.slow
def test_it_compiles(tmp_path: Path, engine: str) -> None:
    """Where a TeX is installed, the hostile document and the hostile fragment in a paper go through it."""
    if shutil.which(engine) is None:
        pytest.skip(f"no {engine} on the PATH")
    (tmp_path / "whole.tex").write_text(render(hostile(), "latex"))
    (tmp_path / "tables.tex").write_text(render(hostile(), "latex", fragment=True))
    (tmp_path / "paper.tex").write_text(
        "\\documentclass[twocolumn]{article}\\usepackage{array,booktabs}\\begin{document}\\input{tables}\\end{document}"
    )
    for name in ("whole", "paper"):
        command = [engine, "-halt-on-error", "-interaction=nonstopmode", name]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
        assert (tmp_path / f"{name}.pdf").stat().st_size > 1000
