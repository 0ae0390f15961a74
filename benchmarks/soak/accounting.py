"""Whether every event that was emitted is in the store, once."""

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.soak.plan import EVENT, SoakError

_OURS = "NOT INDEXED WHERE name = ?"  # in the order in which they lie on the disk


def accounted(store: Path, said: Sequence[dict[str, Any]]) -> tuple[int, int, int]:
    """Return how many events are found, missing and doubled, after looking at every one.

    Every row of the table is read, past Crucible's own reader, which tells thirty million events in an hour.

    Raises:
        SoakError: Crucible's reader counts other events.
    """
    from crucible.store import EventQuery, open_store
    from crucible.store.opening import FILE_NAME

    with open_store(str(store)) as opened:
        counted = sum(opened.telemetry.count(EventQuery(run_id=each["id"], names=(EVENT,))) for each in said)
    seen = {
        (each["id"], each["process"], thread): bytearray(sent)
        for each in said
        for thread, sent in enumerate(each["sent"])
    }  # a byte an event
    found = doubled = 0
    connection = sqlite3.connect(f"{(store / FILE_NAME).absolute().as_uri()}?mode=ro", uri=True)
    try:
        for run_id, text in connection.execute(f"SELECT run_id, metadata_json FROM telemetry_events {_OURS}", [EVENT]):
            found += 1
            mark = json.loads(text)
            marks, sequence = seen.get((run_id, mark["process"], mark["thread"]), b""), mark["sequence"]
            if sequence >= len(marks) or marks[sequence]:
                doubled += 1
            else:
                marks[sequence] = 1
    finally:
        connection.close()
    if found != counted:
        raise SoakError(f"the table holds {found:,} events, and the store counts {counted:,}")
    return found, sum(marks.count(0) for marks in seen.values()), doubled
