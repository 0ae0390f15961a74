import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from benchmarks import scalars


class Written:
    """An event file in a folder of its own."""

    def __init__(self, folder: Path, scalars_a_call: int) -> None:
        self.place = folder / str(time.monotonic_ns())
        self.names = scalars.names(scalars_a_call)
        self.writer = SummaryWriter(str(self.place))

    def log(self, step: int, number: float) -> None:
        for name in self.names:
            self.writer.add_scalar(name, number, step)

    def finish(self) -> None:
        self.writer.close()

    def close(self) -> None:
        pass

    def count(self) -> int:
        found = self._read()
        return sum(len(found.Scalars(name)) for name in self.names)

    def points(self) -> list[tuple[int, float]]:
        return [(event.step, event.value) for event in self._read().Scalars(self.names[0])]

    def _read(self) -> "EventAccumulator":
        found = EventAccumulator(str(self.place), size_guidance={"scalars": 0})
        found.Reload()
        return found


if __name__ == "__main__":
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboardX import SummaryWriter

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        note = "tensorboardX, an event file; read by TensorBoard's EventAccumulator"
        one = scalars.Way("one a call", lambda: Written(folder, 1), 50_000, place=folder, note=note, points=50_000)
        ten = scalars.Way(
            "ten a call", lambda: Written(folder, 10), 2_000, 10, place=folder, note=f"{note}; ten add_scalar"
        )
        scalars.report([one, ten], version("tensorboardX"))
