"""`crucible compare`: from two files of any tool to a verdict, and clear words where there is none."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from crucible.cli.compare_app import app
from crucible.stats import compare_paired
from crucible.stats.result import TestResult

OLD = {f"q{i:02}": float(i % 3 == 0) for i in range(24)}
NEW = {key: 1.0 if i % 4 else value for i, (key, value) in enumerate(OLD.items())}

Compare = Callable[..., str]


@pytest.fixture
def compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compare:
    """Run `crucible compare …` in a folder with two tables and return what it prints, on stderr if it fails."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")
    for name, scores in (("old", OLD), ("new", NEW)):
        rows = "".join(f"{key},{value:g}\n" for key, value in scores.items())
        (tmp_path / f"{name}.csv").write_text(f"id,correct\n{rows}")

    def run(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, ["compare", *arguments])
        assert done.exit_code == code, done.output
        return done.stdout if code != 2 else done.stderr

    return run


def test_two_tables_end_in_a_sentence(compare: Compare) -> None:
    """What was measured on each side, the comparison, the sentence, the method and what has to hold."""
    told = compare("old.csv", "new.csv")
    lines = [line.split() for line in told.splitlines()]
    assert ["old", "24", "24", "24", "0", "0", "correct", "old.csv", "(CSV)"] in lines
    result = compare_paired(OLD, NEW)
    assert f"mean correct is {result.treatment_mean:.3f} for new and {result.baseline_mean:.3f} for old" in told
    assert "● A difference was found" in told
    assert "McNemar's exact test" in told
    assert "the two scores of a pair belong to the same item" in told


def test_json_reads_back(compare: Compare) -> None:
    """Files, conditions with their counts, and comparisons that `TestResult` reads."""
    told = json.loads(compare("old.csv", "new.csv", "--format", "json"))
    assert told == json.loads(compare("old.csv", "new.csv", "--json"))
    assert [one["label"] for one in told["conditions"]] == ["old", "new"]
    assert told["conditions"][0] | {"attempted": 24, "scored": 24, "failed": 0, "skipped": 0} == told["conditions"][0]
    assert told["files"][0] == {"path": "old.csv", "format": "csv", "metrics": ["correct"], "notes": []}
    (comparison,) = told["comparisons"]
    assert TestResult.from_dict(comparison).p == compare_paired(OLD, NEW).p


@pytest.mark.parametrize(("form", "begins"), [("markdown", "A difference"), ("html", "<div"), ("latex", r"")])
def test_other_forms_hold_the_sentence(compare: Compare, form: str, begins: str) -> None:
    """As the rendering of results writes them."""
    told = compare("old.csv", "new.csv", "--format", form)
    assert told.startswith(begins)
    assert "mean correct is" in told


def test_no_difference_is_never_equality(compare: Compare) -> None:
    """The sentence says what remains possible, and the exit code is 0."""
    told = compare("old.csv", "old.csv", "--label", "one", "--label", "two")
    assert "○ No difference found" in told
    assert "a difference anywhere in that interval remains possible" in told
    assert "with so few scores, or pairs that differ, an exact test at alpha 0.05 cannot find a difference" in told
    assert "equal" not in told


def test_a_worse_treatment_fails_where_it_is_asked_to(compare: Compare) -> None:
    """For continuous integration: 1 where the treatment is found worse, 0 where it is better or nothing was found."""
    compare("old.csv", "new.csv", "--fail-on-worse")
    compare("old.csv", "old.csv", "--label", "a", "--label", "b", "--fail-on-worse")
    told = compare("new.csv", "old.csv", "--fail-on-worse", code=1)
    assert "A difference was found" in told
    compare("new.csv", "old.csv")
    compare("new.csv", "old.csv", "--fail-on-worse", "--lower-is-better")
    compare("old.csv", "new.csv", "--fail-on-worse", "--lower-is-better", code=1)


def test_several_files_are_corrected_for(compare: Compare) -> None:
    """Each against the first, or all pairs; another baseline by its label."""
    Path("third.csv").write_text("id,correct\n" + "".join(f"{key},{1 - value:g}\n" for key, value in OLD.items()))
    told = compare("old.csv", "new.csv", "third.csv")
    assert "after holm correction for 2 comparisons" in told
    assert "new minus old" in told
    assert "third minus old" in told
    told = compare("old.csv", "new.csv", "third.csv", "--all-pairs", "--correction", "bonferroni")
    assert "after bonferroni correction for 3 comparisons" in told
    assert "third minus new" in told
    told = compare("old.csv", "new.csv", "third.csv", "--baseline", "new", "--correction", "none")
    assert "old minus new" in told
    assert "correction" not in told
    message = compare("old.csv", "new.csv", "--baseline", "nwe", code=2)
    assert '--baseline: no condition is called "nwe"; did you mean "new"?' in message


