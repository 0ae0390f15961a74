"""Write a chain in every form that other programs show: four Mermaid diagrams, CSV, Markdown and a page of its own.

Look at the flowchart below, or paste any of the `.mmd` files into a Markdown page in a fence marked `mermaid`. The
viewer page needs no network: open it in a browser, filter it, and press the button for dark colours.
"""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from crucible.trace import MERMAID_KINDS, Chain, Event, MermaidOptions, save_html, to_csv, to_markdown, to_mermaid

OUTPUT = Path(os.environ.get("EXAMPLES_OUTPUT_DIR") or "example_traces")
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def plan_a_backup() -> Chain:
    """Return how somebody planned a backup, in three stages (written by hand for this example)."""
    chain = Chain("a backup for the wiki", created_at=START)
    size = chain.add(
        Event.new(
            "constraint_evaluated",
            "a copy takes 40 GB",
            "summed up the tables and the uploads",
            stage_id="measure",
            timestamp=START,
        )
    )
    loss = chain.add(
        Event.new(
            "ambiguity_flagged",
            'one day\'s work may be lost: "at most"',
            "the owner said 'a day or so'",
            confidence=0.6,
            alternatives=["an hour"],
            stage_id="measure",
            timestamp=START + timedelta(minutes=4),
        )
    )
    nightly = chain.add(
        Event.new(
            "decision_made",
            "a full copy every night",
            "40 GB fit into the night, and restoring is one step",
            confidence=0.85,
            alternatives=["stream every change", "copy on Sundays, differences on weekdays"],
            depends_on=[size.id, loss.id],
            stage_id="choose",
            timestamp=START + timedelta(minutes=15),
        )
    )
    chain.add(
        Event.new(
            "alternative_rejected",
            "no copies on the same machine <disk 2>",
            "one fire would take both",
            confidence=0.95,
            parent_id=nightly.id,
            stage_id="choose",
            timestamp=START + timedelta(minutes=22),
        )
    )
    chain.add(
        Event.new(
            "decision_made",
            "restore one copy a month on a spare machine",
            "what was never restored is no backup",
            confidence=0.9,
            depends_on=[nightly.id],
            stage_id="prove",
            timestamp=START + timedelta(minutes=60),
        )
    )
    return chain


def main() -> None:
    """Write the files, and print the flowchart."""
    chain = plan_a_backup()
    OUTPUT.mkdir(parents=True, exist_ok=True)

    options = MermaidOptions(max_label_length=40)
    for kind in MERMAID_KINDS:
        (OUTPUT / f"backup_{kind}.mmd").write_text(to_mermaid(chain, kind, options), encoding="utf-8")
    (OUTPUT / "backup.csv").write_text(to_csv(chain), encoding="utf-8", newline="")  # its lines end by themselves
    (OUTPUT / "backup.md").write_text(to_markdown(chain), encoding="utf-8")
    save_html(chain, OUTPUT / "backup.html")

    print(to_mermaid(chain, "flowchart", options))
    for path in sorted(OUTPUT.glob("backup*")):
        print(f"{path.stat().st_size:7,} bytes  {path.name}")


if __name__ == "__main__":
    main()
