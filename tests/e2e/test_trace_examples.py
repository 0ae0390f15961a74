"""The examples of traces, each run in a process of its own in an empty folder, as a reader would run it."""

from __future__ import annotations

import csv
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from crucible.trace import Chain, Event, read_live

EXAMPLES = Path(__file__).parents[2] / "examples" / "trace"
README = (EXAMPLES / "README.md").read_text(encoding="utf-8")
SCRIPTS = sorted(path.stem for path in EXAMPLES.glob("*.py"))


def run(name: str, folder: Path, output: Path | None = None) -> str:
    """Run an example in a folder and return what it printed; it must succeed, and complain of nothing."""
    environment = {key: value for key, value in os.environ.items() if key != "EXAMPLES_OUTPUT_DIR"}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "error", "PYTHONIOENCODING": "utf-8"}
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


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return an empty folder to work in."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_example_writes_only_where_it_is_told(name: str, tmp_path: Path, place: Path) -> None:
    """With EXAMPLES_OUTPUT_DIR all files are there, the working directory stays empty, and so does the examples' own.

    A second run over the first one's files is as good.
    """
    before = files_in(EXAMPLES)
    output = tmp_path / "out" / "put"
    assert len(run(name, place, output).splitlines()) >= 7
    written = files_in(tmp_path)
    assert written
    assert all(path.startswith("out/put/") for path in written)
    assert files_in(EXAMPLES) == before
    run(name, place, output)
    assert len(files_in(tmp_path)) == len(written)  # not their names: a folder calls chains by their random ids


def test_basic_usage(place: Path) -> None:
    """Without the variable, files go to `example_traces`; the tree shows links, and the chain loads as it was."""
    printed = run("basic_usage", place)
    lines = lines_of(printed)
    assert "rests on    sessions last 30 minutes" in lines
    assert "confidence   0.80 on average; 4 events state one" in lines
    assert "unsure       sessions last 30 minutes (0.6)" in lines
    assert "problems     0 in events, 0 in links" in lines
    assert "loaded       the same chain: True" in lines
    assert files_in(place) == {"example_traces/basic_usage.json"}
    chain = Chain.load(place / "example_traces/basic_usage.json")
    assert [event.confidence for event in chain] == [None, 0.85, 0.95, 0.6, 0.8]
    assert len(chain.children(chain[1].id)) == 1


def test_advanced_analysis(place: Path) -> None:
    """The trend is that of the halves, the ranking is by frequency, and unsure or assumed decisions are to review."""
    lines = lines_of(run("advanced_analysis", place))
    report = json.loads((place / "example_traces/advanced_analysis.json").read_text(encoding="utf-8"))
    chain = Chain.load(place / "example_traces/advanced_analysis_chain.json")
    stated = [event.confidence or 0 for event in chain]
    assert report["confidence"]["first_half"] == pytest.approx(sum(stated[:4]) / 4)
    assert report["confidence"]["second_half"] == pytest.approx(sum(stated[4:]) / 5)
    assert "first half 0.750, second half 0.840: rising" in lines
    assert next(iter(report["alternatives"].items())) == ("fixed window", 3)
    assert sum(report["alternatives"].values()) == sum(len(event.alternatives) for event in chain)
    assert report["review"] == ["count", "clock", "place"]
    assert set(report["final_rests_on"]) == {"edges", "atomic", "count", "place", "clock", "limits"}
    after = lines[lines.index("if the clocks do not agree, think again about") :]
    assert after[2:] == ["one Lua script a request", "a bucket in Redis, one script"]
    assert chain.validate_relationships() == []


