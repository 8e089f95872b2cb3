"""What a hostile worker can do to the listeners that it shares with the master. Root does it here in its place, with the
same open files."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Callable

import pytest

from daemon import Daemon

PIDFD_GETFD = 438
SO_LOCK_FILTER, SO_ATTACH_FILTER = 44, 26
libc = ctypes.CDLL(None, use_errno=True)


def shared_listeners(worker: int) -> list[socket.socket]:
    """The listening sockets of a worker, as code in it has them: the same open files."""
    pidfd = os.pidfd_open(worker)
    found = []
    try:
        for entry in os.listdir(f"/proc/{worker}/fd"):
            try:
                if not os.readlink(f"/proc/{worker}/fd/{entry}").startswith("socket:"):
                    continue
            except FileNotFoundError:  # closed meanwhile
                continue
            fd = libc.syscall(PIDFD_GETFD, pidfd, int(entry), 0)
            if fd < 0 and ctypes.get_errno() == errno.EPERM:
                pytest.skip("needs the right to take descriptors of another process")
            if fd < 0 and ctypes.get_errno() == errno.EBADF:
                continue
            if fd < 0:
                raise OSError(ctypes.get_errno(), "pidfd_getfd")
            taken = socket.socket(fileno=fd)
            is_known = any(os.path.sameopenfile(taken.fileno(), other.fileno()) for other in found)
            is_udp = taken.type == socket.SOCK_DGRAM and taken.family != socket.AF_UNIX
            if not is_known and (is_udp or taken.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)):
                found.append(taken)
            else:
                taken.close()
    finally:
        os.close(pidfd)
    return found


def sabotage(daemon: Daemon, act: Callable[[socket.socket], None], pool: str = "www") -> None:
    """Do it to all listeners that a worker of the pool has."""
    listeners = shared_listeners(daemon.workers(pool)[0])
    assert listeners
    for listener in listeners:
        with listener:
            act(listener)


def shut(listener: socket.socket) -> None:
    try:
        listener.shutdown(socket.SHUT_RDWR)
    except OSError as error:
        if error.errno != errno.ENOTCONN:  # said of UDP sockets, which are shut all the same
            raise


def lock_out(listener: socket.socket) -> None:
    """A filter that drops everything and cannot be removed."""
    program = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))
    listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(program)))
    listener.setsockopt(socket.SOL_SOCKET, SO_LOCK_FILTER, 1)


def reset_all(listener: socket.socket) -> None:
    """Connections inherit it: their ends become resets."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def shrink(listener: socket.socket) -> None:
    listener.listen(0)


def disconnect(listener: socket.socket) -> None:
    """Another way to the end of a TCP listener."""
    unspecified = ctypes.create_string_buffer(16)
    assert libc.connect(listener.fileno(), unspecified, 16) == 0
