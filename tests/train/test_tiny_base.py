"""The built-in base model: built once, whole or absent, an ordinary transformers folder that says what it is."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from crucible import events, pipeline
from crucible.backends import LocalBackend
from crucible.errors import Cancelled, NonFiniteLoss, StoreError, TrainError
from crucible.train import tiny_base
from crucible.train.recipe import RECIPES
from crucible.train.tiny_base import TinyBaseRecipe, build, cache_folder


def test_the_folder_is_an_ordinary_transformers_model(base: Path, recipe: TinyBaseRecipe) -> None:
    """Transformers opens configuration, weights and tokenizer, and finds no pickle."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(base)
    tokenizer = AutoTokenizer.from_pretrained(base)
    assert model.config.model_type == "llama"
    assert model.config.max_position_embeddings == recipe.window
    assert tokenizer.decode(tokenizer.encode("déjà vu, 東京")) == "déjà vu, 東京"
    assert {path.suffix for path in base.iterdir()} == {".json", ".safetensors", ".md"}


def test_the_card_says_synthetic_who_built_it_and_how(base: Path) -> None:
    """Nobody can mistake it for a real model."""
    card = (base / "MODEL.md").read_text()
    assert "**Synthetic**" in card
    assert "built by Crucible" in card
    assert "- seed: 0" in card
    assert "- steps: 20" in card
    assert "torch" in card


def test_it_answers(base: Path) -> None:
    """The local backend samples from it by its folder."""
    samples = LocalBackend().create_sampler(str(base)).sample(["Ticket: the lamp is broken\nNote:"])
    assert isinstance(samples[0].text, str)


def test_it_is_built_once(recipe: TinyBaseRecipe, base: Path) -> None:
    """A second call finds it and trains nothing."""
    with events.collect("crucible_train.base_build.*") as found:
        assert build(recipe=recipe, cache=base.parent) == base
    assert found == []


def test_building_is_told_and_repeatable(recipe: TinyBaseRecipe, base: Path, tmp_path: Path) -> None:
    """Start, progress every ten steps and stop; the same recipe gives the same bytes and touches no global seed."""
    import torch

    before = torch.random.get_rng_state()
    steps: list[tuple[int, int]] = []
    with events.collect("crucible_train.base_build.*") as found:
        again = build(lambda step, total, _: steps.append((step, total)), recipe=recipe, cache=tmp_path)
    assert Counter(event.name.rpartition(".")[2] for event in found) == {"start": 1, "progress": 2, "stop": 1}
    assert found[-1].measurements["loss"] > 0
    assert steps == [(10, 20), (20, 20)]
    assert (again / "model.safetensors").read_bytes() == (base / "model.safetensors").read_bytes()
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("damage", ["truncate", "remove", "manifest", "listing"])
def test_a_damaged_one_is_built_again_and_the_trace_says_so(tmp_path: Path, damage: str) -> None:
    """Truncated weights, a missing file, a torn manifest: the cache entry is replaced by a whole one."""
    recipe = TinyBaseRecipe(
        steps=1, batch_size=1, vocab_size=258, hidden_size=8, intermediate_size=8, layers=1, heads=1, window=16
    )
    folder = build(recipe=recipe, cache=tmp_path)
    whole = (folder / "model.safetensors").read_bytes()
    if damage == "truncate":
        (folder / "model.safetensors").write_bytes(whole[:-1])
    elif damage == "remove":
        (folder / "tokenizer.json").unlink()
    elif damage == "manifest":
        (folder / "manifest.json").write_text('{"files": {"model.saf')
    else:
        (folder / "manifest.json").write_text('{"files": []}')
    with events.collect("crucible_trace.decision.made") as found:
        assert build(recipe=recipe, cache=tmp_path) == folder
    assert [event.metadata["decision"] for event in found] == ["built the base model again"]
    assert (folder / "model.safetensors").read_bytes() == whole
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".lock") == [folder.name]


def test_what_a_killed_build_left_is_swept(recipe: TinyBaseRecipe, tmp_path: Path) -> None:
    """Its temporary folder goes with the next build of the same recipe."""
    torn = tmp_path / f".{recipe.key()}.ab12.tmp"
    torn.mkdir()
    build(recipe=recipe, cache=tmp_path)
    assert not torn.exists()


def test_another_recipe_has_another_place(recipe: TinyBaseRecipe) -> None:
    """Every value of the recipe counts, and the versions that matter do."""
    keys = {dataclasses.replace(recipe, **{field: 7}).key() for field in ("steps", "seed", "heads", "answer_weight")}
    assert len({*keys, recipe.key()}) == 5


