"""`crucible telemetry export`, `archive`, `restore`, `import` and `remove`: recordings as files, and gone."""

from __future__ import annotations

import csv
import json
import math
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crucible.store import Store, open_store
from crucible.telemetry import Experiment

Crucible = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def store(crucible: Crucible) -> Iterator[Store]:
    """The store of the working directory."""
    with open_store(".crucible") as opened:
        yield opened


@pytest.fixture
def recording(store: Store) -> str:
    """An experiment of 20 requests by lovelace and of a series, one of whose numbers is NaN."""
    with Experiment.start("requests", store=store, tags=["llm"]) as experiment:
        for step in range(20):
            experiment.log_metric("loss[user=lovelace]", math.nan if step == 3 else 1.0, step)
            told = {"model": "small" if step % 2 else "large", "user_id": "lovelace"}
            experiment.emit("req_llm.request.stop", {"duration": 10**8, "n": step}, told)
        experiment.emit("other.event", {"n": 1})
    return experiment.id


def test_export_by_suffix_and_by_format(crucible: Crucible, recording: str) -> None:
    """Events go to CSV, JSON lines or Parquet; the path alone is on stdout, the counts are on stderr."""
    done = crucible("telemetry", "export", recording, "-o", "events.csv")
    assert done.stdout == "events.csv\n"
    assert done.stderr.startswith("21 events, ")
    with Path("events.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 21
    crucible("telemetry", "export", recording, "-o", "events.jsonl")
    assert len(Path("events.jsonl").read_text().splitlines()) == 21
    written = crucible("telemetry", "export", recording, "--format", "parquet").stdout.strip()
    assert written.startswith("exports/requests_")
    assert Path(written).read_bytes()[:4] == b"PAR1"
    said = json.loads(crucible("telemetry", "export", recording, "--points", "-o", "p.csv", "--json").stdout)
    assert (said["path"], said["rows"], said["what"]) == ("p.csv", 20, "points")


def test_export_of_some_events(crucible: Crucible, recording: str) -> None:
    """Names, fields and times choose events; what fits none makes an empty file."""

    def rows(*arguments: str) -> int:
        said = crucible("telemetry", "export", recording, "-o", "some.jsonl", "--json", *arguments)
        return json.loads(said.stdout)["rows"]

    assert rows("--name", "req_llm.*") == 20
    assert rows("--name", "other.event", "--name", "req_llm.request.stop") == 21
    assert rows("--where", "model=large") == 10
    assert rows("--where", "model=large", "--where", "n=4") == 1
    assert rows("--since", "1h") == 21
    assert rows("--until", "1h") == 0
    assert rows("--since", "2026-01-01", "--until", "2026-01-02T00:00") == 0
    assert Path("some.jsonl").read_text() == ""


def test_export_without_anybody(crucible: Crucible, recording: str) -> None:
    """Dropped or hashed, the user is in no file, nor in the names of series; the key is never printed."""
    for number, (arguments, environment) in enumerate(
        [
            (("--anonymize", "drop"), {}),
            (("--anonymize", "hash"), {"CRUCIBLE_ANONYMIZE_KEY": "very secret"}),
            (("--anonymize", "hash", "--key-file", "key"), {}),
        ]
    ):
        Path("key").write_text("very secret\n")
        for more in ((), ("--points",)):
            file = f"{number}{len(more)}.csv"
            done = crucible("telemetry", "export", recording, "-o", file, *arguments, *more, **environment)
            assert "lovelace" not in Path(file).read_text()
            assert "very secret" not in done.stdout + done.stderr + Path(file).read_text()
    assert Path("10.csv").read_text() == Path("20.csv").read_text()
    assert "lovelace" in Path(crucible("telemetry", "export", recording).stdout.strip()).read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--anonymize", "hash"), "$CRUCIBLE_ANONYMIZE_KEY is not set"),
        (("--anonymize", "hsh"), 'did you mean "hash"?'),
        (("--anonymize", "hash", "--key-file", "nowhere"), "cannot be read"),
        (("--anonymize", "hash", "--key-file", "empty"), "empty is empty"),
        (("--key-file", "empty"), "--key-file is the key of --anonymize hash"),
        (("--points", "--name", "x"), "--name chooses events"),
        (("--points", "--since", "1h"), "--since chooses events"),
        (("--since", "yesterday"), "--since must be a moment such as"),
        (("--where", "model"), "FIELD=VALUE"),
        (("--format", "xls"), "csv, jsonl, parquet"),
        (("-o", "file.doc"), "csv, jsonl, parquet"),
    ],
)
def test_export_refuses(crucible: Crucible, recording: str, arguments: tuple[str, ...], words: str) -> None:
    """What cannot be is one sentence and exit code 2, and nothing is written."""
    Path("empty").write_text("\n")
    assert words in crucible("telemetry", "export", recording, *arguments, code=2).stderr
    assert not Path("exports").exists()


