"""The examples of telemetry, each run in a process of its own in an empty folder, as a reader would run it."""

from __future__ import annotations

import csv
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from crucible import stats
from crucible.store import open_store
from crucible.telemetry import Recorded

EXAMPLES = Path(__file__).parents[2] / "examples" / "telemetry"
README = (EXAMPLES / "README.md").read_text(encoding="utf-8")
SCRIPTS = sorted(path.stem for path in EXAMPLES.glob("*.py"))


def run(name: str, folder: Path, output: Path | None) -> str:
    """Run an example in a folder and return what it printed; it must succeed, and complain of nothing."""
    environment = {key: value for key, value in os.environ.items() if key != "EXAMPLES_OUTPUT_DIR"}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "error", "PYTHONIOENCODING": "utf-8"}
    environment["TMPDIR"] = str(folder.parent)
    if output is not None:
        environment["EXAMPLES_OUTPUT_DIR"] = str(output)
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def files_in(folder: Path) -> set[str]:
    """Return the paths of the files below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def lines_of(text: str) -> list[str]:
    """Return the lines of a text without the blanks around them."""
    return [line.strip() for line in text.splitlines()]


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def recordings(output: Path) -> dict[str, Recorded]:
    """Return what an example recorded, by condition."""
    with open_store(output / "store", create=False) as store:
        infos = store.telemetry.experiments.list()
    assert all(info.status == "stopped" for info in infos)
    return {info.condition: Recorded(info.id, output / "store") for info in infos}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return an empty folder to work in."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Return where an example is told to write."""
    return tmp_path / "out" / "put"


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.slow
def test_an_example_writes_only_where_it_is_told(name: str, tmp_path: Path, place: Path, output: Path) -> None:
    """With EXAMPLES_OUTPUT_DIR all files are there, the working directory stays empty, and so does the examples' own.

    A second run over the first one's files is as good.
    """
    before = files_in(EXAMPLES)
    assert len(run(name, place, output).splitlines()) >= 7
    written = files_in(tmp_path)
    assert "out/put/store/crucible.db" in written
    assert all(path.startswith("out/put/") for path in written)
    assert files_in(EXAMPLES) == before
    run(name, place, output)
    assert files_in(tmp_path) == written


def test_without_a_place_a_temporary_folder_is_made(tmp_path: Path, place: Path) -> None:
    """Nothing is left in the working directory of somebody who only tries it out."""
    run("basic_usage", place, None)
    assert files_in(place) == set()
    assert all(path.startswith("example_telemetry_") for path in files_in(tmp_path))


def test_training_loop(place: Path, output: Path) -> None:
    """The losses are the training's own, computed again here; the table has each; three lines are marked."""
    lines = lines_of(run("training_loop", place, output))
    example = runpy.run_path(str(EXAMPLES / "training_loop.py"))
    points, weights = example["rings"](400), [0.0, 0.0, 0.0]
    wanted: list[float] = []
    for _ in range(2):  # epochs
        for first in range(0, 300, example["BATCH"]):
            batch = points[first : min(first + example["BATCH"], 300)]
            wanted.append(example["loss_of"](weights, batch))
            example["learn"](weights, batch)

    recorded = recordings(output)["default"]
    losses = recorded.points("train/loss")
    assert losses.values.tolist()[: len(wanted)] == wanted
    assert losses.steps.tolist() == list(range(180))
    rows = read_csv(output / "training_loop.csv")
    assert [float(row["value"]) for row in rows if row["series"] == "train/loss"] == losses.values.tolist()

    validations = [event.fields["val_loss"] for event in recorded.query("crucible_train.validation.stop")]
    best = min(validations)
    assert f"best validation loss {best:.4f}, in epoch {validations.index(best)}" in lines
    assert best < validations[0] < 0.7
    assert "12 epochs were timed: True" in lines
    source = (EXAMPLES / "training_loop.py").read_text(encoding="utf-8")
    assert re.findall(r"  # (\d)\n", source) == ["1", "2", "3"]


