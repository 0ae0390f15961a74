"""A training that was killed goes on exactly; what is damaged or another training's is not gone on from."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from crucible import events
from crucible.backends.base_files import base_digest
from crucible.data import Item
from crucible.errors import CheckpointError
from crucible.ir import LoraConfig, to_dict
from crucible.train import Trainer, TrainResult
from crucible.train.checkpoints import joined

Configure = Callable[..., LoraConfig]
StoppingAt = Callable[[int], AbstractContextManager[None]]

_KILLED = """
import json, os, signal, sys
from pathlib import Path
from crucible import events
from crucible.data import make_tickets
from crucible.ir import LoraConfig
from crucible.train import Trainer

def die(event):
    if event.measurements["step"] == 7:
        os.kill(os.getpid(), signal.SIGKILL)

events.attach("die", "crucible_train.batch.stop", die)
config = LoraConfig.read(json.loads(sys.argv[1]))
Trainer.start(config, workspace=Path(sys.argv[2])).train(make_tickets(11, seed=5))
"""


def run(config: LoraConfig, items: list[Item], workspace: Path, *, resume: bool = False) -> TrainResult:
    """Train, save the adapter, and close."""
    with Trainer.start(config, workspace=workspace) as trainer:
        result = trainer.train(items, resume=resume)
        trainer.save("adapter")
        return result


def flip_last_byte(path: Path) -> None:
    """Change a file a little."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def adapter_bytes(workspace: Path) -> bytes:
    """Return the weights that `run` saved."""
    return (workspace / "saved" / "adapter" / "adapter_model.safetensors").read_bytes()


@pytest.fixture
def halted(configure: Configure, items: list[Item], tmp_path: Path, stopping_at: StoppingAt) -> tuple[LoraConfig, Path]:
    """A training of 10 steps that was cancelled at step 5, when the next was sent; checkpoints at 4 and 6."""
    config = configure(max_steps=10, checkpoint_interval=4)
    workspace = tmp_path / "halted"
    with stopping_at(5):
        run(config, items, workspace)
    return config, workspace


@pytest.mark.slow
def test_killed_and_resumed_ends_to_the_bit_like_uninterrupted(
    configure: Configure, items: list[Item], tmp_path: Path
) -> None:
    """`kill -9` in the middle, then resume: every loss and every weight is that of a training that never stopped."""
    config = configure(max_steps=10, checkpoint_interval=3, validation_fraction=0.2, schedule="cosine")
    killed = tmp_path / "killed"
    process = subprocess.run(
        [sys.executable, "-c", _KILLED, json.dumps(to_dict(config)), str(killed)], check=False, env=dict(os.environ)
    )
    assert process.returncode == -signal.SIGKILL
    assert not (killed / "saved").exists()
    with events.collect("crucible_train.batch.stop") as found:
        resumed = run(config, items, killed, resume=True)
    assert [event.measurements["step"] for event in found] == [7, 8, 9, 10]
    whole = run(config, items, tmp_path / "whole")
    assert (resumed.initial_loss, resumed.final_loss) == (whole.initial_loss, whole.final_loss)
    assert (resumed.history, resumed.validation, resumed.tokens) == (whole.history, whole.validation, whole.tokens)
    assert adapter_bytes(killed) == adapter_bytes(tmp_path / "whole")


@pytest.mark.parametrize(
    "file", ["step-000006/adapter_model.safetensors", "step-000006/manifest.json", "step-000006.json"]
)
def test_a_corrupt_newest_checkpoint_is_skipped_and_the_trace_says_so(
    halted: tuple[LoraConfig, Path], items: list[Item], tmp_path: Path, file: str
) -> None:
    """One flipped byte in weights, manifest or record: the training goes on from the one before, and says why."""
    config, workspace = halted
    path = workspace / "checkpoints" / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with events.collect("crucible_trace.decision.made") as found:
        resumed = run(config, items, workspace, resume=True)
    decision = found[0].metadata
    assert decision["decision"] == "went on from the checkpoint at step 4"
    assert "step 6" in decision["reasoning"]
    assert "corrupt" in decision["reasoning"] or "not the one" in decision["reasoning"]
    assert resumed.history == run(config, items, tmp_path / "whole").history


def test_a_missing_folder_is_skipped_too(halted: tuple[LoraConfig, Path], items: list[Item]) -> None:
    """A record whose folder is gone does not count."""
    config, workspace = halted
    (workspace / "checkpoints" / "step-000006").rename(workspace / "elsewhere")
    with events.collect("crucible_trace.decision.made") as found:
        run(config, items, workspace, resume=True)
    assert found[0].metadata["decision"] == "went on from the checkpoint at step 4"


