"""Datasets with a name: rows as their cards describe them, from a folder and from the Hub's cache. The rows are made
here, small; where the real files are, they are read, too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from crucible.data import KNOWN, Item, dataset_names, load
from crucible.data.known import known_named
from crucible.errors import DataError

SHA = "0123456789abcdef0123456789abcdef01234567"
CHOICE = {"question": "2 + 2?", "choices": ["3", "4", "5", "6"], "answer": 1, "subject": "maths"}
MC1 = {"choices": ["right", "wrong", "worse"], "labels": [1, 0, 0]}
ENDINGS = ["one.", "two.", "three.", "four."]
HELLA = {"ind": 4, "activity_label": "Skiing", "ctx_a": "A man", "ctx_b": "he", "ctx": "A man he", "endings": ENDINGS}
ARC = {"id": "M1", "question": "Hot?", "choices": {"text": ["ice", "fire"], "label": ["1", "2"]}, "answerKey": "2"}
MATH = {"problem": "1/2?", "solution": r"\boxed{\frac12}", "answer": r"\frac12", "subject": "Algebra", "level": 1}
CODE = {
    "task_id": "HumanEval/0",
    "prompt": "def one():\n",
    "canonical_solution": "    return 1\n",
    "test": "def check(candidate):\n    assert candidate() == 1\n",
    "entry_point": "one",
}
MBPP = {
    "task_id": 11,
    "text": "Write a function that adds.",
    "code": "def add(a, b): return a + b",
    "test_list": ["assert add(1, 1) == 2", "assert add(1, 2) == 3"],
    "test_setup_code": "import math",
    "challenge_test_list": [],
}
SANITIZED = {
    "source_file": "x",
    "task_id": 2,
    "prompt": "Add.",
    "code": "def add(a, b): return a + b",
    "test_imports": ["import math"],
    "test_list": ["assert add(1, 1) == 2"],
}
TALK = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
ROBOT = {"prompt": "Hi", "prompt_id": "p1", "messages": TALK, "category": "Chat"}

CASES: list[tuple[str, str, str, dict[str, Any], Item]] = [
    (
        "mmlu",
        "test",
        "all/test-00000-of-00001.parquet",
        CHOICE,
        Item(
            "maths/test-1",
            "Question: 2 + 2?\n\nA. 3\nB. 4\nC. 5\nD. 6\n\nAnswer:",
            "B",
            {"subject": "maths", "choices": ["3", "4", "5", "6"], "answer_text": "4"},
        ),
    ),
    (
        "hellaswag",
        "validation",
        "data/validation-00000-of-00001.parquet",
        {**HELLA, "label": "3"},
        Item(
            "validation-1",
            "Which ending fits?\n\nSkiing: A man he …\n\nA. one.\nB. two.\nC. three.\nD. four.\n\nAnswer:",
            "D",
            {
                "ind": 4,
                "activity_label": "Skiing",
                "ctx_a": "A man",
                "ctx_b": "he",
                "choices": ENDINGS,
                "answer_text": "four.",
            },
        ),
    ),
    (
        "arc",
        "test",
        "ARC-Challenge/test-00000-of-00001.parquet",
        ARC,
        Item(
            "M1",
            "Question: Hot?\n\nA. ice\nB. fire\n\nAnswer:",
            "B",
            {"labels": ["1", "2"], "choices": ["ice", "fire"], "answer_text": "fire"},
        ),
    ),
    (
        "math500",
        "test",
        "test.jsonl",
        {**MATH, "unique_id": "test/algebra/1.json"},
        Item(
            "test/algebra/1.json",
            "Problem: 1/2?\n\nSolution:",
            r"\frac12",
            {"solution": r"\boxed{\frac12}", "subject": "Algebra", "level": 1},
        ),
    ),
    (
        "humaneval",
        "test",
        "openai_humaneval/test-00000-of-00001.parquet",
        CODE,
        Item("HumanEval/0", "def one():\n", "    return 1\n", {"test": CODE["test"], "entry_point": "one"}),
    ),
    (
        "mbpp",
        "test",
        "full/test-00000-of-00001.parquet",
        MBPP,
        Item(
            "11",
            "Write a function that adds.\n\nYour code should pass these tests:\n\n"
            "assert add(1, 1) == 2\nassert add(1, 2) == 3\n\nCode:\n",
            "def add(a, b): return a + b",
            {
                "test_list": MBPP["test_list"],
                "test_setup_code": "import math",
                "challenge_test_list": [],
                "test": "import math\nassert add(1, 1) == 2\nassert add(1, 2) == 3",
            },
        ),
    ),
    (
        "no_robots",
        "train",
        "data/train-00000-of-00001.parquet",
        ROBOT,
        Item("p1", "Hi", "Hello", {"messages": TALK, "category": "Chat"}),
    ),
]


def write(path: Path, *rows: dict[str, Any]) -> Path:
    """Write rows as parquet or JSONL."""
    import json

    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path)
    else:
        path.write_text("\n".join(map(json.dumps, rows)))
    return path


@pytest.mark.parametrize(("name", "split", "file", "row", "item"), CASES, ids=[case[0] for case in CASES])
def test_a_row_becomes_the_item_that_the_guide_describes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, split: str, file: str, row: dict[str, Any], item: Item
) -> None:
    """From the folder as the repository lays it out, from `$CRUCIBLE_DATA`, and from the Hub's cache: the same item."""
    known = known_named(KNOWN, name)
    assert known is not None
    write(tmp_path / name / file, row)
    assert list(load(name, split, path=tmp_path / name)) == [item]
    monkeypatch.setenv("CRUCIBLE_DATA", str(tmp_path))
    assert list(load(name, split)) == [item]
    monkeypatch.setenv("CRUCIBLE_CACHE", str(tmp_path / "crucible"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    root = tmp_path / "hub" / ("datasets--" + str(known.repository).replace("/", "--"))
    (root / "refs").mkdir(parents=True)
    (root / "refs/main").write_text(SHA)
    write(root / "snapshots" / SHA / file, row)
    for asked in (name, str(known.repository)):
        data = load(asked, split, provider="huggingface")
        assert list(data) == [item]
        assert data.provenance.revision == SHA


def test_the_sides_of_mmlu_are_those_of_its_card(tmp_path: Path) -> None:
    """A subject is a configuration; training questions come from other tests, and the provenance says so."""
    write(tmp_path / "anatomy/test-00000-of-00001.parquet", {**CHOICE, "question": "Bone?", "subject": "anatomy"})
    write(tmp_path / "all/auxiliary_train-00000-of-00001.parquet", CHOICE)
    (item,) = load("mmlu", "test", path=tmp_path, config="anatomy")
    assert item.input.startswith("Question: Bone?")
    data = load("mmlu", path=tmp_path)
    assert (data.split, len(data)) == ("train", 1)
    assert data.provenance.notes[0].startswith('the split "train" is auxiliary_train')
    with pytest.raises(
        DataError, match='mmlu has no split "tets"; it has: train, auxiliary_train, dev, validation, test'
    ):
        load("mmlu", "tets", path=tmp_path)


def test_the_choices_of_truthfulqa_are_shuffled_by_seed_and_question(tmp_path: Path) -> None:
    """The published first choice is the right one; over many questions each letter is right about as often."""
    rows = [{"question": f"Is {n} so?", "mc1_targets": MC1} for n in range(300)]
    write(tmp_path / "multiple_choice/validation-00000-of-00001.parquet", *rows)
    data = load("truthfulqa", "test", path=tmp_path)
    assert data.provenance.notes == ('the split "test" is validation, the only one there is',)
    letters = [item.expected for item in data]
    assert all(70 < letters.count(letter) < 130 for letter in "ABC")
    for item in data:
        assert item.metadata["choices"]["ABC".index(item.expected or "")] == item.metadata["answer_text"] == "right"
    assert letters == [item.expected for item in load("truthfulqa", "validation", path=tmp_path)]
    assert letters != [item.expected for item in load("truthfulqa", "validation", path=tmp_path, seed=1)]


def test_truthfulqa_can_be_answered_freely(tmp_path: Path) -> None:
    """The configuration `generation`; another one is refused."""
    row = {"type": "A", "question": "Q?", "best_answer": "yes", "correct_answers": ["yes"], "incorrect_answers": ["no"]}
    write(tmp_path / "generation/validation-00000-of-00001.parquet", row)
    (item,) = load("truthfulqa", "validation", path=tmp_path, config="generation")
    assert (item.input, item.expected) == ("Question: Q?\n\nAnswer:", "yes")
    assert item.metadata["incorrect_answers"] == ["no"]
    with pytest.raises(DataError, match='truthfulqa has no config "mc"; it has: multiple_choice, generation'):
        load("truthfulqa", "validation", path=tmp_path, config="mc")


def test_what_has_no_public_label_is_refused_or_kept(tmp_path: Path) -> None:
    """HellaSwag's test and FEVER's shared task; never a made-up answer."""
    write(tmp_path / "hellaswag_test.jsonl", HELLA)
    write(tmp_path / "shared_task_test.jsonl", {"id": 1, "claim": "C."})
    for name, split in (("hellaswag", "test"), ("fever", "shared_task_test")):
        with pytest.raises(DataError, match=r"test.jsonl:1: there is no label.*unanswered: keep"):
            load(name, split, path=tmp_path)
        assert load(name, split, path=tmp_path, unanswered="keep")[0].expected is None


def test_fever_is_read_from_its_own_files(tmp_path: Path) -> None:
    """The verdict is the label; the split `test` is the paper's."""
    evidence = [[[1, 2, "Oliver_Reed", 0]]]
    rows = [
        {"id": n, "label": label, "claim": "C.", "evidence": evidence}
        for n, label in enumerate(("SUPPORTS", "NOT ENOUGH INFO"))
    ]
    write(tmp_path / "train.jsonl", *rows)
    write(tmp_path / "paper_test.jsonl", {**rows[0], "label": "SUPPORT"})
    assert list(load("fever", path=tmp_path)) == [
        Item("0", "Claim: C.\n\nVerdict:", "SUPPORTS", {"evidence": evidence}),
        Item("1", "Claim: C.\n\nVerdict:", "NOT ENOUGH INFO", {"evidence": evidence}),
    ]
    with pytest.raises(DataError, match='the label "SUPPORT" is unknown; expected SUPPORTS, REFUTES, NOT ENOUGH INFO'):
        load("fever", "test", path=tmp_path)


def test_mbpp_sanitized_and_a_longer_talk(tmp_path: Path) -> None:
    """Imports come before the tests; a conversation is put a turn a paragraph."""
    write(tmp_path / "sanitized/test-00000-of-00001.parquet", SANITIZED)
    (item,) = load("mbpp", "test", path=tmp_path, config="sanitized")
    assert item.metadata["test"] == "import math\nassert add(1, 1) == 2"
    talk = [{"role": "system", "content": "Be kind."}, *TALK, *TALK]
    write(tmp_path / "train.jsonl", {**ROBOT, "messages": talk})
    (item,) = load("no_robots", path=tmp_path)
    assert item.input == "system: Be kind.\n\nuser: Hi\n\nassistant: Hello\n\nuser: Hi\n\nassistant:"
    assert item.expected == "Hello"


def test_the_answer_of_math500_is_the_last_one_or_the_whole_solution(tmp_path: Path) -> None:
    """As the option `answer` says."""
    write(tmp_path / "test.jsonl", MATH)
    assert load("math500", "test", path=tmp_path)[0].expected == r"\frac12"
    assert load("math500", "test", path=tmp_path, answer="full")[0].expected == r"\boxed{\frac12}"


@pytest.mark.parametrize(
    ("name", "split", "row", "message"),
    [
        ("mmlu", "test", {**CHOICE, "answer": 4}, "names none of the 4 choices"),
        ("mmlu", "test", {**CHOICE, "choices": "3, 4"}, "must be a list of texts"),
        ("truthfulqa", "validation", {"question": "q", "mc1_targets": {**MC1, "labels": [1, 1, 0]}}, "1 once"),
        ("truthfulqa", "validation", {"question": "q", "mc1_targets": []}, "must be an object"),
        ("arc", "test", {**ARC, "answerKey": "3"}, r'"answerKey" must be one of the labels'),
        ("arc", "test", {**ARC, "choices": []}, "must be an object with text and label"),
        ("humaneval", "test", {**CODE, "test": ""}, 'the field "test" is empty'),
        ("humaneval", "test", {"prompt": "x"}, 'there is no field "test"'),
        ("mbpp", "test", {**MBPP, "test_list": "x"}, "must be a list of lines of Python"),
        ("no_robots", "train", {**ROBOT, "messages": TALK[:1]}, "the last message must be the assistant's"),
        ("no_robots", "train", {**ROBOT, "messages": [{"role": "user"}]}, "objects with role and content"),
        ("no_robots", "train", {**ROBOT, "messages": ["x"]}, "objects with role and content"),
        ("no_robots", "train", {**ROBOT, "messages": []}, "objects with role and content"),
        ("math500", "test", {"problem": "x", "answer": "y"}, 'there is no field "solution"'),
    ],
)
def test_a_row_of_another_form_is_refused_with_its_place(
    tmp_path: Path, name: str, split: str, row: dict[str, Any], message: str
) -> None:
    """A file that only looks like the dataset is never scored as it."""
    write(tmp_path / f"{split}.jsonl", row)
    with pytest.raises(DataError, match=rf"{split}\.jsonl:1: .*{message}"):
        load(name, split, path=tmp_path)


def test_without_its_files_a_name_says_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every one of them: nothing is made up behind a real name."""
    monkeypatch.delenv("CRUCIBLE_DATA", raising=False)
    for known in KNOWN:
        split = next(iter(known.splits))
        with pytest.raises(DataError, match=f"{known.name} needs its files: .*CRUCIBLE_DATA.*{known.home}"):
            load(known.name, split)
        assert known.name in dataset_names()
        assert known.licence
        assert known.home.startswith("https://")


def test_the_guides_table_names_every_dataset_its_home_and_its_licence() -> None:
    """What the table says is what the code says."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    for known in KNOWN:
        (line,) = [line for line in page.splitlines() if line.startswith(f"| `{known.name}` |")]
        assert known.home in line
        assert known.licence in line
        assert known.repository is None or known.repository in line


def test_the_real_humaneval_is_read(real_data: Path) -> None:
    """164 problems, with what runs them."""
    data = load("humaneval", "test", path=real_data / "humaneval")
    assert len(data) == 164
    assert data[0].id == "HumanEval/0"
    assert all(item.metadata["entry_point"] in item.input for item in data)
    assert all("def check(candidate)" in item.metadata["test"] for item in data)
    assert load("humaneval", "test", path=real_data / "humaneval" / "HumanEval.jsonl.gz") == data
    stream = load("humaneval", "test", path=real_data / "humaneval", stream=True)
    assert stream.content_hash() == data.content_hash()


def test_the_real_files_split_and_stream_as_they_should(real_data: Path) -> None:
    """GSM8K and SciFact: every item in exactly one fold; a stream gives the same items; strata are exact."""
    problems = load("gsm8k", "test", path=real_data / "gsm8k")
    assert len(problems) == 1319
    assert load("gsm8k", "test", path=real_data / "gsm8k", stream=True).content_hash() == problems.content_hash()
    folds = problems.k_fold(5, seed=0)
    assert sorted(item.id for fold in folds for item in fold.test) == sorted(item.id for item in problems)
    claims = load("scifact", path=real_data / "scifact")
    train, test = claims.train_test_split(0.2, 0, by="expected")
    counts = {label: sum(item.expected == label for item in claims) for label in {item.expected for item in claims}}
    for label, count in counts.items():
        assert abs(sum(item.expected == label for item in test) - count * len(test) / len(claims)) < 1
    assert len(train) + len(test) == len(claims) == 809
