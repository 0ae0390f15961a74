"""What people wrote stays here, wherever it stands in a payload."""

from __future__ import annotations

import dataclasses
from collections import deque, namedtuple
from collections.abc import Callable
from typing import Any

import msgspec
import pydantic
import pytest

from crucible import events
from crucible.store import StoredEvent
from crucible.telemetry.bridges import PRIVATE, OpenTelemetryBridge
from crucible.telemetry.bridges.naming import payload
from crucible.telemetry.bridges.privacy import without_private

from .conftest import Told

Make = Callable[..., StoredEvent]
SECRET = "what somebody wrote"


@dataclasses.dataclass(frozen=True)
class Asked:
    """A request as a dataclass."""

    prompt: str = SECRET
    size: int = 3


class Packed(msgspec.Struct, frozen=True):
    """A request as a struct."""

    prompt: str = SECRET
    size: int = 3


class Model(pydantic.BaseModel):
    """A request as a model."""

    prompt: str = SECRET
    size: int = 3


Named = namedtuple("Named", ["prompt", "size"])  # as a stranger may send it


@pytest.mark.parametrize(
    "value",
    [
        [{"prompt": SECRET, "size": 3}],
        ({"messages": [SECRET], "size": 3},),
        [[[{"input": {"deeper": SECRET}, "size": 3}]]],
        {"items": [{"output": SECRET, "size": 3}]},
        deque([{"text": SECRET, "size": 3}]),
        [Asked()],
        frozenset([Asked()]),
        {"one": Packed()},
        [Model()],
        [Named(SECRET, 3)],
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("section", ["metadata", "measurements", "fields"])
def test_private_keys_are_found_in_lists_and_objects(record: Make, section: str, value: Any) -> None:
    """A private key is left out of mappings inside of lists and of objects with fields; what stands beside it goes."""
    told = payload(without_private(record("a.b", **{section: {"items": value}})))
    (text,) = told.values()
    assert SECRET not in str(text)
    assert "size" in str(text)
    assert "3" in str(text)


def test_what_is_not_private_goes_as_it_is(record: Make) -> None:
    """Lists of words and numbers, and objects without fields, are handed on themselves."""
    given = {"words": ["a", "b"], "numbers": (1, 0.5), "few": {1, 2}, "kind": int, "none": [None]}
    assert without_private(record("a.b", metadata=given)).metadata == given


def test_what_cannot_be_looked_into_stays_here(record: Make) -> None:
    """What contains itself, lies deeper than 16 levels, or fails when it is asked, becomes its type's name."""
    loop: list[Any] = [{"prompt": SECRET}]
    loop.append(loop)
    deep: Any = {"prompt": SECRET}
    for _ in range(40):
        deep = [deep]

    class Failing(dict[str, Any]):
        def items(self) -> Any:
            raise RuntimeError("no")

    told = payload(without_private(record("a.b", metadata={"loop": loop, "deep": deep, "fails": Failing(a=SECRET)})))
    assert SECRET not in str(told)
    assert "<list>" in str(told["crucible.metadata.loop"])
    assert "<list>" in str(told["crucible.metadata.deep"])
    assert told["crucible.metadata.fails"] == "<Failing>"


def test_the_live_bridge_keeps_them_here(told: Told) -> None:
    """Of an event on the bus, too, the prompts of a list of requests do not leave unless they are asked for."""
    assert "prompt" in PRIVATE
    for is_kept in (False, True):
        with OpenTelemetryBridge(told.tracers, told.meters, names="private.*", keep_private=is_kept):
            events.emit("private.sent", {}, {"items": [{"prompt": SECRET, "size": 3}]})
        (span,) = told.exporter.get_finished_spans()
        told.exporter.clear()
        assert (SECRET in str(dict(span.attributes or {}))) is is_kept
