"""What a document says of its dataset and `data_load` cannot do, each by its path; no file is touched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from crucible.data.formats import format_problem
from crucible.data.load import dataset_names, option_problems, unknown_name
from crucible.data.options import DatasetOptions
from crucible.errors import SpecErrors
from crucible.ir import DatasetRef, did_you_mean
from crucible.ir.wording_text import show

__all__ = ["dataset_problems"]

Problem = tuple[str, str]

_PROVIDERS: Final = ("crucible_datasets", "huggingface")
_TICKETS: Final = "tickets"


def dataset_problems(ref: DatasetRef, given: Mapping[str, Any], root: str) -> list[Problem]:
    """Return every problem of a dataset as (path, what to do), in the order of its fields.

    Args:
        ref: The document's reference, with the stage's own name, provider, split, version and format in it.
        given: What the stage was told itself, by option; it wins over the document, and its problems are the stage's.
        root: Where the document's reference stands, such as `dataset`.
    """
    found = [*_source(ref), *_options(ref, given)]
    if not found:
        found = list(_without_effect(ref))
    return [_placed(path, message, given, root) for path, message in found]


def _source(ref: DatasetRef) -> Iterator[Problem]:
    """Yield what is wrong with name, provider and format, each looked at by itself."""
    if ref.provider not in _PROVIDERS:
        near = did_you_mean(ref.provider, _PROVIDERS)
        yield "provider", f"unknown provider {show(ref.provider)}; known: {', '.join(_PROVIDERS)}{near}"
    if problem := format_problem(ref.format, show(ref.format)):
        yield "format", problem
    names = dataset_names()
    is_own_file = ref.format is not None and not problem
    if ref.provider != "huggingface" and not is_own_file and ref.name not in names:
        yield "name", unknown_name(show(ref.name)) + did_you_mean(ref.name, names)


def _options(ref: DatasetRef, given: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield options of a wrong name or type; where the source is known, those that it does not take, too."""
    wanted = {**(ref.options or {}), **{key: given[key] for key in given if key in DatasetOptions.model_fields}}
    try:
        DatasetOptions.read(wanted)
    except SpecErrors as problems:
        for problem in problems.errors:
            yield f"options.{problem.path}", problem.message
        return
    if any(True for _ in _source(ref)):
        return
    for name, value in wanted.items():
        if message := option_problems(ref.model_copy(update={"options": {name: value}})):
            yield f"options.{name}", message


def _without_effect(ref: DatasetRef) -> Iterator[Problem]:
    """Yield what a reference says and its source would not look at, or not have."""
    if ref.provider == "huggingface" or ref.name != _TICKETS:
        return
    if ref.split not in ("train", "test"):
        yield "split", f"tickets has no split {show(ref.split)}; it has: train, test"
    if ref.format is not None:
        yield "format", f"tickets are generated and have no format {show(ref.format)}; leave format out"
    if ref.schema_ is not None:
        yield "schema", "tickets are generated and have no rows to hold against dataset.schema; leave schema out"


def _placed(path: str, message: str, given: Mapping[str, Any], root: str) -> Problem:
    """Return a problem at the stage's option where it was told, else in the document."""
    own = path.removeprefix("options.")
    if own.split(".", 1)[0].split("[", 1)[0] in given:
        return own, message
    return f"{root}.{path}", message
