"""What a report stage cannot do, found before the run starts: words nobody executes, options, colliding names."""

from __future__ import annotations

from collections.abc import Iterable

from crucible.errors import SpecErrors
from crucible.ir import Experiment, did_you_mean, read_plain
from crucible.report.delivery import stem
from crucible.report.rendering import FORMATS
from crucible.report.sink import SinkOptions
from crucible.report.target import SINKS, ReportOptions, Target, targets

__all__ = ["refusals"]

Problem = tuple[str, str]


def refusals(experiment: Experiment, options: ReportOptions, stage: str) -> list[Problem]:
    """Return every problem as (path, what to do).

    Args:
        experiment: The document.
        options: Of the stage that hands out.
        stage: The stage's name, to find its kind in the pipeline.
    """
    chosen = targets(experiment, options)
    problems = [problem for target in chosen for problem in _target(target, options)]
    names = [output.name for output in experiment.outputs or ()]
    if options.name is not None and names and options.name not in names:
        hint = did_you_mean(options.name, names)
        problems.append(("name", f'no output "{options.name}"; the experiment has {", ".join(names)}{hint}'))
    if options.name is not None and not stem(options.name):
        problems.append(("name", f'"{options.name}" has no letter or digit to name a file by'))
    return [*problems, *_unwritten(experiment, stage), *_collisions(experiment, chosen)]


def _target(target: Target, options: ReportOptions) -> Iterable[Problem]:
    at_formats = f"{target.path}.formats" if target.path and options.formats is None else "formats"
    if not target.formats:
        yield at_formats, f"is empty; expected one or more of {', '.join(FORMATS)}"
    for place, format_ in enumerate(target.formats):
        if format_ not in FORMATS:
            hint = did_you_mean(format_, FORMATS)
            yield f"{at_formats}[{place}]", f'"{format_}" cannot be written; expected one of {", ".join(FORMATS)}{hint}'
    if target.sink not in SINKS:
        hint = did_you_mean(target.sink, SINKS)
        expected = f"expected one of {', '.join(SINKS)}"
        yield f"{target.path}.sink", f'"{target.sink}" is no place this version writes to; {expected}{hint}'
        return
    at = f"{target.path}.options" if target.path and options.sink_options is None else "sink_options"
    sink = SINKS[target.sink]
    try:
        chosen = read_plain(sink.Options, target.options, source=target.name, prefix=(at,))
    except SpecErrors as errors:
        for error in errors.errors:
            known = ", ".join(sink.Options.model_fields)
            more = f" (the sink {target.sink} knows {known})" if error.code == "unknown_key" else ""
            yield error.path, f"{error.message}{more}"
        return
    for option, message in _content(chosen, target.formats):
        yield f"{at}.{option}", message
    for option, message in sink.refuse(chosen, target.formats):
        yield f"{at}.{option}", message


def _content(chosen: SinkOptions, formats: tuple[str, ...]) -> Iterable[Problem]:
    if chosen.fragment and "latex" not in formats:
        yield "fragment", f"only latex has one, and this output is {', '.join(formats)}"


def _unwritten(experiment: Experiment, kind: str) -> Iterable[Problem]:
    stages = [stage for stage in experiment.pipeline if stage.enabled and stage.name == kind]
    names = [(stage.options or {}).get("name") for stage in stages]
    if not names or None in names:
        return
    for index, output in enumerate(experiment.outputs or ()):
        if output.name not in names:
            yield (
                f"outputs[{index}].name",
                f'no stage writes "{output.name}"; name it in a stage `{kind}`, or leave it out',
            )


def _collisions(experiment: Experiment, chosen: list[Target]) -> Iterable[Problem]:
    """Look at all outputs, since another stage may write those that this one does not."""
    mine = {target.path for target in chosen}
    others = [target for target in targets(experiment, ReportOptions()) if target.path and target.path not in mine]
    seen: dict[tuple[str, str], Target] = {}
    for target in sorted([*chosen, *others], key=lambda target: (len(target.path), target.path)):
        place = _place(target)
        if place is None:
            continue
        earlier = seen.setdefault((target.sink, place), target)
        if earlier is not target:
            where = f"{earlier.path} " if earlier.path else ""
            message = f'"{target.name}" would be written to the files of {where}"{earlier.name}"; rename one'
            yield f"{target.path}.name", message


def _place(target: Target) -> str | None:
    """Return where an output's reports go, or None where that is refused already."""
    sink = SINKS.get(target.sink)
    try:
        options = read_plain(sink.Options, target.options, source=target.name) if sink else None
    except SpecErrors:
        return None
    return sink.place(options, target.name) if sink else None
