"""Every format reads the same rows, and says of a hostile file where it stops being one."""

from __future__ import annotations

import csv
import datetime
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import feather, ipc, parquet

from crucible.data import Item, load
from crucible.data.formats import format_names, formats_for
from crucible.data.options import Dialect
from crucible.errors import DataError, MissingExtra

ROWS: list[dict[str, Any]] = [
    {"id": "1", "input": 'a "quoted", text', "expected": "x", "note": "two\nlines"},
    {"id": "2", "input": "é – 漢字", "expected": "y", "note": " "},
]


def table(rows: list[dict[str, Any]]) -> pyarrow.Table:
    """Return rows as an Arrow table."""
    return pyarrow.Table.from_pylist(rows)


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows in the format that the path's ending says."""
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        parquet.write_table(table(rows), path)
    elif name.endswith(".feather"):
        feather.write_feather(table(rows), path)
    elif name.endswith(".arrow"):
        with ipc.new_stream(path, table(rows).schema) as stream:
            stream.write_table(table(rows))
    else:
        if name.endswith((".csv", ".tsv")):
            text = io.StringIO(newline="")
            writer = csv.DictWriter(text, list(rows[0]), delimiter="\t" if name.endswith(".tsv") else ",")
            writer.writeheader()
            writer.writerows(rows)
            content = text.getvalue().encode()
        elif name.endswith(".json"):
            content = json.dumps(rows).encode()
        else:
            content = "\n".join(map(json.dumps, rows)).encode()
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


ENDINGS = [".jsonl", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".feather", ".jsonl.gz", ".csv.gz", ".json.gz"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_format_gives_the_same_items(tmp_path: Path, ending: str) -> None:
    """By the file's ending; quotes, line ends inside fields and letters of any script survive."""
    data = load("file", path=write(tmp_path / f"mine{ending}", ROWS))
    assert list(data) == [Item(row["id"], row["input"], row["expected"], {"note": row["note"]}) for row in ROWS]
    assert data.provenance.sha256 is not None


@pytest.mark.parametrize("ending", [".jsonl", ".csv", ".parquet", ".jsonl.gz"])
def test_a_folder_holds_a_file_or_several_a_split(tmp_path: Path, ending: str) -> None:
    """Pieces are read in the order of their names and numbered through; a configuration is a folder."""
    write(tmp_path / f"train-00000-of-00002{ending}", [{"input": "a", "expected": "b"}])
    write(tmp_path / f"train-00001-of-00002{ending}", [{"input": "c", "expected": "d"}])
    (tmp_path / "hard").mkdir()
    write(tmp_path / "hard" / f"train{ending}", [{"input": "h", "expected": "i"}])
    data = load("file", path=tmp_path)
    assert [(item.id, item.input) for item in data] == [("train-1", "a"), ("train-2", "c")]
    assert [item.input for item in load("file", path=tmp_path, config="hard")] == ["h"]
    with pytest.raises(DataError, match=r"has no test\.<format> for the split"):
        load("file", "test", path=tmp_path)


@pytest.mark.parametrize("ending", [".jsonl", ".csv.gz"])
def test_half_a_split_is_not_the_split(tmp_path: Path, ending: str) -> None:
    """Where the names say how many pieces there are; one file is read by naming it."""
    one = write(tmp_path / f"train-00001-of-00002{ending}", [{"input": "a", "expected": "b"}])
    with pytest.raises(DataError, match=r"1 of 2 pieces of .*train-…-of-00002 are there; get the others, or name one"):
        load("file", path=tmp_path)
    assert len(load("file", path=one)) == 1
    write(tmp_path / f"train-00000-of-00002{ending}", [{"input": "c", "expected": "d"}])
    assert [item.input for item in load("file", path=tmp_path)] == ["c", "a"]


def test_the_format_of_a_reference_wins_over_the_files_ending(tmp_path: Path) -> None:
    """A file of any name can be read, and a name that says nothing is an error."""
    path = tmp_path / "data.txt"
    path.write_text("input;expected\na;b\n")
    assert load("mine", path=path, format="csv", csv={"delimiter": ";"})[0].expected == "b"
    with pytest.raises(DataError, match=r"data.txt: the name does not say what it is; expected one of .parquet, "):
        load("file", path=path)


def test_a_dialect_names_delimiter_quote_escape_header_and_encoding(tmp_path: Path) -> None:
    """Each is an option; the field names of a file without a header come from it."""
    path = tmp_path / "odd.csv"
    path.write_bytes("'a;\\'b';é\n".encode("latin-1"))
    dialect = {"delimiter": ";", "quote": "'", "escape": "\\", "header": ["input", "expected"], "encoding": "latin-1"}
    assert list(load("file", path=path, csv=dialect)) == [Item("odd-1", "a;'b", "é")]
    path.write_text("input,expected\na,b\n", encoding="utf-16")
    assert load("file", path=path, csv={"encoding": "utf-16"})[0].input == "a"
    with pytest.raises(DataError, match="begins as UTF-16 text does"):
        load("file", path=path)
    with pytest.raises(DataError, match='unknown encoding "utf-99"'):
        load("file", path=path, csv={"encoding": "utf-99"})
    with pytest.raises(DataError, match="csv.delimiter"):
        load("file", path=path, csv={"delimiter": ";;"})


def test_csv_line_ends_bom_and_empty_fields(tmp_path: Path) -> None:
    """Any line end will do, a byte-order mark is passed over, and an empty field is null."""
    path = tmp_path / "a.csv"
    for end in ("\n", "\r\n", "\r"):
        path.write_bytes(("\ufeffinput,expected,k" + end + "a,b," + end + end + '"c","",d' + end).encode())
        data = load("file", path=path, unanswered="keep")
        assert list(data) == [Item("a-1", "a", "b", {"k": None}), Item("a-2", "c", None, {"k": "d"})]


LONG = "x" * 200_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("input,expected\na,b\nc\n", r"a.csv:3: expected 2 fields as in the header \(input, expected\), got 1"),
        ("input,expected\na,b,c\n", "a.csv:2: expected 2 fields .* got 3"),
        ("input,input\na,b\n", 'a.csv:1: the header names "input" twice'),
        ("input,,x\na,b,c\n", "a.csv:1: field 2 has no name"),
        ('input,expected\n"a,b\n', "a.csv:2: this is no CSV"),
        ('input,expected\n"a"x,b\n', "a.csv:2: this is no CSV"),
        (b"input,expected\na,b\nc,\xff\n", "a.csv:3: this is not utf-8"),
        ("", "there is no header"),
        ("input,expected\n", "holds no item"),
        ("input,expected\n,b\n", r'a.csv:2: the field "input" is empty \(null\)'),
        (b"PAR1" + b"x" * 40, "begins as a parquet file does; give it the format parquet"),
        (gzip.compress(b"input,expected\n", mtime=0), "begins as a gzipped file does; give its name the ending .gz"),
    ],
)
def test_a_bad_csv_file_is_named_by_file_and_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    """Ragged rows, doubled headers, open quotes, bad text, other files: never shifted, filled or guessed."""
    path = tmp_path / "a.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DataError, match=message):
        load("file", path=path)