@pytest.mark.slow
def test_processes_that_need_it_at_once_build_it_once(recipe: TinyBaseRecipe, tmp_path: Path) -> None:
    """The second waits for the first and takes what it built."""
    code = (
        "import sys; from pathlib import Path\n"
        "from crucible import events\n"
        "from crucible.train.tiny_base import TinyBaseRecipe, build\n"
        f"recipe = TinyBaseRecipe(**{dataclasses.asdict(recipe)!r})\n"
        "with events.collect('crucible_train.base_build.stop') as found:\n"
        f"    build(recipe=recipe, cache=Path({str(tmp_path)!r}))\n"
        "print(len(found))"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=dict(os.environ))
        for _ in range(2)
    ]
    built = [int(process.communicate(timeout=300)[0]) for process in processes]
    assert sorted(built) == [0, 1]


def test_threads_that_need_it_at_once_build_it_once(recipe: TinyBaseRecipe, tmp_path: Path) -> None:
    """The lock holds within one process, too."""
    folders: list[Path] = []
    with events.collect("crucible_train.base_build.stop") as found:
        threads = [
            threading.Thread(target=lambda: folders.append(build(recipe=recipe, cache=tmp_path))) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 1
    assert len(set(folders)) == 1


def test_a_cancelled_build_leaves_nothing(recipe: TinyBaseRecipe, tmp_path: Path) -> None:
    """Stopped in the middle: no folder that looks like a model, and the next build works."""
    with pipeline.cancellable() as cancellation, pytest.raises(Cancelled):
        build(lambda *_: cancellation.request(), recipe=recipe, cache=tmp_path)
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []
    assert build(recipe=recipe, cache=tmp_path).is_dir()


def test_waiting_for_another_build_can_be_cancelled(recipe: TinyBaseRecipe, tmp_path: Path) -> None:
    """A run that waits for the lock stops when it is asked to."""
    from filelock import FileLock

    with FileLock(tmp_path / f"{recipe.key()}.lock"), pipeline.cancellable() as cancellation:
        timer = threading.Timer(0.3, cancellation.request)
        timer.start()
        with pytest.raises(Cancelled):
            build(recipe=recipe, cache=tmp_path)


def test_a_recipe_that_diverges_is_an_error(recipe: TinyBaseRecipe, tmp_path: Path) -> None:
    """No model of NaN is ever cached."""
    with pytest.raises(NonFiniteLoss, match="diverged"):
        build(recipe=dataclasses.replace(recipe, learning_rate=1e30), cache=tmp_path)
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


def test_a_cache_that_cannot_be_written_is_an_error(recipe: TinyBaseRecipe, tmp_path: Path) -> None:
    """The message names the folder and the variable that moves it."""
    (tmp_path / "cache").write_text("a file where a folder must be")
    with pytest.raises(StoreError, match="CRUCIBLE_CACHE"):
        build(recipe=recipe, cache=tmp_path / "cache")


def test_a_cache_that_fills_up_is_an_error(
    recipe: TinyBaseRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rename that fails leaves no part behind."""

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(StoreError, match="No space left"):
        build(recipe=dataclasses.replace(recipe, steps=1), cache=tmp_path)
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


def test_the_cache_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CRUCIBLE_CACHE, else XDG_CACHE_HOME, else ~/.cache."""
    monkeypatch.setenv("CRUCIBLE_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own" / "base"
    monkeypatch.delenv("CRUCIBLE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "crucible" / "base"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "crucible" / "base"


def test_the_names_are_registered() -> None:
    """Documents find the larger one as crucible/tiny, the smaller one as crucible/tiny-s; each has a recipe."""
    from importlib.metadata import entry_points

    found = {point.name: point.load() for point in entry_points(group="crucible.base_models")}
    assert found == {tiny_base.NAME: build, tiny_base.SMALL: tiny_base.build_small}
    assert found.keys() == RECIPES.keys()
    assert RECIPES[tiny_base.NAME] == TinyBaseRecipe()


def test_the_smaller_one_has_the_larger_ones_vocabulary() -> None:
    """Both read the same first texts for it; what they learn from them, they learn with other weights."""
    large, small = RECIPES[tiny_base.NAME], RECIPES[tiny_base.SMALL]
    for name in ("seed", "vocab_size", "tokenizer_texts", "window"):
        assert getattr(small, name) == getattr(large, name)
    assert min(recipe.steps * recipe.batch_size for recipe in (large, small)) >= large.tokenizer_texts
    assert (small.hidden_size, small.layers) < (large.hidden_size, large.layers)
    assert small.key() != large.key()


def test_a_name_without_a_recipe_is_refused(tmp_path: Path) -> None:
    """By what there is; nothing is made."""
    with pytest.raises(
        TrainError, match='no built-in base model "crucible/huge"; there are: crucible/tiny, crucible/t'
    ):
        build(name="crucible/huge", cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_base_of_another_name_says_its_own(recipe: TinyBaseRecipe, tmp_path: Path) -> None:
    """On its card and in what is told of its building."""
    with events.collect("crucible_train.base_build.*") as found:
        folder = build(name=tiny_base.SMALL, recipe=dataclasses.replace(recipe, steps=1), cache=tmp_path)
    assert {event.metadata["base_model"] for event in found} == {"crucible/tiny-s"}
    assert (folder / "MODEL.md").read_text().startswith("# crucible/tiny-s\n")
