"""A run's process is known to be alive or gone, or cannot be seen."""

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
    assert current_owner().fate() == "alive"


def test_a_process_lives_until_it_ends() -> None:
    """A child is alive, then gone, also as a zombie that nobody has waited for."""
    child = _child()
    owner = Owner(child.pid, current_owner().host, room._started(child.pid))
    assert owner.fate() == "alive"
    child.kill()
    if sys.platform.startswith("linux"):
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert owner.fate() == "gone"
    child.communicate()
    assert owner.fate() == "gone"


@linux
def test_a_reused_process_id_is_another_process() -> None:
    """The same id with another start is not the owner."""
    me = current_owner()
    boot, namespace, ticks = me.started.split("/")
    assert msgspec.structs.replace(me, started=f"{boot}/{namespace}/{int(ticks) + 1}").fate() == "gone"


@linux
def test_a_process_of_another_boot_cannot_be_seen() -> None:
    """It may have ended with the boot, or run on another machine of the same name: its lease decides."""
    me = current_owner()
    assert msgspec.structs.replace(me, started="earlier/" + me.started.partition("/")[2]).fate() == "unseen"


@linux
def test_other_machines_and_containers_cannot_be_seen() -> None:
    """A process there may live or not."""
    me = current_owner()
    boot, _, ticks = me.started.split("/")
    assert msgspec.structs.replace(me, host="elsewhere").fate() == "unseen"
    assert msgspec.structs.replace(me, pid=2**22, started=f"{boot}/pid:[1]/{ticks}").fate() == "unseen"


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_without_a_start_the_id_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system does not say when a process started, its id alone is looked at."""
    monkeypatch.setattr(room, "_started", lambda pid: "")
    child = _child()
    owner = Owner(child.pid, current_owner().host)
    assert owner.fate() == "alive"
    child.kill()
    child.communicate()
    assert owner.fate() == "gone"


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_process_of_another_user_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that may not be signalled is there all the same."""

    def refuse(pid: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(room, "_started", lambda pid: "")
    monkeypatch.setattr(os, "kill", refuse)
    assert Owner(1, current_owner().host).fate() == "alive"