def test_one_file_is_split_by_a_column_or_by_columns(compare: Compare) -> None:
    """A column of models, or a column for each; with one condition only, the ways out are named."""
    rows = "".join(f"{key},{name},{side[key]:g}\n" for key in OLD for name, side in (("a", OLD), ("b", NEW)))
    Path("long.csv").write_text(f"id,model,score\n{rows}")
    assert "b minus a" in compare("long.csv")
    Path("wide.csv").write_text("id,a,b,c\n" + "".join(f"{k},{OLD[k]:g},{NEW[k]:g},{OLD[k]:g}\n" for k in OLD))
    assert "b minus a" in compare("wide.csv", "--column", "a", "--column", "b")
    told = json.loads(compare("wide.csv", "--column", "a", "--column", "b", "--json"))
    assert told["comparisons"][0]["p"] == compare_paired(OLD, NEW).p
    message = compare("old.csv", code=2)
    assert "old.csv holds one condition, and a comparison needs two" in message
    assert "--group" in message
    assert "--column" in message


def test_plain_columns_are_independent_unless_rows_are_paired(compare: Compare) -> None:
    """Which is said, with the option that pairs them."""
    Path("a.txt").write_text("\n".join(f"{value:g}" for value in OLD.values()))
    Path("b.txt").write_text("\n".join(f"{value:g}" for value in NEW.values()))
    told = compare("a.txt", "b.txt")
    assert "Fisher's exact test" in told
    assert "no item ids, so the sides count as independent samples; same row, same item: --pair row" in told
    assert "McNemar's exact test" in compare("a.txt", "b.txt", "--pair", "row")
    assert "Fisher's exact test" in compare("old.csv", "new.csv", "--pair", "none")


def test_failures_and_unmatched_items_follow_their_options(compare: Compare) -> None:
    """Counted in the table and told in the sentence."""
    failing = Path("new.csv").read_text().replace("q00,1", "q00,") + "extra,1\n"
    Path("failing.csv").write_text(failing)
    message = compare("old.csv", "failing.csv", code=2)
    assert 'the conditions do not hold the same items: 1 only in failing ("extra")' in message
    told = compare("old.csv", "failing.csv", "--unmatched", "drop")
    assert "1 of 49 measurements failed and were left out" in told
    assert "items that one side has not were dropped (1 only in failing)" in told
    told = compare("old.csv", "failing.csv", "--unmatched", "drop", "--failures", "zero")
    assert "count as 0" in told
    assert "measurements of failing failed" in compare(
        "old.csv", "failing.csv", "--unmatched", "drop", "--failures", "abort", code=2
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["old.csv", "none.csv"], "cannot read none.csv: No such file or directory"),
        (["old.csv", "new.csv", "--test", "wilcoxn"], 'unknown test "wilcoxn"'),
        (["old.csv", "new.csv", "--alpha", "5"], "alpha must lie between 0 and 1, got 5.0"),
        (
            ["old.csv", "new.csv", "--failures", "drop"],
            'unknown policy for failures "drop"; known: exclude, zero, abort',
        ),
        (["old.csv", "new.csv", "--unmatched", "no"], 'unknown way with unmatched items "no"'),
        (["old.csv", "new.csv", "--correction", "hulm"], 'unknown correction "hulm"; did you mean "holm"?'),
        (["old.csv", "new.csv", "--metric", "acc"], 'no metric "acc"; it has: correct'),
        (["old.csv", "new.csv", "--read-as", "cvs"], 'unknown format "cvs"; did you mean "csv"?'),
        (["old.csv", "new.csv", "--item", "nr"], 'no column "nr" for --item; it has: id, correct'),
        (["old.csv", "new.csv", "--label", "x"], "1 labels for 2 conditions: old, new"),
        (["old.csv", "new.csv", "--format", "yaml"], "Invalid value for '--format'"),
        ([], "Missing argument"),
    ],
)
def test_bad_input_ends_with_2_and_a_sentence(compare: Compare, arguments: list[str], message: str) -> None:
    """What came, what was expected, what to do; no traceback."""
    told = compare(*arguments, code=2)
    assert message in told
    assert "Traceback" not in told


def test_alpha_sets_the_level(compare: Compare) -> None:
    """The interval's level is 1 - alpha unless it is named."""
    assert "99 % interval" in compare("old.csv", "new.csv", "--alpha", "0.01")
    assert "90 % interval" in compare("old.csv", "new.csv", "--alpha", "0.01", "--level", "0.9")