def test_what_a_killed_process_left_half_written_is_swept(halted: tuple[LoraConfig, Path], items: list[Item]) -> None:
    """A folder without a record, and a temporary one, are removed when the training goes on."""
    config, workspace = halted
    folder = workspace / "checkpoints"
    for name in ("step-000007", ".step-000008.ab12.tmp"):
        (folder / name).mkdir()
    with events.collect("crucible_train.batch.stop") as found:
        run(config, items, workspace, resume=True)
    assert found[0].measurements["step"] == 7
    left = {path.name for path in folder.iterdir() if path.is_dir()}
    assert left >= {"step-000008", "step-000010"}
    assert not left & {"step-000007", ".step-000008.ab12.tmp"}


def test_without_any_good_checkpoint_the_training_starts_again(
    halted: tuple[LoraConfig, Path], items: list[Item], tmp_path: Path
) -> None:
    """All damaged: from step 0, said in the trace, with the numbers of a fresh training."""
    config, workspace = halted
    for path in (workspace / "checkpoints").glob("step-*.json"):
        path.write_text("{")
    with events.collect("crucible_trace.decision.made") as found:
        resumed = run(config, items, workspace, resume=True)
    assert found[0].metadata["decision"] == "started again from step 0"
    assert len(found[0].metadata["alternatives"]) == 2
    assert resumed.history == run(config, items, tmp_path / "whole").history


def test_resume_of_nothing_is_a_fresh_training(configure: Configure, items: list[Item], tmp_path: Path) -> None:
    """A stage that was killed before its first checkpoint just starts; there is nothing to tell."""
    with events.collect("crucible_trace.decision.made") as found:
        assert run(configure(), items, tmp_path, resume=True).steps == 6
    assert not any("step 0" in event.metadata["decision"] for event in found)


def test_resume_of_a_finished_training_only_measures(configure: Configure, items: list[Item], tmp_path: Path) -> None:
    """Killed between the last step and the end, it takes no further step and gives the same result."""
    first = run(configure(validation_fraction=0.2), items, tmp_path)
    with events.collect("crucible_train.batch.stop") as found:
        second = run(configure(validation_fraction=0.2), items, tmp_path, resume=True)
    assert found == []
    assert second == first


def test_another_configuration_or_other_data_is_refused_by_name(
    halted: tuple[LoraConfig, Path], items: list[Item]
) -> None:
    """Going on with another rate or other items would be neither the old training nor a new one."""
    config, workspace = halted
    with pytest.raises(CheckpointError, match=r"learning_rate was 0\.005 and is 0\.1"):
        run(config.model_copy(update={"learning_rate": 0.1}), items, workspace, resume=True)
    with pytest.raises(CheckpointError, match="data was"):
        run(config, items[:-1], workspace, resume=True)


def test_a_base_model_that_changed_meanwhile_is_refused(
    base: Path, configure: Configure, items: list[Item], tmp_path: Path
) -> None:
    """Its name is the same and its weights are not: a resumed training would be another one."""
    folder = shutil.copytree(base, tmp_path / "base")
    config = configure(base_model=str(folder))
    assert run(config, items, tmp_path / "work").base_digest == base_digest(base)
    flip_last_byte(folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=f"base_digest was '{base_digest(base)}' and is '{base_digest(folder)}'"):
        run(config, items, tmp_path / "work", resume=True)


def test_foreign_files_beside_checkpoints_do_no_harm(halted: tuple[LoraConfig, Path], items: list[Item]) -> None:
    """Only `step-<number>.json` is a record."""
    config, workspace = halted
    (workspace / "checkpoints" / "step-best.json").write_text("{}")
    assert run(config, items, workspace, resume=True).steps == 10
    assert (workspace / "checkpoints" / "step-best.json").exists()


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # PEFT's own call
def test_plain_peft_opens_what_was_saved(base: Path, configure: Configure, items: list[Item], tmp_path: Path) -> None:
    """The folder is the PEFT layout: PEFT and transformers load it without Crucible."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with Trainer.start(configure(learning_rate=0.05), workspace=tmp_path) as trainer:
        trainer.train(items)
        saved = trainer.save("adapter")
        ours = trainer.create_sampler().logprobs([items[0].input])[0]
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), saved.local_path).eval()
    ids = tokenizer(items[0].input, return_tensors="pt", add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        scores = model(input_ids=ids).logits.log_softmax(-1)
    theirs = scores[0, :-1].gather(-1, ids[0, 1:, None]).squeeze(-1).tolist()
    assert ours[1:] == pytest.approx(theirs, abs=1e-4)


@pytest.mark.parametrize(("steps", "words"), [([6], "6"), ([6, 8], "6 and 8"), ([2, 4, 6], "2, 4 and 6")])
def test_steps_in_words(steps: list[int], words: str) -> None:
    """As a sentence lists them."""
    assert joined(steps) == words
