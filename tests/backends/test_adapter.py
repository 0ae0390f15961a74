"""Adapters: first weights, dropout, PEFT's layout, merging, opening."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import peft
import pytest
import safetensors.torch
import torch
from torch import nn

from crucible.backends.adapter import SeededDropout, attach_adapter, merged_model, open_adapter
from crucible.backends.local_base import LoadedBase, load_base
from crucible.errors import BackendError, CheckpointError
from crucible.ir import LoraConfig
from crucible.text import FastTokenizer

IDS = torch.tensor([[3, 4, 5, 6, 7, 8]])
# PEFT 0.21 asks transformers 5 a question whose answer warns; Crucible's own path does not ask
plain_peft = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning")


def config(**changes: object) -> LoraConfig:
    """A small configuration; the base comes from the fixture."""
    return LoraConfig(**{"base_model": "x", "rank": 4, "dropout": 0.0, **changes})


def generator() -> torch.Generator:
    """A dropout generator."""
    return torch.Generator().manual_seed(0)


def disturb(adapted: object, seed: int = 5) -> None:
    """Give every adapter matrix random values, B included."""
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in adapted.trained().values():
            parameter.normal_(0, 0.1, generator=source)


def save(adapted: object, folder: Path) -> Path:
    """Write the two files of PEFT's layout."""
    folder.mkdir(exist_ok=True)
    (folder / "adapter_config.json").write_bytes(adapted.config_json())
    tensors = {name: parameter.detach().clone() for name, parameter in adapted.trained().items()}
    safetensors.torch.save_file(tensors, folder / "adapter_model.safetensors")
    return folder


def logits(model: nn.Module) -> torch.Tensor:
    """Logits on a fixed input."""
    with torch.no_grad():
        return model(IDS).logits


def test_first_weights_depend_on_the_seed_alone(base: LoadedBase) -> None:
    """Neither PyTorch's global generator nor earlier adapters matter, and the global one is left as it was."""
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = attach_adapter(base, config(seed=3), generator()).trained()
    assert torch.equal(before, torch.get_rng_state())
    torch.rand(7)
    two = attach_adapter(base, config(seed=3), generator()).trained()
    other = attach_adapter(base, config(seed=4), generator()).trained()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_a_fresh_adapter_changes_nothing(base: LoadedBase) -> None:
    """B starts at zero, so training starts from the base itself."""
    adapted = attach_adapter(base, config(), generator())
    assert torch.equal(logits(adapted.model), logits(base.model))


def test_all_linear_layers_but_the_head_are_adapted(base: LoadedBase) -> None:
    """target_modules: null means every linear layer of the blocks."""
    trained = attach_adapter(base, config(), generator()).trained()
    assert len(trained) == 2 * 7 * 2  # layers x linear layers x (A, B)
    assert not any("lm_head" in name or "embed" in name for name in trained)
    assert all(parameter.requires_grad for parameter in trained.values())
    some = attach_adapter(base, config(target_modules=("q_proj", "v_proj")), generator()).trained()
    assert {name.split(".")[-3] for name in some} == {"q_proj", "v_proj"}


def test_the_base_is_shared_and_frozen(base: LoadedBase) -> None:
    """The adapter's model uses the base's own tensors, and none of them can be trained."""
    adapted = attach_adapter(base, config(), generator())
    own = dict(adapted.model.named_parameters())
    weight = own["model.layers.0.self_attn.q_proj.base_layer.weight"]
    assert weight is base.model.model.layers[0].self_attn.q_proj.weight
    assert not any(parameter.requires_grad for name, parameter in own.items() if ".lora_" not in name)
    assert not any(".lora_" in name for name, _ in base.model.named_parameters())


def test_an_unknown_target_module_is_named(base: LoadedBase) -> None:
    """With the linear layers that there are."""
    with pytest.raises(BackendError, match=r"no module named q_poj; its linear layers are down_proj, .*lm_head"):
        attach_adapter(base, config(target_modules=("q_proj", "q_poj")), generator())


def test_a_module_that_cannot_be_adapted_is_refused(base: LoadedBase) -> None:
    """A norm has no LoRA form."""
    with pytest.raises(BackendError, match="no adapter can be put on"):
        attach_adapter(base, config(target_modules=("input_layernorm",)), generator())


