"""A fake Tinker service for tests and examples: SDK 0.38's bytes over HTTP on this machine, a real tiny model behind.

It never poses as the hosted service: it listens on 127.0.0.1 only, every answer has the header `Server:
FakeTinkerService`, and what it computes is the local backend's arithmetic. It records all requests, and fails where it
is told to (`faults`).
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeout
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from tests.backends.tinker.fake.engine import FakeEngine
from tests.backends.tinker.fake.faults import Fault, Faults
from tests.backends.tinker.fake.recorded import Recorded
from tests.backends.tinker.fake.refusal import RefusedError
from tests.backends.tinker.fake.wire import read_request

from crucible.errors import DataError

__all__ = ["FakeTinkerService"]

_API: Final = "/api/v1"
_PROTO: Final = "application/x-protobuf"
_LONG_POLL_S: Final = 5.0


class FakeTinkerService:
    """The server; a context manager that starts and stops it.

    Args:
        folder: Where it keeps checkpoints.
        models: Folder of each base model by the name that it has on the service.
        api_key: The key that it takes.
        window: Reported as the most tokens of each model.
        client_config: Answer to `client/config`.
    """

    def __init__(
        self,
        folder: Path,
        models: dict[str, Path],
        *,
        api_key: str = "tml-fake",
        window: int | None = None,
        client_config: dict[str, Any] | None = None,
    ) -> None:
        self.faults = Faults()
        self.engine = FakeEngine(folder, models, window=window)
        self.api_key = api_key
        self.client_config = client_config or {}
        self.requests: list[Recorded] = []
        self.files: dict[str, bytes] = {}
        service = self

        class Handler(_Handler):
            fake = service

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def base_url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def seen(self, end: str) -> list[Recorded]:
        """Return the requests whose path ends with `end`, in order of arrival."""
        return [request for request in self.requests if request.path.endswith(end)]

    def __enter__(self) -> FakeTinkerService:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.engine.close()

    # --- routing ---

    def answer(self, request: Recorded) -> tuple[int, Any]:
        """Return status and answer: bytes go out as protobuf, anything else as JSON."""
        if request.path.startswith("/files/"):
            return self._file(request.path)
        if request.headers.get("x-api-key") != self.api_key:
            return 401, {"error": "wrong api key"}
        path = unquote(request.path.removeprefix(_API))
        try:
            if path == "/retrieve_future":
                return self._retrieve(json.loads(request.body))
            if path == "/forward_backward":
                return 200, self.engine.train(read_request(request.body))
            return 200, self._json(request.method, path, json.loads(request.body or b"{}"))
        except RefusedError as refused:
            return refused.status, {"error": str(refused)}

    def _json(self, method: str, path: str, body: dict[str, Any]) -> Any:
        engine = self.engine
        routes: dict[str, Callable[[], Any]] = {
            "/client/config": lambda: self.client_config,
            "/client/dynamic_config": dict,
            "/healthz": lambda: {"status": "ok"},
            "/telemetry": lambda: {"status": "accepted"},
            "/create_session": engine.create_session,
            "/session_heartbeat": lambda: {"type": "session_heartbeat"},
            "/get_server_capabilities": engine.capabilities,
            "/create_model": lambda: engine.create_model(body),
            "/get_info": lambda: engine.info(body["model_id"]),
            "/weights_info": lambda: engine.weights_info(body["tinker_path"]),
            "/optim_step": lambda: engine.step(body),
            "/save_weights": lambda: engine.save(body, "weights"),
            "/save_weights_for_sampler": lambda: engine.save(body, "sampler_weights"),
            "/save_weights_external": lambda: engine.save(body, "external_weights"),
            "/load_weights": lambda: engine.create_from(body) if "session_id" in body else engine.load(body),
            "/create_sampling_session": lambda: engine.create_sampling_session(body),
            "/asample": lambda: engine.sample(body),
            "/checkpoints": lambda: self._page(engine.listed(None)),
        }
        if path in routes:
            return routes[path]()
        return self._named(method, path)

    def _named(self, method: str, path: str) -> Any:
        """Answer what has a name in its path."""
        if found := re.fullmatch(r"/sessions/([^/]+)/finish", path):
            self.engine.finished.append(found[1])
            return {}
        if found := re.fullmatch(r"/samplers/([^/]+)", path):
            if found[1] not in self.engine.sampler_bases:
                raise RefusedError(404, "no such sampler")
            return {"sampler_id": found[1], "base_model": self.engine.sampler_bases[found[1]]}
        if found := re.fullmatch(r"/training_runs/([^/]+)/checkpoints", path):
            return {"checkpoints": self.engine.listed(found[1])}
        if found := re.fullmatch(r"/training_runs/([^/]+)/checkpoints/(.+)/external_weights_urls", path):
            return self._signed(f"tinker://{found[1]}/{found[2]}")
        if (found := re.fullmatch(r"/training_runs/([^/]+)/checkpoints/(.+)", path)) and method == "DELETE":
            self.engine.delete(f"tinker://{found[1]}/{found[2]}")
            return {}
        raise RefusedError(404, f"no {method} {path}")

    def _page(self, found: list[dict[str, Any]]) -> dict[str, Any]:
        return {"checkpoints": found, "cursor": {"offset": 0, "limit": 100, "total_count": len(found)}}

    def _signed(self, path: str) -> dict[str, Any]:
        urls: dict[str, str] = {}
        for name, content in self.engine.exported(path).items():
            place = f"/files/{len(self.files)}/{name}"
            self.files[place] = content
            urls[name] = f"{self.base_url}{place}"
        return {"urls": urls, "expires": "2099-01-01T00:00:00Z"}

    def _file(self, path: str) -> tuple[int, Any]:
        return (200, self.files[path]) if path in self.files else (404, {"error": "no such file"})

    def _retrieve(self, body: dict[str, Any]) -> tuple[int, Any]:
        request_id = body["request_id"]
        future = self.engine.futures.get(request_id)
        if future is None:
            return 410, {"error": "gone"}
        try:
            return 200, future.result(_LONG_POLL_S)
        except FutureTimeout:
            return 408, {"type": "try_again", "request_id": request_id, "queue_state": "active"}
        except Exception as error:
            category = "user" if isinstance(error, (DataError, ValueError)) else "server"
            return 200, {"error": f"{type(error).__name__}: {error}", "category": category}


class _Handler(BaseHTTPRequestHandler):
    fake: FakeTinkerService
    protocol_version = "HTTP/1.1"
    server_version = "FakeTinkerService"
    sys_version = ""
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_DELETE = do_PUT = do_GET

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        del format, args

    def _serve(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Recorded(self.command, urlsplit(self.path).path, headers, body, time.monotonic())
        self.fake.requests.append(request)
        fault = self.fake.faults.take(request.path)
        with contextlib.suppress(ConnectionError):  # the client did not wait
            if fault is None:
                self._send(*self.fake.answer(request))
            else:
                self._fail(request, fault)

    def _fail(self, request: Recorded, fault: Fault) -> None:
        time.sleep(fault.delay_s)
        answer = self.fake.answer(request) if fault.after or (fault.status is None and not fault.is_torn) else None
        if fault.is_torn or (fault.after and fault.status is None):
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"{")
            self.close_connection = True
        elif fault.status is None:
            assert answer is not None
            self._send(*answer)
        else:
            self._send(fault.status, fault.raw if fault.raw is not None else fault.body, fault.headers)

    def _send(self, status: int, answer: Any, headers: Any = ()) -> None:
        is_bytes = isinstance(answer, bytes)
        content = b"" if answer is None else answer if is_bytes else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", _PROTO if is_bytes else "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
