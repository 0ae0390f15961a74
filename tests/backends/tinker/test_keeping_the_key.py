"""The key is seen by the service's header alone, whatever the key, the service or the user do."""

from __future__ import annotations

import logging
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from tests.backends.tinker.fake import FakeTinkerService, Fault

from crucible.backends import TinkerBackend
from crucible.backends.tinker import TinkerSession
from crucible.backends.tinker.settings import TinkerSettings
from crucible.errors import BackendError
from crucible.ir import LoraConfig
from crucible.text import Datum


def shown(error: BaseException) -> str:
    """Return what a traceback shows, causes included, without the lines of this file."""
    return "\n".join(line for line in traceback.format_exception(error) if __file__ not in line)


@pytest.mark.parametrize("key", ["tml-secret\n", "tml-sécret", "tml-sec ret", "tml-\x00secret"])
def test_a_key_that_no_header_holds_is_refused_at_once(key: str) -> None:
    """The HTTP library would repeat it in its error, or the SDK try again without end."""
    with pytest.raises(BackendError, match="holds a line break, a space or another character") as caught:
        TinkerBackend(key)
    assert key.strip() not in shown(caught.value)


def test_settings_are_neither_pickled_nor_copied() -> None:
    """A pickle would hold the key in the open."""
    with pytest.raises(TypeError, match="hold a key"):
        pickle.dumps(TinkerSettings(api_key="tml-secret"))


def test_a_service_that_repeats_the_key_does_not_get_it_into_a_traceback(
    service: FakeTinkerService, backend: TinkerBackend, config: LoraConfig
) -> None:
    """The SDK's own error, our error's cause, is printed with it; the key is struck out there, too."""
    service.faults.add("/create_model", Fault(status=401, body={"error": "no such key: tml-fake"}))
    with pytest.raises(BackendError, match=r"no such key: \[api key\]") as caught:
        backend.start_session(config)
    assert "tml-fake" not in shown(caught.value)


@pytest.mark.parametrize("status", [400, 500])
def test_no_half_of_the_key_stays_where_a_message_is_cut(
    service: FakeTinkerService, connect: Callable[..., TinkerBackend], config: LoraConfig, status: int
) -> None:
    """It is struck out before long answers are cut."""
    cut = 200 if status == 500 else 500
    for before in range(cut - 60, cut, 8):
        service.faults.add("/create_model", Fault(status=status, body={"error": "x" * before + "tml-fake"}))
        with pytest.raises(BackendError) as caught:
            connect(max_retries=0).start_session(config)
        assert "xtml" not in shown(caught.value)


def test_an_address_with_a_password_is_refused() -> None:
    """Messages and events repeat the address; the password is not repeated even here."""
    with pytest.raises(BackendError, match="base_url must hold no user name or password") as caught:
        TinkerBackend("tml-x", base_url="http://user:hidden@127.0.0.1:9")
    assert "hidden" not in str(caught.value)


def test_the_most_talkative_log_does_not_hold_it(
    session: TinkerSession, data: list[Datum], caplog: pytest.LogCaptureFixture
) -> None:
    """HTTP/2's header compression writes all headers down at DEBUG, so it is told not to."""
    hpack: Any = pytest.importorskip("hpack")
    caplog.set_level(logging.DEBUG)
    session.forward_backward(data).result()
    hpack.Encoder().encode([(b"x-api-key", b"tml-fake")])
    assert "tml-fake" not in caplog.text
