"""The built-in base models `crucible/tiny` and `crucible/tiny-s`: built once on this machine, then found in the cache.

No weights are shipped and none are downloaded: `build` makes a small Llama-architecture model from a recipe, pre-trains
it on synthetic text (`pretraining`) and keeps it as an ordinary transformers folder. A folder in the cache counts only
if every file has the digest that its manifest says; processes that need it at the same time build it once.
"""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, cast

from crucible import events
from crucible.data.tickets import GENERATOR
from crucible.errors import StoreError, TrainError, require
from crucible.ir import atomic_write, file_sha256, sync_folder
from crucible.train.folder_lock import locked
from crucible.train.recipe import BUILD_PACKAGES, RECIPES, TinyBaseRecipe, build_versions

__all__ = ["NAME", "SMALL", "Progress", "TinyBaseRecipe", "build", "build_small", "cache_folder"]

NAME: Final = "crucible/tiny"
"""The name under which documents ask for the larger one."""

SMALL: Final = "crucible/tiny-s"
"""The name under which documents ask for the smaller one, a student for the other: both have the same vocabulary."""

Progress = Callable[[int, int, float], None]
"""Told (step, total steps, loss) while a base model is built."""

_MANIFEST: Final = "manifest.json"
_FORMAT: Final = "crucible-base/1"


def cache_folder() -> Path:
    """Return where built base models are kept: `$CRUCIBLE_CACHE/base`, else `crucible/base` in the user's cache."""
    chosen = os.environ.get("CRUCIBLE_CACHE")
    if chosen:
        return Path(chosen).expanduser() / "base"
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "crucible" / "base"


def build_small(progress: Progress | None = None) -> Path:
    """Return the folder of `crucible/tiny-s`, as `build` does."""
    return build(progress, name=SMALL)


def build(
    progress: Progress | None = None,
    *,
    name: str = NAME,
    recipe: TinyBaseRecipe | None = None,
    cache: Path | None = None,
) -> Path:
    """Return the folder of a base model, building it first where the cache does not have it whole.

    Args:
        progress: Told how far the building is; the events `crucible_train.base_build.*` say the same.
        name: For its card and events.
        recipe: How it is made; None: the one that `RECIPES` has by that name.
        cache: Where base models are kept; None: `cache_folder()`.

    Raises:
        Cancelled: The run was asked to stop; nothing is left in the cache.
        MissingExtra: The `train` extra is not installed.
        StoreError: The cache cannot be written.
        TrainError: There is neither a recipe nor one by that name.
    """
    if recipe is None and name not in RECIPES:
        raise TrainError(f'there is no built-in base model "{name}"; there are: {", ".join(RECIPES)}')
    for package in (*BUILD_PACKAGES, "safetensors"):
        require(package, extra="train", feature=f"the base model {name}")
    recipe = recipe or RECIPES[name]
    place = (cache or cache_folder()) / recipe.key()
    if _damage(place) is None:
        return place
    with _locked(place):
        damage = _damage(place)
        if damage is None:  # another process built it meanwhile
            return place
        if place.exists():
            events.decision("built the base model again", damage, metadata={"base_model": name, "path": str(place)})
        for torn in place.parent.glob(f".{place.name}.*.tmp"):  # a build was killed; under the lock nobody else builds
            shutil.rmtree(torn, ignore_errors=True)
        return _build_into(place, name, recipe, progress)


def _build_into(place: Path, name: str, recipe: TinyBaseRecipe, progress: Progress | None) -> Path:
    """Build beside the place and rename, so that the place holds a whole model or none."""
    from crucible.train.pretraining import pretrain

    temporary = place.with_name(f".{place.name}.{secrets.token_hex(4)}.tmp")
    about = {"base_model": name, "total_steps": recipe.steps, "seed": recipe.seed, "synthetic": True}
    try:
        temporary.mkdir()
        with events.span("crucible_train.base_build", about) as span:
            loss, parameters = pretrain(recipe, temporary, _reporter(name, recipe, progress))
            span.measure(loss=loss, steps=recipe.steps)
        _write_card(temporary, name, recipe, loss, parameters)
        _write_manifest(temporary)
        if place.exists():
            shutil.rmtree(place)
        temporary.rename(place)
        sync_folder(place.parent)
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(
            f"the base model cannot be kept in {place} ({error.strerror or error}); "
            "free space, or set CRUCIBLE_CACHE to a writable folder"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return place


def _reporter(name: str, recipe: TinyBaseRecipe, progress: Progress | None) -> Callable[[int, float], None]:
    def report(step: int, loss: float) -> None:
        about = {"base_model": name, "total_steps": recipe.steps}
        events.emit("crucible_train.base_build.progress", {"step": step, "loss": loss}, about)
        if progress is not None:
            progress(step, recipe.steps, loss)

    return report


def _locked(place: Path) -> AbstractContextManager[None]:
    """Return a block that holds the lock of a cache entry; the system releases it if this process dies."""
    lock, advice = place.with_name(f"{place.name}.lock"), "set CRUCIBLE_CACHE to a writable folder"
    return locked(lock, f"the cache {place.parent}", advice, extra="train", feature="a built-in base model")


def _damage(place: Path) -> str | None:
    """Return why a cache entry cannot be used, None if it is whole."""
    try:
        manifest = cast("dict[str, Any]", json.loads((place / _MANIFEST).read_text(encoding="utf-8")))
        for name, digest in cast("dict[str, str]", manifest["files"]).items():
            if file_sha256(place / name) != digest:
                return f"{name} in {place} is not what was built"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{place} is not whole ({type(error).__name__}: {error})"
    return None


def _write_manifest(folder: Path) -> None:
    files = {path.name: file_sha256(path) for path in sorted(folder.iterdir())}
    atomic_write(folder / _MANIFEST, json.dumps({"format": _FORMAT, "files": files}, indent=2) + "\n")


def _write_card(folder: Path, name: str, recipe: TinyBaseRecipe, loss: float, parameters: int) -> None:
    settings = "\n".join(f"- {field}: {value}" for field, value in dataclasses.asdict(recipe).items())
    versions = ", ".join(f"{package} {version}" for package, version in build_versions().items())
    atomic_write(
        folder / "MODEL.md",
        f"""# {name}

A small language model of the Llama architecture with {parameters} parameters, built by Crucible on this machine.
It exists so that experiments run where no weights can be downloaded; it knows nothing of the world.

**Synthetic**: every text it was pre-trained on was made up by a seeded generator ({GENERATOR}): support tickets with a
note in prose, and inventory records. No ticket of the task's training or test split is among them, and none has the
task's answer.

Loss at the last step: {loss:.4f} nats per token, an answer's weighing {recipe.answer_weight:g} times the others'.

## Recipe

{settings}

Built with {versions}.
""",
    )
