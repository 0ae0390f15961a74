from __future__ import annotations

import msgspec
import pytest

from crucible.data.sandbox import Ending, ProgramLimits, Sandbox, SandboxRefused
from crucible.errors import DataError


def test_a_program_that_runs_to_its_last_line_has_reached_its_end(sandbox: Sandbox) -> None:
    """What it printed comes back, with what it used."""
    found = sandbox.run("import sys\nprint('out')\nprint('err', file=sys.stderr)\n")
    assert (found.ending, found.exit_code, found.signal) == (Ending.REACHED_END, 0, "")
    assert (found.stdout, found.stderr) == ("out\n", "err\n")
    assert found.reached_end
    assert 0 < found.cpu_s < 5
    assert 0 < found.wall_s < 30
    assert 1 << 20 < found.peak_bytes < 1 << 30


def test_an_error_comes_with_its_line(sandbox: Sandbox) -> None:
    """As if the program were a file."""
    found = sandbox.run("x = 1\nassert x == 2, 'no'\n")
    assert (found.ending, found.exit_code) == (Ending.STOPPED_EARLY, 1)
    assert 'File "program.py", line 2' in found.stderr
    assert "assert x == 2, 'no'" in found.stderr


@pytest.mark.parametrize("source", ["x = = 1", "\x00", "raise SystemExit(3)", "raise SystemExit('why')"])
def test_a_program_that_cannot_start_or_leaves_has_not_reached_its_end(walls: Sandbox, source: str) -> None:
    """Whatever its exit code."""
    assert walls.run(source).ending is Ending.STOPPED_EARLY


def test_output_that_is_no_text_is_replaced(walls: Sandbox) -> None:
    """And never an error."""
    assert walls.run(r"import os; os.write(1, b'\xff\xfe')").stdout == "\ufffd\ufffd"


def test_a_verdict_does_not_depend_on_the_hash_seed(walls: Sandbox) -> None:
    """Sets have the same order in every run."""
    assert len({walls.run("print(list({'a', 'b', 'c', 'd', 'e'}))").stdout for _ in range(4)}) == 1


def test_a_main_block_is_not_entered(walls: Sandbox) -> None:
    """The program runs as a module, which dataclasses and pickle find."""
    source = (
        "import dataclasses, pickle\n@dataclasses.dataclass\nclass A:\n    x: int\n"
        "assert pickle.loads(pickle.dumps(A(1))) == A(1)\nif __name__ == '__main__':\n    input()\n"
    )
    assert walls.run(source).reached_end


def test_installed_packages_are_there_when_asked_for(walls: Sandbox) -> None:
    """By default a program has the standard library alone."""
    assert "ModuleNotFoundError" in walls.run("import msgspec").stderr
    roomy = msgspec.structs.replace(walls, packages=True)
    assert roomy.run("import msgspec").reached_end


def test_many_programs_run_a_bounded_number_at_a_time(walls: Sandbox) -> None:
    """And come back in order."""
    source = "import time\nstart = time.monotonic()\ntime.sleep(0.3)\nprint({}, start, time.monotonic())"
    found = walls.run_all((source.format(place) for place in range(6)), workers=2)
    rows = [list(map(float, each.stdout.split())) for each in found]
    assert [row[0] for row in rows] == [0, 1, 2, 3, 4, 5]
    assert max(sum(start <= moment < end for _, start, end in rows) for _, moment, _ in rows) == 2


def test_a_sandbox_says_what_it_does_not_know() -> None:
    """Before anything runs."""
    with pytest.raises(DataError, match='unknown isolation "none"; known: namespaces, limits'):
        Sandbox(isolation="none").run("")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="at least 1 worker, got 0"):
        Sandbox().run_all([], workers=0)
    for limits in ({"cpu_s": 0}, {"memory_bytes": 1.5}, {"wall_s": -1.0}):
        with pytest.raises(DataError, match=f"the limit {next(iter(limits))} is a whole number above 0"):
            ProgramLimits(**limits)  # type: ignore[arg-type]


def test_an_interpreter_that_does_not_work_is_a_refusal() -> None:
    """And never a program that failed."""
    with pytest.raises(SandboxRefused, match="ended without a report"):
        Sandbox(python="/bin/false").run("")
    with pytest.raises(SandboxRefused, match="cannot be started"):
        Sandbox(python="/nonexistent/python").check()