@pytest.mark.parametrize("place", ["archive", "archive.jsonl", "archive.jsonl.gz"])
def test_archived_and_brought_back(crucible: Crucible, recording: str, place: str) -> None:
    """What was archived comes back into another store with the same metrics; twice is refused."""
    assert crucible("telemetry", "archive", recording, place).stdout == f"{place}\n"
    assert "give --replace" in crucible("telemetry", "archive", recording, place, code=1).stderr
    said = json.loads(crucible("telemetry", "archive", recording, place, "--replace", "--json").stdout)
    assert said == {"recording": recording, "path": place}
    assert recording in crucible("telemetry", "restore", place, "--store", "other").stdout
    one, other = (
        json.loads(crucible("telemetry", "show", recording, "--json", "--store", where).stdout)["metrics"]
        for where in (".crucible", "other")
    )
    assert one == other
    assert "already" in crucible("telemetry", "restore", place, code=1).stderr
    again = json.loads(crucible("telemetry", "restore", place, "--store", "third", "--json").stdout)
    assert [info["id"] for info in again] == [recording]
    assert "no archive at nowhere" in crucible("telemetry", "restore", "nowhere", code=2).stderr


def test_what_goes_on_is_neither_archived_nor_removed(crucible: Crucible, store: Store) -> None:
    """A recording under way is refused with exit code 2, and stays."""
    with Experiment.start("live", store=store) as experiment:
        experiment.log_metric("loss", 1.0, 0)
        experiment.flush()
        for command in (("archive", experiment.id, "there.jsonl"), ("remove", experiment.id)):
            assert "is running" in crucible("telemetry", *command, code=2).stderr
    assert not Path("there.jsonl").exists()
    assert "loss" in crucible("telemetry", "show", experiment.id).stdout


def test_remove(crucible: Crucible, store: Store, recording: str) -> None:
    """An experiment goes with its data, or without it; a run is not removed here."""
    said = crucible("telemetry", "remove", recording[:12]).stdout
    assert said == f'removed experiment {recording} ("requests")\n'
    assert "there is no telemetry experiment" in crucible("telemetry", "show", recording, code=2).stderr
    with Experiment.start("kept", store=store) as kept:
        kept.emit("x.y", {"n": 1})
    said = json.loads(crucible("telemetry", "remove", kept.id, "--keep-data", "--json").stdout)
    assert said == {"removed": kept.id, "data_kept": True}
    assert "x.y" in crucible("telemetry", "show", kept.id).stdout
    crucible("run", "checked.yaml")
    (run,) = store.runs.list()
    assert "crucible runs gc" in crucible("telemetry", "remove", run.run_id, code=2).stderr


def test_history_of_another_tool_is_brought_in(crucible: Crucible) -> None:
    """Each run becomes an experiment, what could not be read is said, and what is there already stays."""
    run = Path("wandb-run")
    run.mkdir()
    lines = [
        json.dumps({"_step": step, "_timestamp": 1_796_000_000 + step, "loss": 1 / (1 + step)}) for step in range(5)
    ]
    (run / "history.jsonl").write_text("\n".join([*lines[:3], '{"torn', *lines[3:]]) + "\n")
    done = crucible("telemetry", "import", "wandb-run", "--store", "new")
    (entry,) = json.loads(crucible("telemetry", "list", "--json", "--store", "new").stdout)
    assert entry["id"] in done.stdout
    assert "history.jsonl:4" in done.stdout
    assert "loss" in crucible("telemetry", "show", entry["id"], "--store", "new").stdout
    assert "(there already)" in crucible("telemetry", "import", "wandb-run", "--store", "new").stdout
    said = json.loads(crucible("telemetry", "import", "wandb-run", "--store", "newer", "--json").stdout)
    assert (said[0]["was_there"], said[0]["points"]) == (False, 5)
    assert "there is nothing at nowhere" in crucible("telemetry", "import", "nowhere", code=2).stderr
    assert "no history that is known" in crucible("telemetry", "import", "checked.yaml", code=2).stderr
