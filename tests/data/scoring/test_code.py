from __future__ import annotations

import gzip
import json
from functools import partial
from pathlib import Path

import pytest

from crucible.data import DataError, Item, load, resolve_scorers
from crucible.data.sandbox import Ending, ProgramLimits, Sandbox, SandboxRefused
from crucible.data.scoring import code_passes, extract_code, pass_rates, test_program
from crucible.ir import Failed, Scored

RIGHT, WRONG = Scored(1.0), Scored(0.0)

ADD = Item(
    "add",
    'from typing import List\n\n\ndef helper(x):\n    return x\n\n\ndef add(a: int, b: int) -> int:\n    """Add."""\n',
    "    return helper(a) + b\n",
    {
        "entry_point": "add",
        "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n    assert candidate(-1, 1) == 0\n",
    },
)
MBPP = Item(
    "2",
    "Write a function to find the shared elements of two lists.",
    "def similar(a, b):\n    return tuple(set(a) & set(b))",
    {"test_list": ["assert set(similar((3, 4), (5, 4))) == {4}"], "test_setup_code": "import math", "test_imports": []},
)


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    """Return a sandbox with walls; skip where this machine does not allow namespaces."""
    found = Sandbox(limits=ProgramLimits(wall_s=30.0))
    try:
        found.check()
    except SandboxRefused as error:
        pytest.skip(str(error))
    return found


@pytest.mark.parametrize(
    ("item", "output", "verdict"),
    [
        (ADD, "    return helper(a) + b\n", RIGHT),
        (ADD, "    return a - b\n", WRONG),
        (ADD, "def add(a, b):\n    return helper(a) + b\n", RIGHT),
        (ADD, "Sure!\n```python\ndef add(a, b):\n    return a + b\n```\nDone.", RIGHT),
        (ADD, "```python\nprint('first')\n```\nthen\n```python\ndef add(a, b):\n    return a + b\n```", RIGHT),
        (ADD, "```\ndef add(a, b):\n    return a + b", RIGHT),
        (ADD, "I cannot.", WRONG),
        (ADD, "", WRONG),
        (ADD, "    import os\n    os._exit(0)\n", WRONG),
        (ADD, "    raise SystemExit(0)\n", WRONG),
        (MBPP, "def similar(a, b):\n    return tuple(set(a) & set(b))", RIGHT),
        (MBPP, "def similar(a, b):\n    return tuple(set(a) | set(b))", WRONG),
        (MBPP, "import sys\nsys.exit(0)", WRONG),
    ],
)
def test_code_passes_where_all_tests_do(sandbox: Sandbox, item: Item, output: str, verdict: Scored) -> None:
    """As a completion, as a whole function, in a code block; and not by leaving early."""
    assert code_passes(item, output, sandbox=sandbox) == verdict


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ({}, "does not say how its code is tested"),
        ({"test_list": []}, "has no tests"),
        ({"test_list": "assert 1"}, '"test_list" is a list of texts'),
        ({"test": 1, "entry_point": "f"}, '"test" is a text, got a int'),
    ],
)
def test_a_problem_without_tests_is_a_broken_item(metadata: dict[str, object], error: str) -> None:
    """Failed, and never a zero, nor a pass because nothing failed."""
    found = code_passes(Item("i", "q", None, metadata), "x")
    assert isinstance(found, Failed)
    assert error in found.error


def test_the_first_block_that_defines_the_function_is_the_code() -> None:
    """Else the first; else the whole answer."""
    text = "```\na = 1\n```\n```python\ndef f(): pass\n```"
    assert extract_code(text, "f") == "def f(): pass\n"
    assert extract_code(text, "g") == "a = 1\n"
    assert extract_code("x = 1") == "x = 1"


@pytest.mark.parametrize(
    "text",
    [
        "```bash\npip install numpy\n```\nThen:\n```python\nright\n```\nThat is all.",
        "<think>\n```python\nwrong\n```\n</think>\n```Python\nright\n```",
        '```python title="a.py"\nright\n```',
        "```text\nwrong\n```\n```\nright\n",
    ],
)
def test_commands_drafts_and_captions_are_no_code(text: str) -> None:
    """A block in another language, or in reasoning, is not the answer; what follows it is."""
    assert extract_code(text).strip() == "right"


