"""What a report stage has to hand out: the experiment's outputs, as far as its own options do not say otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from crucible.ir import Experiment, OutputSpec, Seq
from crucible.pipeline import StageOptions
from crucible.report.collection import SAMPLE_SIZE
from crucible.report.database_sink import DatabaseSink
from crucible.report.delivery import DEFAULT_NAME
from crucible.report.file_sink import FileSink
from crucible.report.object_sink import ObjectSink
from crucible.report.rendering import Format
from crucible.report.sink import Sink
from crucible.report.stdout_sink import StdoutSink

__all__ = ["SINKS", "ReportOptions", "Target", "targets"]

SINKS: Mapping[str, Sink] = {
    "file": FileSink(),
    "stdout": StdoutSink(),
    "s3": ObjectSink(),
    "database": DatabaseSink("database"),
    "postgres": DatabaseSink("postgres", must_be_server=True),
}
"""Sink by the word of the document."""

_DEFAULT_FORMATS: tuple[Format, ...] = ("markdown", "html")


class ReportOptions(StageOptions):
    """Options of `report`."""

    name: str | None = Field(
        default=None, min_length=1, description="Output to write; null: all of the experiment's outputs, or `report`."
    )
    formats: Seq[Literal["markdown", "html", "json", "latex", "csv"]] | None = Field(
        default=None,
        min_length=1,
        description="Formats; null: those of the experiment's outputs, or markdown and html.",
    )
    sink: Literal["file", "stdout", "s3", "database", "postgres"] | None = Field(
        default=None, description="Where to; null: the sink of the experiment's outputs, or file."
    )
    sink_options: dict[str, Any] | None = Field(
        default=None, description="Options of the sink; null: those of the experiment's outputs."
    )
    samples: int = Field(default=SAMPLE_SIZE, ge=0, le=100, description="Items to show with every model's answer.")


@dataclass(frozen=True, slots=True)
class Target:
    """One output, in every format, to one sink.

    Args:
        name: The output's name.
        formats: Formats, each once.
        sink: The document's word for the sink.
        options: Options of the sink, as the document gives them.
        path: Where the document has the output, such as `outputs[1]`; empty if only the stage names it.
    """

    name: str
    formats: tuple[str, ...]
    sink: str
    options: Mapping[str, Any]
    path: str = ""


def targets(experiment: Experiment, options: ReportOptions) -> list[Target]:
    """Return what the stage hands out, in the order of the document."""
    named = [
        (f"outputs[{index}]", output)
        for index, output in enumerate(experiment.outputs or ())
        if options.name in (None, output.name)
    ]
    if not named:
        return [_target("", options.name or DEFAULT_NAME, None, options)]
    return [_target(path, output.name, output, options) for path, output in named]


def _target(path: str, name: str, output: OutputSpec | None, options: ReportOptions) -> Target:
    formats = options.formats or (output.formats if output else _DEFAULT_FORMATS)
    sink = options.sink or (output.sink if output else "file")
    given = options.sink_options if options.sink_options is not None else (output.options if output else None)
    return Target(name, tuple(dict.fromkeys(formats)), sink, given or {}, path)