def test_llm_integration(place: Path) -> None:
    """The slip is reported where it stands, the gate refuses each round and passes both, and the code does its task."""
    printed = run("llm_integration", place)
    assert "written by hand, by no model" in printed
    assert "warning in line 12, column 3: the confidence 'fairly sure' is no number" in printed
    assert "both rounds: 5 events, 5 ids, 0 broken links" in printed
    verdicts = dict(re.findall(r"^  (first round|second round|both) +(\w+):", printed, re.MULTILINE))
    assert verdicts == {"first round": "refused", "second round": "refused", "both": "passed"}
    chain = Chain.load(place / "example_traces/llm_integration.json")
    assert [event.confidence for event in chain] == [0.7, None, 0.75, 0.95, 0.9]
    assert chain[4].depends_on == (chain[3].id,)  # the second round's e1, not the first's
    slugify = runpy.run_path(str(place / "example_traces/slugify.py"))["slugify"]
    assert slugify("  Crème brûlée, à la carte! ") == "creme-brulee-a-la-carte"


@pytest.mark.parametrize(("count", "verdict"), [(0, "ok"), (1, "warning"), (2, "warning"), (3, "error")])
def test_the_gate_counts_ambiguities(count: int, verdict: str) -> None:
    """None is fine, one or two are a warning, more are an error; a chain that states no confidence is refused."""
    gate = runpy.run_path(str(EXAMPLES / "llm_integration.py"))["gate"]
    chain = Chain("gate")
    chain.extend(Event.new("ambiguity_flagged", f"a{number}", "nobody said") for number in range(count))
    verdicts = gate(chain)
    assert verdicts["ambiguities"] == verdict
    assert verdicts["mean confidence of 0.8"] == "error"
    assert verdicts["a hypothesis"] == "error"
    assert verdicts["at least 3 events"] == ("ok" if count >= 3 else "error")


def test_storage_and_search(place: Path) -> None:
    """A torn line costs one event, searches span chains, archives give back, and tampering is named at its event."""
    lines = lines_of(run("storage_and_search", place))
    assert any(line.startswith("live file   2 of 3 events are whole; the last line is not whole") for line in lines)
    assert "archived: old newsletter; 2 are left" in lines
    assert "restored: 3 again" in lines
    assert "store       'pay*' in checkout: lock the basket while [paying]" in lines
    assert "below 0.7: 0.55 rank by sales" in lines
    assert "below 0.7: 0.4 send on Tuesdays" in lines
    assert "sealed      holds" in lines
    assert "edited: altered, in 'lock the basket while paying'" in lines
    assert "sealed anew by a stranger: the wrong key" in lines
    folder = place / "example_traces/storage_and_search"
    edited = Chain.load(folder / "sealed.json")
    assert edited[1].reasoning == "two tabs would pay thrice"
    assert (edited[1].decision, edited.ledger is not None) == ("lock the basket while paying", True)
    assert len(read_live(folder / "orders.jsonl").chain) == 2
    assert sorted(Chain.load(path).name for path in (folder / "chains").glob("*.json")) == [
        "checkout",
        "old newsletter",
        "search page",
    ]


def test_chain_comparison(place: Path) -> None:
    """A revision is close, another plan less so, another task not at all; rewording is paired, pages are written."""
    printed = run("chain_comparison", place)
    found = re.findall(r"^(.+?)  +(\d\.\d\d) (high|moderate|low|equal)", printed, re.MULTILINE)
    verdicts = {name: (float(similarity), word) for name, similarity, word in found}
    assert {name: word for name, (_, word) in verdicts.items()} == {
        "by sorting, revised": "high",
        "by hashing": "moderate",
        "another task": "low",
        "itself": "equal",
    }
    assert verdicts["by sorting, revised"][0] > 0.8 >= verdicts["by hashing"][0] > 0.5 >= verdicts["another task"][0]
    assert "decision: sort them and compare neighbours → sort them, then compare each with its neighbours" in printed
    pages = sorted((place / "example_traces").glob("comparison_with_*.html"))
    assert len(pages) == 3
    assert all("by sorting" in page.read_text(encoding="utf-8") for page in pages)
    assert len(Chain.load(place / "example_traces/by_sorting.json")) == 4


