# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (the SDK is reached through `require`, so that it is optional)
"""The backend that trains and samples on a Tinker service, or one that speaks its protocol, through the official SDK.

Making one reads the key and asks nothing of anybody; the first session, sampler or listing opens the connection.
"""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any

from crucible.backends.tinker.adapting import adapter_problems, sdk_arguments
from crucible.backends.tinker.checkpoints import TinkerCheckpoints
from crucible.backends.tinker.connection import Connection, check_sdk
from crucible.backends.tinker.sampler import TinkerSampler, sdk_retry_config
from crucible.backends.tinker.session import TinkerSession
from crucible.backends.tinker.settings import API_KEY_ENV, BACKEND, BASE_URL_ENV, PROJECT_ENV, TinkerSettings, find_key
from crucible.backends.tinker.tokens import find_tokenizer, find_window
from crucible.errors import BackendError
from crucible.ir import LoraConfig
from crucible.text import Tokenizer

__all__ = ["TinkerBackend"]


class TinkerBackend:
    """LoRA training and sampling on a Tinker service.

    Args:
        api_key: The key. By position only, so that no document can hold one; None reads the environment variable.
        base_url: Address of the service; None: the variable `TINKER_BASE_URL`, else the hosted service.
        api_key_env: Name of the environment variable with the key.
        timeout: Most seconds to wait for any one answer.
        max_retries: How often an HTTP request is sent again after a failure that may pass.
        project_id: Project to file sessions under; None: the variable `TINKER_PROJECT_ID`, else the account's default.
        tokenizer: Folder or Hub id of the tokenizer; None: that of the base model.
        window: Most tokens of a sequence; None asks the service, then the model's `config.json`.
        max_download_bytes: Largest checkpoint that is downloaded.
        sdk_telemetry: Whether the SDK may report to the service what happens in it, request headers included.

    Raises:
        MissingExtra: The SDK is not installed.
        BackendError: There is no key, or an option is out of range.
    """

    name = BACKEND

    def __init__(  # noqa: PLR0913  each is an option of a document
        self,
        api_key: str | None = None,
        /,
        *,
        base_url: str | None = None,
        api_key_env: str = API_KEY_ENV,
        timeout: float = 600.0,
        max_retries: int = 10,
        project_id: str | None = None,
        tokenizer: str | None = None,
        window: int | None = None,
        max_download_bytes: int = 4 * 2**30,
        sdk_telemetry: bool = False,
    ) -> None:
        check_sdk()
        try:
            settings = TinkerSettings(
                api_key=find_key(api_key, api_key_env),
                base_url=base_url or os.environ.get(BASE_URL_ENV) or None,
                timeout_s=timeout,
                max_retries=max_retries,
                project_id=project_id or os.environ.get(PROJECT_ENV) or None,
                max_download_bytes=max_download_bytes,
                sdk_telemetry=sdk_telemetry,
            )
        except ValueError as error:
            raise BackendError(f"backend.options of 'tinker': {error}", backend=BACKEND) from error
        self._connection = Connection(settings)
        self._tokenizer = tokenizer
        self._window = window

    def __repr__(self) -> str:
        return f"TinkerBackend(base_url={self._connection.settings.base_url!r})"

    @staticmethod
    def problems(config: LoraConfig) -> list[tuple[str, str]]:
        """Return what a Tinker service cannot do of a configuration, as (field, what to do)."""
        return adapter_problems(config)

    @property
    def checkpoints(self) -> TinkerCheckpoints:
        """The checkpoints that the service keeps for this account."""
        return TinkerCheckpoints(self._connection)

    def start_session(self, config: LoraConfig) -> TinkerSession:
        """Open a session on `config.base_model` with a fresh adapter.

        Raises:
            BackendError: The service cannot do what the configuration says, has no such model, or cannot be reached.
            DataError: The tokenizer cannot be read.
        """
        found = adapter_problems(config)
        if found:
            raise BackendError("; ".join(f"{field} {problem}" for field, problem in found), backend=BACKEND)
        tokenizer, window = self._model_facts(config.base_model)
        client = self._connection.call(
            "start_session", lambda service: service.create_lora_training_client(**sdk_arguments(config))
        )
        return TinkerSession(self._connection, client, config, tokenizer=tokenizer, window=window)

    def create_sampler(
        self, base_model: str, *, device: str | None = None, checkpoint: str | None = None
    ) -> TinkerSampler:
        """Return a sampler of the base model, or of weights that the service keeps.

        Args:
            base_model: Its name on the service.
            device: The service's own affair; not looked at.
            checkpoint: `tinker://…` of a checkpoint to sample from.

        Raises:
            BackendError: The service has no such model, or cannot be reached.
            DataError: The tokenizer cannot be read.
        """
        del device
        tokenizer, window = self._model_facts(base_model)
        retry_config = sdk_retry_config(self._connection.settings)
        weights = {"base_model": base_model} if checkpoint is None else {"model_path": checkpoint}
        client = self._connection.call(
            "create_sampler", lambda service: service.create_sampling_client(**weights, retry_config=retry_config)
        )
        name = base_model if checkpoint is None else f"{base_model}+{checkpoint.rpartition('/')[2]}"
        return TinkerSampler(self._connection, client, model=name, tokenizer=tokenizer, window=window)

    def close(self) -> None:
        """Finish the session on the service; this backend's sessions and samplers answer no more."""
        self._connection.close()

    def __enter__(self) -> TinkerBackend:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _model_facts(self, base_model: str) -> tuple[Tokenizer, int]:
        """Return a model's tokenizer and window."""
        source = self._tokenizer or base_model
        window = self._window
        if window is None:
            window = find_window(base_model, self._capabilities(), source)
        return find_tokenizer(source), window

    def _capabilities(self) -> Any:
        """Ask what the service can do; SDK 0.38 moved the question to the `RestClient`."""

        def ask(service: Any) -> Any:
            rest = self._connection.rest()
            return (rest if hasattr(rest, "get_server_capabilities") else service).get_server_capabilities()

        return self._connection.call("get_server_capabilities", ask)
