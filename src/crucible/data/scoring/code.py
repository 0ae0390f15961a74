"""Programs as answers: does the function that a model wrote pass the tests of its problem (HumanEval, MBPP).

Tests are run in `crucible.data.sandbox`, never here. A problem says in its metadata how it is tested: `test` and
`entry_point` (HumanEval), or `test_list` (MBPP), under the names that these sets have for it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import cast

import msgspec

from crucible.data.final_answer import without_reasoning
from crucible.data.items import Item
from crucible.data.sandbox import Ending, Sandbox
from crucible.data.scoring.pass_at_k import pass_at_k
from crucible.data.scoring.scorer import bounded
from crucible.data.summary import Summary, summarise
from crucible.errors import DataError
from crucible.ir import Failed, Outcome, Scored

__all__ = ["CodeResults", "ProblemResult", "code_passes", "extract_code", "pass_rates", "test_program"]

_BLOCK = re.compile(r"^[ \t]*```[ \t]*([^\s`]*)[^\n`]*\n(.*?)(?:^[ \t]*```[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_PYTHON = ("", "python", "py", "python3")


def extract_code(output: str, entry_point: str | None = None) -> str:
    """Return the code of an answer: the first code block that defines the function, else the first; else all of it.

    Blocks that say that they are in another language, such as `bash`, are no code of the answer; those in marked
    reasoning (`<think>`) are drafts.

    Args:
        output: The model's answer.
        entry_point: Name of the function that is asked for.
    """
    output = without_reasoning(output)
    blocks = [code for language, code in _BLOCK.findall(output) if language.lower() in _PYTHON]
    if not blocks:
        return output
    wanted = [block for block in blocks if entry_point and _defines(block, entry_point)]
    return (wanted or blocks)[0]


def _defines(code: str, name: str) -> bool:
    return re.search(rf"^(?:async[ \t]+)?def[ \t]+{re.escape(name)}\b", code, re.MULTILINE) is not None


def test_program(item: Item, output: str) -> str:
    """Return the program that tests an answer; it runs to its end if, and only if, all tests pass.

    For HumanEval it is the prompt, the completion, the tests, and a call of them. A completion that goes on where the
    prompt ends begins with white space; one that writes the function anew does not, and stands behind the prompt, whose
    helpers it may need.

    Args:
        item: The problem. Its prompt is `metadata["prompt"]` where that is given, else `input`.
        output: The model's answer, with or without code blocks.

    Raises:
        DataError: The item does not say how it is tested.
    """
    known = item.metadata
    if "test" in known and "entry_point" in known:
        name = _text(item, "entry_point")
        code = extract_code(output, name)
        prompt = _text(item, "prompt") if "prompt" in known else item.input
        joint = "" if code[:1] in (" ", "\t") and not _defines(code, name) else "\n\n"
        return f"{prompt}{joint}{code}\n\n{_text(item, 'test')}\n\ncheck({name})\n"
    if "test_list" in known:
        tests = _texts(item, "test_list")
        if not tests:
            raise DataError(f'item "{item.id}" has no tests: "test_list" is empty')
        setup = [*_texts(item, "test_imports"), _text(item, "test_setup_code")]
        return "\n".join([*setup, extract_code(output), *tests, ""])
    raise DataError(
        f'item "{item.id}" does not say how its code is tested; expected the metadata test and entry_point (HumanEval) '
        "or test_list (MBPP)"
    )


test_program.__dict__["__test__"] = False  # it is no test of pytest's


def _text(item: Item, field: str) -> str:
    given = item.metadata.get(field, "")
    if not isinstance(given, str):
        raise DataError(f'item "{item.id}": "{field}" is a text, got a {type(given).__name__}')
    return given


def _texts(item: Item, field: str) -> list[str]:
    given = item.metadata.get(field, [])
    if not isinstance(given, (list, tuple)) or not all(isinstance(each, str) for each in cast("list[object]", given)):
        raise DataError(f'item "{item.id}": "{field}" is a list of texts, got {given!r:.80}')
    return list(cast("list[str]", given))


@bounded(0.0, 1.0)
def code_passes(item: Item, output: str, *, sandbox: Sandbox = Sandbox()) -> Outcome:  # noqa: B008  # a frozen value
    """Score 1.0 if the answer's code passes all tests of its problem, else 0.0. It runs the code, in a sandbox.

    A program that hangs, exceeds a limit, or leaves before the tests are done does not pass.

    Args:
        item: The problem; failed where it does not say how it is tested.
        output: The model's answer; see `test_program`.
        sandbox: Where it runs.

    Raises:
        SandboxRefused: Programs cannot be run here as safely as was asked (a `DataError`).
    """
    try:
        program = test_program(item, output)
    except DataError as error:
        return Failed(str(error))
    return Scored(float(sandbox.run(program).reached_end))


class ProblemResult(msgspec.Struct, frozen=True):
    """What became of the programs for one problem.

    Args:
        id: The item's id.
        samples: Programs that were run.
        passed: Those that passed.
        endings: Programs by how they ended.
        error: Why it could not be tested; empty where it was.
    """

    id: str
    samples: int
    passed: int
    endings: dict[Ending, int]
    error: str = ""


class CodeResults(msgspec.Struct, frozen=True):
    """pass@k over problems.

    Args:
        problems: One result a problem, in order.
        pass_at: By k, the mean of the problems' unbiased estimates, with counts and an interval over problems.
    """

    problems: tuple[ProblemResult, ...]
    pass_at: dict[int, Summary]


def pass_rates(
    items: Sequence[Item],
    completions: Mapping[str, Sequence[str]],
    *,
    ks: Sequence[int] = (1,),
    sandbox: Sandbox = Sandbox(),  # noqa: B008  # a frozen value
    workers: int | None = None,
    level: float = 0.95,
) -> CodeResults:
    """Run all completions of all problems and return pass@k.

    Args:
        items: The problems.
        completions: Answers by the problem's id, at least as many as the largest k.
        ks: Which k.
        sandbox: Where programs run.
        workers: Programs at a time; None: as many as this process may use processors.
        level: Coverage of the intervals.

    Raises:
        DataError: There is no problem, or one has fewer answers than k. Nothing was run then.
        SandboxRefused: Programs cannot be run here as safely as was asked (a `DataError`).
        MissingExtra: scipy is not installed.

    Source:
        Chen et al. (2021), arXiv 2107.03374; see `pass_at_k`.
    """
    most = max(ks, default=0)
    if not items or most < 1 or min(ks) < 1:
        raise DataError(
            f"pass@k needs problems and whole numbers k from 1, got {len(items)} problems and k = {list(ks)}"
        )
    for item in items:
        if len(completions.get(item.id, ())) < most:
            count = len(completions.get(item.id, ()))
            raise DataError(f'pass@{most} needs {most} answers a problem; "{item.id}" has {count}')
    programs: list[tuple[str, str]] = []
    errors: dict[str, str] = {}
    for item in items:
        try:
            programs += [(item.id, test_program(item, answer)) for answer in completions[item.id]]
        except DataError as error:
            errors[item.id] = str(error)
    finished = sandbox.run_all((program for _, program in programs), workers=workers)
    endings: dict[str, Counter[Ending]] = {item.id: Counter() for item in items}
    for (name, _), done in zip(programs, finished, strict=True):
        endings[name][done.ending] += 1
    problems = tuple(
        ProblemResult(
            item.id,
            endings[item.id].total(),
            endings[item.id][Ending.REACHED_END],
            dict(endings[item.id]),
            errors.get(item.id, ""),
        )
        for item in items
    )
    return CodeResults(problems, {k: summarise(_estimates(problems, k), level=level, bounds=(0.0, 1.0)) for k in ks})


def _estimates(problems: Sequence[ProblemResult], k: int) -> list[Outcome]:
    return [
        Failed(problem.error) if problem.error else Scored(pass_at_k(problem.samples, problem.passed, k))
        for problem in problems
    ]