def test_mermaid_export(place: Path) -> None:
    """All four kinds, the table with every event, Markdown, and a page that needs nothing from elsewhere."""
    printed = run("mermaid_export", place)
    folder = place / "example_traces"
    flowchart = (folder / "backup_flowchart.mmd").read_text(encoding="utf-8")
    assert printed.startswith(flowchart)
    firsts = {"sequence": "sequenceDiagram", "timeline": "timeline", "graph": "graph|flowchart"}
    for kind, first in firsts.items():
        assert re.search(f"^({first})", (folder / f"backup_{kind}.mmd").read_text(encoding="utf-8"), re.MULTILINE)
    rows = read_csv(folder / "backup.csv")
    assert [row["confidence"] for row in rows] == ["", "0.6", "0.85", "0.95", "0.9"]
    assert rows[2]["depends_on"].split("; ") == [rows[0]["id"], rows[1]["id"]]
    assert "# a backup for the wiki" in (folder / "backup.md").read_text(encoding="utf-8")
    page = (folder / "backup.html").read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)
    assert "<disk 2>" not in page


def test_training_run(place: Path) -> None:
    """The losses are the gradient descent's own, the failed training is in the chain, and the fit is all but exact."""
    printed = run("training_run", place)
    folder = place / "example_traces"
    chain = Chain.load(folder / "training_run.json")
    assert chain.validate_relationships() == []
    assert [problem for event in chain for problem in event.validate()] == []
    [failed] = chain.by_type("training_failed")
    [completed] = chain.by_type("training_completed")
    assert failed.metadata["error_type"] == "ArithmeticError"
    assert (failed.experiment_id, completed.experiment_id) == ("rate 0.5", "rate 0.05")
    second = chain.by_type("hyperparameter_tuned")[1]
    assert failed.metadata["error"] in second.reasoning

    rows = read_csv(folder / "training_run.csv")
    lines = [json.loads(line) for line in (folder / "training_run.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [float(row["loss"]) for row in rows] == [line["loss"] for line in lines]
    assert [float(row["val_loss"]) for row in rows] == [line["val_loss"] for line in lines]
    good = [line for line in lines if line["experiment_id"] == "rate 0.05"]
    bad = [line for line in lines if line["experiment_id"] == "rate 0.5"]
    assert [line["epoch"] for line in good] == list(range(1, len(good) + 1))
    assert good[-1]["loss"] < good[0]["loss"]
    assert bad[-1]["val_loss"] > 100
    assert len(chain.by_type("epoch_completed")) == len(lines) == len(chain.by_type("validation_run"))
    assert good[:5] == again(folder, good[:5])

    found = re.findall(r"y = (\S+)x (\S+), held-out loss (\S+)", printed)
    fitted, exact = ([float(word) for word in words] for words in found)
    assert fitted == pytest.approx(exact, abs=0.01)
    line = json.loads((folder / "line.json").read_text(encoding="utf-8"))
    assert [line["slope"], line["intercept"]] == pytest.approx(fitted[:2], abs=0.0006)
    page = (folder / "training_run.html").read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)


def again(folder: Path, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with losses computed here, by steps down the gradient on the example's points."""
    example = runpy.run_path(str(EXAMPLES / "training_run.py"))
    data = example["points"](80)
    line = (0.0, 0.0)
    made: list[dict[str, Any]] = []
    for row in rows:
        line = example["step"](line, data[:60], 0.05)
        made.append({**row, "loss": example["loss"](line, data[:60]), "val_loss": example["loss"](line, data[60:])})
    return made


def test_the_readme_names_every_example_and_shows_a_real_output(place: Path) -> None:
    """Each script has its row and command, and the block below the table is what its script prints."""
    rows = re.findall(
        r"^\| \[(\w+)\.py\]\((\w+)\.py\) \| .+ \| `python examples/trace/(\w+)\.py` \|$", README, re.MULTILINE
    )
    assert sorted(name for name, *_ in rows) == SCRIPTS
    assert all(len(set(row)) == 1 for row in rows)
    [(name, shown)] = re.findall(r"```console\n\$ python examples/trace/(\w+)\.py\n(.*?)```", README, re.DOTALL)
    assert run(name, place).rstrip() == shown.rstrip()
