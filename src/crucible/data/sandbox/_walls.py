# ruff: noqa: PTH102, PTH103, PTH112, PTH114, PTH115, PTH116, PTH120, PTH123, PTH211
# Here stand calls of the kernel, by their names; and pathlib would cost every start some milliseconds.
"""Walls around a process: namespaces, a file tree of its own, no rights. Runs in the guardian, on the standard library.

A file of its own so that it can be read by itself; `_guardian` loads it by its path, because the guardian runs without
Crucible and without installed packages.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import sys
from typing import Any

__all__ = ["build_root", "close_in", "cut_off", "drop_rights", "enter_root", "limit", "may_read_python", "prctl"]

NEW_MOUNTS, NEW_HOST, NEW_IPC, NEW_USER, NEW_PIDS, NEW_NET = (
    0x00020000,
    0x04000000,
    0x08000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
READ_ONLY, NO_SUID, NO_DEVICES, NO_EXEC, REMOUNT, BIND, RECURSIVE, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
DETACH = 2
DEATH_SIGNAL, DUMPABLE, DROP_BOUND, SUBREAPER, NO_NEW_RIGHTS = 1, 4, 24, 36, 38
MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE = 442, -100, 0x8000
FIRST_UID = 0x70000000  # far from any that is in use; one for each sandbox, so that processes are counted apart
NOBODY = 65534

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *args: Any) -> None:
    if getattr(_libc, name)(*args) != 0:
        number = ctypes.get_errno()
        why = "no further ones are allowed" if (name, number) == ("unshare", errno.ENOSPC) else os.strerror(number)
        raise OSError(number, f"{name}: {why}")


def prctl(option: int, value: int = 0) -> None:
    """Set a property of this process."""
    _call("prctl", ctypes.c_int(option), ctypes.c_ulong(value), *[ctypes.c_ulong(0)] * 3)


def _mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    _call("mount", source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode() or None)


def _is_mapped(uid: int) -> bool:
    """Tell whether a user id exists in this user namespace."""
    with open("/proc/self/uid_map", encoding="ascii") as lines:
        spans = [tuple(map(int, line.split())) for line in lines]
    return any(inside <= uid < inside + count for inside, _, count in spans)


def cut_off(*, network: bool) -> int | None:
    """Put this process and its children into namespaces of their own.

    Returns:
        The user id to become, where this is root's; None where a user namespace was made, and rights end by giving
        them up.

    Raises:
        OSError: This machine does not allow it.
    """
    flags = NEW_MOUNTS | NEW_HOST | NEW_IPC | NEW_PIDS | (0 if network else NEW_NET)
    uid, gid = os.geteuid(), os.getegid()
    own = FIRST_UID + os.getpid()
    if uid == 0 and _is_mapped(own) and _libc.unshare(ctypes.c_int(flags)) == 0:
        return own
    _call("unshare", ctypes.c_int(flags | NEW_USER))
    _map_user(uid, gid)
    return None


def _map_user(uid: int, gid: int) -> None:
    """Be nobody in the new user namespace, and whom one was outside of it."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"{NOBODY} {uid} 1"), ("gid_map", f"{NOBODY} {gid} 1")):
        _write(f"/proc/self/{name}", text)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def build_root(root: str, disk_bytes: int) -> None:
    """Build the file tree that the program will see: Python and the system's libraries, read only, and an empty /tmp.

    Args:
        root: An empty folder.
        disk_bytes: What fits into /tmp.
    """
    _mount("none", "/", flags=RECURSIVE | PRIVATE)
    _mount("tmpfs", root, "tmpfs", NO_SUID | NO_DEVICES, "size=1m,mode=755")
    own = f"{root}/tmp"  # noqa: S108  # the sandbox's own; before Python is shown, which may itself lie below /tmp
    os.mkdir(own)
    _mount("tmpfs", own, "tmpfs", NO_SUID | NO_DEVICES, f"size={disk_bytes},nr_inodes=4k,mode=1777")
    for path in ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/alternatives"):
        _show(path, root)
    for path in dict.fromkeys((sys.base_prefix, sys.base_exec_prefix, sys.prefix)):
        _show(path, root)
    for name in ("null", "zero", "full", "random", "urandom"):
        _show(f"/dev/{name}", root, read_only=False)
    os.symlink("/tmp", f"{root}/dev/shm")  # noqa: S108  # the sandbox's own
    os.mkdir(f"{root}/proc")


