"""What the reference gives every answer: computed once, before the first step, and kept beside the checkpoints.

The reference is the model as it is before training: the frozen base, whose adapter adds nothing yet. It costs no second
copy. Another base model, or an adapter's folder, is opened for the time that the scoring takes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec

from crucible import events
from crucible.backends import Backend, Session
from crucible.backends.checkpoint import ADAPTER_CONFIG, MANIFEST, read_checkpoint
from crucible.errors import BackendError, CheckpointError, StoreError
from crucible.ir import LoraConfig, atomic_write, file_sha256
from crucible.train.preference.places import Preferred
from crucible.train.preference.scoring import Sums, score_answers

__all__ = ["References", "open_reference"]

_FORMAT: Final = "crucible-references/1"


class References:
    """The sums of a reference, in a file that is read instead of computed again while it is of the same answers.

    Args:
        path: The file.
        name: What the reference is, such as its digest.
        places: All places, training and held out.
    """

    def __init__(self, path: Path, name: str, places: Sequence[Preferred]) -> None:
        self._path = path
        self._places = places
        self._key = _digest(name, places)

    def get(self, score: Callable[[Sequence[Preferred]], list[Sums]], *, goes_on: bool, model: str) -> list[Sums]:
        """Return the sums of all places, in their order.

        Args:
            score: Computes them.
            goes_on: The training goes on from a checkpoint, so that the file is of its own beginning.
            model: Name of the adapter in training, for events.

        Raises:
            StoreError: The file cannot be written.
        """
        kept = self._read() if goes_on else None
        if kept is not None:
            return kept
        found = score(self._places)
        content = {"format": _FORMAT, "key": self._key, "sums": found}
        atomic_write(self._path, json.dumps(content))
        events.decision(
            f"keeps the reference's log-probabilities of {2 * len(found)} answers",
            "the reference does not change, so that no step computes them again",
            metadata={"model": model, "path": str(self._path)},
        )
        return found

    def _read(self) -> list[Sums] | None:
        try:
            content: Any = json.loads(self._path.read_bytes())
            if content["format"] != _FORMAT or content["key"] != self._key:
                return None
            sums = msgspec.convert(content["sums"], list[Sums])
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{self._path} cannot be read: {error}") from error
        except (ValueError, KeyError, TypeError):  # damaged: it is computed again
            return None
        return sums if len(sums) == len(self._places) else None


def open_reference(
    named: str | None, session: Session, config: LoraConfig, backend: Backend
) -> tuple[str, Callable[[Sequence[Preferred]], list[Sums]]]:
    """Return what a reference is, for the identity of a training, and what scores with it.

    Args:
        named: A base model, or the folder of an adapter of this base; None: the session's own weights as they are.
        session: The adapter in training.
        config: Base model, device, batch size.
        backend: Opens the other model.

    Raises:
        CheckpointError: The adapter's files are missing or damaged; when it scores: they are of another base model.
        BackendError: When it scores: the model cannot be loaded, or has another tokenizer.
    """
    if named is None:
        return f"start of {session.base_digest or config.base_model}", lambda places: score_answers(
            session, places, config.batch_size
        )
    folder = Path(named)
    is_adapter = (folder / ADAPTER_CONFIG).is_file()
    if is_adapter and not (folder / MANIFEST).is_file():
        raise CheckpointError(
            f"the reference {named} is an adapter without {MANIFEST}, so nothing says that its files are whole; name a "
            "folder that a trainer saved, or merge the adapter and name the merged model"
        )
    name = f"adapter {file_sha256(folder / MANIFEST)}" if is_adapter else f"base {named}"

    def score(places: Sequence[Preferred]) -> list[Sums]:
        asked = config.model_copy(update=_shape_of(folder) if is_adapter else {"base_model": named})
        with closing(backend.start_session(asked)) as other:
            _check_tokenizer(session, other, named)
            if is_adapter:
                other.load_checkpoint(folder).result()
            return score_answers(other, places, config.batch_size)

    return name, score


def _shape_of(folder: Path) -> dict[str, Any]:
    """Return the rank and the scale of an adapter, verified."""
    settings = json.loads(read_checkpoint(folder)[ADAPTER_CONFIG])
    return {"rank": settings["r"], "alpha": float(settings["lora_alpha"])}


def _check_tokenizer(session: Session, other: Session, named: str) -> None:
    """Refuse a model that reads the tokens otherwise: its log-probabilities would be of other words."""
    own, its = session.tokenizer, other.tokenizer
    few = range(0, own.vocab_size, max(1, own.vocab_size // 64))
    same = own.vocab_size == its.vocab_size and all(own.decode([token]) == its.decode([token]) for token in few)
    if not same:
        raise BackendError(
            f"the reference model {named} has another tokenizer than the model in training; name one of its family"
        )


def _digest(name: str, places: Sequence[Preferred]) -> str:
    digest = hashlib.sha256(name.encode())
    for place in places:
        for datum in (place.first, place.second):
            digest.update(msgspec.json.encode((datum.model_input.tokens, datum.target_tokens, datum.weights)))
    return digest.hexdigest()
