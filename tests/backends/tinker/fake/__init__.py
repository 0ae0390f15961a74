"""A fake Tinker service, plainly named as one: SDK 0.38's bytes on this machine, with a real tiny model behind."""

from tests.backends.tinker.fake.faults import Fault, Faults
from tests.backends.tinker.fake.recorded import Recorded
from tests.backends.tinker.fake.service import FakeTinkerService

__all__ = ["FakeTinkerService", "Fault", "Faults", "Recorded"]