def _show(path: str, root: str, *, read_only: bool = True) -> None:
    """Make a file or a folder of this machine appear in the new tree."""
    target = root + path
    if not os.path.lexists(path) or os.path.lexists(target):  # there is none, or a folder above it is shown
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.islink(path):
        os.symlink(os.readlink(path), target)
        real = os.path.realpath(path)
        if not os.path.lexists(root + real):
            _show(real, root, read_only=read_only)
        return
    if os.path.isdir(path):
        os.mkdir(target)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    _mount(path, target, flags=BIND | RECURSIVE)
    if read_only:
        _make_read_only(target)


def _make_read_only(target: str) -> None:
    wanted = (ctypes.c_uint64 * 4)(READ_ONLY | NO_SUID, 0, 0, 0)
    done = _libc.syscall(
        ctypes.c_long(MOUNT_SETATTR),
        ctypes.c_int(AT_FDCWD),
        ctypes.c_char_p(target.encode()),
        ctypes.c_uint(AT_RECURSIVE),
        ctypes.byref(wanted),
        ctypes.c_size_t(ctypes.sizeof(wanted)),
    )
    if done != 0:  # before Linux 5.12; what was forbidden before must stay so
        kept = os.statvfs(target).f_flag & (NO_SUID | NO_DEVICES | NO_EXEC | 1024 | 2048 | 4096)
        flags = kept & 15 | (1 << 10 if kept & 1024 else 0) | (1 << 11 if kept & 2048 else 0)
        flags |= 1 << 21 if kept & 4096 else 0
        _mount("none", target, flags=BIND | REMOUNT | READ_ONLY | NO_SUID | flags)


def enter_root(root: str) -> None:
    """Make the new tree the root of all, and leave nothing of the old one; this process is the first of its own."""
    with contextlib.suppress(OSError):  # a container that hides parts of /proc allows no other; few programs need it
        _mount("proc", f"{root}/proc", "proc", NO_SUID | NO_DEVICES | NO_EXEC)
    os.chdir(root)
    _call("pivot_root", b".", b".")
    _call("umount2", b".", ctypes.c_int(DETACH))
    _mount("none", "/", flags=BIND | REMOUNT | READ_ONLY | NO_SUID | NO_DEVICES)
    os.chdir("/tmp")  # noqa: S108  # the sandbox's own


def drop_rights(uid: int | None) -> None:
    """Give up every right that this process has over others, for good.

    Args:
        uid: The user to become; None: stay, and give up the rights in the user namespace.
    """
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        prctl(DUMPABLE, 1)  # or /proc/self would be root's
    with contextlib.suppress(OSError):  # a wall less inside the walls
        if uid is not None:
            _call("unshare", ctypes.c_int(NEW_USER))
            _map_user(uid, uid)
        _write("/proc/sys/user/max_user_namespaces", "0")  # of this namespace: no rights by way of another one
    for right in range(64):
        if _libc.prctl(DROP_BOUND, ctypes.c_ulong(right), 0, 0, 0) != 0:
            break
    head = (ctypes.c_uint32 * 2)(0x20080522, 0)
    _call("capset", ctypes.byref(head), ctypes.byref((ctypes.c_uint32 * 6)()))
    prctl(NO_NEW_RIGHTS, 1)


def may_read_python() -> bool:
    """Tell whether a user who owns nothing could read Python's own modules."""
    path = os.path.realpath(os.__file__)
    readable = bool(os.stat(path).st_mode & 0o004)
    while (path := os.path.dirname(path)) != "/":
        readable = readable and bool(os.stat(path).st_mode & 0o001)
    return readable


def close_in(kept: list[int], *, highest: int = 512) -> None:
    """Close all files but the standard ones and those that are kept."""
    low = 3
    for number in sorted(kept):
        os.closerange(low, number)
        low = number + 1
    os.closerange(low, highest)


def limit(limits: dict[str, int], others: int) -> None:
    """Bound what this process and its children may use.

    Args:
        limits: As `ProgramLimits` has them.
        others: Processes of the same user that are not the program's.
    """
    cpu = max(1, limits["cpu_s"])
    for what, soft, hard in (
        (resource.RLIMIT_CPU, cpu, cpu + 1),
        (resource.RLIMIT_AS, limits["memory_bytes"], limits["memory_bytes"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"], limits["file_bytes"]),
        (resource.RLIMIT_NPROC, limits["processes"] + others, limits["processes"] + others),
        (resource.RLIMIT_NOFILE, limits["open_files"], limits["open_files"]),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        most = resource.getrlimit(what)[1]
        bound = hard if most == resource.RLIM_INFINITY else min(hard, most)
        resource.setrlimit(what, (min(soft, bound), bound))
