"""What happened: the events of a run and their series, recorded while it runs.

Listens to the bus and writes through the store; nobody above calls it to record a number, they emit. Reading back is
`store.telemetry`: `series`, `points`, `event_counts`, `events`.
"""

from crucible.telemetry.recorder import Recorder
from crucible.telemetry.series import series_name

__all__ = ["Recorder", "series_name"]
