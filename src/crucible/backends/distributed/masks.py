# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (transformers and PEFT models are untyped)
"""Dropout of a request that several processes share: each draws the masks of the whole request and uses its own rows.

So the masks, and the state of their generator, are those of one process. It holds for a request that one process would
compute in one pass; the masks of others come from seeds, one a process.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import msgspec
import torch

from crucible.backends.adapter import SeededDropout
from crucible.backends.local_adapter import LocalAdapter

__all__ = ["DropoutState", "OwnRows", "drawing", "rows_of_shares"]

_NARROW = ("o_proj", "gate_proj", "up_proj", "down_proj")


class OwnRows(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows of a whole request's tensors are those of one process's share.

    Attributes:
        tokens: Of a packed pass (N, …): how many rows there are, and which are its own.
        asked: Of a packed pass's last layer (M, …), which sees only the positions that are asked for.
        sequences: Of a padded batch (B, T, …): how many rows there are, how long they are, and which are its own.
    """

    tokens: tuple[int, list[int]]
    asked: tuple[int, list[int]]
    sequences: tuple[int, int, list[int]]

    def whole(self, shape: Sequence[int], *, is_narrow: bool) -> tuple[int, ...]:
        """Return the shape of the whole request's tensor.

        Args:
            shape: That of the share's.
            is_narrow: Whether it is of the last layer, behind its attention.
        """
        if len(shape) == 2:
            return ((self.asked if is_narrow else self.tokens)[0], *shape[1:])
        return (*self.sequences[:2], *shape[2:])

    def of(self, mask: torch.Tensor, shape: Sequence[int], *, is_narrow: bool) -> torch.Tensor:
        """Return the share's rows of a whole request's mask, in the share's shape."""
        if len(shape) == 2:
            own = (self.asked if is_narrow else self.tokens)[1]
            return mask[torch.tensor(own, device=mask.device)]
        return mask[torch.tensor(self.sequences[2], device=mask.device), : shape[1]]


class DropoutState(msgspec.Struct, frozen=True):
    """What the dropout of one process's share begins with.

    Attributes:
        generator: State of the generator; None: a seed.
        seed: Begins the generator anew, where there is no state.
        rows: Its part of the whole request's masks; None: the masks are its own.
    """

    generator: bytes | None
    seed: int = 0
    rows: OwnRows | None = None


def rows_of_shares(
    order: Sequence[int], lengths: Sequence[int], asked: Sequence[Sequence[int]], places: Sequence[Sequence[int]]
) -> list[OwnRows]:
    """Return for each process which rows are its own.

    Args:
        order: The data in the order in which one pass takes them.
        lengths: Tokens of each datum.
        asked: The positions that the loss reads of each, at least one.
        places: For each process, its data.
    """
    tokens, narrow = [max(each) + 1 for each in asked], [len(each) for each in asked]
    whole, asked_rows = _starts(order, tokens), _starts(order, narrow)
    found: list[OwnRows] = []
    for own in places:
        mine = [number for number in order if number in set(own)]
        found.append(
            OwnRows(
                tokens=(sum(tokens), [row for n in mine for row in range(whole[n], whole[n] + tokens[n])]),
                asked=(sum(narrow), [row for n in mine for row in range(asked_rows[n], asked_rows[n] + narrow[n])]),
                sequences=(len(order), max(lengths), [order.index(number) for number in mine]),
            )
        )
    return found


@contextlib.contextmanager
def drawing(adapter: LocalAdapter, state: DropoutState | None) -> Generator[None]:
    """Let an adapter's dropout begin as it is told, and use the masks of a whole request, for a block.

    Args:
        adapter: The adapter.
        state: What it begins with; None: it goes on as it is.
    """
    if state is None:
        yield
        return
    if state.generator is None:
        adapter.seed_dropout(state.seed)
    else:
        adapter.restore_dropout(state.generator)
    modules = list(_dropouts(adapter.model.model)) if state.rows is not None else []
    try:
        for module, is_narrow in modules:
            module.rows, module.is_narrow = state.rows, is_narrow
        yield
    finally:
        for module, _ in modules:
            module.rows = None


def _starts(order: Sequence[int], sizes: Sequence[int]) -> dict[int, int]:
    starts: dict[int, int] = {}
    place = 0
    for number in order:
        starts[number] = place
        place += sizes[number]
    return starts


def _dropouts(model: Any) -> Iterator[tuple[SeededDropout, bool]]:
    """Yield an adapter's dropouts, and whether a packed pass shows each only the positions that are asked for."""
    last = f".{int(getattr(model.config.get_text_config(), 'num_hidden_layers', 0)) - 1}."
    for name, module in model.named_modules():
        if isinstance(module, SeededDropout):
            parts = name.split(".")
            yield module, "lm_head" in parts or (last in name and any(part in _NARROW for part in parts))
