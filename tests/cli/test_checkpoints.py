"""`crucible checkpoints`: listed, shown, verified, fetched, merged and pruned, for people and for programs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from crucible.backends.checkpoint import verify_checkpoint, write_checkpoint
from crucible.ir import LoraConfig

Crucible = Callable[..., subprocess.CompletedProcess[str]]


def make(folder: Path, step: int, loss: float, *, model: str = "m") -> Path:
    """Write a checkpoint whose form is real and whose tensors are not."""
    about = {"model": model, "base_model": "tiny", "step": step, "data": {"synthetic": True}}
    about |= {"metrics": {"validation_loss": loss, "accuracy": loss / 10}}
    files = {
        "adapter_config.json": b"{}",
        "adapter_model.safetensors": b"weights",
        "optimizer.safetensors": b"moments",
        "state.json": b"{}",
        "training.json": json.dumps(about).encode(),
    }
    return write_checkpoint(folder / f"step-{step:06d}", files)


@pytest.fixture
def work(crucible: Crucible, tmp_path: Path) -> Path:
    """A workspace with four checkpoints; the second is best."""
    for step, loss in ((2, 3.0), (4, 1.0), (6, 2.0), (8, 4.0)):
        make(tmp_path / "work" / "checkpoints", step, loss)
    return tmp_path / "work"


def test_list_by_step(crucible: Crucible, work: Path) -> None:
    """A line each, whether the workspace or the folder is named; all of it as JSON."""
    shown = crucible("checkpoints", "list", "work").stdout
    assert shown == crucible("checkpoints", "list", "work/checkpoints").stdout
    lines = [line.split() for line in shown.splitlines()]
    assert [line[0] for line in lines[1:]] == ["step-000002", "step-000004", "step-000006", "step-000008"]
    assert "accuracy 0.1, validation_loss 1" in shown
    assert "synthetic data" in shown
    found = json.loads(crucible("checkpoints", "list", "work", "--json").stdout)
    assert [each["step"] for each in found] == [2, 4, 6, 8]
    assert {"name", "metrics", "size_bytes", "sha256", "created_at", "files", "about", "problem"} <= set(found[0])


def test_an_empty_place_and_a_wrong_path(crucible: Crucible, tmp_path: Path) -> None:
    """Nothing is said to be nothing; a path that is not there is bad input."""
    (tmp_path / "empty").mkdir()
    assert crucible("checkpoints", "list", "empty").stdout == "no checkpoints in empty\n"
    assert crucible("checkpoints", "list", "empty", "--json").stdout == "[]\n"
    assert "there is no folder nowhere; check the path" in crucible("checkpoints", "list", "nowhere", code=2).stderr
    assert "Protocol not known" in crucible("checkpoints", "list", "zzz://a/b", code=2).stderr


def test_the_commands_of_the_guide_do_what_it_says(crucible: Crucible, work: Path) -> None:
    """Each line of the table in docs/checkpoints.md is a command that there is, with the options that it has."""
    page = (Path(__file__).parents[2] / "docs" / "checkpoints.md").read_text(encoding="utf-8")
    lines = re.findall(r"`crucible (checkpoints [^`]+)`", page)
    assert len(lines) == 6
    for line in lines:
        words = line.replace("PLACE", "work").replace("NAME", "step-000004").replace("DIR", "copy").split()
        if "merge" in words:  # tested with real weights elsewhere
            assert "--into" in crucible(*words[:2], "--help").stdout
        else:
            assert crucible(*words).stdout
    verify_checkpoint(work.parent / "copy")


def test_show_one(crucible: Crucible, work: Path) -> None:
    """By place and name, or by its own folder; without a name, the names to choose from."""
    shown = crucible("checkpoints", "show", "work", "step-000004").stdout
    assert crucible("checkpoints", "show", "work/checkpoints/step-000004").stdout == shown
    for part in ("step-000004", "tiny", "synthetic", "adapter_config.json"):
        assert part in shown
    told = crucible("checkpoints", "show", "work", code=2).stderr
    assert "has 4 checkpoints; name one of step-000002, step-000004" in told
    told = crucible("checkpoints", "show", "work", "step-4", code=2).stderr
    assert "there is no checkpoint 'step-4' in" in told
    assert "cannot name a checkpoint" in crucible("checkpoints", "show", "work", "../work", code=2).stderr


def test_best(crucible: Crucible, work: Path) -> None:
    """The lowest loss by default, the highest of any metric; an unknown one names those there are."""
    assert "step-000004" in crucible("checkpoints", "best", "work").stdout
    highest = crucible("checkpoints", "best", "work", "--metric", "accuracy", "--mode", "max", "--json").stdout
    assert json.loads(highest)["step"] == 8
    told = crucible("checkpoints", "best", "work", "--metric", "acc", code=2).stderr
    assert "the metrics are accuracy, validation_loss" in told
    assert "mode must be min or max" in crucible("checkpoints", "best", "work", "--mode", "low", code=2).stderr


def test_verify_names_what_is_damaged(crucible: Crucible, work: Path) -> None:
    """All of them, or one; exit code 1 where one is damaged, and the list says so too."""
    assert crucible("checkpoints", "verify", "work").stdout.count("whole") == 4
    (work / "checkpoints" / "step-000006" / "optimizer.safetensors").write_bytes(b"m0ments")
    (work / "checkpoints" / "step-000008" / "optimizer.safetensors").write_bytes(b"mom")
    shown = crucible("checkpoints", "verify", "work", code=1).stdout
    assert "optimizer.safetensors is corrupt" in shown
    found = json.loads(crucible("checkpoints", "verify", "work", "--json", code=1).stdout)
    assert [each["whole"] for each in found] == [True, True, False, False]
    assert crucible("checkpoints", "verify", "work", "step-000002").stdout == "step-000002  whole\n"
    assert "damaged:" in crucible("checkpoints", "list", "work").stdout
    assert "damaged:" in crucible("checkpoints", "show", "work", "step-000008", code=1).stdout


def test_fetch_copies_one(crucible: Crucible, work: Path, tmp_path: Path) -> None:
    """The path is on stdout; a folder with other things is left alone."""
    assert crucible("checkpoints", "fetch", "work", "step-000004").stdout == "step-000004\n"
    verify_checkpoint(tmp_path / "step-000004")
    done = json.loads(crucible("checkpoints", "fetch", "work", "step-000002", "--into", "deep/c", "--json").stdout)
    verify_checkpoint(tmp_path / done["path"])
    told = crucible("checkpoints", "fetch", "work", "step-000002", "--into", ".", code=1).stderr
    assert "holds something other than a checkpoint" in told


def test_prune_keeps_the_best_and_the_newest(crucible: Crucible, work: Path) -> None:
    """What a dry run says is what is done; then there is nothing to remove."""
    said = crucible("checkpoints", "prune", "work", "--keep", "2", "--dry-run").stdout
    assert said == "would remove step-000002, step-000006\n"
    assert crucible("checkpoints", "prune", "work", "--keep", "2").stdout == "removed step-000002, step-000006\n"
    assert crucible("checkpoints", "prune", "work", "--keep", "2").stdout == "nothing to remove\n"
    assert sorted(path.name for path in (work / "checkpoints").iterdir()) == ["step-000004", "step-000008"]
    crucible("checkpoints", "prune", "work", "--keep", "1", code=2)


def test_names_of_others_are_printed_safely(crucible: Crucible, tmp_path: Path) -> None:
    """No escape sequence of a checkpoint reaches the terminal."""
    make(tmp_path / "c", 1, 1.0, model="\x1b[31mred")
    assert "\x1b" not in crucible("checkpoints", "show", "c").stdout


def test_a_url_is_a_place_too(crucible: Crucible, work: Path) -> None:
    """The same commands on another file system: listed, fetched, verified."""
    import fsspec

    from crucible.train.keeping import open_checkpoints

    files = fsspec.filesystem("memory")
    if files.exists("/cli"):
        files.rm("/cli", recursive=True)
    open_checkpoints("memory://cli/runs").put(work / "checkpoints" / "step-000004")
    assert "step-000004" in crucible("checkpoints", "list", "memory://cli/runs").stdout
    assert "step-000004" in crucible("checkpoints", "show", "memory://cli/runs/step-000004").stdout
    assert crucible("checkpoints", "verify", "memory://cli/runs").stdout == "step-000004  whole\n"
    assert crucible("checkpoints", "fetch", "memory://cli/runs/step-000004").stdout == "step-000004\n"


def test_merge_makes_a_plain_model(crucible: Crucible, tmp_path: Path, base: Path) -> None:
    """From a real training's checkpoint to a model that transformers opens; another base is refused unless told."""
    from transformers import AutoModelForCausalLM

    from crucible.data import make_tickets
    from crucible.train import Trainer

    config = LoraConfig(base_model=str(base), rank=2, batch_size=4, max_steps=2)
    with Trainer.start(config, workspace=tmp_path / "work") as trainer:
        trainer.train(make_tickets(8, seed=1))
    assert crucible("checkpoints", "merge", "work", "step-000002", "--into", "merged").stdout == "merged\n"
    AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    other = shutil.copytree(base, tmp_path / "other")
    (other / "tokenizer_config.json").write_text((base / "tokenizer_config.json").read_text() + "\n")
    command = ["checkpoints", "merge", "work", "step-000002", "--into", "again", "--base", "other"]
    assert "with --any-base" in crucible(*command, code=1).stderr
    crucible(*command, "--any-base")
    told = crucible("checkpoints", "merge", "work", "step-000002", "--into", "x", "--dtype", "int4", code=2).stderr
    assert "--dtype must be float32 or base" in told