def test_clusters_and_forced_tests(compare: Compare) -> None:
    """By the column's name."""
    for name, scores in (("old", OLD), ("new", NEW)):
        rows = "".join(f"{key},p{i // 3},{value:g}\n" for i, (key, value) in enumerate(scores.items()))
        Path(f"{name}.tsv").write_text(f"id,passage,score\n{rows}".replace(",", "\t"))
    assert "24 items in 8 clusters" in compare("old.tsv", "new.tsv", "--cluster", "passage")
    assert "named by the caller" in compare("old.tsv", "new.tsv", "--test", "ttest")


def test_hostile_names_do_not_reach_the_terminal(compare: Compare) -> None:
    """Labels are text of others: no escape sequence, no markup, no line of its own is printed."""
    rows = "".join(
        f'{key},"[red]\x1b[2J{name}\n!",{v:g}\n' for key in OLD for name, v in (("a", OLD[key]), ("b", NEW[key]))
    )
    Path("evil.csv").write_text(f"id,model,score\n{rows}")
    told = compare("evil.csv")
    assert "\x1b" not in told
    assert "[red]" in told


def test_the_same_command_is_there_from_a_shell(tmp_path: Path) -> None:
    """As a process of its own, through either way in, without the packages that it does not need."""
    (tmp_path / "a.txt").write_text("0.5\n0.25\n0.75\n0.5\n")
    (tmp_path / "b.txt").write_text("0.75\n0.5\n1\n0.5\n")
    code = (
        "import sys; sys.argv = ['crucible', 'compare', 'a.txt', 'b.txt', '--json']\n"
        "from crucible.cli import main\n"
        "try:\n    main()\nexcept SystemExit as ended:\n    assert not ended.code, ended.code\n"
        "heavy = {'pandas', 'statsmodels', 'sqlalchemy', 'pyarrow', 'torch', 'scipy.stats'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["comparisons"][0]["name"] == "welch"


def test_the_main_program_has_the_command_too() -> None:
    """`crucible --help` lists it, and `crucible compare --help` is the same either way."""
    from crucible.cli.app import app as everything

    listed = CliRunner().invoke(everything, ["--help"])
    assert "compare" in listed.stdout
    helps: list[Any] = [CliRunner().invoke(one, ["compare", "--help"]).stdout for one in (everything, app)]
    assert helps[0] == helps[1]
    assert "Exit codes: 0 compared" in helps[0]


def test_several_comparisons_without_correction_say_so(compare: Compare) -> None:
    """A verdict at alpha for each is more than alpha for all."""
    for name in ("third", "fourth"):
        Path(f"{name}.csv").write_text(Path("old.csv").read_text())
    told = compare("old.csv", "new.csv", "third.csv", "fourth.csv", "--correction", "none")
    assert "3 comparisons, and no p-value is corrected for there being several" in told
    assert "no p-value is corrected" not in compare("old.csv", "new.csv", "--correction", "none")
    assert "no p-value is corrected" not in compare("old.csv", "new.csv", "third.csv")


def test_an_option_without_effect_is_refused(compare: Compare) -> None:
    """Scores of Crucible's own have ids; a column of ids for them would change nothing without a word."""
    for name in ("a", "b"):
        lines = [
            {"id": f"q{i}", "input": "?", "scores": {"em": {"kind": "scored", "value": float(i)}}} for i in range(3)
        ]
        Path(f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert "--item is for tables" in compare("a.jsonl", "b.jsonl", "--item", "name", code=2)


def test_worse_in_the_mean_and_better_in_ranks_is_not_found_to_be_worse(compare: Compare) -> None:
    """The rank test found that most pairs rise, so that it is no reason to fail for being worse."""
    for name, scores in (("a", [0.0] * 21), ("b", [-20.5, *[1.0] * 20])):
        Path(f"{name}.csv").write_text("id,score\n" + "".join(f"q{i},{score}\n" for i, score in enumerate(scores)))
    told = compare("a.csv", "b.csv", "--test", "wilcoxon", "--fail-on-worse")
    assert "which of the two scores higher was not found" in told


@pytest.mark.parametrize("form", ["markdown", "html", "latex"])
def test_notes_on_the_files_reach_whoever_runs_it(compare: Compare, form: str) -> None:
    """In the forms that are pasted elsewhere they go to stderr; that a log is no whole one is never left unsaid."""
    for name in ("a", "b"):
        Path(f"{name}.csv").write_text("0.5\n0.25\n0.75\n")
    compare("a.csv", "b.csv", "--label", "a", "--label", "b", "--pair", "row", "--format", form)
    told = CliRunner().invoke(app, ["compare", "a.csv", "b.csv", "--pair", "row", "--format", form]).stderr
    assert "note: a.csv: all of its first line are numbers" in told
