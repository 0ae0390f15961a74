"""Documents in full: the typed part and its rules by `ir`, the options by the stages, and what nothing carries out.

Everything at once, in the order of the document, and each problem once.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from crucible import ir
from crucible.assembly.knobs_walk import document_types, inner_types
from crucible.assembly.refusals import refusals_of
from crucible.assembly.refusals_partial import is_of_left_out, readable
from crucible.errors import SpecError, SpecErrors
from crucible.ir import Experiment, Issue, Model, apply_overrides, did_you_mean, read_mapping
from crucible.ir.secrets_scan import secrets_in
from crucible.pipeline import Registry

__all__ = ["Checked", "check", "load", "problems_of"]

_PART = re.compile(r"[^.\[\]]+")
_OPTION = re.compile(r"pipeline\[(\d+)\]\.options\.(\w+)$")


@dataclasses.dataclass(frozen=True, slots=True)
class Checked:
    """What was found in a document.

    Args:
        value: The document's value; None where there are problems.
        problems: What keeps it from being carried out, in the order of the document.
        warnings: What may not be meant; nothing is kept from happening by it.
    """

    value: Model | None
    problems: tuple[SpecError, ...] = ()
    warnings: tuple[Issue, ...] = ()

    @property
    def experiment(self) -> Experiment | None:
        """The experiment; None where there are problems, or the document is another type's."""
        return self.value if isinstance(self.value, Experiment) else None


def check(
    path: str | Path,
    overrides: Iterable[str] = (),
    *,
    registry: Registry | None = None,
    kind: str | type[Model] = Experiment,
) -> Checked:
    """Read a document and say everything that is wrong with it, or looks wrong; never raises for what it says.

    Args:
        path: A `.yaml`, `.yml` or `.json` file.
        overrides: Values to set before reading, such as `pipeline[2].options.rank=8`.
        registry: Where stages are found; None: the installed ones.
        kind: What the document is, or the name of that type, such as `DeploymentConfig`.
    """
    try:
        chosen = _type_named(kind) if isinstance(kind, str) else kind
        data = read_mapping(path)
        apply_overrides(data, overrides)
    except SpecErrors as errors:
        return Checked(None, tuple(errors.errors))
    except SpecError as error:
        return Checked(None, (_without_secret(error),))
    return _checked(data, chosen, registry or Registry())


def load(path: str | Path, overrides: Iterable[str] = (), *, registry: Registry | None = None) -> Experiment:
    """Read an experiment document, stage options included.

    Args:
        path: A `.yaml`, `.yml` or `.json` file.
        overrides: Values to set before reading, such as `pipeline[2].options.rank=8`.
        registry: Where stages are found; None: the installed ones.

    Raises:
        SpecErrors: Every problem of the document at once, each with its path.
    """
    found = check(path, overrides, registry=registry)
    if found.experiment is None:
        raise SpecErrors(str(path), found.problems)
    return found.experiment


def problems_of(experiment: Experiment, registry: Registry | None = None) -> list[SpecError]:
    """Return what would keep an experiment from being carried out as written; empty if nothing.

    Args:
        experiment: The document.
        registry: Where stages are found; None: the installed ones.
    """
    issues = ir.validate(experiment)
    return _joined(_errors(issues), refusals_of(experiment, registry), experiment)


def _checked(data: dict[str, Any], kind: type[Model], registry: Registry) -> Checked:
    issues = ir.validate(data, kind)
    errors, more, value = _errors(issues), list[SpecError](), None
    try:
        seen = value = kind.read(data)
    except SpecErrors as problems:
        errors = errors or list(problems.errors)
        seen, left_out = readable(data, kind)
        if seen is not None:
            more = [each for each in refusals_of(seen, registry) if not is_of_left_out(each.path, left_out)]
    else:
        more = refusals_of(value, registry)
    found = tuple(_joined(errors, more, seen or kind))
    taken = [problem.path for problem in found]
    warnings = [each for each in issues if each.severity == "warning" and not _is_within(each.path, taken)]
    return Checked(None if found else value, found, tuple(warnings))


def _type_named(name: str) -> type[Model]:
    kinds = {kind.__name__: kind for kind in document_types()}
    if name not in kinds:
        hint = did_you_mean(name, kinds) or f"; known: {', '.join(kinds)}"
        raise SpecError(f'unknown type "{name}"{hint}', code="choice")
    return kinds[name]


def _without_secret(problem: SpecError) -> SpecError:
    """Return a problem of an override, which repeats what was typed, without what looks like a key in it."""
    if not any(secrets_in([problem.message, problem.path])):
        return problem
    return SpecError(
        "expected --set path=value, got a value that looks like a secret and is not shown", code="override"
    )


def _errors(issues: Iterable[Issue]) -> list[SpecError]:
    return [issue.as_error() for issue in issues if issue.severity == "error"]


def _joined(errors: Sequence[SpecError], more: Iterable[SpecError], about: Model | type[Model]) -> list[SpecError]:
    """Return both in the order of the document; what the rules of the document say, others need not say again."""
    taken = {error.path for error in errors}
    found = dict.fromkeys((error.path, error.message) for error in errors)
    kept = list(errors)
    for problem in more:
        key = (problem.path, problem.message)
        if key in found or problem.path in taken or _is_said(problem, errors, about):
            continue
        found[key] = None
        kept.append(problem)
    kind = about if isinstance(about, type) else type(about)
    return sorted(kept, key=lambda problem: _rank(problem.path, kind))


def _is_said(problem: SpecError, errors: Iterable[SpecError], about: Model | type[Model]) -> bool:
    """Tell whether a stage says of itself what the rules say of the part of the document that it takes instead."""
    if problem.code == "missing":  # a part that is missing, and the rule looked into it
        return any(error.path.startswith(f"{problem.path}.") for error in errors)
    option = _OPTION.match(problem.path)
    if option is None or not isinstance(about, Experiment):
        return False
    place, name = int(option[1]), option[2]
    is_given = name in (about.pipeline[place].options or {})
    return not is_given and any(error.path.endswith(f".{name}") for error in errors)


def _is_within(path: str, taken: Iterable[str]) -> bool:
    return any(path == other or path.startswith((f"{other}.", f"{other}[")) for other in taken if other)


def _rank(path: str, kind: type[Model]) -> tuple[int, ...]:
    """Return the place of each part of a path among its siblings; keys that the type does not list come last."""
    ranks: list[int] = []
    inner: type[Model] | None = kind
    for part in _PART.findall(path):
        if part.isdigit():
            ranks.append(int(part))
            continue
        fields = {field.alias or name: field for name, field in inner.model_fields.items()} if inner else {}
        ranks.append(list(fields).index(part) if part in fields else len(fields))
        kinds = inner_types(fields[part]) if part in fields else ()
        inner = kinds[0] if kinds else None
    return tuple(ranks)