@plain_peft
@pytest.mark.parametrize("targets", [None, ("q_proj", "embed_tokens"), ("lm_head", "up_proj")])
def test_plain_peft_opens_what_was_saved(base: LoadedBase, tmp_path: Path, targets: tuple[str, ...] | None) -> None:
    """PeftModel.from_pretrained gives the same logits, embeddings and head included."""
    adapted = attach_adapter(base, config(target_modules=targets, alpha=7.0), generator())
    disturb(adapted)
    theirs = peft.PeftModel.from_pretrained(base.sharing_copy(), str(save(adapted, tmp_path))).eval()
    assert not torch.allclose(logits(adapted.model), logits(base.model), atol=1e-3)
    assert torch.allclose(logits(theirs), logits(adapted.model), atol=1e-5)
    assert theirs.peft_config["default"].base_model_name_or_path == str(base.folder)


@plain_peft
def test_an_adapter_of_plain_peft_is_opened(base: LoadedBase, tmp_path: Path) -> None:
    """What a stranger trained with PEFT alone gives the same logits here."""
    torch.manual_seed(3)
    settings = peft.LoraConfig(r=3, lora_alpha=5, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM")
    theirs = peft.get_peft_model(base.sharing_copy(), settings)
    for name, parameter in theirs.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter)
    theirs.save_pretrained(str(tmp_path))
    assert torch.allclose(logits(open_adapter(base, tmp_path).model), logits(theirs.eval()), atol=1e-5)


def of_peft(base: LoadedBase, folder: Path, **settings: object) -> nn.Module:
    """Train nothing with PEFT alone, but give every number of the adapter a value; save it and return the model."""
    torch.manual_seed(3)
    fields = {"r": 3, "lora_alpha": 5, "target_modules": ["q_proj", "down_proj"], "task_type": "CAUSAL_LM", **settings}
    theirs = peft.get_peft_model(base.sharing_copy(), peft.LoraConfig(**fields))
    for name, parameter in theirs.named_parameters():
        if ".lora_" in name:
            nn.init.normal_(parameter, std=0.3)
    theirs.save_pretrained(str(folder))
    return theirs.eval()


