from __future__ import annotations

from pathlib import Path

import pytest

from crucible import events
from crucible.data import TICKET_SCHEMA, Item, dataset_names, load
from crucible.errors import DataError
from crucible.ir import DatasetRef


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file of 20 items."""
    path = tmp_path / "train.jsonl"
    path.write_text("\n".join(f'{{"input": "q{n}", "expected": "{n}"}}' for n in range(20)))
    return path


def test_the_known_names() -> None:
    """What is listed can be loaded: datasets, formats of files, and `file`, which goes by the file's name."""
    datasets = {"arc", "fever", "gsm8k", "hellaswag", "humaneval", "math500", "mbpp", "mmlu", "no_robots", "scifact"}
    files = {"arrow", "csv", "file", "json", "jsonl", "parquet", "tsv"}
    assert dataset_names() == tuple(sorted(datasets | files | {"tickets", "truthfulqa"}))


def test_an_unknown_name_is_an_error_with_the_nearest_one() -> None:
    """It also says how to name a file or a repository."""
    with pytest.raises(DataError, match=r'unknown dataset "scfact".*provider: huggingface; did you mean "scifact"'):
        load("scfact")


def test_an_unknown_provider_or_format_is_an_error() -> None:
    """Every word of a reference is executed or refused."""
    with pytest.raises(DataError, match='unknown provider "hugingface"; known: .*; did you mean "huggingface"'):
        load("x/y", provider="hugingface")
    with pytest.raises(DataError, match='mine: the format "parqet" is not read here; .*did you mean "parquet"'):
        load("mine", format="parqet", path="x.parquet")


def test_a_file_may_go_by_any_name(file: Path) -> None:
    """`format: jsonl` says how to read it."""
    assert load("my-claims", format="jsonl", path=file).name == "my-claims"


def test_options_are_strict(file: Path) -> None:
    """Unknown ones, wrong types and those of another source are refused, all unknown ones at once."""
    with pytest.raises(DataError, match='limti: unknown key; did you mean "limit"'):
        load("jsonl", path=file, limti=3)
    with pytest.raises(DataError, match='limit must be an integer, got "3"'):
        load(DatasetRef(name="jsonl", options={"limit": "3", "path": str(file)}))
    with pytest.raises(DataError, match="limit must be positive"):
        load("jsonl", path=file, limit=0)
    with pytest.raises(DataError, match="tickets takes no option path; it takes: "):
        load("tickets", path=file)
    with pytest.raises(DataError, match="a list in memory takes no option path"):
        load([("a", "b")], path=file)
    with pytest.raises(DataError, match="provider must be a string"):
        load("jsonl", provider=3)


def test_a_reference_is_honoured_and_arguments_win(file: Path) -> None:
    """Its split, its options; what is given in the call goes first."""
    ref = DatasetRef(name="jsonl", split="dev", options={"path": str(file), "limit": 3})
    assert (load(ref).split, len(load(ref))) == ("dev", 3)
    assert (load(ref, split="train", limit=4).split, len(load(ref, limit=4))) == ("train", 4)


def test_a_limit_is_a_sample_that_the_seed_chooses(file: Path) -> None:
    """Not the head of the file, which may be sorted; in the file's order, and noted."""
    one, two = load("jsonl", path=file, limit=5, seed=1), load("jsonl", path=file, limit=5, seed=2)
    assert [item.id for item in one] != [item.id for item in two]
    numbers = [int(item.expected or "") for item in one]
    assert numbers == sorted(numbers) != list(range(5))
    assert one.provenance.notes == ("sample of 5 of 20 items, seed 1",)


def test_loading_is_told_on_the_bus(file: Path) -> None:
    """Name, split, count, digest and whether it is made up."""
    with events.collect("crucible_data.*") as seen:
        data = load("jsonl", path=file, limit=5)
    (event,) = seen
    assert event.name == "crucible_data.dataset.loaded"
    assert event.measurements == {"items": 5}
    assert event.metadata["sha256"] == data.provenance.sha256
    assert (event.metadata["name"], event.metadata["split"], event.metadata["synthetic"]) == ("jsonl", "train", False)


def test_tickets_are_stamped_as_synthetic() -> None:
    """With the generator's version and seed, and the schema of their answers."""
    data = load("tickets", split="test", limit=7, seed=3)
    assert len(data) == 7
    assert data.provenance.synthetic
    assert data.provenance.revision is not None
    assert data.provenance.notes == ("7 generated, seed 3",)
    assert data.answer_schema == TICKET_SCHEMA
    assert data.content_hash() == load("tickets", split="test", limit=7, seed=3).content_hash()
    assert data.content_hash() != load("tickets", split="test", limit=7, seed=4).content_hash()


def test_tickets_have_a_size_without_a_limit() -> None:
    """1000 to train on, 200 to test on."""
    assert (len(load("tickets")), len(load("tickets", split="test"))) == (1000, 200)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "dev"}, 'tickets has no split "dev"; it has: train, test'),
        ({"version": "2"}, 'tickets is of version ".*", not "2"'),
        ({"schema": {}}, "leave schema out"),
        ({"format": "csv"}, 'no format "csv"; leave format out'),
        ({"stream": True}, "made in memory and cannot be streamed"),
    ],
)
def test_tickets_refuse_what_they_cannot_do(options: dict[str, object], message: str) -> None:
    """In one sentence."""
    with pytest.raises(DataError, match=message):
        load("tickets", **options)  # type: ignore[arg-type]


def test_lists_in_memory() -> None:
    """Items, mappings and pairs, in any mixture; what has no id is numbered."""
    given = Item("own", "c", "d", {"input": "kept"})
    data = load([{"input": "a", "expected": 1, "k": "v"}, given, ("e", "f"), ["g", "h"]], split="test")
    assert list(data) == [
        Item("item-1", "a", "1", {"k": "v"}),
        given,
        Item("item-3", "e", "f"),
        Item("item-4", "g", "h"),
    ]
    assert (data.name, data.split, data.provenance.sha256) == ("in-memory", "test", None)


def test_a_list_in_memory_takes_field_names() -> None:
    """As a file does; a limit, too."""
    rows = [{"q": "a", "a": "b"}, {"q": "c", "a": "d"}]
    assert [item.input for item in load(rows, fields={"input": "q", "expected": "a"})] == ["a", "c"]
    assert len(load(rows, fields={"input": "q", "expected": "a"}, limit=1)) == 1


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("text", "got a str"),
        (("a",), "got one of 1 values"),
        (3, "got a int"),
        (("a", None), r'"expected" is empty \(null\)'),
        (("a", float("nan")), "holds a float, not text"),
        (("a", object()), "holds a object, not text"),
        (Item("x", "a"), r'"expected" is empty \(null\)'),
        ({"input": "a", "expected": "b", "k": object()}, "cannot be kept as metadata"),
    ],
)
def test_an_entry_that_cannot_be_an_item_is_named_by_its_place(entry: object, message: str) -> None:
    """Counted from 1."""
    with pytest.raises(DataError, match=rf"item 2 of the list.*{message}"):
        load([("a", "b"), entry])


def test_an_empty_list_is_an_error() -> None:
    """As an empty file is."""
    with pytest.raises(DataError, match="a list in memory holds no item"):
        load([])


def test_unanswered_items_in_memory_can_be_kept() -> None:
    """For scorers that need no answer."""
    assert load([Item("x", "a"), {"input": "b"}], unanswered="keep")[0].expected is None
