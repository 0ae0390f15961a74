"""Record what no library knows of: an event of one's own, a field that is worked out, an alert, windows, a file.

A shop looks articles up through a small cache that forgets what was used longest ago. Customers ask for few articles,
then a robot walks through all of them, and the cache forgets everything: look at the alert, and at the window in which
nothing happens. The cache is a real one; only the customers are made up.
"""

import os
import random
import tempfile
import time
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crucible import events
from crucible.events import registry
from crucible.telemetry import AlertRules, Experiment

OUTPUT = Path(os.environ.get("EXAMPLES_OUTPUT_DIR") or tempfile.mkdtemp(prefix="example_telemetry_"))

LOOKED_UP = registry.EventInfo(
    name="my_shop.article.looked_up",
    category="shop",
    description="An article was looked up.",
    emitted_by="external",
    measurements={"duration_ns": "ns", "cached": "1", "capacity": "1"},
    metadata={"article": "its number", "hit": "whether the cache had it", "asker": "customer or robot"},
)

RULES = AlertRules.from_yaml("""
rules:
  - name: cold cache
    event: my_shop.article.looked_up
    condition: {error_rate_above: 0.8, over: {last_n: 50}}
    severity: critical
    message: "{value} of the last 50 lookups were not in the cache"
""")


class Cache:
    """Keeps the articles that were used last.

    Args:
        capacity: How many.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._kept: OrderedDict[int, str] = OrderedDict()

    def look_up(self, article: int, asker: str) -> str:
        """Return an article's description, from the cache if it has it."""
        began = time.monotonic_ns()
        hit = article in self._kept
        text = self._kept.pop(article) if hit else f"article {article}"
        self._kept[article] = text
        if len(self._kept) > self.capacity:
            self._kept.popitem(last=False)
        events.emit(
            LOOKED_UP.name,
            {"duration_ns": time.monotonic_ns() - began, "cached": len(self._kept), "capacity": self.capacity},
            {"article": article, "hit": hit, "asker": asker},
        )
        return text


def lookup(event: events.Event, _found: Any) -> Mapping[str, Any] | None:
    """Find in an event what can be asked of it: how full the cache is, and whether it helped."""
    if event.name != LOOKED_UP.name:
        return None
    measured, told = event.measurements, event.metadata
    return {"success": told["hit"], "asker": told["asker"], "full_frac": measured["cached"] / measured["capacity"]}


def serve(cache: Cache) -> None:
    """Serve customers, then nobody, then a robot, then customers again."""
    draw = random.Random(3)  # noqa: S311  # not for secrets
    for _ in range(400):
        cache.look_up(round(draw.gauss(500, 10)), "customer")
    time.sleep(0.35)
    for article in range(200):
        cache.look_up(article, "robot")
    for _ in range(200):
        cache.look_up(round(draw.gauss(500, 10)), "customer")


def main() -> None:
    """Serve, and print what was found."""
    registry.register(LOOKED_UP)
    with Experiment.start(
        "cache",
        enrichers=[lookup],
        metrics_config={"cost": False, "tokens": False, "custom": ["full_frac"]},
        alerts=RULES,
        on_alert=[lambda alert: print(f"alert     {alert.severity}: {alert.message}")],
        store=OUTPUT / "store",
    ) as experiment:
        serve(Cache(60))

    for found in experiment.aggregate(by=("field:asker",), value="field:full_frac"):
        [asker], known = found.group, found.successes + found.failures
        if asker is not None:  # the alert is an event, too
            print(f"{asker:10}{found.count} lookups, {found.successes / known:.0%} from the cache")

    full = experiment.metrics().custom["full_frac"]
    print(f"fullness  {full.min:.0%} at first, {full.median:.0%} in the middle, {full.max:.0%} at most")

    windows = experiment.windows(0.1, None, LOOKED_UP.name)
    silent = sum(1 for window in windows if window.count == 0)
    print(f"windows   {len(windows)} of 0.1 s with {sum(window.count for window in windows)} lookups")
    print(f"silence   {'seen' if silent else 'not seen'}: windows of nothing are there")

    again = experiment.alerts(RULES)
    print(f"replayed  {len(again)} alert, the same rule: {again[0].rule}")
    exported = experiment.export("csv", OUTPUT / "custom_metrics.csv", names=(LOOKED_UP.name,))
    print(f"exported  {exported.rows} lookups with the column full_frac: {'full_frac' in exported.columns}")


if __name__ == "__main__":
    main()