@plain_peft
@pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers` to `True`:UserWarning")  # PEFT's, as it saves
@pytest.mark.parametrize(
    "settings",
    [
        {"use_rslora": True},
        {"rank_pattern": {"q_proj": 2, "layers.1.mlp.down_proj": 7}},
        {"alpha_pattern": {"down_proj": 17}, "rank_pattern": {"down_proj": 2}, "use_rslora": True},
        {"layers_to_transform": [1]},
        {"target_modules": r".*\.1\..*(q|k)_proj"},
        {"target_modules": "all-linear", "exclude_modules": ["v_proj"]},
        {"init_lora_weights": "gaussian"},
        {"target_modules": ["q_proj", "embed_tokens"]},
        {"target_modules": ["lm_head"]},
    ],
    ids=str,
)
def test_every_supported_part_of_peft_is_opened_and_merged_exactly(
    base: LoadedBase, tmp_path: Path, settings: dict[str, object]
) -> None:
    """Scales, ranks and places as PEFT has them, embeddings that it saved beside the adapter included."""
    theirs = of_peft(base, tmp_path, **settings)
    before = base.model.model.layers[0].self_attn.q_proj.weight.clone()
    opened = open_adapter(base, tmp_path)
    assert not torch.allclose(logits(theirs), logits(base.model), atol=1e-3)
    assert torch.allclose(logits(opened.model), logits(theirs), atol=1e-5)
    assert torch.allclose(logits(merged_model(opened)), logits(theirs), atol=1e-4)
    assert torch.equal(base.model.model.layers[0].self_attn.q_proj.weight, before)


@plain_peft
@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"use_dora": True}, r"use_dora is true \(DoRA has a magnitude beside each LoRA matrix\)"),
        ({"modules_to_save": ["lm_head"]}, r"modules_to_save is \[\"lm_head\"\]"),
        ({"bias": "lora_only"}, 'bias is "lora_only"'),
        ({"trainable_token_indices": [3, 4]}, r"trainable_token_indices is .*3, 4"),
        ({"init_lora_weights": "olora"}, 'init_lora_weights is "olora", which changed the base\'s weights'),
    ],
    ids=str,
)
def test_a_part_of_peft_that_is_not_carried_out_is_named(
    base: LoadedBase, tmp_path: Path, settings: dict[str, object], says: str
) -> None:
    """With what is supported, and how to use the adapter all the same; the base is as it was."""
    of_peft(load_base(base.folder, "cpu"), tmp_path, **settings)
    before = {name: each.clone() for name, each in base.model.named_parameters()}
    with pytest.raises(CheckpointError, match=says) as caught:
        open_adapter(base, tmp_path)
    assert "Supported are r, lora_alpha, use_rslora, rank_pattern" in str(caught.value)
    assert "merge it with PEFT (merge_and_unload)" in str(caught.value)
    assert all(torch.equal(before[name], each) for name, each in base.model.named_parameters())


def test_a_field_of_a_newer_peft_is_refused_where_it_says_anything(base: LoadedBase, tmp_path: Path) -> None:
    """PEFT would warn and leave it out; what it does to the numbers nobody here knows."""
    folder = save(attach_adapter(base, config(), generator()), tmp_path)
    values = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**values, "use_zlora": False, "zlora_config": None}))
    open_adapter(base, folder)
    (folder / "adapter_config.json").write_text(json.dumps({**values, "use_zlora": True}))
    with pytest.raises(CheckpointError, match="cannot be opened exactly: use_zlora is true"):
        open_adapter(base, folder)
    (folder / "adapter_config.json").write_text(json.dumps({**values, "peft_type": "IA3"}))
    with pytest.raises(CheckpointError, match='holds no LoRA adapter: its peft_type is "IA3"'):
        open_adapter(base, folder)


def test_the_tensor_that_does_not_fit_is_named(base: LoadedBase, tmp_path: Path) -> None:
    """One that is missing, one too many, one of another shape, an embedding that was trained."""
    adapted = attach_adapter(base, config(), generator())
    folder = save(adapted, tmp_path)
    good = {name: each.detach().clone() for name, each in adapted.trained().items()}
    first = next(iter(good))
    embedding = "base_model.model.model.embed_tokens.weight"
    weight = base.model.model.embed_tokens.weight.detach()
    for tensors, says in (
        ({name: each for name, each in good.items() if name != first}, f"it has no {first}"),
        ({**good, "base_model.model.other.lora_A.weight": torch.ones(2)}, "other.lora_A.weight, for which there is no"),
        ({**good, first: torch.ones(4, 3)}, rf"{first} has the shape \(4, 3\), and the base asks for \(4, "),
        ({**good, embedding: weight + 1}, f"{embedding} is not the base's: an embedding that was resized or trained"),
        ({**good, embedding: torch.ones(3, 3)}, f"{embedding} is not the base's"),
    ):
        safetensors.torch.save_file(tensors, folder / "adapter_model.safetensors")
        with pytest.raises(CheckpointError, match=f"does not fit the base model .*: .*{says}"):
            open_adapter(base, folder)
    safetensors.torch.save_file({**good, embedding: weight.clone()}, folder / "adapter_model.safetensors")
    assert torch.equal(logits(open_adapter(base, folder).model), logits(adapted.model))


@pytest.mark.parametrize("targets", [None, ("q_proj", "embed_tokens"), ("lm_head", "up_proj")])
def test_merging_gives_the_same_model_without_adapter_layers(base: LoadedBase, targets: tuple[str, ...] | None) -> None:
    """The merged copy answers as the adapted model did, and further training does not reach it."""
    adapted = attach_adapter(base, config(target_modules=targets), generator())
    disturb(adapted)
    expected, untouched = logits(adapted.model), logits(base.model)
    merged = merged_model(adapted)
    assert torch.allclose(logits(merged), expected, atol=1e-5)
    assert not any("lora" in name for name, _ in merged.named_modules())
    disturb(adapted, seed=6)
    assert torch.allclose(logits(merged), expected, atol=1e-5)
    assert torch.equal(logits(base.model), untouched)
    assert merged.model.norm.weight is base.model.model.norm.weight


@pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings=True`:UserWarning")  # PEFT's, of its own merging
def test_merging_a_tied_head_leaves_the_embeddings_alone(
    tmp_path: Path, tokenizer: FastTokenizer, build_llama: Callable[..., Path]
) -> None:
    """Where head and embeddings are one tensor, an adapter on the head changes the head only."""
    tied = load_base(build_llama(tmp_path, tokenizer, tie_word_embeddings=True), "cpu")
    assert tied.model.lm_head.weight is tied.model.model.embed_tokens.weight
    adapted = attach_adapter(tied, config(target_modules=("lm_head",)), generator())
    disturb(adapted)
    assert torch.allclose(logits(merged_model(adapted)), logits(adapted.model), atol=1e-5)


