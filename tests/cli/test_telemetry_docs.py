"""The guide to `crucible telemetry` shows what happens."""

from __future__ import annotations

import json
import math
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from crucible.store import EventRow, ExperimentInfo, Store, StoredEvent, open_store
from crucible.store.owner import current_owner
from crucible.telemetry.taking_in import row_of

PAGE = Path(__file__).parents[2] / "docs" / "telemetry-cli.md"
S = 10**9
START = 1_793_610_000 * S  # 2026-11-02 09:00 UTC


def make_recordings(store: Store) -> None:
    """Make the two experiments of the guide: ten minutes with a pause in the middle, and with latencies that differ."""
    for number, (identifier, name, mean_ms) in enumerate(
        (("c0ffee0000000001", "support answers", 420), ("decaf00000000002", "support answers, cached", 350))
    ):
        draw = random.Random(number)
        begin = START + number * 3_600 * S
        at = [f"2026-11-02T{9 + number:02}:{minute:02}:00.000000+00:00" for minute in (0, 10)]
        info = ExperimentInfo(
            id=identifier,
            name=name,
            hypothesis="a cache of prompts makes answers faster",
            condition=("control", "cached")[number],
            status="stopped",
            started_at=at[0],
            stopped_at=at[1],
            pause_count=1,
            paused_ns=240 * S,
            recorded=460,
            dropped={"paused": 3},
            tags=("support",),
            settings={"prices": {"source": "the vendor's price list", "date": "2026-11-01"}},
            owner=current_owner(),
        )
        store.telemetry.experiments.add(info)
        seconds = [second for second in range(600) if not 180 <= second < 420]
        rows = [
            answer(info, begin + second * S, place, draw, mean_ms * (9 if place == 100 else 1))
            for place, second in enumerate(seconds)
        ]
        losses = [math.nan if step == 30 else 2 / (1 + step / 12) + draw.gauss(0, 0.03) for step in range(100)]
        store.telemetry.write_events(
            rows, [(identifier, "loss", step, value, begin + step * S) for step, value in enumerate(losses)]
        )
        store.telemetry.close_series(identifier)


def answer(info: ExperimentInfo, at: int, place: int, draw: random.Random, mean_ms: float) -> EventRow:
    """Return a request that a model answered."""
    latency_ms = round(mean_ms * draw.lognormvariate(0, 0.2), 3)
    tokens = {"prompt_tokens": 180 + draw.randrange(40), "completion_tokens": 40 + draw.randrange(20)}
    record = StoredEvent(
        name="req_llm.request.stop",
        timestamp_ns=at,
        measurements={"duration": round(latency_ms * 1e6), **tokens},
        metadata={"model": "small"},
        event_id=f"{place:08x}{info.id[-8:]}",
        condition=info.condition,
        latency_ms=latency_ms,
        cost_usd=round(tokens["prompt_tokens"] * 1e-6 + tokens["completion_tokens"] * 4e-6, 9),
        success=place % 90 != 17,
        fields={"model": "small", **tokens, "total_tokens": sum(tokens.values())},
    )
    return row_of(record, info.id)


def output(command: str) -> str:
    """Return what a command prints, as the page shows it."""
    done = subprocess.run(
        [Path(sys.executable).with_name("crucible"), *command.split()[1:]],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
        timeout=120,
        env={**os.environ, "COLUMNS": "100", "TZ": "UTC", "PYTHONUNBUFFERED": "1"},
    )
    return "\n".join(line.rstrip() for line in done.stdout.strip("\n").splitlines())


def prepare() -> None:
    """Put into the working directory what the commands of the page need."""
    with open_store(".crucible") as store:
        make_recordings(store)
    Path("wandb-run").mkdir()
    lines = [json.dumps({"_step": step, "_timestamp": START // S + step, "loss": 1 / (1 + step)}) for step in range(50)]
    Path("wandb-run", "history.jsonl").write_text("\n".join(lines) + "\n")


@pytest.mark.slow
def test_every_command_prints_what_the_page_shows(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """The commands of the page are run in its order; each prints exactly what stands below it."""
    monkeypatch.chdir(tmp_path)
    prepare()
    page = PAGE.read_text(encoding="utf-8")
    (rules,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    Path("rules.yaml").write_text(rules)
    count = 0
    for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL):
        for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            assert output(command) == shown.rstrip("\n"), command
            count += 1
    assert count == 15
