"""What can be measured: one module a topic, each with Crucible's side and the names of the peers beside it.

A topic module has a docstring, `PEERS`, `AGAINST` (a peer's figure, and which of Crucible's figures it is divided by),
`ROUNDS` (fresh processes at most; None: as many as asked for) and `measure`. It imports `crucible` inside `measure`, so
that a cold start can be measured, too.
"""

import dataclasses
import difflib
import importlib
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType

from benchmarks.clock import Budget, Figure, budget
from benchmarks.peers import Peer

NAMES = (
    "pipeline",
    "ir",
    "context",
    "events",
    "telemetry",
    "soak",
    "traces",
    "trace_store",
    "viewer",
    "resampling",
    "evaluating",
    "train",
    "hooks",
    "preference",
    "rewards",
    "imports",
    "size",
)


class UnknownTopicError(ValueError):
    """There is no topic of that name; the message says which there are."""


@dataclasses.dataclass(frozen=True)
class Scale:
    """How much Crucible's side does.

    Args:
        stages: Stages of a pipeline.
        document_stages: Stages of a document that is read.
        metrics: Metrics that a context holds.
        updates: Updates of that context.
        trace_events: Events of a chain, and of the large chain in a store.
        trace_chains: Chains in a store that are listed.
        viewer_events: Events on a page.
        diff_events: Events of each of two chains that are compared.
        scalars: Scalars of one pass.
        recorded_events: Events of one pass.
        memory_scalars: Scalars that are logged without a pause while memory is watched.
        run_points: Points of the large run that is opened.
        soak_s: Seconds of the soak.
        soak_rate: Events a second of the soak.
        evaluated_items: Items of the large evaluation.
        own_modules_only: Import only the package's own modules, not what it is compared with.
        budget: How long to repeat.
    """

    stages: int = 100
    document_stages: int = 50
    metrics: int = 10_000
    updates: int = 1_000
    trace_events: int = 1_000_000
    trace_chains: int = 10_000
    viewer_events: int = 10_000
    diff_events: int = 20_000
    scalars: int = 100_000
    recorded_events: int = 50_000
    memory_scalars: int = 5_000_000
    run_points: int = 10_000_000
    soak_s: float = 600.0
    soak_rate: float = 50_000.0
    evaluated_items: int = 200_000
    own_modules_only: bool = False
    budget: Budget = dataclasses.field(default_factory=budget)


@dataclasses.dataclass(frozen=True)
class Topic:
    """One topic.

    Args:
        name: What the command line calls it.
        summary: What is measured, in a line.
        measure: Crucible's side.
        peers: Who is measured beside it.
        against: Crucible's figures that a peer's figure is divided by, by the name of the peer's.
        rounds: Fresh processes at most; None: as many as asked for.
    """

    name: str
    summary: str
    measure: Callable[[Scale], Iterator[Figure]]
    peers: tuple[Peer, ...]
    against: Mapping[str, tuple[str, ...]]
    rounds: int | None


def topic(name: str) -> Topic:
    """Return the topic of that name.

    Raises:
        UnknownTopicError: There is none.
    """
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, n=1)
        hint = f'; did you mean "{near[0]}"?' if near else ""
        raise UnknownTopicError(f'unknown topic "{name}"; expected one of {", ".join(NAMES)}{hint}')
    module: ModuleType = importlib.import_module(f"benchmarks.topic.{name}")
    summary = (module.__doc__ or "").strip().splitlines()[0]
    return Topic(name, summary, module.measure, module.PEERS, module.AGAINST, module.ROUNDS)
