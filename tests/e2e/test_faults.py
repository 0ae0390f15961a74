"""What goes wrong in the middle of an experiment, and that nothing is lost by it."""

import resource
import signal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Place

STEPS = 400


def final_loss(shown: dict[str, Any]) -> float:
    """The training's final loss of a run."""
    return shown["metrics"]["train.tuned"]["final_loss"]


def test_killed_run_resumes_to_the_same_loss(place: "Place") -> None:
    """Kill -9 in the middle of training, then resume: same final loss and same answers as an uninterrupted run."""
    place.write(steps=STEPS)
    place.crucible("run", "e.yaml")
    whole = place.show(place.runs()[0]["run_id"])

    process = place.start("run", "e.yaml")
    known = 2  # retention keeps two of the whole run's checkpoints
    place.interrupt(process, signal.SIGKILL, known + 2)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    killed = place.runs()[0]
    assert killed["status"] == "interrupted"
    assert "interrupted" in place.crucible("runs", "list")[0]

    out, _ = place.crucible("resume", killed["run_id"])
    assert "resuming" in out
    resumed = place.show(killed["run_id"])
    assert resumed["status"] == "completed"
    assert final_loss(resumed) == pytest.approx(final_loss(whole), abs=1e-6)
    assert resumed["metrics"]["train.tuned"]["steps"] == STEPS
    assert resumed["metrics"]["evaluate.tuned"] == whole["metrics"]["evaluate.tuned"]
    attempts = [(stage["name"], stage["status"], stage["attempt"]) for stage in resumed["stages"]]
    assert ("data_load", "ok", 1) in attempts
    assert ("supervised_train", "ok", 2) in attempts
    differences = place.crucible("runs", "diff", whole["run_id"], killed["run_id"], "--json")[0]
    assert '"experiment": []' in differences


@pytest.mark.slow
def test_ctrl_c_marks_the_run_cancelled_and_keeps_its_telemetry(place: "Place") -> None:
    """Ctrl-C ends with 130, says how to go on, keeps what was measured, and the run can go on."""
    place.write(steps=STEPS)
    process = place.start("run", "e.yaml")
    place.interrupt(process, signal.SIGINT, 1)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    (run,) = place.runs()
    assert run["status"] == "cancelled"
    assert f"crucible resume {run['run_id']}" in err
    assert "Traceback" not in err
    shown = place.show(run["run_id"])
    assert shown["events"]["crucible_train.batch.stop"] >= 8
    assert "cancelled" in [stage["status"] for stage in shown["stages"]]
    place.crucible("trace", "show", run["run_id"])
    place.crucible("resume", run["run_id"])
    assert place.show(run["run_id"])["metrics"]["train.tuned"]["steps"] == STEPS


@pytest.mark.slow
def test_two_runs_at_once_in_one_directory(place: "Place") -> None:
    """Two runs started together both complete, and each keeps everything of its own."""
    place.write(steps=40)
    processes = [place.start("run", "e.yaml", "--set", f"training_config.seed={seed}") for seed in (1, 2)]
    for process in processes:
        out, err = process.communicate(timeout=200)
        assert process.returncode == 0, out + err
    runs = place.runs()
    assert [run["status"] for run in runs] == ["completed", "completed"]
    for run in runs:
        shown = place.show(run["run_id"])
        assert shown["events"]["crucible_train.batch.stop"] == 40
        assert shown["events"]["crucible_framework.stage.stop"] == 6


def test_a_full_disk_is_an_error_that_names_the_file(place: "Place") -> None:
    """When files cannot grow any more the run fails with one paragraph; what was kept before can be read."""
    place.write(steps=STEPS)

    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))

    # Under `make test` the process measures its own coverage, and could not write that file either.
    place.environment = {key: value for key, value in place.environment.items() if not key.startswith("COVERAGE_")}
    _, err = place.crucible("run", "e.yaml", code=1, preexec_fn=small_disk)
    assert ".crucible" in err
    assert "space" in err
    (run,) = place.runs()
    assert run["status"] in ("failed", "interrupted")


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ("", "data.jsonl holds no item"),
        ('{"input": "a", "expected": "b"}\n{"input": "c"}\n', "data.jsonl"),
        ('{"input": "a", "expected": "b"}\nnot json\n', "data.jsonl:2"),
    ],
)
def test_bad_data_names_file_and_line(place: "Place", lines: str, complaint: str) -> None:
    """An empty file, an item without an answer and a broken line fail the stage by name."""
    (place.folder / "data.jsonl").write_text(lines)
    dataset = {"name": "jsonl", "options": {"path": "data.jsonl", "test_fraction": 0.5}}
    place.write(dataset=dataset)
    _, err = place.crucible("run", "e.yaml", code=1)
    assert "data_load" in err
    assert complaint in err
    assert place.runs()[0]["status"] == "failed"


def test_missing_data_and_unset_variable_say_what_to_do(place: "Place") -> None:
    """A folder that is not there, and ${NAME} that is not set, are named."""
    place.write(dataset={"name": "scifact", "options": {"path": "${NO_SUCH_VARIABLE}/scifact"}})
    assert "NO_SUCH_VARIABLE" in place.crucible("run", "e.yaml", code=1)[1]
    place.write(dataset={"name": "scifact", "options": {"path": "nowhere"}})
    assert "nowhere" in place.crucible("run", "e.yaml", code=1)[1]


def test_sequences_beyond_the_window_are_counted(place: "Place") -> None:
    """Items too long for the model are truncated, or left out, as the option says; either is counted and shown."""
    rows = ['{"input": "%s", "expected": "yes"}' % ("word " * (4 if n % 2 else 400) + str(n)) for n in range(20)]
    (place.folder / "data.jsonl").write_text("\n".join(rows))
    dataset = {"name": "jsonl", "options": {"path": "data.jsonl", "test_fraction": 0.2}}
    train = {"name": "supervised_train", "options": {"model": "tuned", "rank": 2, "max_steps": 4}}
    pipeline = [{"name": "data_load"}, train, {"name": "report"}]
    place.write(dataset=dataset, pipeline=pipeline)
    assert "prompts truncated to fit" in place.crucible("run", "e.yaml")[0]
    cut = place.show(place.runs()[0]["run_id"])["metrics"]["train.tuned"]
    assert cut["truncated"] > 0
    assert cut["refused"] == 0
    out, _ = place.crucible("run", "e.yaml", "--set", "pipeline[1].options.on_overflow=refuse")
    assert "items left out, too long" in out
    left_out = place.show(place.runs()[0]["run_id"])["metrics"]["train.tuned"]
    assert left_out["refused"] == cut["truncated"]
    assert left_out["truncated"] == 0


@pytest.mark.parametrize("model", ["nobody/no-such-model", "./no-such-folder"])
def test_a_base_model_that_cannot_be_had_is_one_sentence(place: "Place", model: str) -> None:
    """Without network a hub id fails with one clear sentence."""
    place.write()
    _, err = place.crucible("run", "e.yaml", "--set", f"training_config.model_ref.id={model}", code=1)
    assert model.removeprefix("./") in err
    assert len(err.strip().splitlines()) == 1
