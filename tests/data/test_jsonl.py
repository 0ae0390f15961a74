from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from crucible.data import Item, load
from crucible.errors import DataError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where the training file will be."""
    return tmp_path / "train.jsonl"


def read(file: Path, content: str | bytes, **options: object) -> list[Item]:
    """Write the file and load it."""
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(load("jsonl", path=file, **options))  # type: ignore[arg-type]


def test_each_line_is_an_item(file: Path) -> None:
    """Ids come from the row or the line's number; the other fields become metadata; blank lines do not count."""
    found = read(
        file, '{"id": 7, "input": "a", "expected": "b", "level": 2}\n\n  \r\n{"input": "c", "expected": "d"}\r\n'
    )
    assert found == [Item("7", "a", "b", {"level": 2}), Item("train-4", "c", "d", {})]


def test_the_provenance_names_the_file_and_its_digest(file: Path) -> None:
    """So that a result can be traced to the very bytes."""
    content = b'\xef\xbb\xbf{"input": "a", "expected": "b"}'
    file.write_bytes(content)
    provenance = load("jsonl", path=file).provenance
    assert provenance.source == str(file)
    assert provenance.sha256 == hashlib.sha256(content).hexdigest()
    assert not provenance.synthetic


def test_fields_are_mapped_by_name(file: Path) -> None:
    """Any names will do."""
    fields = {"input": "question", "expected": "answer", "id": "uid"}
    found = read(file, '{"question": "q", "answer": "a", "uid": "u", "input": "kept"}', fields=fields)
    assert found == [Item("u", "q", "a", {"input": "kept"})]


def test_answers_that_are_no_text_become_compact_json(file: Path) -> None:
    """A number, a truth value, a list and an object are written as JSON writes them."""
    rows = [f'{{"input": "a", "expected": {value}}}' for value in ("18", "true", '[1, "é"]', '{"k": 1.5}')]
    assert [item.expected for item in read(file, "\n".join(rows))] == ["18", "true", '[1,"é"]', '{"k":1.5}']


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{broken", "this is not JSON"),
        ("[1]", "expected a JSON object, got a list"),
        ('"x"', "expected a JSON object, got text"),
        ("3", "expected a JSON object, got a number"),
        ("null", "expected a JSON object, got null"),
        ("[" * 100_000, "this is not JSON"),
        ('{"input": "a", "expected": NaN}', "this is not JSON"),
        (b'{"input": "\xff"}', "this is not UTF-8 text"),
        (
            '{"inptu": "a", "expected": "b"}',
            'no field "input"; the row has: inptu, expected; say .*; did you mean "inptu"',
        ),
        ('{"input": "a"}', 'no field "expected"; the row has: input; say which is which with the option fields'),
        ("{}", 'no field "input"; the row has: none'),
        ('{"input": "a", "expected": null}', r'field "expected" is empty \(null\)'),
        ('{"input": "a", "expected": "  "}', 'field "expected" is empty; every item needs'),
        ('{"input": "", "expected": "b"}', 'field "input" is empty'),
        ('{"input": "a", "expected": "b", "id": ""}', 'field "id" is empty'),
    ],
)
def test_a_bad_line_is_named_by_file_and_line(file: Path, line: str | bytes, message: str) -> None:
    """Whatever is wrong with it."""
    good = b'{"input": "x", "expected": "y"}\n'
    with pytest.raises(DataError, match=rf"train\.jsonl:2: .*{message}"):
        read(file, good + (line.encode() if isinstance(line, str) else line))


def test_two_rows_with_one_id_are_refused(file: Path) -> None:
    """Ids pair answers; the second one is named by file and line."""
    with pytest.raises(DataError, match=r'train\.jsonl:2: two items have the id "1", this one and number 1;'):
        read(file, '{"id": 1, "input": "a", "expected": "b"}\n{"id": "1", "input": "c", "expected": "d"}')


def test_an_empty_file_is_an_error(file: Path) -> None:
    """An experiment on no items proves nothing."""
    with pytest.raises(DataError, match=r"jsonl \(train\): .*train.jsonl holds no item"):
        read(file, "\n\n")


def test_rows_without_an_answer_can_be_kept(file: Path) -> None:
    """For scorers that need none; the default is to refuse."""
    answers = ("", ', "expected": null', ', "expected": " "', ', "expected": 1')
    content = "\n".join(f'{{"input": "a"{answer}}}' for answer in answers)
    assert [item.expected for item in read(file, content, unanswered="keep")] == [None, None, None, "1"]


