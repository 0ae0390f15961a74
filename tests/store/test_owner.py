"""A run's process is known to be alive or gone."""

from __future__ import annotations

import os
import subprocess
import sys

import msgspec
import pytest

from crucible.store import owner as room
from crucible.store.owner import Owner, current_owner

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def _child() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)


def test_this_process_lives() -> None:
    """The process that asks is alive."""
    assert current_owner().is_alive()


def test_a_process_lives_until_it_ends() -> None:
    """A child is alive, then gone, also as a zombie that nobody has waited for."""
    child = _child()
    owner = Owner(child.pid, current_owner().host, room._started(child.pid))
    assert owner.is_alive()
    child.kill()
    if sys.platform.startswith("linux"):
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not owner.is_alive()
    child.communicate()
    assert not owner.is_alive()


@linux
def test_a_reused_process_id_is_another_process() -> None:
    """The same id with another start is not the owner."""
    me = current_owner()
    boot, namespace, ticks = me.started.split("/")
    assert not msgspec.structs.replace(me, started=f"{boot}/{namespace}/{int(ticks) + 1}").is_alive()


@linux
def test_a_reboot_ends_every_process() -> None:
    """A process of an earlier boot is gone."""
    me = current_owner()
    assert not msgspec.structs.replace(me, started="earlier/" + me.started.partition("/")[2]).is_alive()


@linux
def test_what_cannot_be_seen_counts_as_alive() -> None:
    """A process of another machine or another container may live."""
    me = current_owner()
    boot, _, ticks = me.started.split("/")
    assert msgspec.structs.replace(me, host="elsewhere").is_alive()
    assert msgspec.structs.replace(me, pid=2**22, started=f"{boot}/pid:[1]/{ticks}").is_alive()


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_without_a_start_the_id_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system does not say when a process started, its id alone is looked at."""
    monkeypatch.setattr(room, "_started", lambda pid: "")
    child = _child()
    owner = Owner(child.pid, current_owner().host)
    assert owner.is_alive()
    child.kill()
    child.communicate()
    assert not owner.is_alive()


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_process_of_another_user_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that may not be signalled is there all the same."""

    def refuse(pid: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(room, "_started", lambda pid: "")
    monkeypatch.setattr(os, "kill", refuse)
    assert Owner(1, current_owner().host).is_alive()
