"""The options of `crucible compare`, by what they are about: the files, the comparison, the telling."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "AllPairsOption",
    "AlphaOption",
    "BaselineOption",
    "ClusterOption",
    "ColumnOption",
    "CorrectionOption",
    "FailOnWorseOption",
    "FailuresOption",
    "FilesArgument",
    "Form",
    "FormatOption",
    "GroupOption",
    "ItemOption",
    "JsonOption",
    "LabelOption",
    "LevelOption",
    "LowerOption",
    "MetricOption",
    "PairOption",
    "Pairing",
    "PromptOption",
    "ReadAsOption",
    "RepeatOption",
    "TestOption",
    "TrustOption",
    "UnmatchedOption",
]

_FILES = "What the files hold"
_DESIGN = "How it is compared"
_TELLING = "How it is told"


class Pairing(StrEnum):
    """Which scores belong together."""

    ID = "id"
    ROW = "row"
    NONE = "none"


class Form(StrEnum):
    """How the result is written."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"
    LATEX = "latex"


FilesArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="BASELINE TREATMENT…",
        help=(
            "Files of results: Inspect logs (.eval, .json), samples of lm-evaluation-harness, CSV, TSV, JSONL, JSON, "
            "or scores that Crucible wrote. One is enough where a column splits it."
        ),
        show_default=False,
    ),
]
MetricOption = Annotated[
    str,
    typer.Option(
        "--metric",
        "--score",
        help="Which score, where a file has several: a metric, or the column of a table.",
        show_default=False,
        rich_help_panel=_FILES,
    ),
]
ItemOption = Annotated[
    str, typer.Option("--item", help="Column of item ids.", show_default=False, rich_help_panel=_FILES)
]
GroupOption = Annotated[
    str,
    typer.Option(
        "--group", help="Column that splits a table into conditions.", show_default=False, rich_help_panel=_FILES
    ),
]
ColumnOption = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        help="Column of scores that is a condition of its own, in a table of one row an item; repeatable.",
        show_default=False,
        rich_help_panel=_FILES,
    ),
]
RepeatOption = Annotated[
    str,
    typer.Option(
        "--repeat", help="Column that tells repeats of an item apart.", show_default=False, rich_help_panel=_FILES
    ),
]
PromptOption = Annotated[
    str,
    typer.Option(
        "--prompt", help="Column that tells prompts or templates apart.", show_default=False, rich_help_panel=_FILES
    ),
]
ClusterOption = Annotated[
    str,
    typer.Option(
        "--cluster",
        help="Column, or field of metadata, that items share which resemble each other: a passage, a subject.",
        show_default=False,
        rich_help_panel=_FILES,
    ),
]
ReadAsOption = Annotated[
    str,
    typer.Option(
        "--read-as",
        help="Format, where content leaves it open: csv, ssv, tsv, jsonl, json, inspect, lm_eval or crucible.",
        show_default=False,
        rich_help_panel=_FILES,
    ),
]
LabelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--label",
        help="What a condition is called; once for each, in their order.",
        show_default=False,
        rich_help_panel=_FILES,
    ),
]
TrustOption = Annotated[
    bool,
    typer.Option(
        "--trust-ids",
        help="Pair by id even where the files say that something else was asked.",
        rich_help_panel=_FILES,
    ),
]
BaselineOption = Annotated[
    str,
    typer.Option(
        "--baseline", help="Label of the baseline; default: the first.", show_default=False, rich_help_panel=_DESIGN
    ),
]
PairOption = Annotated[
    Pairing,
    typer.Option(
        "--pair",
        help="Which scores belong together: of one id where there are ids, of one row, or none.",
        rich_help_panel=_DESIGN,
    ),
]
TestOption = Annotated[
    str,
    typer.Option(
        "--test", help="Test to force, such as wilcoxon or permutation; auto: by rule.", rich_help_panel=_DESIGN
    ),
]
AlphaOption = Annotated[
    float, typer.Option("--alpha", help="Type-I error rate of the verdicts.", rich_help_panel=_DESIGN)
]
LevelOption = Annotated[
    float | None,
    typer.Option(
        "--level", help="Level of the intervals; default: 1 - alpha.", show_default=False, rich_help_panel=_DESIGN
    ),
]
FailuresOption = Annotated[
    str,
    typer.Option(
        "--failures", help="What a failed measurement counts as: exclude, zero or abort.", rich_help_panel=_DESIGN
    ),
]
UnmatchedOption = Annotated[
    str,
    typer.Option(
        "--unmatched", help="What becomes of items that one side has not: refuse or drop.", rich_help_panel=_DESIGN
    ),
]
CorrectionOption = Annotated[
    str,
    typer.Option(
        "--correction",
        help="For there being several comparisons: holm, bonferroni, hochberg, bh, by or none.",
        rich_help_panel=_DESIGN,
    ),
]
AllPairsOption = Annotated[
    bool,
    typer.Option("--all-pairs", help="Compare every pair, not only each with the baseline.", rich_help_panel=_DESIGN),
]
FormatOption = Annotated[Form, typer.Option("--format", help="How the result is written.", rich_help_panel=_TELLING)]
JsonOption = Annotated[bool, typer.Option("--json", help="The same as --format json.", rich_help_panel=_TELLING)]
FailOnWorseOption = Annotated[
    bool,
    typer.Option("--fail-on-worse", help="Exit with 1 if a treatment is found to be worse.", rich_help_panel=_TELLING),
]
LowerOption = Annotated[
    bool,
    typer.Option(
        "--lower-is-better",
        help="For --fail-on-worse: a higher score is the worse one, as of a loss.",
        rich_help_panel=_TELLING,
    ),
]