def test_the_program_is_prompt_completion_tests_and_their_call() -> None:
    """Nothing else."""
    program = test_program(ADD, "    return a + b")
    assert program.startswith(ADD.input + "    return a + b\n")
    assert program.endswith("\n\ncheck(add)\n")


def test_pass_at_k_counts_and_says_how_programs_ended(sandbox: Sandbox) -> None:
    """Two of four pass for one problem, none for the other; a third cannot be tested."""
    right, wrong = "    return a + b\n", "    return a * b\n"
    items = [ADD, Item("add2", ADD.input, None, ADD.metadata), Item("broken", "q")]
    answers = {"add": [right, wrong, wrong, right], "add2": [wrong] * 4, "broken": [right] * 4}
    found = pass_rates(items, answers, ks=(1, 2), sandbox=sandbox, workers=2)
    assert [(each.id, each.samples, each.passed) for each in found.problems] == [
        ("add", 4, 2),
        ("add2", 4, 0),
        ("broken", 0, 0),
    ]
    assert found.problems[0].endings == {Ending.REACHED_END: 2, Ending.STOPPED_EARLY: 2}
    assert found.problems[2].error
    assert found.pass_at[1].mean == pytest.approx(0.25)
    assert found.pass_at[2].mean == pytest.approx(5 / 12)
    assert (found.pass_at[1].scored, found.pass_at[1].failed) == (2, 1)


@pytest.mark.parametrize(
    ("items", "answers", "ks", "message"),
    [
        ([], {}, (1,), "got 0 problems"),
        ([ADD], {"add": ["x"]}, (), "k from 1"),
        ([ADD], {"add": ["x"]}, (0, 1), "k from 1"),
        ([ADD], {"add": ["x"]}, (2,), 'pass@2 needs 2 answers a problem; "add" has 1'),
        ([ADD], {}, (1,), '"add" has 0'),
    ],
)
def test_too_few_answers_are_refused_before_anything_runs(
    items: list[Item], answers: dict[str, list[str]], ks: tuple[int, ...], message: str
) -> None:
    """pass@k says nothing of fewer than k programs."""
    with pytest.raises(DataError, match=message):
        pass_rates(items, answers, ks=ks)


def test_a_document_may_name_it(sandbox: Sandbox) -> None:
    """Where programs can be run, the name stands for the scorer with the default limits."""
    assert resolve_scorers(["code_passes"], load([ADD])) == {"code_passes": code_passes}
    assert sandbox.isolation == "namespaces"


def human_eval(folder: Path) -> list[Item]:
    """Read the real file; skip where it is absent."""
    path = folder / "humaneval" / "HumanEval.jsonl.gz"
    if not path.exists():
        pytest.skip(f"the real HumanEval file is not at {path}")
    rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    return [
        Item(row["task_id"], row["prompt"], row["canonical_solution"], {k: row[k] for k in ("test", "entry_point")})
        for row in rows
    ]


BROKEN = "    return NotImplemented\n"


def test_five_real_problems_pass_with_their_solution_and_fail_without(sandbox: Sandbox, real_data: Path) -> None:
    """Spread over HumanEval; two of them need helpers of their prompt."""
    items = [item for item in human_eval(real_data) if item.id.split("/")[1] in ("0", "32", "38", "53", "163")]
    score = partial(code_passes, sandbox=sandbox)
    assert [score(item, item.expected or "") for item in items] == [RIGHT] * 5
    assert [score(item, BROKEN) for item in items] == [WRONG] * 5
    assert score(items[1], f"```python\ndef find_zero(xs: list):\n{items[1].expected}\n```") == RIGHT


@pytest.mark.slow
def test_all_real_problems_pass_with_their_solution_and_fail_without(sandbox: Sandbox, real_data: Path) -> None:
    """All 164 of HumanEval, in both directions."""
    items = human_eval(real_data)
    assert len(items) == 164
    right = pass_rates(items, {item.id: [item.expected or ""] for item in items}, sandbox=sandbox)
    assert [each.id for each in right.problems if each.passed != 1] == []
    broken = pass_rates(items, {item.id: [BROKEN] for item in items}, sandbox=sandbox)
    assert [each.id for each in broken.problems if each.passed != 0] == []
