"""A document in several processes by torchrun: the curve of one, one store, and what happens when a process is lost."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Place

pytestmark = pytest.mark.slow  # each starts two processes with PyTorch, torchrun a third
STEPS = 300


def start(place: Place, *arguments: str, count: int = 2, **environment: str) -> subprocess.Popen[str]:
    """Start `torchrun … -m crucible …`."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    return subprocess.Popen(
        [*launcher, "-m", "crucible", *arguments],
        cwd=place.folder,
        env={**place.environment, "GLOO_SOCKET_IFNAME": "lo", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def worker(launcher: subprocess.Popen[str], rank: int) -> int:
    """Return the process id of a rank below a launcher."""
    for folder in Path("/proc").iterdir():
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == launcher.pid and f"RANK={rank}".encode() in (folder / "environ").read_bytes().split(
                b"\0"
            ):
                return int(folder.name)
        except (OSError, IndexError):
            continue
    raise AssertionError(f"no process of rank {rank} below {launcher.pid}")


def curve(place: Place, run_id: str) -> list[float]:
    """The loss of every step of a run."""
    (history,) = place.folder.glob(f".crucible/artifacts/{run_id}/train/tuned/history.json")
    return [record["loss"] for record in json.loads(history.read_text())]


def whole(place: Place) -> dict[str, Any]:
    """Run the document in one process, and return what the store keeps of it."""
    place.crucible("run", "e.yaml")
    return place.show(place.runs()[0]["run_id"])


def await_checkpoint(place: Place, process: subprocess.Popen[str], step: int = 16) -> None:
    """Wait until the run that is under way has left a checkpoint of a step, or a later one."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        left = place.folder.glob(".crucible/artifacts/*/train/*/checkpoints/step-*.json")
        if any(int(re.sub(r"\D", "", path.stem)) >= step for path in left):
            return
        time.sleep(0.01)
    raise AssertionError("no checkpoint appeared")


def test_the_same_document_gives_the_curve_of_one_process(place: Place) -> None:
    """To 1e-5 at every step, with the same answers; one run in the store, told once; the processes are kept."""
    place.write(steps=40)
    process = start(place, "run", "e.yaml")
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, out + err
    (run,) = place.runs()
    two = place.show(run["run_id"])
    assert out.count("✓ supervised_train") == 1
    assert two["events"]["crucible_train.batch.stop"] == 40
    assert two["provenance"]["processes"] == 2
    one = whole(place)
    assert curve(place, run["run_id"]) == pytest.approx(curve(place, one["run_id"]), rel=1e-5, abs=1e-5)
    assert two["metrics"]["evaluate.tuned"] == one["metrics"]["evaluate.tuned"]
    assert "processes" not in one["provenance"]


def test_a_killed_process_ends_the_run_with_a_clear_error_and_a_checkpoint(place: Place) -> None:
    """Kill -9 of process 1: process 0 names it within seconds, and the run is failed.

    One process alone goes on with it, along the curve of an undisturbed one.
    """
    place.write(steps=STEPS)
    process = start(place, "run", "e.yaml")
    await_checkpoint(place, process)
    os.kill(worker(process, 1), signal.SIGKILL)
    killed_at = time.monotonic()
    _, err = process.communicate(timeout=120)
    assert time.monotonic() - killed_at < 15
    assert process.returncode != 0
    assert "process 1 of 2" in err
    assert "is gone" in err
    (run,) = place.runs()
    assert run["status"] == "failed"
    place.crucible("resume", run["run_id"])
    resumed = place.show(run["run_id"])
    assert resumed["metrics"]["train.tuned"]["steps"] == STEPS
    two, one = curve(place, run["run_id"]), curve(place, whole(place)["run_id"])
    assert two[:40] == pytest.approx(one[:40], rel=1e-5, abs=1e-5)
    assert two == pytest.approx(one, rel=1e-3)  # Adam magnifies the last bit over hundreds of steps


def test_a_killed_leader_ends_the_others_and_two_go_on(place: Place) -> None:
    """Kill -9 of process 0: the launcher ends, nobody is left over, and the run goes on in two processes."""
    place.write(steps=STEPS)
    process = start(place, "run", "e.yaml")
    await_checkpoint(place, process)
    other = worker(process, 1)
    os.kill(worker(process, 0), signal.SIGKILL)
    process.communicate(timeout=60)
    assert not Path(f"/proc/{other}").exists()
    (run,) = place.runs()
    assert run["status"] == "interrupted"
    again = start(place, "resume", run["run_id"])
    out, err = again.communicate(timeout=240)
    assert again.returncode == 0, out + err
    assert place.show(run["run_id"])["metrics"]["train.tuned"]["steps"] == STEPS


@pytest.mark.parametrize("whom", ["launcher", "process 1"])
def test_a_request_to_stop_cancels_the_run_with_a_checkpoint_of_its_last_step(place: Place, whom: str) -> None:
    """Ctrl-C of torchrun, or SIGTERM of any process: the run is cancelled, by process 0, and nobody is left over."""
    place.write(steps=4000)
    process = start(place, "run", "e.yaml")
    await_checkpoint(place, process)
    other = worker(process, 1)
    if whom == "launcher":
        process.send_signal(signal.SIGINT)
    else:
        os.kill(other, signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    (run,) = place.runs()
    assert run["status"] == "cancelled", err
    assert f"crucible resume {run['run_id']}" in err
    assert not Path(f"/proc/{other}").exists()


def test_what_cannot_be_shared_is_refused_by_name(place: Place) -> None:
    """A remote backend or one named GPU: `validate` and `run` say so, once, and nothing is kept."""
    place.write(backend={"id": "tinker"})
    for command in ("validate", "run"):
        process = start(place, command, "e.yaml", TINKER_API_KEY="tml-none")
        _, err = process.communicate(timeout=120)
        assert process.returncode != 0
        assert err.count("backend.id: tinker computes elsewhere") == 1
    assert not (place.folder / ".crucible").exists()


def test_a_script_of_your_own_shares_a_training_by_one_line(place: Place) -> None:
    """`spread(main)`: the trainer's curve is that of one process; without the line it is refused."""
    script = place.folder / "tune.py"
    script.write_text(
        "import json, sys\n"
        "from crucible import data, train\n"
        "from crucible.backends import spread\n"
        "def main():\n"
        f"    config = train.LoraConfig(base_model={str(place.base)!r}, rank=4, max_steps=6, batch_size=4)\n"
        "    with train.Trainer.start(config, workspace=sys.argv[2]) as trainer:\n"
        "        result = trainer.train(data.make_tickets(20, seed=1))\n"
        "        trainer.save('tuned')\n"
        "    print(json.dumps([step['loss'] for step in result.history]))\n"
        "spread(main) if sys.argv[1] == 'spread' else main()\n"
    )
    losses: list[list[float]] = []
    for count in (1, 2):
        launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
        done = subprocess.run(
            [*launcher, str(script), "spread", f"work-{count}"],
            cwd=place.folder,
            env={**place.environment, "GLOO_SOCKET_IFNAME": "lo"},
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert done.returncode == 0, done.stderr
        losses.append(json.loads(done.stdout))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    alone = {**place.environment, "RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    command = [sys.executable, str(script), "alone", "work-alone"]
    refused = subprocess.run(command, cwd=place.folder, env=alone, capture_output=True, text=True, timeout=100)
    assert "crucible.backends.spread" in refused.stderr
    assert not (place.folder / "work-alone").exists()
