"""Measure Crucible and its peers side by side, on this machine, now; `make bench` does all of it.

Each side runs in fresh processes, the sides in turn, so that other work on the machine hits all of them alike.
"""

import argparse
import shlex
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.environments import NotInstalledError, cache_folder, interpreter
from benchmarks.machine import load, machine
from benchmarks.peers import Peer
from benchmarks.side import ROOT, Answer, ask
from benchmarks.table import section
from benchmarks.topic import NAMES, Topic, UnknownTopicError, topic

RESULTS = ROOT / "benchmarks" / "RESULTS.md"
READING = """\
Medians of the repeats in each process, then of the processes; the range is that of the processes' medians, or of the
repeats where one process was measured. A ratio says how many times better Crucible is: of a rate it is Crucible's over
the peer's. Cold start: import, build and first call, without the interpreter's start, files in the page cache. Figures
of a machine with other work on it are upper bounds of durations: compare within one report only."""


def measured(chosen: Topic, peers: Sequence[Peer], rounds: int, seconds: float) -> str:
    """Return the tables of a topic, after measuring it.

    Args:
        chosen: The topic.
        peers: Who is measured beside Crucible.
        rounds: Fresh processes of each side.
        seconds: Time to repeat each figure.
    """
    pythons: dict[str, Path] = {}
    skipped: dict[str, str] = {}
    for peer in peers:
        try:
            pythons[peer.name] = interpreter(peer, cache_folder())
        except NotInstalledError as error:
            skipped[peer.name] = f"could not be installed: {error}"
    sides: dict[str, list[Answer]] = {}
    for index in range(min(rounds, chosen.rounds or rounds)):
        own = ask(Path(sys.executable), "benchmarks.side", [chosen.name], seconds=seconds)
        sides.setdefault("", []).append(own)
        for peer in peers:
            if peer.name in pythons and index < (peer.rounds or rounds):
                answer = ask(pythons[peer.name], peer.module, seconds=seconds)
                sides.setdefault(peer.name, []).append(answer)
    return section(chosen, sides, skipped)


def chosen_topics(names: Sequence[str]) -> list[Topic]:
    """Return the topics of these names, all of them if there are none.

    Raises:
        UnknownTopicError: A name is not a topic's.
    """
    return [topic(name) for name in names or NAMES]


def known_peers(topics: Sequence[Topic], names: Sequence[str] | None) -> None:
    """Refuse a name that is no peer's.

    Raises:
        UnknownTopicError: A name is neither that of a peer of these topics nor `none`.
    """
    known = ["none", *(peer.name for each in topics for peer in each.peers)]
    for name in names or ():
        if name not in known:
            raise UnknownTopicError(f'unknown peer "{name}"; expected some of {", ".join(known)}')


def report(arguments: argparse.Namespace, command: str) -> Iterator[str]:
    """Yield the parts of the report, each as soon as it is measured."""
    yield f"## Side by side, {datetime.now(UTC):%Y-%m-%d}\n\n`{command}` on {machine()}; load average {load()} before."
    for chosen in chosen_topics(arguments.topics):
        peers = [peer for peer in chosen.peers if arguments.peers is None or peer.name in arguments.peers]
        yield "\n" + measured(chosen, peers, arguments.rounds, arguments.seconds)
    yield f"\n{READING}\nLoad average {load()} after."


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0])
    found.add_argument("topics", nargs="*", metavar="TOPIC", help="what to measure (default: everything)")
    found.add_argument("--list", action="store_true", help="say which topics and peers there are, and stop")
    found.add_argument("--save", action="store_true", help="append the report to benchmarks/RESULTS.md")
    found.add_argument("--rounds", type=int, default=3, help="fresh processes of each side (default: 3)")
    found.add_argument("--seconds", type=float, default=1.0, help="time to repeat each figure (default: 1)")
    found.add_argument("--peers", type=lambda text: text.split(","), help="measure only these, by name; none: nobody")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Print the report; return 2 for a topic that does not exist, else 0 if Crucible's sides all went well, else 1."""
    given = list(sys.argv[1:] if argv is None else argv)
    arguments = parser().parse_args(given)
    try:
        topics = chosen_topics(arguments.topics)
        known_peers(topics, arguments.peers)
    except UnknownTopicError as error:
        print(error, file=sys.stderr)
        return 2
    if arguments.list:
        for each in topics:
            beside = f" [{', '.join(peer.name for peer in each.peers)}]" if each.peers else ""
            print(f"{each.name:<10} {each.summary}{beside}")
        return 0
    parts: list[str] = []
    for part in report(arguments, shlex.join(["python", "-m", "benchmarks", *given])):
        print(part, flush=True)
        parts.append(part)
    if arguments.save:
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write("\n" + "\n".join(parts) + "\n")
    return int(any("Crucible: stopped early" in part for part in parts))


if __name__ == "__main__":
    sys.exit(main())