def test_the_saved_configuration_is_stable(base: LoadedBase) -> None:
    """The same adapter gives the same bytes, with resolved and sorted target modules."""
    one, two = (attach_adapter(base, config(), generator()).config_json() for _ in range(2))
    assert one == two
    values = json.loads(one)
    assert values["target_modules"] == sorted(values["target_modules"])
    assert values["r"] == 4
    assert values["inference_mode"] is True


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_an_adapter_folder_with_a_missing_file_is_refused(base: LoadedBase, tmp_path: Path, name: str) -> None:
    """The missing file is named."""
    folder = save(attach_adapter(base, config(), generator()), tmp_path)
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name} is missing"):
        open_adapter(base, folder)


def test_a_damaged_adapter_is_refused(base: LoadedBase, tmp_path: Path) -> None:
    """Bad JSON, bad safetensors, another model's shapes."""
    folder = save(attach_adapter(base, config(rank=2), generator()), tmp_path)
    good = (folder / "adapter_config.json").read_text()
    for bad in ("{", '{"r": 2}', '{"peft_type": "NO_SUCH"}'):
        (folder / "adapter_config.json").write_text(bad)
        with pytest.raises(CheckpointError, match=r"holds no LoRA adapter|does not fit"):
            open_adapter(base, folder)
    (folder / "adapter_config.json").write_text(good.replace('"r": 2', '"r": 3'))
    with pytest.raises(CheckpointError, match="does not fit the base model"):
        open_adapter(base, folder)
    (folder / "adapter_config.json").write_text(good)
    (folder / "adapter_model.safetensors").write_bytes(b"\x00" * 20)
    with pytest.raises(CheckpointError, match="holds no LoRA adapter"):
        open_adapter(base, folder)


def test_dropout_has_the_right_rate_and_scale() -> None:
    """The share dropped is p, the kept ones are scaled to keep the mean, and evaluation drops nothing."""
    x = torch.ones(1000, 1001)
    dropout = SeededDropout(0.05, generator()).train()
    y = dropout(x)
    assert (y == 0).float().mean().item() == pytest.approx(0.05, abs=1e-3)
    assert y.mean().item() == pytest.approx(1.0, abs=1e-3)
    assert sorted(set(y.flatten().tolist())) == pytest.approx([0.0, 1 / 0.95], rel=1e-4)
    assert dropout.eval()(x) is x


def test_dropout_draws_from_its_generator_only() -> None:
    """The same generator state gives the same mask, whatever the global generator does."""
    x = torch.ones(33)
    one = SeededDropout(0.5, generator()).train()
    first = one(x)
    torch.manual_seed(9)
    two = SeededDropout(0.5, generator()).train()
    assert torch.equal(first, two(x))
    assert not torch.equal(one(x), first)


def test_dropout_off_the_cpu_uses_the_device_s_own_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other path, here on PyTorch's meta device: shapes and type are kept."""
    drawn = []
    monkeypatch.setattr(torch.Tensor, "bernoulli_", lambda self, p, generator: drawn.append(p) or self.fill_(p))
    y = SeededDropout(0.25, generator()).train()(torch.ones(2, 3, device="meta"))
    assert (y.shape, y.device.type, drawn) == ((2, 3), "meta", [0.75])


def test_dropout_passes_gradients_where_it_kept() -> None:
    """Gradients are zero where the input was dropped, scaled elsewhere."""
    x = torch.ones(1000, requires_grad=True)
    y = SeededDropout(0.3, generator()).train()(x)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())
