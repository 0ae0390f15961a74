"""What happens between Crucible and a Tinker service, as events on Crucible's bus.

The names are those of every backend's sessions and samplers (`crucible_backends.session.*`, `req_llm.request`), each
told once, here; a training on a service can be recorded, traced and watched like one on this machine. The SDK's own
telemetry goes to the service and is off; nothing here leaves the process, and no header or key is in it.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from crucible import events
from crucible.backends.session_events import SessionEvents
from crucible.backends.tinker.connection import Connection
from crucible.backends.tinker.settings import BACKEND
from crucible.events import Span
from crucible.ir import LoraConfig

__all__ = ["TelemetryBridge"]


class TelemetryBridge:
    """Tells the events of the requests that go through one connection.

    Args:
        connection: The service.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def session(self, config: LoraConfig) -> SessionEvents:
        """Return the events of a session, which are told as any backend's are."""
        return SessionEvents(backend=BACKEND, base_model=config.base_model, rank=config.rank)

    @contextmanager
    def sampling(self, model: str) -> Generator[Span]:
        """Span over one call of a sampler; the caller measures `prompts`, `prompt_tokens` and `completion_tokens`.

        It ends with the metadata `http_retries`: how often an HTTP request was sent again meanwhile.

        Args:
            model: Name of the model.
        """
        before = self._connection.http_retries
        with events.span("req_llm.request", {"model": model, "backend": BACKEND}) as span:
            try:
                yield span
            finally:
                span.annotate(http_retries=self._connection.http_retries - before)