def test_a_field_may_be_longer_than_the_csv_module_allows_by_itself(tmp_path: Path) -> None:
    """131,072 characters are no limit of a prompt."""
    path = tmp_path / "a.csv"
    path.write_text(f"input,expected\n{LONG},b\n")
    assert load("file", path=path)[0].input == LONG


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": 1}', "expected a list of JSON objects, got an object"),
        ('{"a": 1}\n{"a": 2}', "is not JSON .*one object a line is the format jsonl"),
        ('[{"input": "a", "expected": "b"}, 3]', "a.json item 2: expected a JSON object, got a number"),
        ('[{"input": "a"}]', 'a.json item 1: there is no field "expected"'),
        (
            '[{"input": "a", "expected": "b"}, {"input": "a", "input": "c", "expected": "b"}]',
            'a.json item 2: two fields of one object are called "input"',
        ),
        ("[", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ('[{"input": NaN}]', "is not JSON"),
        (b'[{"input":\n "\xff"}]', "a.json:2: this is not UTF-8 text"),
        (b"ARROW1\0\0", "begins as an Arrow file does"),
        ("", "is not JSON"),
        ("[]", "holds no item"),
    ],
)
def test_a_bad_json_array_is_named_by_file_and_item(tmp_path: Path, content: str | bytes, message: str) -> None:
    """Whatever is wrong with it."""
    path = tmp_path / "a.json"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DataError, match=message):
        load("file", path=path)


@pytest.mark.parametrize("ending", [".jsonl.gz", ".csv.gz", ".json.gz"])
def test_a_torn_or_false_gzip_is_damaged(tmp_path: Path, ending: str) -> None:
    """Cut in the middle, with a wrong checksum, or not gzipped at all."""
    rows = [{"input": f"{n} {n * 7919 % 104729}", "expected": "b"} for n in range(20_000)]
    path = write(tmp_path / f"a{ending}", rows)
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], content[:-8] + b"\0" * 8, b"input,expected\na,b\n", content[:3]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"a\.[a-z]+\.gz:\d+: the (gzipped )?file is torn or damaged"):
            load("file", path=path)


