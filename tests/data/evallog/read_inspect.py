"""Read logs with inspect_ai and print what it found: `python read_inspect.py PATH …`.

Runs in an environment with inspect_ai and nothing of Crucible.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from inspect_ai.log import read_eval_log, read_eval_log_sample, read_eval_log_sample_summaries, read_eval_log_samples


def told(path: str) -> dict[str, Any]:
    """Return a log in every way that inspect_ai reads one."""
    header = read_eval_log(path, header_only=True)
    log = read_eval_log(path)
    samples = log.samples or []
    first = samples[0]
    return {
        "header": header.model_dump(mode="json", exclude={"samples"}),
        "samples": [one.model_dump(mode="json") for one in samples],
        "texts": [[message.text for message in one.messages] for one in samples],
        "summaries": [one.model_dump(mode="json") for one in read_eval_log_sample_summaries(path)],
        "one": read_eval_log_sample(path, id=first.id, epoch=first.epoch).id,
        "streamed": len(list(read_eval_log_samples(path))),
    }


if __name__ == "__main__":
    print(json.dumps([told(path) for path in sys.argv[1:]]))  # noqa: T201  # its output is what the test reads
