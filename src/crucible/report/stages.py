"""The stage that hands out a run's results: one file a format, or text on standard output.

It runs last, so it refuses what it cannot do before the run starts (`check`), and never while it runs.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, cast

from pydantic import BaseModel, Field

from crucible.ir import Experiment, OutputSpec, Seq, atomic_write, did_you_mean
from crucible.pipeline import Context, StageBase, StageOptions
from crucible.report.collection import SAMPLE_SIZE, build_results
from crucible.report.rendering import EXTENSIONS, FORMATS, MEDIA_TYPES, Format, render

__all__ = ["ReportOptions", "ReportStage"]

_DEFAULT_NAME = "report"
_DEFAULT_FORMATS: tuple[Format, ...] = ("markdown", "html")
_SINKS = ("file", "stdout")


class ReportOptions(StageOptions):
    """Options of `report`."""

    name: str | None = Field(
        default=None, min_length=1, description="Output to write; null: all of the experiment's outputs, or `report`."
    )
    formats: Seq[Literal["markdown", "html", "json"]] | None = Field(
        default=None,
        min_length=1,
        description="Formats; null: those of the experiment's outputs, or markdown and html.",
    )
    sink: Literal["file", "stdout"] | None = Field(
        default=None, description="Where to; null: the sink of the experiment's outputs, or file."
    )
    samples: int = Field(default=SAMPLE_SIZE, ge=0, le=100, description="Items to show with every model's answer.")


@dataclass(frozen=True, slots=True)
class _Target:
    name: str
    formats: tuple[str, ...]
    sink: str


class ReportStage(StageBase):
    """Write the run's results as Markdown, HTML or JSON, with charts, provenance and a verdict in words."""

    name: ClassVar[str] = "report"
    Options: ClassVar[type[BaseModel]] = ReportOptions

    def check(self, experiment: Experiment, options: ReportOptions) -> list[tuple[str, str]]:
        """Return every output that cannot be written, as (path, what to do)."""
        outputs = experiment.outputs or ()
        problems = [problem for index, output in enumerate(outputs) for problem in _refused(index, output)]
        names = [output.name for output in outputs]
        if options.name is not None and outputs and options.name not in names:
            hint = did_you_mean(options.name, names)
            problems.append(("name", f'no output "{options.name}"; the experiment has {", ".join(names)}{hint}'))
        if options.name is not None and not _stem(options.name):
            problems.append(("name", f'"{options.name}" has no letter or digit to name a file by'))
        return [*problems, *_unwritten(experiment), *_collisions(outputs)]

    def run(self, context: Context, options: ReportOptions) -> Context:
        """Render every output and reference the files as artifacts.

        Raises:
            StoreError: A file cannot be written.
        """
        results = build_results(context, samples=options.samples)
        for target in _targets(context.experiment, options):
            for format_ in cast("tuple[Format, ...]", tuple(dict.fromkeys(target.formats))):
                text = render(results, format_)
                if target.sink == "stdout":
                    _print(target.name, format_, text)
                    context = context.add_output({"name": target.name, "format": format_, "sink": "stdout"})
                else:
                    context = _write(context, target.name, format_, text)
        return context


def _targets(experiment: Experiment, options: ReportOptions) -> list[_Target]:
    chosen = [output for output in experiment.outputs or () if options.name in (None, output.name)]
    outputs = chosen or [OutputSpec(name=options.name or _DEFAULT_NAME, formats=_DEFAULT_FORMATS)]
    return [
        _Target(output.name, tuple(options.formats or output.formats), options.sink or output.sink)
        for output in outputs
    ]


def _write(context: Context, name: str, format_: Format, text: str) -> Context:
    artifact, path = _free_place(context, _stem(name), format_)
    atomic_write(path, text)
    context = context.add_file(artifact, path, media_type=MEDIA_TYPES[format_])
    output = {
        "name": name,
        "format": format_,
        "sink": "file",
        "artifact": artifact,
        "path": context.artifacts[artifact].path,
    }
    return context.add_output(output)


def _free_place(context: Context, stem: str, format_: Format) -> tuple[str, Path]:
    """Return an artifact name and a file that no earlier output of the run has taken."""
    taken = {reference.path for reference in context.artifacts.values()}
    number = 1
    while True:
        unique = stem if number == 1 else f"{stem}-{number}"
        artifact = f"report.{format_}" if unique == _DEFAULT_NAME else f"report.{unique}.{format_}"
        path = context.workspace / "report" / f"{unique}.{EXTENSIONS[format_]}"
        if artifact not in context.artifacts and path.relative_to(context.workspace).as_posix() not in taken:
            return artifact, path
        number += 1


def _stem(name: str) -> str:
    """Return the part of a file name that stands for `name`: letters, digits, `.`, `_` and `-`."""
    return re.sub(r"[^\w.-]+", "-", name).strip(".-_").lower()[:80]


def _print(name: str, format_: str, text: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    shown = f"== {name} ({format_}) ==\n{text}".encode(encoding, "backslashreplace").decode(encoding)
    sys.stdout.write(shown)
    sys.stdout.flush()


def _refused(index: int, output: OutputSpec) -> Iterable[tuple[str, str]]:
    path = f"outputs[{index}]"
    if not output.formats:
        yield f"{path}.formats", f"is empty; expected one or more of {', '.join(FORMATS)}"
    for place, format_ in enumerate(output.formats):
        if format_ not in FORMATS:
            hint = did_you_mean(format_, FORMATS)
            yield (
                f"{path}.formats[{place}]",
                f'"{format_}" cannot be written; expected one of {", ".join(FORMATS)}{hint}',
            )
    if output.sink not in _SINKS:
        hint = did_you_mean(output.sink, _SINKS)
        yield f"{path}.sink", f'"{output.sink}" is no place this version writes to; expected file or stdout{hint}'
    for key in output.options or {}:
        yield f"{path}.options.{key}", "no option of a report's output; there are none"


def _unwritten(experiment: Experiment) -> Iterable[tuple[str, str]]:
    stages = [stage for stage in experiment.pipeline if stage.enabled and stage.name == ReportStage.name]
    names = [(stage.options or {}).get("name") for stage in stages]
    if not names or None in names:
        return
    for index, output in enumerate(experiment.outputs or ()):
        if output.name not in names:
            yield (
                f"outputs[{index}].name",
                f'no stage writes "{output.name}"; name it in a stage `report`, or leave it out',
            )


def _collisions(outputs: Iterable[OutputSpec]) -> list[tuple[str, str]]:
    problems: list[tuple[str, str]] = []
    seen: dict[str, tuple[int, str]] = {}
    for index, output in enumerate(outputs):
        earlier = seen.setdefault(_stem(output.name), (index, output.name))
        if earlier[0] != index:
            message = (
                f'"{output.name}" would be written to the files of outputs[{earlier[0]}] "{earlier[1]}"; rename one'
            )
            problems.append((f"outputs[{index}].name", message))
    return problems