def test_a_folder_holds_one_file_a_split(tmp_path: Path) -> None:
    """`<split>.jsonl`; what is there is listed when it is not."""
    (tmp_path / "dev.jsonl").write_text('{"input": "a", "expected": "b"}')
    assert load("jsonl", path=tmp_path, split="dev").split == "dev"
    with pytest.raises(DataError, match=r'has no train.jsonl for the split "train"; it has: dev.jsonl'):
        load("jsonl", path=tmp_path)


def test_a_missing_or_unreadable_file_is_one_sentence(tmp_path: Path) -> None:
    """It names the place and what to give."""
    with pytest.raises(DataError, match=r"nothing at .*nowhere.jsonl; give the folder"):
        load("jsonl", path=tmp_path / "nowhere.jsonl")
    with pytest.raises(DataError, match="the option path is missing"):
        load("jsonl")


def test_a_file_that_cannot_be_read_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's reason is part of the sentence."""
    file.write_text("")

    def refuse(self: Path, *args: object) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=r"train\.jsonl cannot be read \(Permission denied\)"):
        load("jsonl", path=file)


def test_made_up_rows_are_stamped(file: Path) -> None:
    """By the option, or by the rows themselves."""
    file.write_text('{"input": "a", "expected": "b"}')
    assert load("jsonl", path=file, synthetic=True).provenance.synthetic
    file.write_text('{"input": "a", "expected": "b", "synthetic": true}')
    assert load("jsonl", path=file).provenance.synthetic


def test_the_version_of_a_file_is_its_digest_and_is_checked(file: Path) -> None:
    """A file that is not the one asked for is refused."""
    content = b'{"input": "a", "expected": "b"}'
    file.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    for version in (digest, f"sha256:{digest}"):
        assert len(load("jsonl", path=file, version=version)) == 1
    with pytest.raises(DataError, match="is not the version asked for"):
        load("jsonl", path=file, version="1.0.0")


def test_the_expected_fields_are_a_json_schema(file: Path) -> None:
    """A row that does not fit is named; an unsound schema is, too."""
    file.write_text('{"input": "a", "expected": "b"}\n{"input": "a", "expected": 3}')
    schema = {"properties": {"expected": {"type": "string"}}}
    with pytest.raises(DataError, match=r"train\.jsonl:2: does not fit dataset.schema: 3 is not of type 'string'"):
        load("jsonl", path=file, schema=schema)
    with pytest.raises(DataError, match="dataset.schema is no sound JSON Schema"):
        load("jsonl", path=file, schema={"type": 3})
    file.write_text('{"input": "a", "expected": "b"}')
    assert len(load("jsonl", path=file, schema=schema)) == 1


def test_the_schema_of_answers_comes_inline_or_from_a_file(file: Path, tmp_path: Path) -> None:
    """It is checked when the data is loaded, not after the training."""
    file.write_text('{"input": "a", "expected": "b"}')
    path = tmp_path / "schema.json"
    path.write_text('{"type": "string"}')
    assert load("jsonl", path=file, answer_schema=str(path)).answer_schema == {"type": "string"}
    assert load("jsonl", path=file, answer_schema={"type": "object"}).answer_schema == {"type": "object"}
    with pytest.raises(DataError, match="answer_schema is no sound JSON Schema"):
        load("jsonl", path=file, answer_schema={"type": 3})
    for content, message in (("[]", "holds no JSON object"), ("{", "is not JSON")):
        path.write_text(content)
        with pytest.raises(DataError, match=message):
            load("jsonl", path=file, answer_schema=str(path))
    with pytest.raises(DataError, match=r"none.json cannot be read \(No such file"):
        load("jsonl", path=file, answer_schema=str(tmp_path / "none.json"))


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('{"input": "a", "expected": "b", "input": "c"}', "input"),
        ('{"input": "a", "expected": "b", "more": [{"x": 1, "x": 1}]}', "x"),
        ('{"input": "a", "expected": "b", "\\u0069nput" : 1e4}', "input"),
    ],
)
def test_two_fields_of_one_name_are_refused(file: Path, line: str, name: str) -> None:
    """Nobody can say which one was meant; the last is not silently taken. File and line are named."""
    with pytest.raises(DataError, match=rf'train\.jsonl:2: two fields of one object are called "{name}"; rename one'):
        read(file, '{"input": "a", "expected": "b"}\n' + line + "\n")


def test_text_that_looks_like_a_field_is_no_field(file: Path) -> None:
    """Quoted JSON in a prompt, or the same name in two objects."""
    asked = '{"input": "say {\\"a\\": 1, \\"a\\": 2}", "expected": "b", "one": {"a": 1}, "two": {"a": 1, "input": 2}}'
    (found,) = read(file, asked)
    assert found.input == 'say {"a": 1, "a": 2}'
    assert found.metadata == {"one": {"a": 1}, "two": {"a": 1, "input": 2}}
