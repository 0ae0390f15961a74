"""A merged model is the base with the adapter, to 1e-5, for whoever opens it without Crucible."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM
from transformers.utils import logging as transformers_logging

from crucible.backends import LocalBackend
from crucible.backends.checkpoint import verify_checkpoint
from crucible.errors import CheckpointError, StoreError
from crucible.ir import LoraConfig, file_sha256
from crucible.train import Trainer
from crucible.train.keeping import merge

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # PEFT's own call

IDS = torch.tensor([[5, 17, 200, 31, 8, 99, 120]])


def logits(model: Any) -> torch.Tensor:
    """Return a model's scores of a few tokens."""
    with torch.no_grad():
        return model.eval()(input_ids=IDS).logits  # (1, 7, V)


@pytest.fixture(scope="module")
def trained(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace of a short training with a rate that moves the weights; its adapter is saved as `tuned`."""
    from crucible.data import make_tickets

    workspace = tmp_path_factory.mktemp("work")
    config = LoraConfig(base_model=str(base), rank=4, learning_rate=0.05, batch_size=4, max_steps=4)
    with Trainer.start(config, workspace=workspace) as trainer:
        trainer.train(make_tickets(11, seed=5))
        trainer.save("tuned")
    return workspace


def test_plain_transformers_opens_it_with_the_adapters_logits(trained: Path, base: Path, tmp_path: Path) -> None:
    """Equal to 1e-5 to plain PEFT's adapter on the base, and far from the base alone; the tokenizer is the base's."""
    adapter = trained / "saved" / "tuned"
    into = merge(adapter, None, tmp_path / "merged")
    merged = AutoModelForCausalLM.from_pretrained(into)
    plain = AutoModelForCausalLM.from_pretrained(base)
    before = logits(plain)
    theirs = logits(PeftModel.from_pretrained(plain, adapter))
    torch.testing.assert_close(logits(merged), theirs, atol=1e-5, rtol=0)
    assert (theirs - before).abs().max() > 0.1
    assert not any("lora" in name for name, _ in merged.named_parameters())
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert file_sha256(into / name) == file_sha256(base / name)
    assert AutoTokenizer.from_pretrained(into)("ticket")["input_ids"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["merged"]


def test_a_checkpoint_of_the_training_merges_too_and_samples_alike(trained: Path, tmp_path: Path) -> None:
    """Any checkpoint will do; as a base model of the local backend it answers as the adapter on the base does."""
    adapter = trained / "checkpoints" / "step-000004"
    verify_checkpoint(adapter)
    into = merge(adapter, None, tmp_path / "merged")
    backend = LocalBackend()
    config = json.loads((adapter / "adapter_config.json").read_text())
    ours = backend.create_sampler(config["base_model_name_or_path"], adapter=adapter).logprobs(["ticket 5: broken"])
    theirs = backend.create_sampler(str(into)).logprobs(["ticket 5: broken"])
    assert ours[0][1:] == pytest.approx(theirs[0][1:], abs=1e-5)


def test_it_says_what_it_was_made_from(trained: Path, tmp_path: Path) -> None:
    """The stamp of made-up data goes along, with base, digests, step and the checkpoint's own digest."""
    adapter = trained / "saved" / "tuned"
    stamp = json.loads((merge(adapter, None, tmp_path / "merged") / "training.json").read_text())
    made = json.loads((adapter / "training.json").read_text())
    assert stamp["data"]["synthetic"] is True
    assert stamp["data"] == made["data"]
    assert stamp["base_digest"] == stamp["base_digest_trained_on"] == made["base_digest"]
    assert stamp["step"] == 4
    digest = file_sha256(adapter / "manifest.json")
    assert stamp["checkpoint"] == {"name": "tuned", "sha256": digest}
    again = merge(adapter, None, tmp_path / "merged", name="step-000004")  # a copy in a cache has another name
    stamp = json.loads((again / "training.json").read_text())
    assert stamp["checkpoint"] == {"name": "step-000004", "sha256": digest}


def test_another_base_is_refused_unless_told(trained: Path, base: Path, tmp_path: Path) -> None:
    """The same shapes with other weights give a model of nobody; said with both digests, and done if insisted on."""
    other = shutil.copytree(base, tmp_path / "other")
    content = bytearray((other / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (other / "model.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="was trained on a base model with the digest .* or take this one"):
        merge(trained / "saved" / "tuned", str(other), tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
    into = merge(trained / "saved" / "tuned", str(other), tmp_path / "merged", any_base=True)
    stamp = json.loads((into / "training.json").read_text())
    assert stamp["base_digest"] != stamp["base_digest_trained_on"]


def test_shards_and_the_number_type_of_the_base(trained: Path, base: Path, tmp_path: Path) -> None:
    """Small shards make an index; `base` keeps a half-precision base as small as it was."""
    into = merge(trained / "saved" / "tuned", None, tmp_path / "sharded", shard="100KB")
    assert len(list(into.glob("model-*.safetensors"))) > 1
    whole = AutoModelForCausalLM.from_pretrained(merge(trained / "saved" / "tuned", None, tmp_path / "whole"))
    torch.testing.assert_close(logits(AutoModelForCausalLM.from_pretrained(into)), logits(whole), atol=0, rtol=0)
    half = shutil.copytree(base, tmp_path / "half")
    transformers_logging.disable_progress_bar()
    AutoModelForCausalLM.from_pretrained(base).to(torch.bfloat16).save_pretrained(half)
    small = merge(trained / "saved" / "tuned", str(half), tmp_path / "small", any_base=True, dtype="base")
    model = AutoModelForCausalLM.from_pretrained(small, dtype="auto")
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}


def test_what_is_there_is_not_replaced_unless_it_is_a_merged_model(trained: Path, tmp_path: Path) -> None:
    """A folder with other things stays as it is; an older merged model is replaced whole."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(StoreError, match="holds something other than a merged model, and is left as it is"):
        merge(trained / "saved" / "tuned", None, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    for _ in range(2):
        merge(trained / "saved" / "tuned", None, tmp_path / "merged")


def test_damage_and_ignorance_are_refused(trained: Path, tmp_path: Path) -> None:
    """A damaged file by name; an adapter that does not say its base, unless it is named."""
    adapter = shutil.copytree(trained / "saved" / "tuned", tmp_path / "adapter")
    weights = adapter / "adapter_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-10])
    with pytest.raises(CheckpointError, match=r"adapter_model\.safetensors is truncated"):
        merge(adapter, None, tmp_path / "merged")
    weights.write_bytes(whole)
    for name in ("manifest.json", "training.json"):
        (adapter / name).unlink()
    with pytest.raises(CheckpointError, match="does not say which base model it was trained on; name it"):
        merge(adapter, None, tmp_path / "merged")
    base = json.loads((adapter / "adapter_config.json").read_text())["base_model_name_or_path"]
    assert (merge(adapter, base, tmp_path / "merged") / "config.json").is_file()


@pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings:UserWarning")  # PEFT's advice, followed here
@pytest.mark.parametrize("modules", [("q_proj", "lm_head"), ("q_proj", "embed_tokens"), ("embed_tokens", "lm_head")])
def test_an_adapter_on_a_tied_head_merges_right(base: Path, tmp_path: Path, modules: tuple[str, ...]) -> None:
    """Head and embedding get weights of their own where one is adapted: opened again, the logits are the same."""
    tied = tmp_path / "tied"
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(vocab_size=320, tie_word_embeddings=True, max_position_embeddings=64, **shape)  # type: ignore[arg-type]
    )
    transformers_logging.disable_progress_bar()
    model.save_pretrained(tied)
    for path in base.glob("tokenizer*"):
        shutil.copyfile(path, tied / path.name)
    config = LoraConfig(base_model=str(tied), rank=2, target_modules=modules)
    session = LocalBackend().start_session(config)
    session.save_checkpoint(tmp_path / "adapter").result()
    session.close()
    from safetensors.torch import load_file, save_file

    (tmp_path / "adapter" / "manifest.json").unlink()
    weights = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    save_file(
        {name: torch.randn_like(w) for name, w in weights.items()}, tmp_path / "adapter" / "adapter_model.safetensors"
    )
    into = merge(tmp_path / "adapter", str(tied), tmp_path / "merged")
    plain = AutoModelForCausalLM.from_pretrained(tied)
    from crucible.backends.adapter import merged_model, open_adapter
    from crucible.backends.local_base import load_base

    ours = logits(merged_model(open_adapter(load_base(tied, "cpu"), tmp_path / "adapter")))
    theirs = logits(AutoModelForCausalLM.from_pretrained(into))
    torch.testing.assert_close(theirs, ours, atol=1e-5, rtol=0)
    assert (theirs - logits(plain)).abs().max() > 0.1


@pytest.mark.filterwarnings("ignore:`lora_bias=True` was passed", "ignore:Adapter 'default'")
def test_an_adapter_that_cannot_be_merged_is_told(base: Path, tmp_path: Path) -> None:
    """Such as one with biases of its own on layers that have none."""
    plain = AutoModelForCausalLM.from_pretrained(base)
    config = peft.LoraConfig(r=2, target_modules=["q_proj"], lora_bias=True, task_type="CAUSAL_LM")
    peft.get_peft_model(plain, config).save_pretrained(tmp_path / "adapter")
    with pytest.raises(CheckpointError, match="cannot be opened exactly: lora_bias is true"):
        merge(tmp_path / "adapter", str(base), tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
