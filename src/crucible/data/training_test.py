"""One dataset to train on and one to test on: from a split of its own, or held out by a seed.

Inputs that both share are counted, and kept, dropped or refused as the options say; never ignored.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from crucible.data._missing import SplitMissing
from crucible.data.dataset import Dataset
from crucible.data.load import announce, read, read_options
from crucible.data.options import DatasetOptions
from crucible.data.overlap import overlap, without
from crucible.data.place import expand
from crucible.errors import DataError
from crucible.ir import DatasetRef

__all__ = ["TrainTest", "load_train_test"]

_DEFAULT_FRACTION: Final = 0.2


class TrainTest(msgspec.Struct, frozen=True):
    """Two datasets.

    Args:
        train: To train on.
        test: To test on.
        test_from: Where the test items came from, in words.
        overlap: Ids of the test items whose input also was a training input, before any were dropped.
    """

    train: Dataset
    test: Dataset
    test_from: str
    overlap: tuple[str, ...]


def load_train_test(ref: DatasetRef, options: DatasetOptions | None = None) -> TrainTest:
    """Load both parts.

    The test items are those of `test_split` or `test_path`; else those of the split `test`, where the source has one;
    else a share of the training split that the seed holds out. Limits are applied last.

    Args:
        ref: The dataset; its `split` is the one to train on.
        options: Win over the options of the reference.

    Raises:
        DataError: As `load`; also: both parts are the same file, or share inputs under `on_overlap: refuse`.
    """
    wanted = read_options(ref.options or {}, options.model_dump(exclude_none=True) if options else {})
    seed = wanted.seed or 0
    train = read(ref, ref.split, wanted)
    test, test_from = _test(ref, wanted, train)
    if test is None:
        train, test = train.split_off(wanted.test_fraction or _DEFAULT_FRACTION, seed)
    if wanted.limit is not None:
        train = train.sample(wanted.limit, seed)
    if wanted.test_limit is not None:
        test = test.sample(wanted.test_limit, seed)
    shared = overlap(train, test)
    if shared and wanted.on_overlap == "refuse":
        raise DataError(
            f'{ref.name}: {len(shared)} of {len(test)} test items are also training items, such as "{shared[0]}" '
            "(on_overlap: refuse); drop them from training with on_overlap: drop"
        )
    if shared and wanted.on_overlap == "drop":
        train = without(train, test)
        if not len(train):
            raise DataError(f"{ref.name}: every training item is also a test item, so none is left to train on")
    announce(train)
    announce(test)
    return TrainTest(train, test, test_from, shared)


def _test(ref: DatasetRef, wanted: DatasetOptions, train: Dataset) -> tuple[Dataset | None, str]:
    """Return the test items and where they are from; None where they must be held out of training."""
    split = wanted.test_split or "test"
    is_asked = wanted.test_split is not None or wanted.test_path is not None
    if wanted.test_fraction is not None and is_asked:
        raise DataError(f"{ref.name}: give test_fraction, or test_split and test_path, not both")
    if wanted.test_fraction is not None:
        return None, f"{wanted.test_fraction:g} of the split {ref.split}, held out"
    share = f"{_DEFAULT_FRACTION:g} of the split {ref.split}, held out"
    if not is_asked and ref.split == split:
        return None, f"{share}: the split {split} is trained on"
    if not is_asked and ref.provider != "huggingface" and wanted.path and Path(expand(wanted.path)).is_file():
        return None, f"{share}: path is one file"
    changes: dict[str, Any] = {"limit": wanted.test_limit, "path": wanted.test_path or wanted.path}
    try:
        test = read(ref.model_copy(update={"version": _test_version(ref)}), split, wanted.model_copy(update=changes))
    except SplitMissing as error:
        if is_asked:
            raise
        return None, f"{share}: {error}"
    digest = test.provenance.sha256
    if digest is not None and digest == train.provenance.sha256 and wanted.test_split != ref.split:
        raise DataError(
            f"{ref.name}: {train.provenance.source} would be trained on and tested on; give test_path, "
            "another test_split, or test_fraction to hold items out"
        )
    return test, f"the split {split}" + (f" of {wanted.test_path}" if wanted.test_path else "")


def _test_version(ref: DatasetRef) -> str | None:
    """A local file's version is the digest of one file, the training one; a repository's holds for every split."""
    return ref.version if ref.provider == "huggingface" or ref.name == "tickets" else None
