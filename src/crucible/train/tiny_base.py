"""The built-in base model `crucible/tiny`: built once on this machine, then found in the cache.

No weights are shipped and none are downloaded: `build` makes a small Llama-architecture model from a recipe, pre-trains
it on synthetic text (`pretraining`) and keeps it as an ordinary transformers folder. A folder in the cache counts only
if every file has the digest that its manifest says; processes that need it at the same time build it once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import secrets
import shutil
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Final, cast

from crucible import events
from crucible.data.tickets import GENERATOR
from crucible.errors import StoreError, require
from crucible.ir import atomic_write, file_sha256, sync_folder
from crucible.pipeline import check_cancelled
from crucible.train.recipe import BUILD_PACKAGES, TinyBaseRecipe, build_versions

__all__ = ["NAME", "Progress", "TinyBaseRecipe", "build", "cache_folder"]

NAME: Final = "crucible/tiny"
"""The name under which documents ask for it."""

Progress = Callable[[int, int, float], None]
"""Told (step, total steps, loss) while a base model is built."""

_MANIFEST: Final = "manifest.json"
_FORMAT: Final = "crucible-base/1"
_POLL_S: Final = 0.2


def cache_folder() -> Path:
    """Return where built base models are kept: `$CRUCIBLE_CACHE/base`, else `crucible/base` in the user's cache."""
    chosen = os.environ.get("CRUCIBLE_CACHE")
    if chosen:
        return Path(chosen).expanduser() / "base"
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "crucible" / "base"


def build(progress: Progress | None = None, *, recipe: TinyBaseRecipe | None = None, cache: Path | None = None) -> Path:
    """Return the folder of the base model, building it first where the cache does not have it whole.

    Args:
        progress: Told how far the building is; the events `crucible_train.base_build.*` say the same.
        recipe: How it is made; None: the one of `crucible/tiny`.
        cache: Where base models are kept; None: `cache_folder()`.

    Raises:
        Cancelled: The run was asked to stop; nothing is left in the cache.
        MissingExtra: The `train` extra is not installed.
        StoreError: The cache cannot be written.
    """
    for package in (*BUILD_PACKAGES, "safetensors"):
        require(package, extra="train", feature=f"the base model {NAME}")
    recipe = recipe or TinyBaseRecipe()
    place = (cache or cache_folder()) / recipe.key()
    if _damage(place) is None:
        return place
    with _locked(place):
        damage = _damage(place)
        if damage is None:  # another process built it meanwhile
            return place
        if place.exists():
            events.decision("built the base model again", damage, metadata={"base_model": NAME, "path": str(place)})
        for torn in place.parent.glob(f".{place.name}.*.tmp"):  # a build was killed; under the lock nobody else builds
            shutil.rmtree(torn, ignore_errors=True)
        return _build_into(place, recipe, progress)


def _build_into(place: Path, recipe: TinyBaseRecipe, progress: Progress | None) -> Path:
    """Build beside the place and rename, so that the place holds a whole model or none."""
    from crucible.train.pretraining import pretrain

    temporary = place.with_name(f".{place.name}.{secrets.token_hex(4)}.tmp")
    about = {"base_model": NAME, "total_steps": recipe.steps, "seed": recipe.seed, "synthetic": True}
    try:
        temporary.mkdir()
        with events.span("crucible_train.base_build", about) as span:
            loss, parameters = pretrain(recipe, temporary, _reporter(recipe, progress))
            span.measure(loss=loss, steps=recipe.steps)
        _write_card(temporary, recipe, loss, parameters)
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


def _reporter(recipe: TinyBaseRecipe, progress: Progress | None) -> Callable[[int, float], None]:
    def report(step: int, loss: float) -> None:
        about = {"base_model": NAME, "total_steps": recipe.steps}
        events.emit("crucible_train.base_build.progress", {"step": step, "loss": loss}, about)
        if progress is not None:
            progress(step, recipe.steps, loss)

    return report


@contextlib.contextmanager
def _locked(place: Path) -> Generator[None]:
    """Hold the lock of a cache entry; the system releases it if this process dies."""
    filelock = cast("Any", require("filelock", extra="train"))
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(place.with_name(f"{place.name}.lock"))
        while True:
            check_cancelled()
            try:
                lock.acquire(timeout=_POLL_S)
                break
            except filelock.Timeout:
                continue
    except OSError as error:
        raise StoreError(
            f"the cache {place.parent} cannot be written ({error.strerror or error}); "
            "set CRUCIBLE_CACHE to a writable folder"
        ) from error
    try:
        yield
    finally:
        lock.release()


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


def _write_card(folder: Path, recipe: TinyBaseRecipe, loss: float, parameters: int) -> None:
    settings = "\n".join(f"- {name}: {value}" for name, value in dataclasses.asdict(recipe).items())
    versions = ", ".join(f"{name} {version}" for name, version in build_versions().items())
    atomic_write(
        folder / "MODEL.md",
        f"""# {NAME}

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