def test_basic_usage(place: Path, output: Path) -> None:
    """A quarter of the requests failed, the pause left out what it says, and what is printed is what is recorded."""
    lines = lines_of(run("basic_usage", place, output))
    recorded = recordings(output)["default"]
    requests = recorded.query("req_llm.request.stop", "req_llm.request.exception")
    assert [event.success for event in requests].count(False) == 4
    assert "success: 12 of 16 (75%)" in lines
    assert "failed:  ZeroDivisionError: division by zero" in lines
    assert (recorded.info.pause_count, recorded.info.dropped) == (1, {"paused": 2})
    assert "arithmetic: stopped, paused 1 time, 2 events left out" in lines
    tokens = sum(event.fields.get("prompt_tokens", 0) for event in requests)
    assert f"tokens:  {tokens} in questions, 12 in answers" in lines
    letters = recorded.points("letters").values.tolist()
    assert letters == 2 * [float(len(text)) for text in ("5", "40", "-3", "256", "0.333333", "42")]
    assert recorded.info.hypothesis in lines[1]


def test_ab_testing(place: Path, output: Path) -> None:
    """Each arm has its own tickets alone; rates and interval are those of Fisher's test, and the wording is honest."""
    printed = run("ab_testing", place, output)
    arms = recordings(output)
    outcomes = {
        name: [float(bool(event.success)) for event in arm.query("my_shop.ticket.routed.stop")]
        for name, arm in arms.items()
    }
    assert sum(map(len, outcomes.values())) == 600
    for name, found in outcomes.items():
        assert f"{name:14}{len(found)} tickets, {sum(found):.0f} routed rightly" in printed

    again, treatment = printed.split("\n\n")[1:]
    for name, text, verdict in (
        ("control again", again, "no_difference_found"),
        ("treatment", treatment, "difference"),
    ):
        wanted = stats.compare(outcomes["control"], outcomes[name], is_share=True)
        low, high = wanted.interval.low, wanted.interval.high
        assert f"{wanted.difference:+.3f}, 95 % interval {low:+.3f} to {high:+.3f}" in text
        assert verdict in lines_of(text)
        assert (wanted.verdict.value, low <= 0 <= high) == (verdict, verdict != "difference")
    assert "a difference anywhere in that interval remains possible" in again
    assert "equal" not in printed
    assert "remains possible" not in treatment


def test_custom_metrics(place: Path, output: Path) -> None:
    """The cache is as good as counted here, the alert comes once and again in the replay, and the silence shows."""
    lines = lines_of(run("custom_metrics", place, output))
    recorded = recordings(output)["default"]
    lookups = recorded.query("my_shop.article.looked_up")
    kept: list[int] = []
    for event in lookups:
        article = event.metadata["article"]
        assert event.success == event.metadata["hit"] == (article in kept)
        kept = [*(each for each in kept if each != article), article][-60:]
        assert event.fields["full_frac"] == len(kept) / 60
    by_customers = [event.success for event in lookups if event.fields["asker"] == "customer"]
    assert f"customer  600 lookups, {sum(map(bool, by_customers)) / 600:.0%} from the cache" in lines
    assert "robot     200 lookups, 0% from the cache" in lines

    last, first_bad = [event.success for event in lookups], None
    for end in range(50, len(last)):
        failures = last[end - 50 : end].count(False)
        if first_bad is None and failures > 40:
            first_bad = failures / 50
    assert f"alert     critical: {first_bad:g} of the last 50 lookups were not in the cache" == lines[0]
    assert recorded.count("crucible_telemetry.alert.raised") == 1
    assert "replayed  1 alert, the same rule: cold cache" in lines
    assert "silence   seen: windows of nothing are there" in lines
    assert any(re.fullmatch(r"windows   \d+ of 0\.1 s with 800 lookups", line) for line in lines)
    rows = read_csv(output / "custom_metrics.csv")
    assert [float(row["full_frac"]) for row in rows] == [event.fields["full_frac"] for event in lookups]


def test_the_readme_names_every_example_and_shows_a_real_output(place: Path, output: Path) -> None:
    """Each script has its row and command, and the block below the table is what its script prints."""
    rows = re.findall(
        r"^\| \[(\w+)\.py\]\((\w+)\.py\) \| .+ \| `python examples/telemetry/(\w+)\.py` \|$", README, re.MULTILINE
    )
    assert sorted(name for name, *_ in rows) == SCRIPTS
    assert all(len(set(row)) == 1 for row in rows)
    [(name, shown)] = re.findall(r"```console\n\$ python examples/telemetry/(\w+)\.py\n(.*?)```", README, re.DOTALL)
    assert run(name, place, output).rstrip() == shown.rstrip()
