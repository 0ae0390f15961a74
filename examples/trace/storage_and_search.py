"""Keep chains in a live file, in a folder and in a store; search them; seal one, and find what was tampered with.

Look at the end: an edited decision is found and named, and so is somebody who edits and then seals the file anew with a
key of their own. Signing needs `pip install "crucible-ml[trace]"`.
"""

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from crucible.store import open_store
from crucible.trace import Chain, ChainFolder, Condition, Event, LiveChain, Signer, TraceStore, read_live, verify

OUTPUT = Path(os.environ.get("EXAMPLES_OUTPUT_DIR") or "example_traces") / "storage_and_search"


def chain_about(topic: str, *decisions: tuple[str, str, float], days_ago: int = 0) -> Chain:
    """Return a chain of decisions with their reasons and confidences (written by hand for this example)."""
    made = datetime.now(UTC) - timedelta(days=days_ago)
    chain = Chain(topic, created_at=made)
    for decision, reasoning, confidence in decisions:
        chain.add(Event.new("decision_made", decision, reasoning, confidence=confidence, timestamp=made))
    return chain


def chains() -> list[Chain]:
    """Return the chains that are kept, the newest first."""
    return [
        chain_about(
            "checkout",
            ("retry a payment once", "the bank's timeouts are short and rare", 0.8),
            ("lock the basket while paying", "two tabs would pay twice", 0.95),
            ("keep a basket for a week", "marketing asked for it", 0.6),
        ),
        chain_about("search page", ("rank by sales", "no clicks are recorded yet", 0.55)),
        chain_about("old newsletter", ("send on Tuesdays", "people read it then", 0.4), days_ago=120),
    ]


def record_live(path: Path) -> None:
    """Write a chain as it happens, then lose the end of its last line, as a crash would."""
    with LiveChain(path, "import of orders") as live:
        for batch in range(1, 4):
            live.add(Event.new("batch_processed", f"batch {batch} imported", "it was next"))
    path.write_bytes(path.read_bytes()[:-20])
    read = read_live(path)
    print(f"live file   {len(read.chain)} of 3 events are whole; {read.problems[0].message}")


def keep_in_folder(folder: ChainFolder) -> None:
    """Keep chains as files, one each; put the old ones aside and fetch them back."""
    for chain in chains():
        folder.save(chain)
    print(f"folder      {', '.join(entry.name for entry in folder.list())}")
    print(f"  with at least 2 events: {', '.join(entry.name for entry in folder.search(min_events=2))}")
    moved = folder.archive(timedelta(days=90))
    print(f"  archived: {', '.join(entry.name for entry in folder.list_archived())}; {len(folder.list())} are left")
    folder.restore(moved.ids[0])
    print(f"  restored: {len(folder.list())} again")


def keep_in_store(traces: TraceStore) -> None:
    """Keep chains in a database: words and conditions search all of them at once."""
    for chain in chains():
        traces.save(chain)
    for hit in traces.search_all("pay*"):
        print(f"store       'pay*' in {hit.chain_name}: {marked(hit.snippet, hit.snippet_highlights)}")
    doubtful = Condition.from_dict({"confidence": {"lt": 0.7}, "not": {"content": "newsletter"}})
    for found in traces.query(doubtful):
        print(f"  below 0.7: {found.event.confidence} {found.event.decision}")
    [old] = traces.archive(older_than=timedelta(days=90))
    print(f"  archived: {[info.name for info in traces.list(archived=True)]}; {len(traces.list())} are left")
    print(f"  restored: {traces.restore(old).name}")


def marked(text: str, spans: tuple[tuple[int, int], ...]) -> str:
    """Return a text with brackets around what was found."""
    for begin, end in reversed(spans):
        text = f"{text[:begin]}[{text[begin:end]}]{text[end:]}"
    return text


def seal_and_tamper(path: Path) -> None:
    """Seal a chain, then change its file in two ways; both are found."""
    ours = Signer.generate()
    chain = chains()[0]
    chain.seal(ours)
    chain.save(path)
    print(f"sealed      {'holds' if verify(Chain.load(path), public_key=ours.public_key).ok else 'is broken'}")

    path.write_text(path.read_text(encoding="utf-8").replace("pay twice", "pay thrice"), encoding="utf-8")
    found = verify(Chain.load(path), public_key=ours.public_key).findings[0]
    print(f"  edited: {found.fault}, in {found.decision!r}")

    forged = Chain.load(path).filter(lambda event: event.confidence != 0.6)  # a filtered chain has no seal
    forged.seal(Signer.generate())
    found = verify(forged, public_key=ours.public_key).findings[0]
    print(f"  sealed anew by a stranger: the wrong {found.fault}")


def main() -> None:
    """Go through all four in a folder of their own, which each run makes anew."""
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir(parents=True)
    record_live(OUTPUT / "orders.jsonl")
    keep_in_folder(ChainFolder(OUTPUT / "chains"))
    with open_store(OUTPUT / "store") as store:
        keep_in_store(TraceStore(store))
    seal_and_tamper(OUTPUT / "sealed.json")


if __name__ == "__main__":
    main()
