"""`load`: from a name, a reference of a document or a list in memory to a dataset.

Nothing is made up behind a real name: where the files are not, there is an error that says what to do. Only `tickets`
is generated, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from crucible import events
from crucible.data import tickets
from crucible.data._missing import SplitMissing
from crucible.data.dataset import Dataset, Provenance
from crucible.data.gsm8k import GSM8K
from crucible.data.hub import HUB
from crucible.data.jsonl import JSONL
from crucible.data.memory import MEMORY_TAKES, read_memory
from crucible.data.options import DatasetOptions
from crucible.data.scifact import SCIFACT
from crucible.data.source import Request, Source
from crucible.errors import DataError, SpecErrors
from crucible.ir import DatasetRef, did_you_mean

__all__ = ["announce", "dataset_names", "load", "option_problems", "read", "read_options"]

_DEFAULT_TICKETS: Final = {"train": 1000, "test": 200}
_REF_KEYS: Final = ("provider", "version", "format", "schema")
_ALWAYS: Final = frozenset({"limit", "seed", "test_path", "test_split", "test_limit", "test_fraction", "on_overlap"})
_PROVIDERS: Final = ("crucible_datasets", "huggingface")


def _read_tickets(request: Request) -> Dataset:
    if request.split not in _DEFAULT_TICKETS:
        raise SplitMissing(f'tickets has no split "{request.split}"; it has: train, test')
    if request.ref.version not in (None, tickets.GENERATOR):
        raise DataError(f'tickets is of version "{tickets.GENERATOR}", not "{request.ref.version}"; leave version out')
    if request.ref.schema_ is not None:
        raise DataError("tickets are generated and have no rows to hold against dataset.schema; leave schema out")
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
    "gsm8k": GSM8K,
    "jsonl": JSONL,
    "scifact": SCIFACT,
    "tickets": Source(_read_tickets, frozenset()),
}


def dataset_names() -> tuple[str, ...]:
    """Return the names that `load` knows, sorted."""
    return tuple(sorted(_SOURCES))


def load(
    source: str | DatasetRef | Sequence[Any],
    *,
    split: str | None = None,
    path: str | Path | None = None,
    limit: int | None = None,
    seed: int | None = None,
    **options: Any,
) -> Dataset:
    """Load one split of a dataset.

    Args:
        source: A name (`scifact`, `gsm8k`, `tickets`, `jsonl`), a reference as in a document, or a list of `Item`s, of
            mappings or of (input, expected) pairs.
        split: Which split; the reference's own, else `train`.
        path: Folder or file; `${NAME}` stands for an environment variable.
        limit: Items at most: a sample that the seed chooses, in the old order (of tickets: how many are made).
        seed: Seed of the sample and of generated data; 0 if not given.
        **options: Any other field of `DatasetOptions` that the source takes, such as `fields`; and for a name also
            `provider`, `version`, `format`, `schema`. An argument wins over the reference's option.

    Raises:
        DataError: The name or an option is unknown, the data is missing or empty, or an item cannot be used; names
            the file and the line.
        MissingExtra: `provider: huggingface` without its packages.
    """
    given = {"path": None if path is None else str(path), "limit": limit, "seed": seed, **options}
    if isinstance(source, str):
        source = _reference(source, given)
    if isinstance(source, DatasetRef):
        wanted = read_options(source.options or {}, given)
        dataset = read(source, split or source.split, wanted)
    else:
        wanted = read_options({}, given)
        _refuse_options(wanted, MEMORY_TAKES, "a list in memory")
        request = Request(DatasetRef(name="in-memory"), split or "train", wanted.seed or 0, wanted)
        dataset = _not_empty(read_memory(source, request))
    if wanted.limit is not None:
        dataset = dataset.sample(wanted.limit, wanted.seed or 0)
    announce(dataset)
    return dataset


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
    if ref.format not in (None, "jsonl"):
        raise DataError(f'{ref.name}: the format "{ref.format}" is not read here; local files are jsonl')
    if ref.name in _SOURCES:
        return _SOURCES[ref.name]
    if ref.format == "jsonl":
        return JSONL
    near = did_you_mean(ref.name, _SOURCES)
    raise DataError(
        f'unknown dataset "{ref.name}"; known: {", ".join(_SOURCES)}; for a file of your own use jsonl with path '
        f"(or any name with format: jsonl), for a repository on the Hugging Face Hub use provider: huggingface{near}"
    )


def _refuse_options(options: DatasetOptions, takes: frozenset[str], name: str) -> None:
    given = options.model_dump(exclude_none=True)
    useless = [key for key in given if key not in takes | _ALWAYS]
    if useless:
        raise DataError(f"{name} takes no option {', '.join(useless)}; it takes: {', '.join(sorted(takes | _ALWAYS))}")


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