@pytest.mark.parametrize("ending", [".parquet", ".arrow", ".feather"])
def test_a_damaged_columnar_file_is_one_sentence(tmp_path: Path, ending: str) -> None:
    """Wrong first bytes, a cut end, nothing at all."""
    path = write(tmp_path / f"a{ending}", ROWS)
    content = path.read_bytes()
    for damaged in (b"", b"{}", content[: len(content) // 2], b"XXXX" + content[4:-4] + b"XXXX"):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=rf"a{ending} is no readable (parquet|Arrow) file"):
            load("file", path=path)


def test_feather_version_1_is_refused_by_name(tmp_path: Path) -> None:
    """The old format is another one under the same ending."""
    path = tmp_path / "a.feather"
    path.write_bytes(b"FEA1" + b"\0" * 20)
    with pytest.raises(DataError, match="is Feather version 1"):
        load("file", path=path)


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    """As rows one of them would be lost."""
    path = tmp_path / "a.parquet"
    doubled = pyarrow.Table.from_arrays([pyarrow.array(["a"])] * 2, names=["input", "input"])
    parquet.write_table(doubled, path)
    with pytest.raises(DataError, match='a.parquet: two columns are called "input"'):
        load("file", path=path)
    with ipc.new_file(tmp_path / "a.arrow", doubled.schema) as file:
        file.write_table(doubled)
    with pytest.raises(DataError, match='a.arrow: two columns are called "input"'):
        load("file", path=tmp_path / "a.arrow")


def test_nested_values_large_integers_and_nulls_are_kept(tmp_path: Path) -> None:
    """Lists and structs become lists and objects, integers stay integers, dates ISO text, null is null."""
    row = {
        "input": "a",
        "expected": 10**15 + 1,
        "big": 2**63 - 1,
        "tree": {"x": [{"y": None}, {"y": 2}]},
        "day": datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC),
        "none": None,
    }
    (item,) = load("file", path=write(tmp_path / "a.parquet", [row]))
    assert item.expected == "1000000000000001"
    assert item.metadata == {
        "big": 9223372036854775807,
        "tree": {"x": [{"y": None}, {"y": 2}]},
        "day": "2026-01-02T03:04:05Z",
        "none": None,
    }
    (line,) = load("file", path=write(tmp_path / "a.jsonl", [{"input": "a", "expected": 10**15, "k": 10**30}]))
    assert (line.expected, line.metadata) == ("1000000000000000", {"k": 10**30})


def test_a_number_that_is_none_is_refused_with_its_place_and_a_way_out(tmp_path: Path) -> None:
    """NaN is no JSON value: it would become null in a record and equal to nothing."""
    rows = [{"input": "a", "expected": "b", "s": 1.0}, {"input": "c", "expected": "d", "s": float("nan")}]
    path = write(tmp_path / "a.parquet", rows)
    with pytest.raises(DataError, match='a.parquet row 2: the field "s" holds NaN .*null_if_nan'):
        load("file", path=path)
    assert load("file", path=path, fields={"transforms": {"s": ["null_if_nan"]}})[1].metadata == {"s": None}
    assert load("file", path=path, fields={"metadata": []})[1].metadata == {}
    with pytest.raises(DataError, match='row 2: the field "s" holds a float, not text'):
        load("file", path=path, fields={"expected": "s"})


def test_bad_text_inside_a_column_is_named_by_its_row(tmp_path: Path) -> None:
    """Arrow does not look at text before Python asks for it."""
    column = pyarrow.array([b"a"] * 1500 + [b"\xff"], type=pyarrow.binary()).view(pyarrow.string())
    bad = pyarrow.Table.from_arrays([column, column], names=["input", "expected"])
    with ipc.new_file(tmp_path / "a.arrow", bad.schema) as file:
        file.write_table(bad)
    with pytest.raises(DataError, match=r"a.arrow row 1501: a value cannot be read: .*utf-8"):
        load("file", path=tmp_path / "a.arrow")


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the exact command."""
    path = write(tmp_path / "a.parquet", ROWS)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"a parquet file needs the extra 'data': pip install"):
        load("file", path=path)


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    """The digest would be that of other bytes than the items'."""
    path = write(tmp_path / "a.jsonl", [{"input": "a", "expected": "b"}])
    made = formats_for("jsonl")[0]

    def rows(where: Path, shown: str, dialect: Dialect) -> Any:
        yield from made.rows(where, shown, dialect)
        where.write_text("other")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("crucible.data.source.format_of", lambda *_: type("F", (), {"rows": staticmethod(rows)}))
        with pytest.raises(DataError, match="changed while it was read"):
            load("file", path=path)


def test_a_missing_file_is_named_in_every_format(tmp_path: Path) -> None:
    """With what to give instead."""
    for name in format_names():
        with pytest.raises(DataError, match=f"there is nothing at .*none.{name}; give the folder"):
            load(name, path=tmp_path / f"none.{name}")


@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), min_size=1, max_size=8))
def test_csv_survives_any_text(tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]) -> None:
    """What Python's csv module writes is read back, whatever the text, if the text is any."""
    pairs = [(one, two) for one, two in pairs if one.strip() and two.strip() and "\0" not in one + two]
    pairs = [pair for pair in pairs if all(text.encode("utf-8", "ignore").decode() == text for text in pair)]
    if not pairs:
        return
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("input", "expected"), *pairs])
    assert [(item.input, item.expected) for item in load("file", path=path)] == pairs
