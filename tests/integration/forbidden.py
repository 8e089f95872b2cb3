"""Socket options that a daemon under test may not set, as where it has no capability for them.

    daemon = preforkd({...}, popen=UNPRIVILEGED)
"""

from __future__ import annotations

import ctypes
import platform
import socket
import struct
from collections.abc import Callable

import pytest

SETSOCKOPT = {"x86_64": 54, "aarch64": 208}
ATTACH_FILTER = (socket.SOL_SOCKET, 26)
REUSEPORT = (socket.SOL_SOCKET, 15)
MIN_TTL = (socket.IPPROTO_IP, 21)
MIN_HOP_COUNT = (socket.IPPROTO_IPV6, 73)


def can_forbid() -> bool:
    return platform.machine() in SETSOCKOPT


needs_to_forbid = pytest.mark.skipif(not can_forbid(), reason="knows no system call number of this machine")


def forbid(*options: tuple[int, int]) -> Callable[[], None]:
    """For preexec_fn: setsockopt(2) has EPERM for these options from here on. So the kernel's own mind, and the rights of
    whoever runs the tests, do not matter."""
    load, jump_equal, ret, allow, refuse = 0x20, 0x15, 0x06, 0x7fff0000, 0x00050001  # errno 1
    program = [(load, 0, 0, 0), (jump_equal, 1, 0, SETSOCKOPT.get(platform.machine(), 0)), (ret, 0, 0, allow)]
    for level, name in options:  # the low halves of the second and the third argument
        program += [(load, 0, 0, 24), (jump_equal, 0, 3, level), (load, 0, 0, 32), (jump_equal, 0, 1, name),
                    (ret, 0, 0, refuse)]
    program.append((ret, 0, 0, allow))
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
