"""System calls and socket options that a daemon under test may not use, as where it has no capability for them.

    daemon = preforkd({...}, popen=UNPRIVILEGED)
"""

from __future__ import annotations

import ctypes
import errno
import platform
import socket
import struct
from collections.abc import Callable

import pytest

# The numbers of system calls, by machine.
SYSCALLS = {"x86_64": {"accept4": 288, "clone3": 435, "close_range": 436, "memfd_create": 319, "prctl": 157, "setgroups": 116,
                       "socket": 41, "userfaultfd": 323},
            "aarch64": {"accept4": 242, "clone3": 435, "close_range": 436, "memfd_create": 279, "prctl": 167,
                        "setgroups": 159, "socket": 198, "userfaultfd": 282}}
SETSOCKOPT = {"x86_64": 54, "aarch64": 208}
GETSOCKOPT = {"x86_64": 55, "aarch64": 209}
ATTACH_FILTER = (socket.SOL_SOCKET, 26)
REUSEPORT = (socket.SOL_SOCKET, 15)
MIN_TTL = (socket.IPPROTO_IP, 21)
MIN_HOP_COUNT = (socket.IPPROTO_IPV6, 73)
TCP_INFO = (socket.IPPROTO_TCP, socket.TCP_INFO)


# Instructions of a filter, and what it may decide.
LOAD, JUMP_EQUAL, RETURN, ALLOW, FAIL = 0x20, 0x15, 0x06, 0x7fff0000, 0x00050000

Step = tuple[int, int, int, int]


def can_forbid() -> bool:
    return platform.machine() in SETSOCKOPT


needs_to_forbid = pytest.mark.skipif(not can_forbid(), reason="knows no system call number of this machine")


def forbid(*options: tuple[int, int], call: dict[str, int] = SETSOCKOPT) -> Callable[[], None]:
    """For preexec_fn: setsockopt(2) has EPERM for these options from here on. So the kernel's own mind, and the rights of
    whoever runs the tests, do not matter."""
    program = [(LOAD, 0, 0, 0), (JUMP_EQUAL, 1, 0, call.get(platform.machine(), 0)), (RETURN, 0, 0, ALLOW)]
    for level, name in options:  # the low halves of the second and the third argument
        program += [(LOAD, 0, 0, 24), (JUMP_EQUAL, 0, 3, level), (LOAD, 0, 0, 32), (JUMP_EQUAL, 0, 1, name),
                    (RETURN, 0, 0, FAIL | errno.EPERM)]
    program.append((RETURN, 0, 0, ALLOW))
    return installer(program)


def fail(error: int, *names: str) -> Callable[[], None]:
    """For preexec_fn: these system calls fail with this error from here on."""
    program = [(LOAD, 0, 0, 0)]
    for name in names:
        program += [(JUMP_EQUAL, 0, 1, SYSCALLS.get(platform.machine(), {}).get(name, 0)), (RETURN, 0, 0, FAIL | error)]
    program.append((RETURN, 0, 0, ALLOW))
    return installer(program)


def fail_prctl(error: int, option: int) -> Callable[[], None]:
    """For preexec_fn: this option of prctl(2) fails with this error from here on."""
    return installer([(LOAD, 0, 0, 0), (JUMP_EQUAL, 0, 3, SYSCALLS.get(platform.machine(), {}).get("prctl", 0)),
                      (LOAD, 0, 0, 16), (JUMP_EQUAL, 0, 1, option), (RETURN, 0, 0, FAIL | error), (RETURN, 0, 0, ALLOW)])


def forbid_family(family: int) -> Callable[[], None]:
    """For preexec_fn: no socket of this family can be opened from here on."""
    return installer([(LOAD, 0, 0, 0), (JUMP_EQUAL, 0, 3, SYSCALLS.get(platform.machine(), {}).get("socket", 0)),
                      (LOAD, 0, 0, 16), (JUMP_EQUAL, 0, 1, family), (RETURN, 0, 0, FAIL | errno.EAFNOSUPPORT),
                      (RETURN, 0, 0, ALLOW)])


def installer(program: list[Step]) -> Callable[[], None]:
    """For preexec_fn: put this process and those it starts under a filter."""
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    libc = ctypes.CDLL(None, use_errno=True)

    def install() -> None:
        filter_program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program), ctypes.addressof(code)))
        if libc.prctl(22, 2, filter_program) != 0:  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
            libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS: what it takes without CAP_SYS_ADMIN
            if libc.prctl(22, 2, filter_program) != 0:
                raise OSError(ctypes.get_errno(), "prctl(PR_SET_SECCOMP)")

    return install


UNPRIVILEGED = {"preexec_fn": forbid(ATTACH_FILTER)}
POWERLESS = {"preexec_fn": forbid(ATTACH_FILTER, REUSEPORT)}
