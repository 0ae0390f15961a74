"""`load`: from a name, a reference of a document or a list in memory to a dataset.

Nothing is made up behind a real name: where the files are not, there is an error that says what to do. Only `tickets`
is generated, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, overload

from crucible import events
from crucible.data import tickets
from crucible.data._missing import SplitMissing
from crucible.data.dataset import Dataset
from crucible.data.formats import format_names, format_problem
from crucible.data.gsm8k import GSM8K
from crucible.data.hub import HUB
from crucible.data.known import KNOWN
from crucible.data.local_files import local_files
from crucible.data.memory import MEMORY_TAKES, read_memory
from crucible.data.options import DatasetOptions
from crucible.data.provenance import Provenance
from crucible.data.reading import Request
from crucible.data.scifact import SCIFACT
from crucible.data.source import Source
from crucible.data.stream import DataStream
from crucible.data.transforms import transform_problem
from crucible.errors import DataError, SpecErrors
from crucible.ir import DatasetRef, did_you_mean

__all__ = ["announce", "dataset_names", "load", "option_problems", "read", "read_options", "unknown_name"]

_DEFAULT_TICKETS: Final = {"train": 1000, "test": 200}
_REF_KEYS: Final = ("provider", "version", "format", "schema")
_ALWAYS: Final = frozenset({"limit", "seed", "test_path", "test_split", "test_limit", "test_fraction", "on_overlap"})
_PROVIDERS: Final = ("crucible_datasets", "huggingface")


def _make_tickets(request: Request) -> Dataset:
    if request.split not in _DEFAULT_TICKETS:
        raise SplitMissing(f'tickets has no split "{request.split}"; it has: train, test')
    if request.ref.version not in (None, tickets.GENERATOR):
        raise DataError(f'tickets is of version "{tickets.GENERATOR}", not "{request.ref.version}"; leave version out')
    if request.ref.schema_ is not None:
        raise DataError("tickets are generated and have no rows to hold against dataset.schema; leave schema out")
    if request.ref.format is not None:
        raise DataError(f'tickets are generated and have no format "{request.ref.format}"; leave format out')
    count = request.options.limit or _DEFAULT_TICKETS[request.split]
    provenance = Provenance(
        source="generated support tickets",
        revision=tickets.GENERATOR,
        synthetic=True,
        notes=(f"{count} generated, seed {request.seed}",),
    )
    items = tickets.make_tickets(count, seed=request.seed, split=request.split)
    return Dataset("tickets", request.split, tuple(items), provenance, answer_schema=tickets.TICKET_SCHEMA)


_SOURCES: Final[Mapping[str, Source]] = {
    **{name: local_files(name) for name in format_names()},
    "file": local_files(None),
    "gsm8k": GSM8K,
    "scifact": SCIFACT,
    "tickets": Source(frozenset(), make=_make_tickets),
    **{known.name: known.source() for known in KNOWN},
}
_ANY_NAME: Final = local_files(None)
"""The source of local files that go by a name of their own, and whose format the reference says."""


def dataset_names() -> tuple[str, ...]:
    """Return the names that `load` knows, sorted."""
    return tuple(sorted(_SOURCES))


@overload
def load(
    source: str | DatasetRef | Sequence[Any],
    split: str | None = None,
    *,
    path: str | Path | None = None,
    limit: int | None = None,
    seed: int | None = None,
    stream: Literal[False] = False,
    **options: Any,
) -> Dataset: ...
@overload
def load(
    source: str | DatasetRef | Sequence[Any],
    split: str | None = None,
    *,
    path: str | Path | None = None,
    limit: int | None = None,
    seed: int | None = None,
    stream: Literal[True],
    **options: Any,
) -> DataStream: ...
def load(
    source: str | DatasetRef | Sequence[Any],
    split: str | None = None,
    *,
    path: str | Path | None = None,
    limit: int | None = None,
    seed: int | None = None,
    stream: bool = False,
    **options: Any,
) -> Dataset | DataStream:
    """Load one split of a dataset.

    Args:
        source: A name (`dataset_names()` lists them: `scifact`, `mmlu`, `csv` …), a reference as in a document, or a
            list of `Item`s, of mappings or of (input, expected) pairs.
        split: Which split; the reference's own, else `train`.
        path: Folder or file; `${NAME}` stands for an environment variable.
        limit: Items at most: a sample that the seed chooses, in the old order (of tickets: how many are made).
        seed: Seed of the sample and of generated data; 0 if not given.
        stream: Return a `DataStream`, which reads the rows as it is iterated over and holds none of them.
        **options: Any other field of `DatasetOptions` that the source takes, such as `fields`; and for a name also
            `provider`, `version`, `format`, `schema`. An argument wins over the reference's option.

    Raises:
        DataError: The name or an option is unknown, the data is missing or empty, or an item cannot be used; names
            the file and the line. Of a stream: what is wrong with the rows is raised when they are read.
        MissingExtra: `provider: huggingface`, Parquet or Arrow without their packages.
    """
    given = {"path": None if path is None else str(path), "limit": limit, "seed": seed, **options}
    if isinstance(source, str):
        source = _reference(source, given)
    if not isinstance(source, DatasetRef):
        dataset = _in_memory(source, split, given, stream=stream)
    elif stream:
        return _streamed(source, split or source.split, read_options(source.options or {}, given))
    else:
        wanted = read_options(source.options or {}, given)
        dataset = read(source, split or source.split, wanted)
        if wanted.limit is not None:
            dataset = dataset.sample(wanted.limit, wanted.seed or 0)
    announce(dataset)
    return dataset


def _in_memory(values: Sequence[Any], split: str | None, given: Mapping[str, Any], *, stream: bool) -> Dataset:
    if stream:
        raise DataError("a list in memory is held already and cannot be streamed; leave stream out")
    wanted = read_options({}, given)
    _refuse_options(wanted, MEMORY_TAKES, "a list in memory")
    dataset = _not_empty(
        read_memory(values, Request(DatasetRef(name="in-memory"), split or "train", wanted.seed or 0, wanted))
    )
    return dataset if wanted.limit is None else dataset.sample(wanted.limit, wanted.seed or 0)


def _streamed(ref: DatasetRef, split: str, wanted: DatasetOptions) -> DataStream:
    source = _source(ref)
    _refuse_options(wanted, source.takes, ref.name)
    if wanted.limit is not None:
        raise DataError(
            f"{ref.name}: a stream cannot be sampled, for that needs its length; leave limit out, and take the first "
            "items with take(n), or some of the next ones with shuffle(seed)"
        )
    return source.stream(Request(ref, split, wanted.seed or 0, wanted))


def read(ref: DatasetRef, split: str, options: DatasetOptions) -> Dataset:
    """Read a whole split; sampling and telling are left to the caller. Of `tickets`, as many are made as `limit` says.

    Args:
        ref: Name, provider, version, format and expected fields.
        split: Which split.
        options: Those of the reference, and whatever else was given.

    Raises:
        SplitMissing: The source is there and has no such split.
        DataError: As `load`.
    """
    source = _source(ref)
    _refuse_options(options, source.takes, ref.name)
    return _not_empty(source.read(Request(ref, split, options.seed or 0, options)))


def announce(dataset: Dataset) -> None:
    """Emit that a dataset was loaded."""
    provenance = dataset.provenance
    events.emit(
        "crucible_data.dataset.loaded",
        {"items": len(dataset)},
        {
            "name": dataset.name,
            "split": dataset.split,
            "synthetic": provenance.synthetic,
            "sha256": provenance.sha256,
            "source": provenance.source,
            "revision": provenance.revision,
        },
    )


def _reference(name: str, given: dict[str, Any]) -> DatasetRef:
    known = {key: given.pop(key) for key in _REF_KEYS if key in given}
    try:
        return DatasetRef(name=name, **known)
    except SpecErrors as problems:
        raise _as_data_error(name, problems) from None


def read_options(base: Mapping[str, Any], given: Mapping[str, Any]) -> DatasetOptions:
    """Return the options of a reference with those that were given on top; None means not given.

    Raises:
        DataError: An option is unknown or has a wrong type; all problems in one sentence.
    """
    merged = {**base, **{key: value for key, value in given.items() if value is not None}}
    try:
        return DatasetOptions.read(merged, source="dataset options")
    except SpecErrors as problems:
        raise _as_data_error("dataset options", problems) from None


def _as_data_error(what: str, problems: SpecErrors) -> DataError:
    return DataError(f"{what}: " + "; ".join(str(problem) for problem in problems.errors))


def _source(ref: DatasetRef) -> Source:
    if ref.provider == "huggingface":
        return HUB
    if ref.provider not in _PROVIDERS:
        near = did_you_mean(ref.provider, _PROVIDERS)
        raise DataError(f'{ref.name}: unknown provider "{ref.provider}"; known: {", ".join(_PROVIDERS)}{near}')
    if problem := format_problem(ref.format):
        raise DataError(f"{ref.name}: {problem}")
    if ref.name in _SOURCES:
        return _SOURCES[ref.name]
    if ref.format is not None:
        return _ANY_NAME
    near = did_you_mean(ref.name, _SOURCES)
    raise DataError(unknown_name(f'"{ref.name}"') + near)


def unknown_name(shown: str) -> str:
    """Return what to say of a name that is not known, as it is to be shown."""
    return (
        f"unknown dataset {shown}; known: {', '.join(dataset_names())}; for a file of your own use file with path (or "
        "any name with a format, such as format: jsonl), for a repository on the Hugging Face Hub use "
        "provider: huggingface"
    )


def _refuse_options(options: DatasetOptions, takes: frozenset[str], name: str) -> None:
    given = options.model_dump(exclude_none=True)
    useless = [key for key in given if key not in takes | _ALWAYS]
    if useless:
        raise DataError(f"{name} takes no option {', '.join(useless)}; it takes: {', '.join(sorted(takes | _ALWAYS))}")
    if options.fields is not None and (problem := transform_problem(options.fields.transforms)):
        raise DataError(f"{name}: {problem}")


def option_problems(ref: DatasetRef) -> str:
    """Return what is wrong with a reference's name, provider, format or options, in one sentence; empty if nothing is.

    Reads no file and no environment variable.
    """
    try:
        _refuse_options(read_options(ref.options or {}, {}), _source(ref).takes, ref.name)
    except DataError as error:
        return str(error)
    return ""


def _not_empty(dataset: Dataset) -> Dataset:
    if not len(dataset):
        provenance = dataset.provenance
        notes = f" ({'; '.join(provenance.notes)})" if provenance.notes else ""
        raise DataError(f"{dataset.name} ({dataset.split}): {provenance.source} holds no item{notes}")
    return dataset
